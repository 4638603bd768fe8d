import assert from 'node:assert/strict'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { test } from 'node:test'
import { Broker } from '../broker/broker.ts'
import { batches } from '../protocol/records/batch.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { simulated, type World } from '../sim/world.ts'
import { Client } from './client.ts'
import { Cluster } from './cluster.ts'
import type { ProducerOptions, RecordMetadata } from './producer/options.ts'
import { Producer } from './producer.ts'
import { createPartitions, createTopics, deleteTopics } from './topics.ts'

const host = 'broker'
const bootstrap = `${host}:9092`

function start(world: World): Promise<Broker> {
  const properties = {
    listeners: `PLAINTEXT://${bootstrap}`,
    'log.dirs': '/data',
    'auto.create.topics.enable': 'false',
  }
  return Broker.start({ io: world.io(host), properties })
}

interface Setting {
  readonly world: World
  readonly cluster: Cluster
  readonly broker: Broker
  /** Closed at the end. */
  producer(options?: Partial<ProducerOptions>): Producer
  /** Values of partition 0. */
  stored(topic?: string): Promise<string[]>
}

/** A broker with the topic orders of one partition. */
function inWorld(scenario: (setting: Setting) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const broker = await start(world)
    const cluster = new Cluster(world.io('other'), { bootstrap: [{ host, port: 9092 }] })
    await createTopics(cluster, [{ name: 'orders', partitions: 1 }])
    const producers: Producer[] = []
    await scenario({
      world,
      cluster,
      broker,
      producer(options = {}) {
        const io = world.io('client')
        const made = new Producer({ bootstrap, io, ...options } as ProducerOptions)
        producers.push(made)
        return made
      },
      async stored(topic = 'orders') {
        const [answer] = await cluster.fetch([{ topic, partition: 0, offset: 0 }], { maxWaitMs: 0 })
        if (answer === undefined || answer instanceof Error) throw answer
        return [...batches(answer.records)].flatMap(batch =>
          [...recordsOf(batch, 1e8)].map(({ value }) => Buffer.from(value ?? []).toString()),
        )
      },
    })
    await Promise.all(producers.map(each => each.close()))
  })
}

const numbers = (count: number) => Array.from({ length: count }, (_, n) => String(n))
const offsets = (sent: readonly RecordMetadata[]) => sent.map(({ offset }) => offset)
const orders = (value: string) => ({ topic: 'orders', value })

test('a record is sent alone when nothing is under way, and with others when something is', () =>
  inWorld(async ({ producer, stored }) => {
    const mine = producer()
    assert.equal((await mine.send(orders('first'))).offset, 0)
    assert.equal(mine.metrics().requests, 1)
    for (const value of ['a', 'b', 'c']) await mine.send(orders(value))
    assert.equal(mine.metrics().requests, 4)
    const many = await Promise.all(numbers(100).map(value => mine.send(orders(value))))
    assert.deepEqual(
      offsets(many),
      Array.from({ length: 100 }, (_, n) => 4 + n),
    )
    assert.ok(mine.metrics().batches <= 6, `${mine.metrics().batches} batches`)
    assert.deepEqual(await stored(), ['first', 'a', 'b', 'c', ...numbers(100)])
  }))

test('a topic that does not exist is refused after a few seconds, one made meanwhile is not', () =>
  inWorld(async ({ world, cluster, producer }) => {
    const mine = producer()
    const never = mine.send({ topic: 'never', value: 'x' })
    const soon = mine.send({ topic: 'soon', value: 'x' })
    await world.sleep(2_000)
    await createTopics(cluster, [{ name: 'soon', partitions: 1 }])
    assert.equal((await soon).offset, 0)
    await assert.rejects(never, { name: 'KafkaError', error: 'UNKNOWN_TOPIC_OR_PARTITION' })
    assert.ok(world.nowMs < 10_000, `after ${world.nowMs} ms`)
    await assert.rejects(mine.send({ topic: 'no/name', value: 'x' }), {
      error: 'INVALID_TOPIC_EXCEPTION',
    })
  }))

test('a partition that does not exist is refused after a few seconds, one added meanwhile is not', () =>
  inWorld(async ({ world, cluster, producer }) => {
    const mine = producer()
    const never = mine.send({ topic: 'orders', partition: 9, value: 'x' })
    const soon = mine.send({ topic: 'orders', partition: 1, value: 'x' })
    const passing = mine.send(orders('not held up'))
    await passing
    await createPartitions(cluster, 'orders', 2)
    assert.equal((await soon).partition, 1)
    await assert.rejects(never, /no partition 9 of orders: there are 2, from 0/)
    assert.ok(world.nowMs < 10_000)
  }))

test('the buffer is bounded: sends wait for room, in order', () =>
  inWorld(async ({ world, producer, stored }) => {
    const bufferBytes = 5_000
    const mine = producer({ bufferBytes })
    const values = numbers(200).map(each => each.padEnd(200))
    const sends = values.map(value => mine.send(orders(value)))
    let most = 0
    let isOver = false
    const watch = async () => {
      while (!isOver) {
        most = Math.max(most, mine.metrics().bufferedBytes)
        await world.sleep(0.1)
      }
    }
    const watching = watch()
    await world.sleep(0.01)
    assert.ok(mine.metrics().waitingRecords > 100)
    await Promise.all(sends)
    isOver = true
    await watching
    assert.ok(most > bufferBytes / 2 && most <= bufferBytes, `${most} bytes`)
    assert.deepEqual(await stored(), values)
  }))

test('an aborted send rejects with the reason at once, wherever the record is', () =>
  inWorld(async ({ world, producer, stored }) => {
    const mine = producer({ lingerMs: 1_000, bufferBytes: 2_000 })
    const reason = new Error('enough')
    const signal = () => {
      const abort = new AbortController()
      return { abort: () => abort.abort(reason), options: { signal: abort.signal } }
    }
    const early = signal()
    early.abort()
    await assert.rejects(mine.send(orders('early'), early.options), reason)
    const unknown = signal()
    const waiting = mine.send({ topic: 'unknown', value: 'x' }, unknown.options)
    const batched = signal()
    const lingering = mine.send(orders('lingers'), batched.options)
    const roomy = signal()
    const big = mine.send(orders('x'.repeat(1_800)))
    const outside = mine.send(orders('waits for room'), roomy.options)
    await world.sleep(100)
    for (const each of [unknown, batched, roomy]) each.abort()
    await assert.rejects(waiting, reason)
    await assert.rejects(lingering, reason)
    await assert.rejects(outside, reason)
    await big
    await mine.flush()
    // What was in a batch already is stored all the same.
    assert.deepEqual(await stored(), ['lingers', 'x'.repeat(1_800)])
    assert.equal(mine.metrics().waitingRecords, 0)
  }))

test('close sends what it has, in the time it is given', () =>
  inWorld(async ({ world, producer, stored }) => {
    const mine = producer({ lingerMs: 60_000 })
    const sends = numbers(10).map(value => mine.send(orders(value)))
    await mine.close()
    assert.equal((await Promise.all(sends)).length, 10)
    assert.deepEqual(await stored(), numbers(10))
    await assert.rejects(mine.send(orders('late')), { code: 'CLOSED', mayBeStored: false })

    const cutOff = producer()
    await cutOff.send(orders('known'))
    world.network.cut(host, 'client')
    const unanswered = cutOff.send(orders('unanswered'))
    await world.sleep(100)
    const unsent = cutOff.send({ topic: 'other', value: 'x' })
    const outcomes = Promise.allSettled([unanswered, unsent])
    const before = world.nowMs
    await cutOff.close({ timeoutMs: 500 })
    assert.ok(world.nowMs - before < 501)
    const fates = (await outcomes).map(each =>
      each.status === 'rejected' ? each.reason.mayBeStored : 'stored',
    )
    assert.deepEqual(fates, [true, false])
    world.network.heal()
    assert.equal((await stored()).at(-1), 'unanswered')
  }))

test('flush hurries what lingers, also what has no place yet', () =>
  inWorld(async ({ world, cluster, producer }) => {
    const mine = producer({ lingerMs: 50_000 })
    const early = [mine.send(orders('a')), mine.send({ topic: 'soon', value: 'b' })]
    const flushed = [mine.flush(), mine.flush()]
    await world.sleep(500)
    await createTopics(cluster, [{ name: 'soon', partitions: 1 }])
    await Promise.all(flushed)
    await Promise.all(early)
    assert.ok(world.nowMs < 5_000)
    const lingering = mine.send(orders('c'))
    const abort = new AbortController()
    world.network.cut('client', host)
    const flush = mine.flush({ signal: abort.signal })
    abort.abort(new Error('enough'))
    await assert.rejects(flush, /enough/)
    world.network.heal()
    await lingering
    await mine.flush()
  }))

test('a batch that the broker finds too large is cut, a record that is too large refused', () =>
  inWorld(async ({ cluster, producer, stored }) => {
    const configs = new Map([['max.message.bytes', '1000']])
    await createTopics(cluster, [{ name: 'small', partitions: 1, configs }])
    const mine = producer({ maxRequestBytes: 100_000 })
    const values = numbers(40).map(each => each.padEnd(200))
    const sent = await mine.send(values.map(value => ({ topic: 'small', value })))
    assert.deepEqual(
      offsets(sent),
      Array.from({ length: 40 }, (_, n) => n),
    )
    assert.ok(mine.metrics().splits > 0)
    const large = (bytes: number) => mine.send({ topic: 'small', value: 'x'.repeat(bytes) })
    const [refused, next] = await Promise.allSettled([large(2_000), large(10)])
    assert.ok(refused.status === 'rejected' && refused.reason.error === 'MESSAGE_TOO_LARGE')
    assert.ok(next.status === 'fulfilled')
    await assert.rejects(large(200_000), { code: 'RECORD_TOO_LARGE' })
    assert.deepEqual(await stored('small'), [...values, 'x'.repeat(10)])
  }))

test('with acks 0 nobody answers, and what the socket has not sent is bounded', () =>
  inWorld(async ({ world, producer, stored }) => {
    const mine = producer({ acks: 0 })
    await mine.send(orders('first'))
    world.network.cut('client', host)
    const sends = Array.from({ length: 3_000 }, () => mine.send(orders('x'.repeat(10_000))))
    await world.sleep(10)
    const { acknowledgedRecords, bufferedBytes } = mine.metrics()
    assert.ok(acknowledgedRecords < 1_000, `${acknowledgedRecords} were written`)
    assert.ok(bufferedBytes > 10_000_000)
    world.network.heal()
    const sent = await Promise.all(sends)
    assert.ok(sent.every(({ offset }) => offset === -1))
    await world.sleep(1_000)
    assert.equal((await stored())[0], 'first')
  }))

test('a topic that is made anew is written to from its beginning', () =>
  inWorld(async ({ cluster, producer, stored }) => {
    const mine = producer()
    await mine.send(numbers(20).map(orders))
    await deleteTopics(cluster, ['orders'])
    const during = mine.send(orders('during'))
    await createTopics(cluster, [{ name: 'orders', partitions: 1 }])
    assert.equal((await during).offset, 0)
    assert.deepEqual(offsets(await mine.send(numbers(5).map(orders))), [1, 2, 3, 4, 5])
    assert.equal((await stored()).length, 6)
  }))

test('answers that are lost before a clean restart of the broker cost nothing', () =>
  inWorld(async ({ world, broker, producer, stored }) => {
    const mine = producer({ batchBytes: 0, requestTimeoutMs: 1_000 })
    await mine.send(orders('first'))
    world.network.cut(host, 'client')
    const sends = numbers(4).map(value => mine.send(orders(value)))
    await world.sleep(200)
    await broker.close()
    world.kill(host)
    world.network.reset('client')
    world.network.heal()
    await start(world)
    const sent = await Promise.all(sends)
    assert.deepEqual(await stored(), ['first', ...numbers(4)])
    assert.ok(mine.metrics().retries > 1)
    assert.deepEqual(offsets(sent), [1, 2, 3, 4])
    assert.equal((await mine.send(orders('last'))).offset, 5)
  }))

test('every send settles in its time, and says whether it may be stored', () =>
  inWorld(async ({ world, producer, stored }) => {
    const mine = producer({
      deliveryTimeoutMs: 3_000,
      requestTimeoutMs: 500,
      connectTimeoutMs: 500,
    })
    await mine.send(orders('first'))
    world.network.cut(host, 'client')
    const before = world.nowMs
    const unanswered = mine.send(orders('unanswered'))
    await assert.rejects(unanswered, {
      name: 'DeliveryTimeoutError',
      mayBeStored: true,
      waitedFor: 'answer',
    })
    assert.ok(world.nowMs - before < 3_001)
    world.kill(host)
    world.network.heal()
    await assert.rejects(mine.send(orders('lost')), /it waited for .*connection.* not stored/)
    await assert.rejects(producer({ deliveryTimeoutMs: 100 }).send(orders('lost')), {
      waitedFor: 'topic',
      mayBeStored: false,
    })
    await start(world)
    await mine.send(orders('again'))
    assert.deepEqual(await stored(), ['first', 'unanswered', 'again'])
  }))

test('what is wrong with a record rejects its send, and the others go', () =>
  inWorld(async ({ producer, stored }) => {
    const mine = producer()
    const wrong = (record: object) => mine.send({ ...orders('x'), ...record } as never)
    await assert.rejects(wrong({ topic: '' }), { code: 'BAD_RECORD' })
    await assert.rejects(wrong({ partition: -1 }), { code: 'BAD_RECORD' })
    await assert.rejects(wrong({ timestamp: 1.5 }), { code: 'BAD_RECORD' })
    await assert.rejects(wrong({ timestamp: new Date(Number.NaN) }), { code: 'BAD_RECORD' })
    await assert.rejects(wrong({ headers: { a: 1 } }), { code: 'BAD_RECORD' })
    await assert.rejects(wrong({ value: 5 }), /neither text nor bytes: give the producer a `value`/)
    const list = [orders('good'), { topic: 'orders', value: 5 as never }, orders('too')]
    await assert.rejects(mine.send(list), (error: unknown) => {
      const { results, name } = error as { results: object[]; name: string }
      assert.equal(name, 'SendError')
      assert.deepEqual(
        results.map(each => each instanceof Error),
        [false, true, false],
      )
      return true
    })
    assert.deepEqual(await stored(), ['good', 'too'])
  }))

test('options that make no sense are refused at once', () =>
  inWorld(async ({ producer }) => {
    const wrong: Partial<ProducerOptions>[] = [
      { acks: 2 as never },
      { acks: 1, idempotent: true },
      { compression: 'best' as never },
      { compression: 'gzip', compressionLevel: 99 },
      { bufferBytes: 5_000, maxRequestBytes: 6_000 },
      { maxInFlight: 0 },
      { deliveryTimeoutMs: Number.NaN },
    ]
    for (const each of wrong) assert.throws(() => producer(each), { code: 'BAD_OPTION' })
  }))

test('interceptors see records, what became of them, and break nothing', () =>
  inWorld(async ({ producer, stored }) => {
    const seen: string[] = []
    const logger = { debug() {}, info() {}, warn: () => void seen.push('warned'), error() {} }
    const mine = producer({
      logger,
      interceptors: [
        {
          onSend: record => (record.value === 'as it is' ? undefined : { ...record, value: 'new' }),
          onAcknowledged: ({ offset }, { value }) => void seen.push(`${value} at ${offset}`),
          onError: (error, { value }) => void seen.push(`${value}: ${error.name}`),
        },
        {
          onAcknowledged() {
            throw new Error('broken')
          },
        },
      ],
    })
    await mine.send(orders('as it is'))
    await mine.send(orders('old'))
    await assert.rejects(mine.send({ topic: 'unknown', value: 'x' }))
    assert.deepEqual(await stored(), ['as it is', 'new'])
    const wanted = ['as it is at 0', 'warned', 'new at 1', 'warned', 'new: KafkaError']
    assert.deepEqual(seen, wanted)
  }))

test('what is sent and what fails is published', () =>
  inWorld(async ({ producer }) => {
    const seen: object[] = []
    const listen = (message: unknown) => {
      const { records, baseOffset, error } = message as Record<string, unknown>
      seen.push({ records, baseOffset, failed: error !== undefined })
    }
    subscribe('ottla:producer:sent', listen)
    subscribe('ottla:producer:failed', listen)
    try {
      const mine = producer()
      await mine.send(['a', 'b', 'c'].map(orders))
      await assert.rejects(mine.send({ topic: 'unknown', value: 'x' }))
    } finally {
      unsubscribe('ottla:producer:sent', listen)
      unsubscribe('ottla:producer:failed', listen)
    }
    assert.deepEqual(seen, [
      { records: 3, baseOffset: 0, failed: false },
      { records: 1, baseOffset: undefined, failed: true },
    ])
  }))

test('a stream is sent with back-pressure, ends when all is acknowledged, and fails as sends do', () =>
  inWorld(async ({ producer, stored }) => {
    const mine = producer({ bufferBytes: 3_000, lingerMs: 20 })
    const values = numbers(300).map(each => each.padEnd(50))
    await pipeline(Readable.from(values.map(orders)), mine.writable())
    assert.equal(mine.metrics().acknowledgedRecords, 300)
    assert.deepEqual(await stored(), values)
    const wrong = Readable.from([orders('good'), { topic: 'unknown', value: 'x' }])
    await assert.rejects(pipeline(wrong, mine.writable()), { error: 'UNKNOWN_TOPIC_OR_PARTITION' })
    await mine.send(orders('goes on'))
  }))

test('a client that is closed closes its producers first', () =>
  inWorld(async ({ world, stored }) => {
    const client = new Client({ bootstrap, io: world.io('client') })
    const mine = client.producer({ lingerMs: 60_000 })
    const sends = numbers(3).map(value => mine.send(orders(value)))
    await world.sleep(10)
    assert.equal(client.metrics().producers[0]!.records, 3)
    await client.close()
    await Promise.all(sends)
    assert.deepEqual(await stored(), numbers(3))
    assert.throws(() => client.producer(), { code: 'CLOSED' })
  }))
