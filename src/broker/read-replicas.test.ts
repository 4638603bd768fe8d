/** Consumers that read from a follower near them (KIP-392). */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cluster } from '../client/cluster.ts'
import type { Connection } from '../client/connection.ts'
import { errorName } from '../protocol/errors.ts'
import { createTopicsRequest, createTopicsResponse } from '../protocol/messages/create-topics.ts'
import { fetchRequest, fetchResponse } from '../protocol/messages/fetch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { zeroUuid } from '../protocol/schema.ts'
import { clientOf, connectTo, late, startBroker } from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'
import type { Broker } from './broker.ts'

const rackAware = {
  'replica.selector.class': 'org.apache.kafka.common.replica.RackAwareReplicaSelector',
}

interface Fetch {
  readonly offset: number
  readonly rack?: string
  readonly currentLeaderEpoch?: number
  readonly maxWaitMs?: number
}

/** Topic `words` on brokers 1, which leads, and 2, in racks `east` and `west`. */
class Bench {
  readonly world: World
  readonly brokers: readonly Broker[]
  readonly cluster: Cluster
  readonly #topicId: string
  readonly #connections: ReadonlyMap<number, Connection>

  private constructor(
    world: World,
    brokers: readonly Broker[],
    cluster: Cluster,
    topicId: string,
    connections: ReadonlyMap<number, Connection>,
  ) {
    this.world = world
    this.brokers = brokers
    this.cluster = cluster
    this.#topicId = topicId
    this.#connections = connections
  }

  static async start(world: World, properties: Record<string, string>): Promise<Bench> {
    const brokers = [
      await startBroker(world, 1, { 'broker.rack': 'east', ...properties }),
      await startBroker(world, 2, { 'broker.rack': 'west', ...properties }),
    ]
    const cluster = clientOf(world, [1])
    const connections = new Map([
      [1, await connectTo(world, 1)],
      [2, await connectTo(world, 2)],
    ])
    const assignments = [{ partitionIndex: 0, brokerIds: [1, 2] }]
    const topic = { name: 'words', numPartitions: -1, replicationFactor: -1, assignments }
    const { topics } = await connections
      .get(1)!
      .request(
        createTopicsRequest,
        createTopicsResponse,
        { topics: [{ ...topic, configs: [] }], timeoutMs: 10_000 },
        late(world),
      )
    return new Bench(world, brokers, cluster, topics[0]!.topicId!, connections)
  }

  async produce(value: string): Promise<void> {
    const records = buildBatch({}, [{ timestamp: 1000, value }])
    const [result] = await this.cluster.produce([{ topic: 'words', partition: 0, records }], {
      acks: -1,
    })
    if (result instanceof Error) throw result
  }

  async fetch(brokerId: number, fetch: Fetch) {
    const { offset, rack = 'west', currentLeaderEpoch = -1, maxWaitMs = 0 } = fetch
    const partition = {
      ...{ partition: 0, currentLeaderEpoch, fetchOffset: offset, partitionMaxBytes: 1_000_000 },
      replicaDirectoryId: zeroUuid,
    }
    const body = {
      ...{ replicaState: {}, maxWaitMs, minBytes: 1, maxBytes: 1_000_000, rackId: rack },
      topics: [{ topicId: this.#topicId, partitions: [partition] }],
      forgottenTopicsData: [],
    }
    const { responses } = await this.#connections
      .get(brokerId)!
      .request(fetchRequest, fetchResponse, body, late(this.world))
    const { errorCode, records, preferredReadReplica, highWatermark } = responses[0]!.partitions[0]!
    return {
      error: errorName(errorCode),
      bytes: records?.length ?? 0,
      preferred: preferredReadReplica,
      highWatermark: Number(highWatermark),
    }
  }

  async stop(): Promise<void> {
    for (const connection of this.#connections.values()) connection.close()
    this.cluster.close()
    for (const broker of this.brokers) await broker.close()
  }
}

function onBench(
  properties: Record<string, string>,
  scenario: (bench: Bench, world: World) => Promise<void>,
): Promise<void> {
  return simulated().run(async world => {
    const bench = await Bench.start(world, properties)
    await scenario(bench, world)
    await bench.stop()
  })
}

test('the leader sends a consumer to the follower in its rack, and no other consumer', () =>
  onBench(rackAware, async bench => {
    await bench.produce('a')
    const { error, bytes, preferred } = await bench.fetch(1, { offset: 0, maxWaitMs: 9000 })
    assert.deepEqual([error, bytes, preferred], ['NONE', 0, 2])
    for (const rack of ['', 'east', 'north']) {
      const here = await bench.fetch(1, { offset: 0, rack })
      assert.equal(here.preferred, -1, rack)
      assert.ok(here.bytes > 0)
    }
  }))

test('a follower is not preferred for what it does not hold, nor when it is out of sync', () =>
  onBench({ ...rackAware, 'replica.lag.time.max.ms': '2000' }, async (bench, world) => {
    await bench.produce('a')
    await world.sleep(1000)
    assert.equal((await bench.fetch(1, { offset: 1 })).preferred, 2)
    assert.equal((await bench.fetch(1, { offset: 2 })).error, 'OFFSET_OUT_OF_RANGE')
    await bench.brokers[1]!.close()
    assert.equal((await bench.fetch(1, { offset: 0 })).preferred, -1)
  }))

test('without a selector everybody reads from the leader', () =>
  onBench({}, async bench => {
    await bench.produce('a')
    const { bytes, preferred } = await bench.fetch(1, { offset: 0 })
    assert.ok(bytes > 0)
    assert.equal(preferred, -1)
  }))

test('a follower gives what it knows to be replicated, and wakes who waits for it', () =>
  onBench(rackAware, async (bench, world) => {
    await bench.produce('a')
    await bench.produce('b')
    await world.sleep(1000)
    const { bytes, highWatermark, preferred } = await bench.fetch(2, { offset: 0 })
    assert.ok(bytes > 0)
    assert.deepEqual([highWatermark, preferred], [2, -1])
    const waiting = bench.fetch(2, { offset: 2, maxWaitMs: 30_000 })
    await bench.produce('c')
    assert.ok((await waiting).bytes > 0)
  }))

test('a follower refuses other epochs and offsets as a leader does', () =>
  onBench(rackAware, async (bench, world) => {
    await bench.produce('a')
    await world.sleep(1000)
    const errorOf = async (fetch: Fetch) => (await bench.fetch(2, fetch)).error
    assert.deepEqual(
      [
        await errorOf({ offset: 0, currentLeaderEpoch: 0 }),
        await errorOf({ offset: 0, currentLeaderEpoch: 7 }),
        await errorOf({ offset: 2 }),
      ],
      ['NONE', 'UNKNOWN_LEADER_EPOCH', 'OFFSET_OUT_OF_RANGE'],
    )
  }))
