import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Cluster } from '../client/cluster.ts'
import { createTopics } from '../client/topics.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../protocol/messages/find-coordinator.ts'
import { heartbeatRequest, heartbeatResponse } from '../protocol/messages/heartbeat.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../protocol/messages/incremental-alter-configs.ts'
import { joinGroupRequest, joinGroupResponse } from '../protocol/messages/join-group.ts'
import { listGroupsRequest, listGroupsResponse } from '../protocol/messages/list-groups.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { offsetCommitRequest, offsetCommitResponse } from '../protocol/messages/offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from '../protocol/messages/offset-fetch.ts'
import { syncGroupRequest, syncGroupResponse } from '../protocol/messages/sync-group.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { simulated, World } from '../sim/world.ts'
import { Broker } from './broker.ts'

const [host, port, groupId] = ['broker', 9092, 'g']

function start(world: World, more: Record<string, string> = {}): Promise<Broker> {
  const properties = { listeners: `PLAINTEXT://${host}:${port}`, 'log.dirs': '/data', ...more }
  return Broker.start({ io: world.io(host), properties })
}

function client(world: World, timeoutMs = 30_000): Cluster {
  return new Cluster(world.io('client'), { bootstrap: [{ host, port }], timeoutMs })
}

async function find(cluster: Cluster, id = groupId): Promise<void> {
  const body = { keyType: 0, coordinatorKeys: [id] }
  const answer = await cluster.call(findCoordinatorRequest, findCoordinatorResponse, body)
  assert.equal(answer.coordinators[0]!.errorCode, 0)
  assert.equal(answer.coordinators[0]!.nodeId, 1)
}

/** Answers the error code. */
async function commit(
  cluster: Cluster,
  topicId: string,
  committedOffset: number,
  id = groupId,
): Promise<number> {
  const partitions = [{ partitionIndex: 0, committedOffset, committedMetadata: '' }]
  const body = { groupId: id, topics: [{ topicId, partitions }] }
  const answer = await cluster.call(offsetCommitRequest, offsetCommitResponse, body)
  return answer.topics[0]!.partitions[0]!.errorCode
}

async function committed(cluster: Cluster, id = groupId): Promise<number | undefined> {
  const body = { groups: [{ groupId: id, topics: null }], requireStable: false }
  const { groups } = await cluster.call(offsetFetchRequest, offsetFetchResponse, body)
  assert.equal(groups[0]!.errorCode, 0)
  return groups[0]!.topics[0]?.partitions[0]?.committedOffset
}

async function create(cluster: Cluster, name: string): Promise<string> {
  const [created] = await createTopics(cluster, [{ name }])
  return created!.topicId
}

/** The only member of the group; answers its id and generation. */
async function enter(cluster: Cluster) {
  const join = (memberId: string) =>
    cluster.call(joinGroupRequest, joinGroupResponse, {
      groupId,
      memberId,
      sessionTimeoutMs: 45_000,
      rebalanceTimeoutMs: 60_000,
      protocolType: 'consumer',
      protocols: [{ name: 'range', metadata: Buffer.from('m') }],
    })
  const { memberId } = await join('')
  const { errorCode, generationId } = await join(memberId)
  assert.equal(errorCode, 0)
  const assignments = [{ memberId, assignment: Buffer.from('a') }]
  const body = { groupId, memberId, generationId, assignments }
  const synced = await cluster.call(syncGroupRequest, syncGroupResponse, {
    ...body,
    protocolType: 'consumer',
    protocolName: 'range',
  })
  assert.equal(synced.errorCode, 0)
  return { groupId, memberId, generationId }
}

async function phaseOf(cluster: Cluster): Promise<string | undefined> {
  const { groups } = await cluster.call(listGroupsRequest, listGroupsResponse, {})
  return groups[0]?.groupState
}

test('a commit that is acknowledged while the broker stops is there afterwards', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const cluster = client(world)
    const topicId = await create(cluster, 'orders')
    await find(cluster)
    const acknowledged: number[] = []
    const commits = Array.from({ length: 200 }, async (_, offset) => {
      if ((await commit(cluster, topicId, offset)) === 0) acknowledged.push(offset)
    })
    const all = Promise.allSettled(commits)
    while (acknowledged.length < 3) await world.sleep(0.1)
    await broker.close()
    cluster.close()
    await all
    const next = await start(world)
    const last = await committed(client(world))
    assert.ok(last !== undefined && last >= Math.max(...acknowledged), `${last}`)
    await next.close()
  }))

for (const seed of [1, 2, 3]) {
  test(`whatever happens to the broker, no acknowledged commit is lost: seed ${seed}`, () =>
    new World(seed).run(async world => {
      const synced = { 'log.flush.interval.messages': '1', 'offsets.topic.num.partitions': '3' }
      const random = world.random('groups')
      let broker = await start(world, synced)
      const topicId = await create(client(world), 'orders')
      /** The last offset that each group tried to commit, and the last one acknowledged. */
      const progress = Array.from({ length: 3 }, (_, i) => ({ id: `g${i}`, tried: 0, done: 0 }))
      for (let round = 0; round < 6; round++) {
        let isOver = false
        const work = progress.map(async group => {
          const cluster = client(world, 2000)
          await find(cluster, group.id).catch(() => {})
          while (!isOver) {
            const offset = ++group.tried
            const error = await commit(cluster, topicId, offset, group.id).catch(() => -1)
            if (error === 0) group.done = offset
            else await world.sleep(50)
          }
          cluster.close()
        })
        await world.sleep(20 + random.below(100))
        if (random.below(3) === 0) {
          const isFull = (path: string) => path.includes('__consumer_offsets')
          world.disk(host).fault = (operation, path) =>
            operation === 'write' && isFull(path) ? 'ENOSPC' : undefined
          await world.sleep(random.below(100))
          world.disk(host).fault = undefined
          await world.sleep(random.below(1500))
        }
        const end = random.below(3)
        if (end === 0) await broker.close()
        else if (end === 1) world.kill(host)
        else world.powerLoss(host)
        isOver = true
        broker = await start(world, synced)
        await Promise.all(work)
        for (const { id, tried, done } of progress) {
          const found = (await committed(client(world), id)) ?? 0
          assert.ok(found >= done && found <= tried, `${id}: ${done} ≤ ${found} ≤ ${tried}`)
        }
      }
      assert.ok(
        progress.every(({ done }) => done > 50),
        'commits were acknowledged',
      )
      await broker.close()
    }))
}

test('a member is in its group as before after a graceful restart, and after a kill', () =>
  simulated().run(async world => {
    const first = await start(world)
    const member = await find(client(world)).then(() => enter(client(world)))
    const heartbeat = async () => {
      const cluster = client(world)
      const answer = await cluster.call(heartbeatRequest, heartbeatResponse, member)
      return [answer.errorCode, await phaseOf(cluster)]
    }
    await first.close()
    await start(world)
    assert.deepEqual(await heartbeat(), [0, 'Stable'])
    world.kill(host)
    const third = await start(world)
    assert.deepEqual(await heartbeat(), [0, 'Stable'])
    await third.close()
  }))

test('a power cut takes no commit from a broker that syncs each write', () =>
  simulated().run(async world => {
    const synced = { 'log.flush.interval.messages': '1' }
    await start(world, synced)
    const cluster = client(world)
    const topicId = await create(cluster, 'orders')
    await find(cluster)
    assert.equal(await commit(cluster, topicId, 7), 0)
    world.powerLoss(host)
    cluster.close()
    const next = await start(world, synced)
    assert.equal(await committed(client(world)), 7)
    await next.close()
  }))

test('the member of a connection that closes leaves after the grace time', () =>
  simulated().run(async world => {
    const broker = await start(world, { 'group.disconnect.grace.ms': '800' })
    const consumer = client(world)
    await find(consumer)
    await enter(consumer)
    consumer.close()
    const watcher = client(world)
    await world.sleep(600)
    assert.equal(await phaseOf(watcher), 'Stable')
    await world.sleep(400)
    assert.equal(await phaseOf(watcher), 'Empty')
    await broker.close()
  }))

test('the grace time can be changed while the broker runs', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const [consumer, watcher] = [client(world), client(world)]
    await find(consumer)
    await enter(consumer)
    const change = { name: 'group.disconnect.grace.ms', configOperation: 0, value: '-1' }
    const resources = [{ resourceType: 4, resourceName: '', configs: [change] }]
    const request = { resources, validateOnly: false }
    const { responses } = await watcher.call(
      incrementalAlterConfigsRequest,
      incrementalAlterConfigsResponse,
      request,
    )
    assert.equal(responses[0]!.errorCode, 0)
    consumer.close()
    await world.sleep(5000)
    assert.equal(await phaseOf(watcher), 'Stable')
    await broker.close()
  }))

test('who is parked in a rebalance does not hold up the stop', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const consumer = client(world)
    await find(consumer)
    await enter(consumer)
    const other = client(world)
    const parked = enter(other)
    parked.catch(() => {})
    await world.sleep(100)
    const startMs = world.nowMs
    await broker.close()
    assert.ok(world.nowMs - startMs < 2000, `${world.nowMs - startMs} ms`)
    consumer.close()
    other.close()
    await assert.rejects(parked)
  }))

test('the topic of the groups is as it should be, whoever asks for it first', () =>
  simulated().run(async world => {
    const broker = await start(world, { 'offsets.topic.num.partitions': '7' })
    const cluster = client(world)
    const body = { topics: [{ name: '__consumer_offsets' }], allowAutoTopicCreation: true }
    const { topics } = await cluster.call(metadataRequest, metadataResponse, body)
    assert.equal(topics[0]!.partitions.length, 7)
    assert.equal(topics[0]!.isInternal, true)
    await find(cluster)
    await broker.close()
  }))

test('clients do not write into the topic of the groups', () =>
  simulated().run(async world => {
    const broker = await start(world)
    const cluster = client(world)
    await find(cluster)
    const records = buildBatch({}, [{ key: 'k', value: 'v', timestamp: 1_767_225_600_000 }])
    const batch = { topic: '__consumer_offsets', partition: 0, records }
    const [result] = await cluster.produce([batch], { acks: -1 })
    assert.equal((result as { error?: string }).error, 'INVALID_TOPIC_EXCEPTION')
    await broker.close()
  }))
