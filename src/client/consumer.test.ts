import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker } from '../broker/broker.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { simulated, type World } from '../sim/world.ts'
import { Cluster } from './cluster.ts'
import { DecodeError } from './consumer/errors.ts'
import type { ConsumerSettings, TopicPartition } from './consumer/options.ts'
import { Consumer } from './consumer.ts'
import { createTopics } from './topics.ts'

const host = 'broker'
const port = 9092
const t0 = 1_767_225_600_000

function start(world: World): Promise<Broker> {
  const properties = { listeners: `PLAINTEXT://${host}:${port}`, 'log.dirs': '/data' }
  return Broker.start({ io: world.io(host), properties })
}

interface Setting {
  readonly world: World
  readonly cluster: Cluster
  broker: Broker
  /** Appends messages to a partition; `tick` seconds after the world's beginning. */
  produce(place: Partial<TopicPartition>, values: readonly string[], tick?: number): Promise<void>
  consumer<K = Buffer | null, V = Buffer | null>(
    options: Partial<ConsumerSettings<K, V>>,
  ): Consumer<K, V>
}

/** A broker with the topic orders of two partitions. */
function inWorld(scenario: (setting: Setting) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const broker = await start(world)
    const bootstrap = `${host}:${port}`
    const cluster = new Cluster(world.io('other'), { bootstrap: [{ host, port }] })
    await createTopics(cluster, [{ name: 'orders', partitions: 2 }])
    await scenario({
      world,
      cluster,
      broker,
      async produce({ topic = 'orders', partition = 0 }, values, tick = 0) {
        const timestamp = t0 + tick * 1_000
        const headers = [{ key: 'kind', value: Buffer.from('test') }]
        const records = buildBatch(
          { compression: 'lz4' },
          values.map(value => ({ key: `k${value}`, value, timestamp, headers })),
        )
        const [result] = await cluster.produce([{ topic, partition, records }], { acks: -1 })
        if (result instanceof Error) throw result
      },
      consumer: options =>
        new Consumer({ bootstrap, io: world.io('client'), offsetReset: 'earliest', ...options }),
    })
  })
}

const text = (bytes: Buffer | null) => String(bytes)
const zero = { topic: 'orders', partition: 0 }
const numbers = (from: number, count: number) =>
  Array.from({ length: count }, (_, index) => String(from + index))

test('a topic is read to its end, with keys, headers, timestamps, and goes on', () =>
  inWorld(async ({ world, produce, consumer }) => {
    await produce({}, ['a', 'b'])
    const messages = consumer({ topics: 'orders', value: text }).messages()
    const { value: first } = await messages.next()
    assert.deepEqual(
      { ...first, key: String(first.key), headers: { ...first.headers } },
      {
        topic: 'orders',
        partition: 0,
        offset: 0,
        timestamp: t0,
        key: 'ka',
        value: 'a',
        headers: { kind: Buffer.from('test') },
        leaderEpoch: first.leaderEpoch,
      },
    )
    assert.equal((await messages.next()).value.value, 'b')
    const later = messages.next()
    await world.sleep(3_000)
    await produce({ partition: 1 }, ['c'])
    assert.equal((await later).value.value, 'c')
    await messages.return?.()
    assert.deepEqual(await messages.next(), { value: undefined, done: true })
  }))

test('a broker that is restarted in the middle costs nothing but time', () =>
  inWorld(async ({ world, broker, produce, consumer }) => {
    await produce({}, numbers(0, 5))
    const seen: string[] = []
    for await (const { value } of consumer({ topics: 'orders', value: text })) {
      seen.push(value)
      if (seen.length === 3) {
        await broker.close()
        world.kill(host)
        void start(world).then(() => produce({}, numbers(5, 5)))
      }
      if (seen.length === 10) break
    }
    assert.deepEqual(seen, numbers(0, 10))
  }))

test('offsets of a group are kept without membership, when partitions are given', () =>
  inWorld(async ({ produce, consumer }) => {
    await produce({}, numbers(0, 5))
    const options = { assignment: [zero], groupId: 'billing', value: text }
    const first: string[] = []
    for await (const { value } of consumer(options)) {
      first.push(value)
      if (value === '2') break
    }
    await using again = consumer(options)
    assert.deepEqual(
      (await again.committed([zero])).map(({ offset }) => offset),
      [2],
    )
    const rest: string[] = []
    for await (const { value } of again) {
      rest.push(value)
      if (value === '4') {
        await again.commit()
        break
      }
    }
    assert.deepEqual([first, rest], [numbers(0, 3), numbers(2, 3)])
    await using third = consumer(options)
    assert.equal((await third.committed([zero]))[0]!.offset, 5)
  }))

test('one seeks by offset, by time and to the ends', () =>
  inWorld(async ({ produce, consumer }) => {
    for (const tick of [0, 10, 20]) await produce({}, numbers(tick, 2), tick)
    await using each = consumer({ assignment: [zero], value: text })
    const messages = each.messages()
    const after = async (target: Parameters<typeof each.seek>[1]) => {
      await each.seek(zero, target)
      return (await messages.next()).value.value
    }
    assert.equal(await after({ offset: 3 }), '11')
    assert.equal(await after({ timestamp: new Date(t0 + 15_000) }), '20')
    assert.equal(await after({ to: 'beginning' }), '0')
    await each.seek(zero, { to: 'end' })
    assert.equal(each.position(zero), 6)
    const times = await each.offsetsForTimes([
      { ...zero, timestamp: t0 + 5_000 },
      { ...zero, timestamp: t0 + 99_000 },
    ])
    assert.deepEqual(
      times.map(({ offset }) => offset),
      [2, 6],
    )
    await assert.rejects(each.seek({ topic: 'orders', partition: 1 }, { offset: 0 }), {
      code: 'NOT_ASSIGNED',
    })
  }))

test('batches come whole, with the lag they leave, and are counted', () =>
  inWorld(async ({ produce, consumer }) => {
    await produce({}, numbers(0, 700))
    const each = consumer({ assignment: [zero] })
    const sizes: number[] = []
    for await (const batch of each.batches()) {
      sizes.push(batch.messages.length)
      if (sizes.length === 1) {
        assert.equal(each.lag()[0]!.lag, 200)
        assert.equal(batch.highWatermark, 700)
      } else break
    }
    assert.deepEqual(sizes, [500, 200])
    assert.equal(each.metrics().messages, 700)
  }))

test('a message that does not decode is a named error, or skipped when the user says so', () =>
  inWorld(async ({ produce, consumer }) => {
    await produce({}, ['1', 'x', '3'])
    const value = (bytes: Buffer | null) => {
      if (Number.isNaN(Number(bytes))) throw new Error('no number')
      return Number(bytes)
    }
    const seen: number[] = []
    await assert.rejects(
      async () => {
        for await (const message of consumer({ topics: 'orders', value })) seen.push(message.value)
      },
      (error: unknown) => {
        assert.ok(error instanceof DecodeError)
        assert.deepEqual(
          [error.topic, error.partition, error.offset, error.field],
          ['orders', 0, 1, 'value'],
        )
        assert.equal(String(error.rawKey), 'kx')
        return true
      },
    )
    const skipping = consumer({ topics: 'orders', value, onDecodeError: 'skip' })
    for await (const message of skipping) {
      seen.push(message.value)
      if (message.value === 3) break
    }
    assert.deepEqual(seen, [1, 1, 3])
    assert.equal(skipping.metrics().skipped, 1)
  }))

test('run ends when its signal is aborted, with its work finished and committed', () =>
  inWorld(async ({ world, produce, consumer }) => {
    await produce({}, numbers(0, 5))
    await produce({ partition: 1 }, numbers(0, 5))
    const stop = new AbortController()
    const each = consumer({
      assignment: [zero, { topic: 'orders', partition: 1 }],
      groupId: 'billing',
    })
    let handled = 0
    await each.run({
      concurrency: 2,
      signal: stop.signal,
      async each() {
        if (++handled === 4) stop.abort()
        await world.sleep(10)
      },
    })
    await using other = consumer({ assignment: [zero], groupId: 'billing' })
    const all = await other.committed([zero, { topic: 'orders', partition: 1 }])
    assert.equal(
      all.reduce((sum, { offset }) => sum + offset, 0),
      handled,
    )
    await assert.rejects(each.run({ each() {} }), { code: 'CLOSED' })
  }))

test('topics are matched by pattern, and one that is made later is read from its beginning', () =>
  inWorld(async ({ cluster, produce, consumer }) => {
    const started = Promise.withResolvers<void>()
    await using each = consumer({
      topics: [/^ord/, 'later'],
      offsetReset: 'latest',
      value: text,
      onAssigned: () => started.resolve(),
    })
    const messages = each.messages()
    const first = messages.next()
    await started.promise
    await createTopics(cluster, [{ name: 'later', partitions: 1 }])
    await produce({ topic: 'later' }, ['a'])
    assert.equal((await first).value.value, 'a')
    assert.deepEqual(
      each.assignment().map(({ topic, partition }) => `${topic}-${partition}`),
      ['orders-0', 'orders-1', 'later-0'],
    )
  }))

test('a loop whose signal is aborted ends with its last message committed', () =>
  inWorld(async ({ produce, consumer }) => {
    await produce({}, numbers(0, 5))
    const stop = new AbortController()
    const options = { assignment: [zero], groupId: 'billing' }
    for await (const { offset } of consumer(options).messages(stop)) if (offset === 2) stop.abort()
    await using other = consumer(options)
    assert.equal((await other.committed([zero]))[0]!.offset, 3)
  }))

test('interceptors see each message before the loop, and commits', () =>
  inWorld(async ({ produce, consumer }) => {
    await produce({}, ['a'])
    const committed: number[] = []
    const each = consumer({
      assignment: [zero],
      groupId: 'billing',
      value: text,
      interceptors: [
        {
          onMessage: message => ({ ...message, value: `${message.value}!` }),
          onCommit: offsets => void committed.push(...offsets.map(({ offset }) => offset)),
        },
      ],
    })
    for await (const message of each) {
      assert.equal(message.value, 'a!')
      await each.commit(message)
      break
    }
    assert.deepEqual(committed[0], 1)
  }))

test('options that contradict each other are refused at once, and so is a second loop', () =>
  inWorld(async ({ consumer }) => {
    assert.throws(() => consumer({}), { code: 'NOTHING_TO_READ' })
    assert.throws(() => consumer({ topics: 'a', assignment: [zero] }), { code: 'NOTHING_TO_READ' })
    assert.throws(() => consumer({ topics: 'a', maxBytes: 0 }), { code: 'BAD_OPTION' })
    await using each = consumer({ topics: 'orders' })
    each.messages()
    assert.throws(() => each.batches(), { code: 'BUSY' })
    await assert.rejects(each.commit(), { code: 'NO_GROUP' })
  }))
