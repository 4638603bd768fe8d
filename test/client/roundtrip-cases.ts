/** From our producer to our consumer: what goes in comes out, as it was, in order, once. */
import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import {
  Client,
  type HeaderValue,
  type MessageHeaders,
  type ProducerRecord,
  serializers,
} from '../../src/index.ts'
import { compressions } from '../../src/protocol/records/batch.ts'
import { Prng } from '../../src/sim/random.ts'
import { cutting } from './cutting-io.ts'
import { type Case, errorOf, type Scene, take, until } from './suite.ts'

const range = (count: number) => Array.from({ length: count }, (_, n) => n)
const at = (topic: string, partition = 0) => ({ topic, partition })
const reading = { offsetReset: 'earliest', maxWaitMs: 200 } as const
const text = (bytes: Buffer | null) => String(bytes)

/** Records of every shape: with and without key, value, headers; empty, binary, long. */
function shapes(topic: string): ProducerRecord[] {
  const random = new Prng(5, 'shapes')
  const bytes = (size: number) => Buffer.from(range(size).map(() => random.below(256)))
  return range(200).map(n => {
    const key = [undefined, null, '', `key ${n % 7}`, bytes(n)][n % 5]
    const value = [`value ${n}`, null, '', bytes(n * 3), 'ü'.repeat(n)][(n >> 1) % 5]
    const headers: Record<string, HeaderValue> = {}
    if (n % 3 === 0) headers['one'] = `${n}`
    if (n % 4 === 0) headers['some'] = ['a', null, bytes(5), '']
    if (n % 11 === 0) headers[''] = bytes(300)
    return { topic, partition: 0, key, value, headers, timestamp: 1_700_000_000_000 + n * 10 }
  })
}

const hex = (bytes: string | Uint8Array | null | undefined) =>
  bytes === null || bytes === undefined ? null : Buffer.from(bytes).toString('hex')

function plainHeaders(headers: Readonly<Record<string, HeaderValue>> | MessageHeaders) {
  return Object.entries(headers).map(([name, value]) => {
    const values = Array.isArray(value) ? value : [value]
    return [name, values.map(hex)]
  })
}

async function everything(scene: Scene) {
  await using client = new Client({ bootstrap: scene.bootstrap })
  for (const compression of compressions) {
    const topic = await scene.topic()
    const records = shapes(topic)
    // Several batches of several records, none where another client would cut.
    const producer = client.producer({ compression, batchBytes: 20_000 })
    const sent = await producer.send(records)
    assert.deepEqual(
      sent.map(({ offset }) => offset),
      range(records.length),
    )
    const consumer = client.consumer({ ...reading, topics: topic })
    const messages = await take(consumer, records.length)
    for (const [n, message] of messages.entries()) {
      const record = records[n]!
      const what = `${compression}, record ${n}`
      assert.equal(message.offset, n, what)
      assert.equal(message.timestamp, record.timestamp, what)
      assert.equal(hex(message.key), hex(record.key), what)
      assert.equal(hex(message.value), hex(record.value), what)
      assert.deepEqual(plainHeaders(message.headers), plainHeaders(record.headers!), what)
    }
    await producer.close()
  }
}

async function big(scene: Scene) {
  const topic = await scene.topic(1, { 'max.message.bytes': '9000000' })
  await using client = new Client({ bootstrap: scene.bootstrap })
  const values = [1_000_000, 10, 4_000_000, 8_000_000, 900_000].map(size => randomBytes(size))
  for (const compression of compressions) {
    const producer = client.producer({ compression, maxRequestBytes: 8_500_000 })
    await producer.send(values.map(value => ({ topic, value })))
    await producer.close()
  }
  const consumer = client.consumer({ ...reading, topics: topic, maxBytes: 2_000_000 })
  const messages = await take(consumer, values.length * compressions.length)
  for (const [n, { value }] of messages.entries()) {
    assert.ok(value!.equals(values[n % values.length]!), `message ${n}`)
  }
  return messages.map(({ offset, value }) => [offset, value!.length])
}

async function forwarded(scene: Scene) {
  const [from, to] = [await scene.topic(), await scene.topic()]
  await using client = new Client({ bootstrap: scene.bootstrap })
  const producer = client.producer()
  await producer.send(shapes(from))
  const [first, second] = [from, to].map(topic => client.consumer({ ...reading, topics: topic }))
  const received = await take(first!, 200)
  await producer.send(received.map(message => ({ ...message, topic: to })))
  const again = await take(second!, 200)
  const plain = ({ key, value, headers, timestamp }: (typeof again)[number]) => [
    hex(key),
    hex(value),
    plainHeaders(headers),
    timestamp,
  ]
  assert.deepEqual(again.map(plain), received.map(plain))
}

async function typedValues(scene: Scene) {
  const topic = await scene.topic()
  const order = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        typeof value === 'object' && value !== null && 'id' in value && Number(value.id) > 0
          ? { value: { id: Number(value.id) } }
          : { issues: [{ message: 'no id' }] },
    },
  }
  await using client = new Client({ bootstrap: scene.bootstrap })
  const json = serializers.json<{ id: number }>(order)
  const producer = client.producer({ key: serializers.string, value: json })
  await producer.send(range(5).map(n => ({ topic, key: `${n}`, value: { id: n + 1 } })))
  const refused = await errorOf(() => producer.send({ topic, value: { id: -1 } }))
  assert.equal(refused, 'SerializationError SERIALIZATION')
  await client.producer().send({ topic, value: '{"id":0}' })
  const consumer = client.consumer({
    ...reading,
    topics: topic,
    key: serializers.string.deserialize,
    value: json.deserialize,
  })
  const seen: unknown[] = []
  const thrown = await errorOf(async () => {
    for await (const { key, value } of consumer) seen.push([key, value?.id])
  })
  assert.equal(thrown, 'DecodeError DECODE')
  assert.deepEqual(
    seen,
    range(5).map(n => [`${n}`, n + 1]),
  )
  return [refused, thrown]
}

/** Both ends lose their connections again and again; five requests are under way. */
async function throughCuts(scene: Scene) {
  const topic = await scene.topic(4)
  const world = cutting(23, { least: 2000, most: 40_000 })
  try {
    await using client = new Client({ bootstrap: scene.bootstrap, io: world.io })
    const count = 3000
    const producer = client.producer({ batchBytes: 1500 })
    const consumer = client.consumer({
      ...reading,
      topics: topic,
      maxBytes: 50_000,
      partitionMaxBytes: 5000,
      value: text,
    })
    const sending = (async () => {
      for (let n = 0; n < count; n += 100) {
        await producer.send(
          range(100).map(i => ({ topic, key: `${(n + i) % 16}`, value: `${n + i}`.padEnd(50) })),
        )
      }
    })()
    const [messages] = await Promise.all([take(consumer, count), sending])
    const seen = new Map<string, number[]>()
    for (const { key, value } of messages) {
      const mine = seen.get(String(key)) ?? []
      seen.set(String(key), mine)
      mine.push(Number(value))
    }
    for (const key of range(16)) {
      const wanted = range(count).filter(n => n % 16 === key)
      assert.deepEqual(seen.get(`${key}`), wanted, `key ${key}, once and in order`)
    }
    assert.ok(world.cuts() >= 10, `${world.cuts()} connections were cut`)
  } finally {
    world.close()
  }
}

/** Reads, makes something of it, sends that, commits; is stopped in the middle and begun again. */
async function processed(scene: Scene) {
  const [input, output] = [await scene.topic(3), await scene.topic(3)]
  await using client = new Client({ bootstrap: scene.bootstrap })
  const producer = client.producer()
  const count = 300
  await producer.send(range(count).map(n => ({ topic: input, key: `${n % 10}`, value: `${n}` })))
  const groupId = scene.name('group')
  let handled = 0
  while (handled < count) {
    const consumer = client.consumer({ ...reading, topics: input, groupId, commit: 'manual' })
    for await (const batch of consumer.batches()) {
      await producer.send(
        batch.messages.map(({ key, value }) => ({ topic: output, key, value: `${value}!` })),
      )
      await batch.commit()
      handled += batch.messages.length
      break
    }
  }
  assert.equal(handled, count, 'what was committed did not come again')
  const consumer = client.consumer({ ...reading, topics: output, value: text })
  const messages = await take(consumer, count)
  const values = messages.map(({ value }) => Number(value.slice(0, -1)))
  assert.deepEqual(
    values.toSorted((a, b) => a - b),
    range(count),
  )
  for (const key of range(10)) {
    const mine = values.filter(n => n % 10 === key)
    assert.deepEqual(
      mine,
      mine.toSorted((a, b) => a - b),
    )
  }
}

async function byTime(scene: Scene) {
  const topic = await scene.topic(2)
  await using client = new Client({ bootstrap: scene.bootstrap })
  const base = 1_700_000_000_000
  await client
    .producer({ batchBytes: 300 })
    .send(range(40).map(n => ({ topic, partition: n % 2, value: `${n}`, timestamp: base + n })))
  const consumer = client.consumer({ ...reading, assignment: [at(topic), at(topic, 1)] })
  const found = await consumer.offsetsForTimes([
    { ...at(topic), timestamp: base + 11 },
    { ...at(topic, 1), timestamp: new Date(base + 11) },
    { ...at(topic), timestamp: base + 100 },
  ])
  const offsets = found.map(({ offset }) => offset)
  assert.deepEqual(offsets, [6, 5, 20])
  return offsets
}

async function manyPartitions(scene: Scene) {
  const topics = await Promise.all(range(5).map(() => scene.topic(12)))
  await using client = new Client({ bootstrap: scene.bootstrap })
  const producer = client.producer({ batchBytes: 2000 })
  const consumer = client.consumer({ ...reading, topics, groupId: scene.name('group') })
  const records = range(6000).map(n => ({ topic: topics[n % 5]!, value: `${n}` }))
  const [messages] = await Promise.all([take(consumer, 6000), producer.send(records)])
  const values = messages.map(({ value }) => Number(value))
  assert.deepEqual(
    values.toSorted((a, b) => a - b),
    range(6000),
  )
  const used = new Set(messages.map(({ topic, partition }) => `${topic} ${partition}`))
  assert.ok(used.size > 50, `${used.size} of 60 partitions were used`)
}

async function committedOnly(scene: Scene) {
  const topic = await scene.topic()
  await using client = new Client({ bootstrap: scene.bootstrap })
  await client.producer().send(range(10).map(n => ({ topic, value: `${n}` })))
  const consumer = client.consumer({ ...reading, topics: topic, isolation: 'read_committed' })
  const seen = (await take(consumer, 10)).map(({ value }) => Number(value))
  assert.deepEqual(seen, range(10))
}

/** A member goes while another produces; what is handed out and finished is finished once. */
async function underLoad(scene: Scene) {
  const topic = await scene.topic(6)
  await using client = new Client({ bootstrap: scene.bootstrap })
  const producer = client.producer()
  const groupId = scene.name('group')
  const seen: string[] = []
  const start = () => {
    const consumer = client.consumer({
      ...reading,
      topics: topic,
      groupId,
      assignors: ['cooperative-sticky'],
      heartbeatIntervalMs: 200,
      value: text,
    })
    return { consumer, running: consumer.run({ each: ({ value }) => void seen.push(value) }) }
  }
  const [first, second] = [start(), start()]
  let sent = 0
  let isOver = false
  const sending = (async () => {
    for (; !isOver; sent++) await producer.send({ topic, value: `${sent}` })
  })()
  await until('both read', () =>
    [first, second].every(({ consumer }) => consumer.metrics().messages > 50),
  )
  await first.consumer.close()
  await first.running
  const third = start()
  await until('the third reads', () => third.consumer.metrics().messages > 50)
  isOver = true
  await sending
  await until('all is read', () => seen.length >= sent)
  await Promise.all([second, third].map(({ consumer }) => consumer.close()))
  await Promise.all([second.running, third.running])
  const values = seen.map(Number).toSorted((a, b) => a - b)
  assert.deepEqual(values, range(sent), 'each message once')
}

export const roundtripCases: readonly Case[] = [
  { name: 'records of every shape and compression come as they were sent', run: everything },
  { name: 'records of megabytes, in every compression', run: big },
  { name: 'a message can be sent on as it is', run: forwarded },
  { name: 'values with a schema, both ways', run: typedValues },
  { name: 'both ends through cut connections: once, in order of each key', run: throughCuts },
  { name: 'read, make, send, commit; begun again where it was committed', run: processed },
  { name: 'offsets are found by the times that were given', run: byTime },
  { name: 'many partitions of several topics', run: manyPartitions },
  { name: 'read_committed reads what no transaction holds', run: committedOnly },
  { name: 'members come and go while records are sent: each is handled once', run: underLoad },
]
