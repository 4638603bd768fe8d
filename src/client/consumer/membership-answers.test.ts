/** A member before a coordinator that says what the test wants: what real ones say seldom, or in a race. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { decode } from '../../protocol/compile.ts'
import { type ErrorName, errorCode } from '../../protocol/errors.ts'
import { consumerProtocolSubscription } from '../../protocol/messages/consumer-protocol.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../../protocol/messages/find-coordinator.ts'
import { heartbeatRequest, heartbeatResponse } from '../../protocol/messages/heartbeat.ts'
import { joinGroupRequest, joinGroupResponse } from '../../protocol/messages/join-group.ts'
import { leaveGroupRequest, leaveGroupResponse } from '../../protocol/messages/leave-group.ts'
import { metadataRequest, metadataResponse } from '../../protocol/messages/metadata.ts'
import { offsetCommitRequest, offsetCommitResponse } from '../../protocol/messages/offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from '../../protocol/messages/offset-fetch.ts'
import { syncGroupRequest, syncGroupResponse } from '../../protocol/messages/sync-group.ts'
import { type ScriptedRequest, scriptedBroker } from '../../sim/scripted-broker.ts'
import { simulated, type World } from '../../sim/world.ts'
import { Cluster } from '../cluster.ts'
import type { Assignor } from './assignors/assignor.ts'
import { range } from './assignors/range.ts'
import { cooperativeSticky } from './assignors/sticky.ts'
import { assignmentBytes, memberOf, subscriptionBytes } from './group-protocol.ts'
import { Membership } from './membership.ts'
import type { TopicPartition } from './options.ts'

const [host, port, groupId] = ['broker', 9092, 'readers']
const known = [
  metadataRequest,
  findCoordinatorRequest,
  joinGroupRequest,
  syncGroupRequest,
  heartbeatRequest,
  leaveGroupRequest,
  offsetCommitRequest,
  offsetFetchRequest,
]

const of = (topic: string, ...partitions: number[]): TopicPartition[] =>
  partitions.map(partition => ({ topic, partition }))

const keys = (partitions: readonly TopicPartition[]) =>
  partitions.map(({ topic, partition }) => `${topic}${partition}`).join(' ')

/** Answers as a calm coordinator with one follower would; each answer can be scripted once, or for good. */
class Coordinator {
  readonly counts = new Map([['a', 3]])
  /** JoinGroup requests so far. */
  readonly joins: { owned: string; generation: number; reason: string | null }[] = []
  generation = 1
  /** What the member is given. */
  assigned = of('a', 0, 1, 2)
  /** Before others: true when it has answered. */
  script: (request: ScriptedRequest) => boolean = () => false
  isLeader = false
  /** Other members, as the leader hears of them. */
  others: { memberId: string; topics: string[] }[] = []
  dealt: string[] = []

  async start(world: World, highest: ReadonlyMap<number, number> = new Map()): Promise<void> {
    const versions = new Map(
      known.map(({ apiKey, versions }) => [apiKey!, highest.get(apiKey!) ?? versions.last]),
    )
    await scriptedBroker(world.io(host), port, versions, request => {
      if (request.header.apiKey === joinGroupRequest.apiKey) this.#note(request)
      if (!this.script(request)) this.#answer(request)
    })
  }

  #note(request: ScriptedRequest): void {
    const { protocols, reason } = request.body(joinGroupRequest)
    const { owned, generation } = memberOf('', null, protocols[0]!.metadata)
    this.joins.push({ owned: keys(owned), generation, reason })
  }

  join(request: ScriptedRequest): void {
    const members = this.others.map(({ memberId, topics }) => ({
      memberId,
      metadata: subscriptionBytes({
        topics,
        owned: [],
        generation: -1,
        userData: null,
        rack: null,
      }),
    }))
    const { metadata } = request.body(joinGroupRequest).protocols[0]!
    request.answer(joinGroupResponse, {
      errorCode: 0,
      generationId: this.generation,
      protocolName: request.body(joinGroupRequest).protocols[0]!.name,
      leader: this.isLeader ? 'me' : 'other',
      memberId: 'me',
      members: this.isLeader ? [{ memberId: 'me', metadata }, ...members] : [],
    })
  }

  #answer(request: ScriptedRequest): void {
    const answers: Record<number, () => void> = {
      [findCoordinatorRequest.apiKey!]: () =>
        request.answer(findCoordinatorResponse, {
          coordinators: [{ key: groupId, nodeId: 1, host, port, errorCode: 0, errorMessage: null }],
        }),
      [metadataRequest.apiKey!]: () => this.#metadata(request),
      [joinGroupRequest.apiKey!]: () => this.join(request),
      [syncGroupRequest.apiKey!]: () => this.#sync(request),
      [heartbeatRequest.apiKey!]: () => request.answer(heartbeatResponse, { errorCode: 0 }),
      [leaveGroupRequest.apiKey!]: () =>
        request.answer(leaveGroupResponse, { errorCode: 0, members: [] }),
    }
    answers[request.header.apiKey]!()
  }

  #sync(request: ScriptedRequest): void {
    this.dealt = request.body(syncGroupRequest).assignments.map(({ memberId }) => memberId)
    const assignment = assignmentBytes(this.assigned)
    request.answer(syncGroupResponse, { errorCode: 0, assignment })
  }

  #metadata(request: ScriptedRequest): void {
    const topics = [...this.counts].map(([name, count]) => ({
      errorCode: 0,
      name,
      topicId: idOf(name),
      partitions: Array.from({ length: count }, (_, partitionIndex) => ({
        ...{ errorCode: 0, partitionIndex, leaderId: 1, leaderEpoch: 0 },
        ...{ replicaNodes: [1], isrNodes: [1], offlineReplicas: [] },
      })),
    }))
    request.answer(metadataResponse, { brokers: [{ nodeId: 1, host, port }], topics })
  }
}

const idOf = (topic: string) => topic.padEnd(22, 'A')

interface Setting {
  readonly world: World
  readonly coordinator: Coordinator
  readonly membership: Membership
  /** Topics that the member reads. */
  readonly subscribed: Map<string, number>
  /** What the group asked of its member. */
  readonly events: string[]
  until(isTrue: () => boolean): Promise<void>
}

function inWorld(
  options: { assignor?: Assignor; instanceId?: string; highest?: ReadonlyMap<number, number> },
  scenario: (setting: Setting) => Promise<void>,
): Promise<void> {
  return simulated().run(async world => {
    const coordinator = new Coordinator()
    await coordinator.start(world, options.highest)
    const io = world.io('member')
    const bootstrap = [{ host, port }]
    const cluster = new Cluster(io, { bootstrap })
    const events: string[] = []
    const subscribed = new Map([['a', 3]])
    const membership = new Membership(
      io,
      cluster,
      {
        groupId,
        groupInstanceId: options.instanceId ?? null,
        sessionTimeoutMs: 45_000,
        rebalanceTimeoutMs: 300_000,
        heartbeatIntervalMs: 100,
        rack: null,
        assignors: [options.assignor ?? cooperativeSticky],
        metadataMaxAgeMs: 5_000,
        requestTimeoutMs: 30_000,
        lane: 'group-1',
        topics: async () => subscribed,
      },
      {
        assign: async partitions => void events.push(`+ ${keys(partitions)}`),
        revoke: async partitions => void events.push(`- ${keys(partitions)}`),
        lost: partitions => void events.push(`lost ${keys(partitions)}`),
        error: error => void events.push(`error ${(error as { error?: ErrorName }).error}`),
      },
    )
    membership.start()
    await scenario({
      world,
      coordinator,
      membership,
      subscribed,
      events,
      async until(isTrue) {
        const endMs = world.nowMs + 60_000
        while (!isTrue()) {
          assert.ok(world.nowMs < endMs, `still not after a minute: ${events.join(', ')}`)
          await world.sleep(10)
        }
      },
    })
    await membership.leave()
    cluster.close()
  })
}

test('what is said of the old generation while it joins the next one loses nothing', () =>
  inWorld({}, async ({ world, coordinator, membership, subscribed, events, until }) => {
    const held: ScriptedRequest[] = []
    coordinator.script = request => {
      const isHeld =
        request.header.apiKey === heartbeatRequest.apiKey ||
        (request.header.apiKey === joinGroupRequest.apiKey && coordinator.joins.length > 1)
      if (isHeld) held.push(request)
      return isHeld
    }
    await until(() => held.length === 1)
    subscribed.set('b', 1)
    membership.rejoin('there is more to read')
    await until(() => held.length === 2)
    held[0]!.answer(heartbeatResponse, { errorCode: errorCode('ILLEGAL_GENERATION') })
    await world.sleep(1000)
    coordinator.generation = 2
    coordinator.script = () => false
    coordinator.join(held[1]!)
    await until(() => membership.generationId === 2)
    await world.sleep(1000)
    assert.deepEqual(events, ['+ a0 a1 a2'])
    assert.equal(coordinator.joins.length, 2)
  }))

test('heartbeats go on while the broker holds what shares a connection', () =>
  inWorld({}, async ({ coordinator, membership, events, until }) => {
    await until(() => events.length === 1)
    const held: ScriptedRequest[] = []
    let beats = 0
    coordinator.script = request => {
      if (request.header.apiKey === heartbeatRequest.apiKey) beats++
      if (request.header.apiKey !== offsetCommitRequest.apiKey) return false
      held.push(request)
      return true
    }
    const committing = membership.commit([{ topic: 'a', partition: 0, offset: 7 }])
    await until(() => held.length === 1 && beats >= 5)
    const partitions = [{ partitionIndex: 0, errorCode: 0 }]
    held[0]!.answer(offsetCommitResponse, { topics: [{ topicId: idOf('a'), partitions }] })
    await committing
    assert.equal(held.length, 1)
    assert.deepEqual(events, ['+ a0 a1 a2'])
  }))

test('it claims partitions since when it was given them, not since it joined last', () =>
  inWorld({}, async ({ coordinator, events, until }) => {
    await until(() => events.length === 1)
    let refusals = 0
    coordinator.generation = 2
    coordinator.script = request => {
      if (request.header.apiKey === heartbeatRequest.apiKey && refusals === 0) {
        request.answer(heartbeatResponse, { errorCode: errorCode('REBALANCE_IN_PROGRESS') })
        return true
      }
      if (request.header.apiKey !== syncGroupRequest.apiKey || refusals > 0) return false
      refusals++
      coordinator.generation = 3
      request.answer(syncGroupResponse, {
        errorCode: errorCode('REBALANCE_IN_PROGRESS'),
        assignment: Buffer.alloc(0),
      })
      return true
    }
    await until(() => coordinator.joins.length === 3)
    assert.deepEqual(
      coordinator.joins.map(({ owned, generation }) => `${owned}@${generation}`),
      ['@-1', 'a0 a1 a2@1', 'a0 a1 a2@1'],
    )
    assert.match(coordinator.joins[1]!.reason!, /rebalances/)
  }))

for (const assignor of [range, cooperativeSticky]) {
  test(`a static member that is fenced has lost its partitions, and says so (${assignor.name})`, () =>
    inWorld({ assignor, instanceId: 'one' }, async ({ coordinator, membership, events, until }) => {
      await until(() => events.length === 1)
      coordinator.script = request => {
        if (request.header.apiKey !== heartbeatRequest.apiKey) return false
        request.answer(heartbeatResponse, { errorCode: errorCode('FENCED_INSTANCE_ID') })
        return true
      }
      await until(() => events.length === 3)
      assert.deepEqual(events, ['+ a0 a1 a2', 'lost a0 a1 a2', 'error FENCED_INSTANCE_ID'])
      await assert.rejects(membership.commit([{ topic: 'a', partition: 0, offset: 1 }]), {
        error: 'UNKNOWN_MEMBER_ID',
      })
    }))
}

test('a leader deals out topics that only others read, and joins again when one of them grows', () =>
  inWorld({ assignor: range }, async ({ world, coordinator, events, until }) => {
    coordinator.isLeader = true
    coordinator.counts.set('b', 2)
    coordinator.others = [{ memberId: 'other', topics: ['b'] }]
    await until(() => events.length > 0)
    assert.deepEqual(coordinator.dealt.toSorted(), ['me', 'other'])
    await world.sleep(12_000)
    assert.equal(coordinator.joins.length, 1)
    coordinator.counts.set('b', 3)
    await until(() => coordinator.joins.length === 2)
    assert.match(coordinator.joins[1]!.reason!, /topics/)
  }))

test('an assignment that cannot be read is an error', () =>
  inWorld({}, async ({ coordinator, events, until }) => {
    coordinator.script = request => {
      if (request.header.apiKey !== syncGroupRequest.apiKey) return false
      request.answer(syncGroupResponse, { errorCode: 0, assignment: Buffer.of(7) })
      return true
    }
    await until(() => events.length > 0)
    assert.deepEqual(events, ['error INCONSISTENT_GROUP_PROTOCOL'])
  }))

test('a commit that the group refuses while it rebalances rejects, and the member stays one', () =>
  inWorld({}, async ({ coordinator, membership, events, until }) => {
    await until(() => events.length === 1)
    coordinator.script = request => {
      if (request.header.apiKey !== offsetCommitRequest.apiKey) return false
      const { topics } = request.body(offsetCommitRequest)
      request.answer(offsetCommitResponse, {
        topics: topics.map(({ topicId, partitions }) => ({
          topicId,
          partitions: partitions.map(({ partitionIndex }) => ({
            partitionIndex,
            errorCode: errorCode('REBALANCE_IN_PROGRESS'),
          })),
        })),
      })
      return true
    }
    await assert.rejects(membership.commit([{ topic: 'a', partition: 0, offset: 1 }]), {
      error: 'REBALANCE_IN_PROGRESS',
    })
    assert.equal(membership.generationId, 1)
    assert.deepEqual(events, ['+ a0 a1 a2'])
  }))

for (const version of [1, 7, 9, 10]) {
  test(`committed offsets are asked for by partition, and only what stands is taken (v${version})`, () =>
    inWorld(
      { highest: new Map([[offsetFetchRequest.apiKey!, version]]) },
      async ({ coordinator, membership, events, until }) => {
        await until(() => events.length === 1)
        coordinator.counts.set('b', 1)
        const refusals: ErrorName[] =
          version < 7
            ? ['COORDINATOR_LOAD_IN_PROGRESS']
            : ['COORDINATOR_LOAD_IN_PROGRESS', 'UNSTABLE_OFFSET_COMMIT']
        coordinator.script = request => {
          if (request.header.apiKey !== offsetFetchRequest.apiKey) return false
          const body = request.body(offsetFetchRequest)
          assert.equal(body.requireStable, version >= 7)
          const code = errorCode(refusals.shift() ?? 'NONE')
          const isWhole = code === errorCode('COORDINATOR_LOAD_IN_PROGRESS')
          const error = version > 1 && { errorCode: isWhole ? code : 0 }
          const partitionsOf = (indexes: readonly number[]) =>
            indexes.map(partitionIndex => ({
              partitionIndex,
              committedOffset: partitionIndex === 2 ? -1 : 7,
              ...(version >= 5 && { committedLeaderEpoch: 4 }),
              metadata: 'm',
              // Before v2 the whole group's error is that of each partition.
              errorCode: isWhole && version > 1 ? 0 : code,
            }))
          if (version < 8) {
            const topics = body.topics!.map(({ name, partitionIndexes }) => ({
              name,
              partitions: partitionsOf(partitionIndexes),
            }))
            request.answer(offsetFetchResponse, { topics, ...error })
            return true
          }
          const topics = body.groups[0]!.topics!.map(({ name, topicId, partitionIndexes }) => ({
            ...(version < 10 ? { name } : { topicId }),
            partitions: partitionsOf(partitionIndexes),
          }))
          request.answer(offsetFetchResponse, { groups: [{ groupId, topics, ...error }] })
          return true
        }
        const found = await membership.committed([...of('a', 0, 2), ...of('b', 0), ...of('c', 0)])
        const leaderEpoch = version < 5 ? -1 : 4
        assert.deepEqual(
          found.map(({ topic, partition, offset, leaderEpoch }) => [
            `${topic}${partition}`,
            offset,
            leaderEpoch,
          ]),
          [
            ['a0', 7, leaderEpoch],
            ['b0', 7, leaderEpoch],
          ],
        )
        assert.deepEqual(refusals, [])
      },
    ))
}

test('what a member brings says its version first', () => {
  const bringing = { topics: ['a'], owned: of('a', 1), generation: 3, userData: null, rack: 'r' }
  const bytes = Buffer.from(subscriptionBytes(bringing))
  assert.equal(bytes.readInt16BE(0), 3)
  assert.equal(decode(consumerProtocolSubscription, 3, bytes, 2).rackId, 'r')
})
