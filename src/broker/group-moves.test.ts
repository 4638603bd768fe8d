import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cluster } from '../client/cluster.ts'
import type { Connection } from '../client/connection.ts'
import { createTopics } from '../client/topics.ts'
import { partitionOf } from '../coordinator/group/group-coordinator.ts'
import { type ErrorName, errorName } from '../protocol/errors.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../protocol/messages/find-coordinator.ts'
import { joinGroupRequest, joinGroupResponse } from '../protocol/messages/join-group.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { offsetCommitRequest, offsetCommitResponse } from '../protocol/messages/offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from '../protocol/messages/offset-fetch.ts'
import {
  clientOf,
  connectTo,
  hostOf,
  late,
  startBroker,
  startBrokers,
} from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'
import type { Broker } from './broker.ts'

const partitionCount = 4
const properties = {
  'offsets.topic.replication.factor': '3',
  'offsets.topic.num.partitions': String(partitionCount),
  'min.insync.replicas': '2',
  'group.initial.rebalance.delay.ms': '50000',
}

/** A group whose id goes to this partition of the internal topic. */
function groupIn(index: number, word = 'group'): string {
  for (let n = 0; ; n++) {
    if (partitionOf(`${word}${n}`, partitionCount) === index) return `${word}${n}`
  }
}

const groups = Array.from({ length: partitionCount }, (_, index) => groupIn(index))

interface Scene {
  readonly world: World
  readonly brokers: Broker[]
  readonly cluster: Cluster
  readonly topicId: string
}

function onThree(scenario: (scene: Scene) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const brokers = await startBrokers(world, 3, properties)
    const cluster = clientOf(world, [1, 2, 3])
    const [created] = await createTopics(cluster, [{ name: 't', replicationFactor: 3 }])
    await scenario({ world, brokers, cluster, topicId: created!.topicId })
    cluster.close()
    for (const broker of brokers) await broker.close()
  })
}

/** The coordinator, as soon as that is not `gone`. */
async function coordinatorOf(cluster: Cluster, group: string, gone = -1): Promise<number> {
  for (;;) {
    const body = { keyType: 0, coordinatorKeys: [group] }
    const answer = await cluster.call(findCoordinatorRequest, findCoordinatorResponse, body)
    const { errorCode, nodeId } = answer.coordinators[0]!
    if (errorCode === 0 && nodeId !== gone) return nodeId
  }
}

async function commit(
  { world, topicId }: Pick<Scene, 'world' | 'topicId'>,
  broker: Connection,
  group: string,
  committedOffset: number,
): Promise<ErrorName> {
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
  const body = { groupId: group, topics: [{ topicId, partitions }] }
  const answer = await broker.request(offsetCommitRequest, offsetCommitResponse, body, late(world))
  return errorName(answer.topics[0]!.partitions[0]!.errorCode)
}

async function committed(
  world: World,
  broker: Connection,
  group: string,
): Promise<ErrorName | number> {
  const body = { groups: [{ groupId: group, topics: null }], requireStable: false }
  const { groups: answers } = await broker.request(
    offsetFetchRequest,
    offsetFetchResponse,
    body,
    late(world),
  )
  const [{ errorCode, topics }] = answers as [(typeof answers)[number]]
  if (errorCode !== 0) return errorName(errorCode)
  return topics[0]?.partitions[0]?.committedOffset ?? -1
}

/** What the new coordinator says, once it has loaded. */
async function loaded(world: World, broker: Connection, group: string) {
  for (;;) {
    const answer = await committed(world, broker, group)
    if (answer !== 'COORDINATOR_LOAD_IN_PROGRESS' && answer !== 'NOT_COORDINATOR') return answer
    await world.sleep(5)
  }
}

test('a group goes on at the next leader of its partition, with all that was committed', () =>
  onThree(async scene => {
    const { world, cluster, brokers } = scene
    const firsts = new Map<string, number>()
    for (const [index, group] of groups.entries()) {
      const id = await coordinatorOf(cluster, group)
      firsts.set(group, id)
      const broker = await connectTo(world, id)
      assert.equal(await commit(scene, broker, group, 100 + index), 'NONE')
      broker.close()
    }
    const victim = firsts.get(groupIn(0))!
    world.kill(hostOf(victim))
    const startMs = world.nowMs
    for (const [index, group] of groups.entries()) {
      const id = await coordinatorOf(cluster, group, victim)
      const isMoved = firsts.get(group) === victim
      assert.equal(id !== firsts.get(group), isMoved, `${group} is at ${id}`)
      const broker = await connectTo(world, id)
      assert.equal(await loaded(world, broker, group), 100 + index)
      assert.equal(await commit(scene, broker, group, 200 + index), 'NONE')
      broker.close()
    }
    assert.ok(world.nowMs - startMs < 3000, `${world.nowMs - startMs} ms`)
    brokers[victim - 1] = await startBroker(world, victim, properties)
  }))

/** A member that is kept waiting for others; answers the error that ends this. */
async function parkedJoin(world: World, broker: Connection, groupId: string): Promise<ErrorName> {
  const join = (memberId: string) =>
    broker.request(
      joinGroupRequest,
      joinGroupResponse,
      {
        groupId,
        memberId,
        sessionTimeoutMs: 45_000,
        rebalanceTimeoutMs: 60_000,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.from('m') }],
      },
      late(world),
    )
  const { memberId } = await join('')
  return errorName((await join(memberId)).errorCode)
}

test('the broker that led says NOT_COORDINATOR, to those who are parked at once', () =>
  onThree(async scene => {
    const { world, cluster, brokers } = scene
    const group = groupIn(0)
    const id = await coordinatorOf(cluster, group)
    const old = await connectTo(world, id)
    assert.equal(await commit(scene, old, group, 7), 'NONE')
    const joining = parkedJoin(world, await connectTo(world, id), groupIn(0, 'other'))
    await world.sleep(100)
    const closing = brokers[id - 1]!.close()
    let answer = await commit(scene, old, group, 8)
    for (let tries = 0; answer === 'NONE' && tries < 1000; tries++) {
      answer = await commit(scene, old, group, 8)
    }
    assert.equal(answer, 'NOT_COORDINATOR')
    assert.equal(await joining, 'NOT_COORDINATOR')
    await closing
    const next = await coordinatorOf(cluster, group)
    assert.notEqual(next, id)
    const broker = await connectTo(world, next)
    assert.equal(await loaded(world, broker, group), 8)
    broker.close()
    brokers[id - 1] = await startBroker(world, id, properties)
  }))

test('groups wait while too few replicas are there, and go on soon after these are back', () =>
  onThree(async scene => {
    const { world, cluster, brokers } = scene
    const at = new Map<string, number>()
    for (const group of groups) at.set(group, await coordinatorOf(cluster, group))
    const [group, id] = [...at][0]!
    const others = [1, 2, 3].filter(other => other !== id)
    // Two of three are gone: the ISR is below min.insync.replicas, so nothing is replicated.
    for (const other of others) world.kill(hostOf(other))
    await world.sleep(12_000)
    const broker = await connectTo(world, id)
    assert.notEqual(await commit(scene, broker, group, 1), 'NONE')
    for (const other of others) brokers[other - 1] = await startBroker(world, other, properties)
    const startMs = world.nowMs
    for (const one of groups) {
      const connection = await connectTo(world, await coordinatorOf(cluster, one))
      await loaded(world, connection, one)
      connection.close()
    }
    assert.ok(world.nowMs - startMs < 5000, `${world.nowMs - startMs} ms`)
    broker.close()
  }))

test('what a client is told of leaders is what its broker knows, wherever they are', () =>
  onThree(async ({ world, cluster }) => {
    for (const group of groups) await coordinatorOf(cluster, group)
    for (const id of [1, 2, 3]) {
      const broker = await connectTo(world, id)
      const { topics } = await broker.request(
        metadataRequest,
        metadataResponse,
        { topics: [{ name: '__consumer_offsets' }], allowAutoTopicCreation: false },
        late(world),
      )
      for (const { leaderId, replicaNodes, isrNodes } of topics[0]!.partitions) {
        assert.ok(replicaNodes.includes(leaderId))
        assert.equal(isrNodes.length, 3)
      }
      broker.close()
    }
  }))
