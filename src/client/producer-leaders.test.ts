/**
 * A producer and brokers that do what a test says, by the rules of Kafka: leaders move, are unknown for
 * a while, forget producers, or remember of each the newest batch alone, as after a clean restart. `SEEDS=1000-1300 node --test` runs
 * other lives than those of the suite.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { type ErrorName, errorCode } from '../protocol/errors.ts'
import {
  initProducerIdRequest,
  initProducerIdResponse,
} from '../protocol/messages/init-producer-id.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { produceRequest, produceResponse } from '../protocol/messages/produce.ts'
import { Batch } from '../protocol/records/batch.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { type ScriptedRequest, scriptedBroker } from '../sim/scripted-broker.ts'
import { simulated, World } from '../sim/world.ts'
import { ReplicatedLog } from './producer/fixture.ts'
import type { ProducerOptions } from './producer/options.ts'
import { Producer } from './producer.ts'

const topic = 'orders'
const topicId = 'AAAAAAAAQACAAAAAAAAAAQ'
const brokerIds = [1, 2, 3]
const versions = new Map([
  [metadataRequest.apiKey!, 13],
  [initProducerIdRequest.apiKey!, 4],
  [produceRequest.apiKey!, 13],
])

/** Brokers that share one partition. */
class Brokers {
  readonly log = new ReplicatedLog()
  /** −1: none is known. */
  leaderId = 1
  producerIds = 0
  /** Every Produce that came, by its broker and sequence. */
  readonly seen: string[] = []
  /** What is answered to a batch; not appended, unless `appendsAnyway`. */
  appendsAnyway = false
  refusal: ((batch: Batch, brokerId: number) => ErrorName | 'no answer' | undefined) | undefined

  async start(world: World): Promise<void> {
    for (const id of brokerIds) {
      await scriptedBroker(world.io(`broker${id}`), 9092, versions, request =>
        this.#on(request, id),
      )
    }
  }

  get values(): string[] {
    return this.log.values
  }

  #on(request: ScriptedRequest, brokerId: number): void {
    const { apiKey } = request.header
    if (apiKey === metadataRequest.apiKey) this.#metadata(request)
    else if (apiKey === initProducerIdRequest.apiKey) {
      request.answer(initProducerIdResponse, {
        errorCode: 0,
        producerId: 100 + this.producerIds++,
        producerEpoch: 0,
      })
    } else this.#produce(request, brokerId)
  }

  #metadata(request: ScriptedRequest): void {
    const { leaderId } = this
    const partition = { partitionIndex: 0, leaderId, replicaNodes: brokerIds, isrNodes: brokerIds }
    request.answer(metadataResponse, {
      brokers: brokerIds.map(nodeId => ({ nodeId, host: `broker${nodeId}`, port: 9092 })),
      controllerId: 1,
      topics: [
        { errorCode: 0, name: topic, topicId, partitions: [{ errorCode: 0, ...partition }] },
      ],
    })
  }

  #produce(request: ScriptedRequest, brokerId: number): void {
    const { topicData } = request.body(produceRequest)
    const batch = new Batch(topicData[0]!.partitionData[0]!.records!)
    this.seen.push(`${brokerId}: ${batch.producerEpoch}/${batch.baseSequence}`)
    const refusal =
      brokerId === this.leaderId ? this.refusal?.(batch, brokerId) : 'NOT_LEADER_OR_FOLLOWER'
    const { producerId, producerEpoch, baseSequence, lastSequence } = batch
    const place = { producerId, epoch: producerEpoch, first: baseSequence, last: lastSequence }
    const values = [...recordsOf(batch, 1e6)].map(({ value }) => Buffer.from(value!).toString())
    const isAppended = refusal === undefined || (this.appendsAnyway && brokerId === this.leaderId)
    const appended = isAppended ? this.log.append(place, values) : undefined
    const result = refusal ?? appended!
    if (result === 'no answer') return
    const answer =
      typeof result === 'string'
        ? { errorCode: errorCode(result), baseOffset: -1 }
        : { errorCode: 0, baseOffset: result.offset }
    const partitionResponses = [{ index: 0, ...answer }]
    request.answer(produceResponse, { responses: [{ topicId, partitionResponses }] })
  }
}

function withBrokers(
  scenario: (brokers: Brokers, producer: Producer, world: World) => Promise<void>,
  options: Partial<ProducerOptions> = {},
  world = simulated(),
): Promise<void> {
  return world.run(async () => {
    const brokers = new Brokers()
    await brokers.start(world)
    const io = world.io('client')
    const bootstrap = 'broker1:9092'
    await using producer = new Producer({
      bootstrap,
      io,
      batchBytes: 0,
      ...options,
    } as ProducerOptions)
    await scenario(brokers, producer, world)
  })
}

const record = (value: unknown) => ({ topic, value: String(value) })
const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n))

test('a leader that moves is followed, and nothing is sent twice nor out of order', () =>
  withBrokers(async (brokers, producer) => {
    await producer.send(record('first'))
    const sends = numbers(20).map(n => producer.send(record(n)))
    brokers.leaderId = 2
    await Promise.all(sends)
    assert.deepEqual(brokers.values, ['first', ...numbers(20)])
    assert.ok(brokers.seen.at(-1)!.startsWith('2: 0/'))
  }))

test('records wait while no leader is known', () =>
  withBrokers(
    async (brokers, producer, world) => {
      brokers.leaderId = -1
      await assert.rejects(producer.send(record('late')), {
        name: 'DeliveryTimeoutError',
        waitedFor: 'leader',
        mayBeStored: false,
      })
      const waiting = producer.send(record('waits'))
      await world.sleep(2_000)
      assert.deepEqual(brokers.seen, [])
      brokers.leaderId = 3
      assert.equal((await waiting).offset, 0)
    },
    { deliveryTimeoutMs: 5_000 },
  ))

test('a leader that remembers the newest batch alone is asked for a later one', () =>
  withBrokers(async (brokers, producer, world) => {
    await producer.send(record('first'))
    let isSilent = true
    brokers.refusal = batch => {
      if (!isSilent) return undefined
      // Three are stored, and nobody hears of it.
      if (batch.baseSequence === 3) isSilent = false
      return 'REQUEST_TIMED_OUT'
    }
    brokers.appendsAnyway = true
    const sends = numbers(4).map(n => producer.send(record(n)))
    while (isSilent) await world.sleep(0.1)
    brokers.log.restart()
    const sent = await Promise.all(sends)
    assert.deepEqual(
      sent.map(({ offset }) => offset),
      [-1, -1, 3, 4],
    )
    assert.equal((await producer.send(record('last'))).offset, 5)
    assert.deepEqual(brokers.values, ['first', ...numbers(4), 'last'])
  }))

test('a leader that has lost what went before gets a new era', () =>
  withBrokers(async (brokers, producer) => {
    await Promise.all(numbers(3).map(n => producer.send(record(n))))
    brokers.log.truncate(1)
    assert.equal((await producer.send(record('next'))).offset, 1)
    assert.deepEqual(brokers.values, ['0', 'next'])
    assert.equal(brokers.seen.at(-1), '1: 1/0')
  }))

test('UNKNOWN_PRODUCER_ID begins a new era, a fenced epoch takes a new producer id', () =>
  withBrokers(async (brokers, producer) => {
    await producer.send(record('first'))
    brokers.refusal = ({ producerEpoch }) =>
      producerEpoch === 0 ? 'UNKNOWN_PRODUCER_ID' : undefined
    assert.equal((await producer.send(record('second'))).offset, 1)
    let fenced = 101
    brokers.refusal = ({ producerId }) =>
      producerId < fenced ? 'INVALID_PRODUCER_EPOCH' : undefined
    assert.equal((await producer.send(record('third'))).offset, 2)
    fenced = 102
    const sent = await Promise.all(numbers(5).map(n => producer.send(record(n))))
    assert.deepEqual(
      sent.map(({ offset }) => offset),
      [3, 4, 5, 6, 7],
    )
    assert.equal(brokers.producerIds, 3)
  }))

test('an error that may come after the append makes a later refusal uncertain', () =>
  withBrokers(async (brokers, producer) => {
    await producer.send(record('first'))
    let attempts = 0
    brokers.refusal = () => (attempts++ === 0 ? 'REQUEST_TIMED_OUT' : 'INVALID_RECORD')
    await assert.rejects(producer.send(record('maybe')), {
      name: 'UncertainDeliveryError',
      mayBeStored: true,
    })
    await assert.rejects(producer.send(record('not')), { error: 'INVALID_RECORD' })
    brokers.refusal = undefined
    assert.equal((await producer.send(record('next'))).offset, 1)
  }))

test('a leader that is deposed when it has appended leaves open whether the record is stored', () =>
  withBrokers(
    async (brokers, producer) => {
      await producer.send(record('first'))
      brokers.refusal = () => 'NOT_LEADER_OR_FOLLOWER'
      brokers.appendsAnyway = true
      await assert.rejects(producer.send(record('stored')), { mayBeStored: true })
      brokers.refusal = undefined
      assert.equal((await producer.send(record('next'))).offset, 2)
      assert.deepEqual(brokers.values, ['first', 'stored', 'next'])
    },
    { deliveryTimeoutMs: 2_000 },
  ))

test('a refused batch takes none of those behind it along', () =>
  withBrokers(async (brokers, producer) => {
    await producer.send(record('first'))
    const refused = 'x'
    brokers.refusal = batch => {
      const [only] = recordsOf(batch, 1e6)
      return Buffer.from(only!.value!).toString() === refused ? 'INVALID_RECORD' : undefined
    }
    const sends = ['a', refused, 'b', 'c', 'd', 'e'].map(value => producer.send(record(value)))
    const fates = (await Promise.allSettled(sends)).map(({ status }) => status === 'fulfilled')
    assert.deepEqual(fates, [true, false, true, true, true, true])
    assert.deepEqual(brokers.values, ['first', 'a', 'b', 'c', 'd', 'e'])
  }))

const [first, last] = (process.env['SEEDS'] ?? '1-20').split('-').map(Number)
for (let seed = first!; seed <= last!; seed++) {
  test(`leaders that move, restart and refuse at random lose nothing (seed ${seed})`, () => {
    const world = new World(seed)
    const random = world.random('leaders')
    const refusals: readonly (ErrorName | 'no answer' | undefined)[] = [
      'NOT_ENOUGH_REPLICAS',
      'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
      'REQUEST_TIMED_OUT',
      'KAFKA_STORAGE_ERROR',
      'NOT_LEADER_OR_FOLLOWER',
      'no answer',
    ]
    return withBrokers(
      async (brokers, producer) => {
        brokers.refusal = () => {
          const refusal = random.chance(0.1) ? refusals[random.below(refusals.length)] : undefined
          brokers.appendsAnyway = refusal !== 'NOT_ENOUGH_REPLICAS' && random.chance(0.5)
          return refusal
        }
        let isOver = false
        const moves = async () => {
          while (!isOver) {
            await world.sleep(random.below(1_000))
            brokers.leaderId = random.below(5) === 0 ? -1 : 1 + random.below(3)
            if (random.chance(0.3)) brokers.log.restart()
            if (random.chance(0.2)) world.network.reset('client')
          }
        }
        const moving = moves()
        const sends: Promise<unknown>[] = []
        for (const n of numbers(300)) {
          sends.push(producer.send(record(n)))
          if (random.chance(0.3)) await world.sleep(random.below(50))
        }
        await Promise.all(sends)
        isOver = true
        await moving
        assert.deepEqual(brokers.values, numbers(300))
      },
      { batchBytes: 100 * random.below(4), requestTimeoutMs: 500 },
      world,
    )
  })
}
