/** Fetches of a follower as bytes: a whole broker leads, the follower is this test. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Connection } from '../src/client/connection.ts'
import {
  createTopicsRequest,
  createTopicsResponse,
} from '../src/protocol/messages/create-topics.ts'
import { fetchRequest, fetchResponse } from '../src/protocol/messages/fetch.ts'
import { produceRequest, produceResponse } from '../src/protocol/messages/produce.ts'
import { buildBatch } from '../src/protocol/records/build.ts'
import { zeroUuid } from '../src/protocol/schema.ts'
import { ClusterNode } from '../src/sim/cluster-node.ts'
import { connectTo, startBroker } from '../src/sim/several-brokers.ts'
import { simulated, type World } from '../src/sim/world.ts'

const errors = { none: 0, notLeaderOrFollower: 6, fencedLeaderEpoch: 74, unknownTopicId: 100 }

interface Fetch {
  readonly offset: number
  readonly lastFetchedEpoch?: number
  readonly currentLeaderEpoch?: number
  readonly brokerEpoch?: bigint
  readonly maxWaitMs?: number
  readonly sessionId?: number
  readonly sessionEpoch?: number
  readonly topicId?: string
}

/** Topic `t` with replicas on broker 1, which leads, and on this follower, which is broker 2. */
class Bench {
  readonly world: World
  readonly topicId: string
  readonly #connections: readonly Connection[]
  readonly #follower: ClusterNode

  constructor(
    world: World,
    topicId: string,
    connections: readonly Connection[],
    node: ClusterNode,
  ) {
    this.world = world
    this.topicId = topicId
    this.#connections = connections
    this.#follower = node
  }

  /** Whole answer of the leader. */
  ask(fetch: Fetch) {
    const { offset, maxWaitMs = 0, sessionId = 0, sessionEpoch = -1 } = fetch
    const brokerEpoch = fetch.brokerEpoch ?? this.#follower.membership.brokerEpoch!
    const partition = {
      partition: 0,
      currentLeaderEpoch: fetch.currentLeaderEpoch ?? 0,
      fetchOffset: offset,
      lastFetchedEpoch: fetch.lastFetchedEpoch ?? (offset === 0 ? -1 : 0),
      partitionMaxBytes: 1_000_000,
      replicaDirectoryId: zeroUuid,
    }
    const body = {
      replicaState: { replicaId: 2, replicaEpoch: Number(brokerEpoch) },
      ...{ maxWaitMs, minBytes: 1, maxBytes: 1_000_000, sessionId, sessionEpoch },
      topics: [{ topicId: fetch.topicId ?? this.topicId, partitions: [partition] }],
      forgottenTopicsData: [],
    }
    const deadlineMs = this.world.io('client').clock.monotonicMs() + 30_000
    return this.#connections[0]!.request(fetchRequest, fetchResponse, body, deadlineMs)
  }

  async fetch(fetch: Fetch) {
    return (await this.ask(fetch)).responses[0]!.partitions[0]!
  }

  async produce(value: string, acks = -1, timeoutMs = 5000): Promise<number> {
    const records = buildBatch({}, [{ timestamp: 1000, value }])
    const partitionData = [{ index: 0, records }]
    const body = { acks, timeoutMs, topicData: [{ topicId: this.topicId, partitionData }] }
    const deadlineMs = this.world.io('client').clock.monotonicMs() + 30_000
    const { responses } = await this.#connections[1]!.request(
      produceRequest,
      produceResponse,
      body,
      deadlineMs,
    )
    return responses[0]!.partitionResponses[0]!.errorCode
  }
}

function onBench(
  scenario: (bench: Bench, world: World) => Promise<void>,
  properties: Record<string, string> = {},
  configs: { name: string; value: string }[] = [],
): Promise<void> {
  return simulated().run(async world => {
    const broker = await startBroker(world, 1, properties)
    const follower = await new ClusterNode(world, { brokerId: 2 }).start()
    const connections = [await connectTo(world, 1), await connectTo(world, 1)]
    const assignments = [{ partitionIndex: 0, brokerIds: [1, 2] }]
    const wanted = { name: 't', numPartitions: -1, replicationFactor: -1, assignments, configs }
    const body = { topics: [wanted], timeoutMs: 5000 }
    const deadlineMs = world.io('client').clock.monotonicMs() + 30_000
    const { topics } = await connections[0]!.request(
      createTopicsRequest,
      createTopicsResponse,
      body,
      deadlineMs,
    )
    assert.equal(topics[0]!.errorCode, 0, topics[0]!.errorMessage ?? '')
    await scenario(new Bench(world, topics[0]!.topicId!, connections, follower), world)
    for (const connection of connections) connection.close()
    follower.abandon()
    await broker.close()
  })
}

test('acks=all is answered when the follower fetches from the end of what it got', () =>
  onBench(async (bench, world) => {
    let answer: number | undefined
    const produced = bench.produce('a').then(errorCode => {
      answer = errorCode
    })
    await world.sleep(100)
    const first = await bench.fetch({ offset: 0 })
    assert.equal(first.errorCode, errors.none)
    assert.ok(first.records!.length > 0)
    assert.equal(Number(first.highWatermark), 0)
    await world.sleep(100)
    assert.equal(answer, undefined)
    const second = await bench.fetch({ offset: 1 })
    await produced
    assert.equal(answer, errors.none)
    assert.equal(Number(second.highWatermark), 1)
  }))

test('how far a follower has come counts when its fetch arrives, though it waits for more', () =>
  onBench(async (bench, world) => {
    const produced = bench.produce('a')
    await world.sleep(100)
    await bench.fetch({ offset: 0 })
    let isAnswered = false
    const parked = bench.fetch({ offset: 1, maxWaitMs: 10_000 }).finally(() => {
      isAnswered = true
    })
    assert.equal(await produced, errors.none)
    assert.equal(isAnswered, false, 'the watermark moved, and that alone is no answer')
    const next = bench.produce('b')
    const { records, highWatermark } = await parked
    assert.ok(records!.length > 0, 'it is woken by what is written, not by what is replicated')
    assert.equal(Number(highWatermark), 1)
    await bench.fetch({ offset: 2 })
    assert.equal(await next, errors.none)
  }))

test('a fetch is refused by its topic id, then its leader epoch, then its broker epoch', () =>
  onBench(async bench => {
    const codeOf = async (fetch: Fetch) => (await bench.fetch(fetch)).errorCode
    const unknown = { topicId: 'AAAAAAAAAAAAAAAAAAAAAg' }
    const epoch = { currentLeaderEpoch: -1 }
    assert.deepEqual(
      [
        await codeOf({ offset: 9, brokerEpoch: 1n, ...epoch, ...unknown }),
        await codeOf({ offset: 9, brokerEpoch: 1n, ...epoch }),
        await codeOf({ offset: 9, brokerEpoch: 1n }),
        await codeOf({ offset: 0, brokerEpoch: -1n }),
        await codeOf({ offset: 0 }),
      ],
      [
        errors.unknownTopicId,
        errors.fencedLeaderEpoch,
        errors.notLeaderOrFollower,
        errors.notLeaderOrFollower,
        errors.none,
      ],
    )
  }))

test('a follower in a session is told of the watermark with its next answer', () =>
  onBench(async (bench, world) => {
    const produced = bench.produce('a')
    await world.sleep(100)
    const { sessionId } = await bench.ask({ offset: 0, sessionEpoch: 0 })
    assert.notEqual(sessionId, 0)
    const second = await bench.ask({ offset: 1, sessionId, sessionEpoch: 1 })
    assert.equal(await produced, errors.none)
    assert.equal(Number(second.responses[0]!.partitions[0]!.highWatermark), 1)
    const third = await bench.ask({ offset: 1, sessionId, sessionEpoch: 2 })
    assert.deepEqual(third.responses, [])
  }))

const throttled = [{ name: 'leader.replication.throttled.replicas', value: '0:1' }]
const slow = {
  'leader.replication.throttled.rate': '100',
  'replica.lag.time.max.ms': '1000',
}

test('a throttled follower that is out of sync waits while the rate is above the limit', () =>
  onBench(
    async (bench, world) => {
      const bytesAt = async (offset: number) => (await bench.fetch({ offset })).records!.length
      await bench.produce('x'.repeat(1000), 1)
      await bench.produce('y', 1)
      await world.sleep(3000)
      assert.ok((await bytesAt(0)) > 1000, 'the rate was 0')
      assert.equal(await bytesAt(0), 0)
      assert.equal(await bytesAt(1), 0)
      await world.sleep(11_000)
      assert.ok((await bytesAt(1)) > 0)
    },
    slow,
    throttled,
  ))

test('a throttled follower that is in sync is not held up', () =>
  onBench(
    async bench => {
      await bench.produce('x'.repeat(1000), 1)
      for (let times = 0; times < 3; times++) {
        assert.ok((await bench.fetch({ offset: 0 })).records!.length > 1000)
      }
    },
    slow,
    throttled,
  ))
