import assert from 'node:assert/strict'
import { test } from 'node:test'
import { errorCode } from '../protocol/errors.ts'
import { fetchRequest, fetchResponse } from '../protocol/messages/fetch.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { produceRequest, produceResponse } from '../protocol/messages/produce.ts'
import { type ScriptedRequest, scriptedBroker } from '../sim/scripted-broker.ts'
import { simulated, type World } from '../sim/world.ts'
import { Cluster } from './cluster.ts'

const port = 9092
const topicId = 'cccccccccccccccccccccw'
const records = Uint8Array.of(1, 2, 3)
const batch = { topic: 'orders', partition: 0, records }

const versions = new Map([
  [produceRequest.apiKey!, 13],
  [fetchRequest.apiKey!, 18],
  [metadataRequest.apiKey!, 13],
])

/** Broker 1 on machine `one`, broker 2 on machine `two`; partition 0 of orders is led by `leader`. */
function answerMetadata(request: ScriptedRequest, leader: () => number, error = 0): void {
  const { topics } = request.body(metadataRequest)
  request.answer(metadataResponse, {
    brokers: [
      { nodeId: 1, host: 'one', port },
      { nodeId: 2, host: 'two', port },
    ],
    topics: (topics ?? []).map(({ name }) => ({
      errorCode: error,
      name,
      topicId,
      partitions: [
        {
          errorCode: 0,
          partitionIndex: 0,
          leaderId: leader(),
          leaderEpoch: 5,
          replicaNodes: [],
          isrNodes: [],
        },
      ],
    })),
  })
}

function answerProduce(request: ScriptedRequest, errorName: Parameters<typeof errorCode>[0]): void {
  request.answer(produceResponse, {
    responses: [
      {
        topicId,
        partitionResponses: [{ index: 0, errorCode: errorCode(errorName), baseOffset: 42 }],
      },
    ],
  })
}

function client(world: World, options: { timeoutMs?: number; failFast?: boolean } = {}): Cluster {
  const bootstrap = [
    { host: 'one', port },
    { host: 'two', port },
  ]
  return new Cluster(world.io('client'), { bootstrap, ...options })
}

function apis(seen: readonly { apiKey: number }[]): number[] {
  return seen.map(({ apiKey }) => apiKey).filter(key => key !== 18)
}

test('a batch follows the leader when that has moved', () =>
  simulated().run(async world => {
    let leader = 1
    const one = await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === 3) return answerMetadata(request, () => leader)
      leader = 2
      answerProduce(request, 'NOT_LEADER_OR_FOLLOWER')
    })
    const two = await scriptedBroker(world.io('two'), port, versions, request => {
      const body = request.body(produceRequest)
      assert.equal(body.topicData[0]!.topicId, topicId)
      assert.deepEqual([...body.topicData[0]!.partitionData[0]!.records!], [...records])
      answerProduce(request, 'NONE')
    })
    const cluster = client(world)
    const [result] = await cluster.produce([batch], { acks: -1 })
    assert.ok(result !== undefined && !(result instanceof Error))
    assert.equal(result.baseOffset, 42)
    assert.deepEqual([apis(one), apis(two)], [[3, 0, 3], [0]])
    cluster.close()
  }))

test('a refusal that will not pass is the result of its item, at once', () =>
  simulated().run(async world => {
    const seen = await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === 3) answerMetadata(request, () => 1)
      else answerProduce(request, 'MESSAGE_TOO_LARGE')
    })
    const [result] = await client(world).produce([batch], { acks: 1 })
    assert.ok(result instanceof Error && 'error' in result)
    assert.equal(result.error, 'MESSAGE_TOO_LARGE')
    assert.deepEqual(apis(seen), [3, 0])
  }))

test('a refusal that may pass is retried until the deadline and then the result', () =>
  simulated().run(async world => {
    const seen = await scriptedBroker(world.io('one'), port, versions, request => {
      answerMetadata(request, () => 1, errorCode('LEADER_NOT_AVAILABLE'))
    })
    const io = world.io('client')
    const startMs = io.clock.monotonicMs()
    const [result] = await client(world, { timeoutMs: 5_000 }).fetch(
      [{ topic: 'orders', partition: 0, offset: 0 }],
      { maxWaitMs: 0 },
    )
    assert.ok(result instanceof Error && 'error' in result)
    assert.equal(result.error, 'LEADER_NOT_AVAILABLE')
    const tookMs = io.clock.monotonicMs() - startMs
    assert.ok(tookMs > 3_000 && tookMs <= 5_000, `${tookMs} ms`)
    assert.ok(seen.length < 30, `${seen.length} requests`)
  }))

test('no attempt begins that the deadline would cut off: the refusal is told, the connection stays', () =>
  simulated().run(async world => {
    let attempts = 0
    await scriptedBroker(world.io('one'), port, versions, request => {
      attempts++
      // Slow: an answer takes a tenth of the time there is.
      world.io('one').clock.timer(100, () => {
        request.answer(metadataResponse, { brokers: [], topics: [] })
      })
    })
    const cluster = client(world)
    const refused = { error: 'COORDINATOR_NOT_AVAILABLE' }
    const code = errorCode('COORDINATOR_NOT_AVAILABLE')
    const call = () =>
      cluster.call(metadataRequest, metadataResponse, { topics: null }, () => code, {
        timeoutMs: 1_000,
      })
    for (let n = 0; n < 5; n++) await assert.rejects(call(), refused)
    assert.ok(attempts >= 10, `${attempts} attempts`)
  }))

test('a fetch asks by topic id in the known leader epoch and finds its answer by it', () =>
  simulated().run(async world => {
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === 3) return answerMetadata(request, () => 1)
      const { topics } = request.body(fetchRequest)
      assert.equal(topics[0]!.topicId, topicId)
      assert.equal(topics[0]!.partitions[0]!.currentLeaderEpoch, 5)
      assert.equal(topics[0]!.partitions[0]!.fetchOffset, 7)
      request.answer(fetchResponse, {
        responses: [
          {
            topicId,
            partitions: [
              {
                partitionIndex: 0,
                errorCode: 0,
                highWatermark: 9,
                logStartOffset: 2,
                abortedTransactions: null,
                records,
              },
            ],
          },
        ],
      })
    })
    const [result] = await client(world).fetch([{ topic: 'orders', partition: 0, offset: 7 }], {
      maxWaitMs: 100,
    })
    assert.ok(result !== undefined && !(result instanceof Error))
    assert.deepEqual([...result.records], [...records])
    assert.deepEqual([result.highWatermark, result.logStartOffset], [9, 2])
  }))

test('the second address serves when nobody is at the first', () =>
  simulated().run(async world => {
    world.io('one')
    await scriptedBroker(world.io('two'), port, versions, request =>
      answerMetadata(request, () => 2),
    )
    const metadata = await client(world).metadata(['orders'])
    assert.equal(metadata.topics[0]!.name, 'orders')
  }))

test('a cluster that is not there is waited for, or with failFast an error at once', () =>
  simulated().run(async world => {
    const one = world.io('one')
    world.io('two')
    const startMs = world.nowMs
    await assert.rejects(client(world, { failFast: true }).metadata(), { code: 'REFUSED' })
    assert.ok(world.nowMs - startMs < 1_000)
    const waiting = client(world).metadata(['orders'])
    await world.sleep(2_000)
    await scriptedBroker(one, port, versions, request => answerMetadata(request, () => 1))
    assert.equal((await waiting).topics[0]!.name, 'orders')
  }))

test('a connection that is lost is opened again for the next attempt', () =>
  simulated().run(async world => {
    let lost = 0
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === 3) return answerMetadata(request, () => 1)
      if (++lost === 1) return request.socket.destroy()
      answerProduce(request, 'NONE')
    })
    const [result] = await client(world).produce([batch], { acks: -1 })
    assert.ok(result !== undefined && !(result instanceof Error))
    assert.equal(lost, 2)
  }))

test('acks 0 waits for no answer', () =>
  simulated().run(async world => {
    let bytes = 0
    await scriptedBroker(world.io('one'), port, versions, request => {
      if (request.header.apiKey === 3) return answerMetadata(request, () => 1)
      bytes += request.body(produceRequest).topicData[0]!.partitionData[0]!.records!.length
    })
    const cluster = client(world)
    const [result] = await cluster.produce([batch], { acks: 0 })
    assert.deepEqual(result, { baseOffset: -1, logAppendTimeMs: -1 })
    await world.sleep(1_000)
    assert.equal(bytes, records.length)
  }))

test('a closed cluster refuses calls', () =>
  simulated().run(async world => {
    await scriptedBroker(world.io('one'), port, versions, request =>
      answerMetadata(request, () => 1),
    )
    const cluster = client(world)
    await cluster.metadata()
    cluster.close()
    await world.sleep(10)
    await assert.rejects(cluster.metadata(), { code: 'CLOSED' })
  }))
