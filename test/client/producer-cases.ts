/** What a producer has to do; what it stored is read back with our consumer. */
import assert from 'node:assert/strict'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../../src/cli/cluster-etcd.ts'
import { Producer, type ProducerOptions, serializers } from '../../src/index.ts'
import { compressions } from '../../src/protocol/records/batch.ts'
import { cutting } from './cutting-io.ts'
import { type Case, errorOf, type Scene } from './suite.ts'

function producer<K, V>(scene: Scene, options: Partial<ProducerOptions<K, V>> = {}) {
  return new Producer<K, V>({ bootstrap: scene.bootstrap, ...options } as ProducerOptions<K, V>)
}

const range = (count: number) => Array.from({ length: count }, (_, n) => n)

/** What is in a topic, as plain as it can be told. */
async function stored(scene: Scene, topic: string, count: number) {
  const messages = await scene.read({ topics: topic }, count)
  return messages.map(({ key, value, partition, offset }) => ({
    key: key === null ? null : String(key),
    value,
    partition,
    offset,
  }))
}

async function single(scene: Scene) {
  const topic = await scene.topic()
  await using mine = producer(scene)
  const timestamp = 1_700_000_000_000
  const sent = [
    await mine.send({ topic, key: 'k', value: 'one', timestamp }),
    await mine.send({ topic, value: Buffer.from('two'), timestamp: new Date(timestamp + 1) }),
  ]
  assert.deepEqual(sent, [
    { topic, partition: 0, offset: 0, timestamp },
    { topic, partition: 0, offset: 1, timestamp: timestamp + 1 },
  ])
  const before = Date.now()
  const { timestamp: now } = await mine.send({ topic, value: 'now' })
  assert.ok(now >= before && now <= Date.now(), `${now} is not now`)
  return await stored(scene, topic, 3)
}

async function compressed(scene: Scene) {
  const topic = await scene.topic()
  const sizes: number[] = []
  for (const compression of compressions) {
    await using mine = producer(scene, {
      compression,
      ...(compression === 'gzip' && { compressionLevel: 1 }),
    })
    await mine.send({ topic, value: compression.repeat(500) })
    sizes.push(mine.metrics().sentBytes)
  }
  assert.ok(
    sizes.slice(1).every(size => size < sizes[0]! / 2),
    `sizes ${sizes}`,
  )
  const found = await stored(scene, topic, compressions.length)
  assert.deepEqual(
    found.map(({ value }) => value),
    compressions.map(each => each.repeat(500)),
  )
}

async function keyed(scene: Scene) {
  const topic = await scene.topic(3)
  await using mine = producer(scene)
  const sent = await mine.send(range(10).map(n => ({ topic, key: `key-${n}`, value: 'x' })))
  const partitions = sent.map(({ partition }) => partition)
  // Where the Java client puts them.
  assert.deepEqual(partitions, [1, 0, 2, 2, 0, 2, 2, 1, 1, 0])
  return partitions
}

async function placed(scene: Scene) {
  const topic = await scene.topic(3)
  await using mine = producer(scene, {
    partitioner: ({ key }, { count }) => (key === null ? undefined : key.length % count),
  })
  const partitions = [
    await mine.send({ topic, key: 'four', value: 'x' }),
    await mine.send({ topic, key: 'three', value: 'x' }),
    await mine.send({ topic, key: 'three', value: 'x', partition: 0 }),
  ].map(({ partition }) => partition)
  assert.deepEqual(partitions, [1, 2, 0])
  await using wrong = producer(scene, { partitioner: () => 3 })
  const chosen = await errorOf(() => wrong.send({ topic, value: 'x' }))
  await using hasty = producer(scene, { deliveryTimeoutMs: 1000 })
  const named = await errorOf(() => hasty.send({ topic, value: 'x', partition: 9 }))
  return [chosen, named]
}

async function spread(scene: Scene) {
  const topic = await scene.topic(3)
  await using mine = producer(scene, { batchBytes: 1000 })
  const value = Buffer.alloc(90, 'x')
  const sent = await mine.send(range(3000).map(() => ({ topic, value })))
  for (const partition of range(3)) {
    const share = sent.filter(each => each.partition === partition).length
    assert.ok(share > 700 && share < 1300, `partition ${partition} has ${share} of 3000`)
  }
}

async function headers(scene: Scene) {
  const topic = await scene.topic()
  await using mine = producer(scene)
  const given = { text: 'ü', bytes: Buffer.from([0, 255]), none: null, twice: ['1', '2'] }
  await mine.send({ topic, value: 'x', headers: given })
  const [message] = await scene.read({ topics: topic }, 1)
  const hex = (value: unknown): unknown =>
    Array.isArray(value)
      ? value.map(hex)
      : value === null
        ? null
        : Buffer.from(value as Buffer).toString('hex')
  const found = Object.entries(message!.headers).map(([name, value]) => [name, hex(value)])
  assert.deepEqual(found, [
    ['text', 'c3bc'],
    ['bytes', '00ff'],
    ['none', null],
    ['twice', ['31', '32']],
  ])
  return found
}

async function nulls(scene: Scene) {
  const topic = await scene.topic()
  await using mine = producer(scene)
  await mine.send([{ topic, key: null, value: '' }, { topic, key: '', value: null }, { topic }])
  const messages = await scene.read(
    { topics: topic, value: bytes => (bytes === null ? 'null' : `<${bytes}>`) },
    3,
  )
  const found = messages.map(({ key, value }) => [key === null ? null : String(key), value])
  assert.deepEqual(found, [
    [null, '<>'],
    ['', 'null'],
    [null, 'null'],
  ])
  return found
}

async function appendTime(scene: Scene) {
  const topic = await scene.topic(1, { 'message.timestamp.type': 'LogAppendTime' })
  await using mine = producer(scene)
  const before = Date.now()
  const { timestamp } = await mine.send({ topic, value: 'x', timestamp: 1000 })
  assert.ok(timestamp >= before - 1000, `${timestamp}`)
  const [message] = await scene.read({ topics: topic }, 1)
  assert.equal(message!.timestamp, timestamp)
}

async function acknowledgements(scene: Scene) {
  const topic = await scene.topic()
  const offsets: number[] = []
  for (const acks of [0, 1, 'all'] as const) {
    await using mine = producer(scene, { acks })
    const { offset } = await mine.send({ topic, value: `acks ${acks}` })
    await mine.flush()
    offsets.push(offset)
    // What nobody acknowledges is there a moment later.
    await scene.read({ topics: topic }, offsets.length)
  }
  assert.deepEqual(offsets, [-1, 1, 2])
  const wrong = await errorOf(async () => producer(scene, { acks: 1, idempotent: true }))
  assert.equal(wrong, 'ProducerStateError BAD_OPTION')
  return await stored(scene, topic, 3)
}

async function ordered(scene: Scene) {
  const topic = await scene.topic()
  await using mine = producer(scene, { batchBytes: 500, maxInFlight: 5 })
  const sends = range(1000).map(n => mine.send({ topic, value: `${n}` }))
  const offsets = (await Promise.all(sends)).map(({ offset }) => offset)
  assert.deepEqual(offsets, range(1000))
  const found = await stored(scene, topic, 1000)
  assert.deepEqual(
    found.map(({ value }) => Number(value)),
    range(1000),
  )
}

async function cutOff(scene: Scene) {
  const topic = await scene.topic(2)
  const world = cutting(11, { least: 300, most: 12_000 })
  try {
    await using mine = producer(scene, { io: world.io, batchBytes: 1000 })
    const count = 2000
    const value = (n: number) => `${n}`.padEnd(50, '.')
    // A busy machine's timers do not keep their order; what counts is that of the calls.
    const called: number[] = []
    const sends = range(count).map(async n => {
      await delay(n / 4)
      called.push(n)
      return await mine.send({ topic, partition: n % 2, value: value(n) })
    })
    await Promise.all(sends)
    assert.ok(world.cuts() >= 5, `${world.cuts()} connections were cut`)
    const found = await stored(scene, topic, count)
    for (const partition of range(2)) {
      const values = found.filter(each => each.partition === partition).map(({ value }) => value)
      const wanted = called.filter(n => n % 2 === partition).map(value)
      assert.deepEqual(values, wanted)
    }
    const ends = await scene.cluster.listOffsets(
      range(2).map(partition => ({ topic, partition, timestamp: -1 })),
    )
    const total = ends.reduce((sum, end) => sum + (end instanceof Error ? 0 : end.offset), 0)
    assert.equal(total, count, 'nothing is stored twice')
  } finally {
    world.close()
  }
}

async function lingers(scene: Scene) {
  const topic = await scene.topic()
  await using patient = producer(scene, { lingerMs: 300 })
  await patient.send({ topic, value: 'the topic is known' })
  const before = patient.metrics().batches
  const sends = range(20).map(async n => {
    await delay(n * 5)
    return await patient.send({ topic, value: 'x' })
  })
  await Promise.all(sends)
  const batches = patient.metrics().batches - before
  assert.ok(batches <= 3, `${batches} batches`)
  await using quick = producer(scene)
  await quick.send({ topic, value: 'known' })
  const startMs = performance.now()
  for (const _ of range(20)) await quick.send({ topic, value: 'x' })
  const tookMs = performance.now() - startMs
  assert.ok(tookMs < 1000, `20 awaited sends took ${tookMs} ms`)
}

async function pressed(scene: Scene) {
  const topic = await scene.topic()
  const bufferBytes = 100_000
  await using mine = producer(scene, { bufferBytes, maxRequestBytes: 50_000, batchBytes: 20_000 })
  const value = Buffer.alloc(1000, 'x')
  let most = 0
  const sends = range(2000).map(async () => {
    await mine.send({ topic, value })
    most = Math.max(most, mine.metrics().bufferedBytes)
  })
  most = Math.max(most, mine.metrics().bufferedBytes)
  assert.ok(mine.metrics().waitingRecords > 1000, 'sends wait for room')
  await Promise.all(sends)
  assert.ok(most <= bufferBytes, `${most} bytes were buffered`)
  return (await stored(scene, topic, 2000)).length
}

async function late(scene: Scene) {
  const nowhere = `127.0.0.1:${await freePort()}`
  const lost = producer(scene, { bootstrap: nowhere, deliveryTimeoutMs: 500 })
  const startMs = performance.now()
  const error = await errorOf(() => lost.send({ topic: 'any', value: 'x' }))
  const tookMs = performance.now() - startMs
  assert.equal(error, 'DeliveryTimeoutError DELIVERY_TIMEOUT')
  assert.ok(tookMs >= 450 && tookMs < 3000, `after ${tookMs} ms`)
  await lost.close()
  return error
}

async function aborts(scene: Scene) {
  const topic = await scene.topic()
  await using mine = producer(scene, { lingerMs: 5000 })
  const reason = new Error('enough')
  await assert.rejects(
    mine.send({ topic, value: 'never' }, { signal: AbortSignal.abort(reason) }),
    error => error === reason,
  )
  const abort = new AbortController()
  const waiting = mine.send({ topic, value: 'waits' }, { signal: abort.signal })
  setTimeout(() => abort.abort(reason), 50)
  await assert.rejects(waiting, error => error === reason)
}

async function ends(scene: Scene) {
  const topic = await scene.topic()
  const mine = producer(scene, { lingerMs: 60_000 })
  const flushed = mine.send({ topic, value: 'flushed' })
  await mine.flush()
  assert.equal((await flushed).offset, 0)
  const closed = mine.send({ topic, value: 'closed' })
  await Promise.all([mine.close(), mine.close()])
  assert.equal((await closed).offset, 1)
  const after = await errorOf(() => mine.send({ topic, value: 'x' }))
  assert.equal(after, 'ProducerStateError CLOSED')
  await mine.flush()
  await producer(scene).close()
  return after
}

async function tooLarge(scene: Scene) {
  const topic = await scene.topic(1, { 'max.message.bytes': '10000' })
  await using mine = producer(scene)
  const byUs = await errorOf(() => mine.send({ topic, value: Buffer.alloc(2_000_000) }))
  const byBroker = await errorOf(() => mine.send({ topic, value: Buffer.alloc(20_000) }))
  assert.match(byBroker, /MESSAGE_TOO_LARGE|RECORD_LIST_TOO_LARGE/)
  const { offset } = await mine.send({ topic, value: 'small' })
  assert.equal(offset, 0)
  // A batch that is too large although its records are not is cut.
  const value = Buffer.alloc(3000, 'x')
  const sent = await mine.send(range(20).map(() => ({ topic, value })))
  assert.deepEqual(
    sent.map(({ offset }) => offset),
    range(20).map(n => n + 1),
  )
  const wide = await scene.topic(1, { 'max.message.bytes': '4000000' })
  await using able = producer(scene, { maxRequestBytes: 4_000_000 })
  await able.send({ topic: wide, value: Buffer.alloc(3_000_000) })
  return [byUs, byBroker]
}

async function together(scene: Scene) {
  const topic = await scene.topic(1, { 'max.message.bytes': '10000' })
  await using mine = producer(scene)
  const sent = await mine.send(range(5).map(n => ({ topic, value: `${n}` })))
  assert.deepEqual(
    sent.map(({ offset }) => offset),
    range(5),
  )
  assert.deepEqual(await mine.send([]), [])
  const records = [
    { topic, value: 'good' },
    { topic, value: Buffer.alloc(20_000) },
  ]
  const failed = await errorOf(() => mine.send(records))
  assert.equal(failed, 'SendError SEND_FAILED')
  return failed
}

async function serialized(scene: Scene) {
  const topic = await scene.topic()
  await using mine = producer(scene, {
    key: serializers.string,
    value: serializers.json<{ n: number }>(),
  })
  await mine.send({ topic, key: 'k', value: { n: 1 } })
  const schema = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) =>
        typeof value === 'number' ? { value: value * 2 } : { issues: [{ message: 'no number' }] },
    },
  }
  await using checked = producer<string, number>(scene, { value: schema })
  await checked.send({ topic, value: 21 })
  const wrong = 'no' as unknown as number
  const error = await errorOf(() => checked.send({ topic, value: wrong }))
  assert.equal(error, 'SerializationError SERIALIZATION')
  await using hooked = producer(scene, {
    interceptors: [{ onSend: (record: { topic: string }) => ({ ...record, value: 'replaced' }) }],
  })
  await hooked.send({ topic, value: 'given' })
  const found = (await stored(scene, topic, 3)).map(({ value }) => value)
  assert.deepEqual(found, ['{"n":1}', '42', 'replaced'])
  return [error, found]
}

async function streamed(scene: Scene) {
  const topic = await scene.topic()
  await using mine = producer(scene, { bufferBytes: 20_000 })
  const records = range(1000).map(n => ({ topic, value: `${n}`.padEnd(100) }))
  await pipeline(Readable.from(records), mine.writable())
  const { acknowledgedRecords, bufferedBytes } = mine.metrics()
  assert.deepEqual([acknowledgedRecords, bufferedBytes], [1000, 0])
  const found = await stored(scene, topic, 1000)
  assert.deepEqual(
    found.map(({ value }) => Number(value)),
    range(1000),
  )
}

export const producerCases: readonly Case[] = [
  { name: 'an awaited send tells partition, offset and timestamp', run: single },
  { name: 'batches of every compression are stored', run: compressed },
  { name: 'keys go where the Java client puts them', run: keyed },
  { name: 'partitions by number and by a partitioner; wrong ones are refused', run: placed },
  { name: 'records without keys are spread evenly', run: spread },
  { name: 'headers are text, bytes, null, several of a name', run: headers },
  { name: 'null and empty keys and values are what they are', run: nulls },
  { name: "a topic's append time is told", run: appendTime },
  { name: 'acks 0, 1 and all', run: acknowledgements },
  { name: 'with five requests under way order is kept', run: ordered },
  { name: 'cut connections: each record is stored once, in order', run: cutOff },
  { name: 'lingerMs gathers; without it an awaited send leaves at once', run: lingers },
  { name: 'bufferBytes holds sends back until there is room', run: pressed },
  { name: 'a send that is not acknowledged in time rejects', run: late },
  { name: 'signals end sends', run: aborts },
  { name: 'flush and close wait for what was sent; then it is closed', run: ends },
  { name: 'records that are too large, and batches that are', run: tooLarge },
  { name: 'records sent together answer in order, or say which failed', run: together },
  { name: 'serializers, schemas and interceptors make what is stored', run: serialized },
  { name: 'a stream is sent with back-pressure', run: streamed },
]
