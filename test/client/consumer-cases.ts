/** What a consumer of its own, without other members, has to do. */
import assert from 'node:assert/strict'
import type { Message } from '../../src/index.ts'
import { compressions } from '../../src/protocol/records/batch.ts'
import { cutting } from './cutting-io.ts'
import { type Case, errorOf, type Scene, take, until } from './suite.ts'

const values = (messages: readonly Message<Buffer | null, string>[]) =>
  messages.map(({ value }) => value)
const at = (topic: string, partition = 0) => ({ topic, partition })

async function compressed(scene: Scene) {
  const topic = await scene.topic()
  for (const compression of compressions) {
    await scene.store(topic, 0, [{ key: 'k', value: `of ${compression} `.repeat(50) }], {
      compression,
    })
  }
  const messages = await scene.read({ topics: topic }, compressions.length)
  assert.deepEqual(
    values(messages),
    compressions.map(each => `of ${each} `.repeat(50)),
  )
  return messages.map(({ offset, value }) => [offset, value.length])
}

async function asStored(scene: Scene) {
  const topic = await scene.topic()
  const records = [
    { key: 'a', value: 'one', timestamp: 1000, headers: [{ key: 'h', value: 'x' }] },
    { key: null, value: '', timestamp: 2000 },
    {
      key: '',
      value: null,
      timestamp: 3000,
      headers: [
        { key: 'twice', value: '1' },
        { key: 'twice', value: '2' },
        { key: 'none', value: null },
      ],
    },
  ].map(record => ({
    ...record,
    headers: (record.headers ?? []).map(({ key, value }) => ({
      key,
      value: value === null ? null : Buffer.from(value),
    })),
  }))
  await scene.store(topic, 0, records)
  const consumer = scene.consumer({ topics: topic, value: bytes => `${bytes}` })
  const messages = await take(consumer, 3)
  const plain = messages.map(({ key, value, timestamp, headers, offset }) => ({
    key: key === null ? null : String(key),
    value,
    timestamp,
    offset,
    headers: Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(String) : value === null ? null : String(value),
    ]),
  }))
  assert.deepEqual(
    plain.map(({ key, value, timestamp }) => [key, value, timestamp]),
    [
      ['a', 'one', 1000],
      [null, '', 2000],
      ['', 'null', 3000],
    ],
  )
  assert.deepEqual(plain[2]!.headers, [
    ['twice', ['1', '2']],
    ['none', null],
  ])
  return plain
}

async function resets(scene: Scene) {
  const topic = await scene.topic()
  await scene.fill(topic, 1, 3)
  const earliest = values(await scene.read({ topics: topic }, 3))
  assert.deepEqual(earliest, ['0-0', '0-1', '0-2'])
  const latest = scene.consumer({ topics: topic, offsetReset: 'latest' })
  const found = take(latest, 1)
  await until('it has a position', () => latest.position(at(topic)) === 3)
  await scene.fill(topic, 1, 1, 3)
  assert.deepEqual(values(await found), ['0-3'])
  const groupId = scene.name('group')
  const none = await errorOf(() => scene.read({ topics: topic, groupId, offsetReset: 'none' }, 1))
  assert.equal(none, 'OffsetOutOfRangeError OFFSET_OUT_OF_RANGE')
  const far = { assignment: [{ ...at(topic), offset: 99 }] }
  assert.deepEqual(values(await scene.read(far, 1)), ['0-0'])
  return await errorOf(() => scene.read({ ...far, offsetReset: 'none' }, 1))
}

async function sinceAWhile(scene: Scene) {
  const topic = await scene.topic()
  const nowMs = Date.now()
  for (const [index, agoMs] of [7_200_000, 600_000, 1000].entries()) {
    await scene.store(topic, 0, [{ value: `${index}`, timestamp: nowMs - agoMs }])
  }
  const messages = await scene.read({ topics: topic, offsetReset: { agoMs: 3_600_000 } }, 2)
  assert.deepEqual(values(messages), ['1', '2'])
  return values(messages)
}

async function seeks(scene: Scene) {
  const topic = await scene.topic(2)
  await scene.fill(topic, 2, 5)
  const consumer = scene.consumer({ assignment: [at(topic)] })
  const seen: string[] = []
  const targets = [
    { offset: 3 },
    { to: 'beginning' },
    { timestamp: 1_000_002 },
    { timestamp: new Date(1_000_004) },
  ] as const
  let next = 0
  for await (const { value } of consumer) {
    seen.push(value)
    if (next === targets.length) break
    await consumer.seek(at(topic), targets[next++]!)
  }
  assert.deepEqual(seen, ['0-0', '0-3', '0-0', '0-2', '0-4'])
  return seen
}

async function seekToTheEnd(scene: Scene) {
  const topic = await scene.topic()
  await scene.fill(topic, 1, 5)
  const consumer = scene.consumer({ assignment: [at(topic)] })
  const found: string[] = []
  for await (const { value } of consumer) {
    found.push(value)
    if (found.length === 2) break
    await consumer.seek(at(topic), { to: 'end' })
    assert.equal(await errorOf(() => consumer.seek(at(topic, 7), { offset: 0 })), notAssigned)
    await scene.fill(topic, 1, 1, 5)
  }
  assert.deepEqual(found, ['0-0', '0-5'])
  return found
}
const notAssigned = 'ConsumerStateError NOT_ASSIGNED'

async function pauses(scene: Scene) {
  const topic = await scene.topic(2)
  await scene.fill(topic, 2, 20)
  const consumer = scene.consumer({ assignment: [at(topic, 0), at(topic, 1)], maxBatchMessages: 5 })
  consumer.pause([at(topic, 0)])
  const seen: string[] = []
  for await (const { value, partition } of consumer) {
    if (consumer.paused().length > 0) assert.equal(partition, 1, `${value} although paused`)
    seen.push(value)
    if (seen.length === 20) consumer.resume()
    if (seen.length === 40) break
  }
  assert.deepEqual(seen.slice(20), values20(0))
  return seen
}
const values20 = (partition: number) => Array.from({ length: 20 }, (_, n) => `${partition}-${n}`)

async function times(scene: Scene) {
  const topic = await scene.topic(2)
  await scene.fill(topic, 2, 5)
  const consumer = scene.consumer({ assignment: [at(topic)] })
  const found = await consumer.offsetsForTimes([
    { ...at(topic), timestamp: 0 },
    { ...at(topic, 1), timestamp: new Date(1_000_003) },
    { ...at(topic), timestamp: 9_000_000 },
  ])
  assert.deepEqual(
    found.map(({ offset }) => offset),
    [0, 3, 5],
  )
  const hasty = scene.consumer({ assignment: [at(topic)], requestTimeoutMs: 1000 })
  const missing = await errorOf(() =>
    hasty.offsetsForTimes([{ ...at(scene.name('none')), timestamp: 0 }]),
  )
  return { found: found.map(({ partition, offset }) => [partition, offset]), missing }
}

async function large(scene: Scene) {
  const topic = await scene.topic(1, { 'max.message.bytes': '4000000' })
  const sizes = [1_000_000, 3_000_000, 10]
  for (const size of sizes) await scene.store(topic, 0, [{ value: Buffer.alloc(size, 'x') }])
  const messages = await scene.read(
    { topics: topic, partitionMaxBytes: 100_000, maxBytes: 200_000 },
    3,
  )
  assert.deepEqual(
    messages.map(({ value }) => value.length),
    sizes,
  )
  return sizes
}

async function boundedBuffer(scene: Scene) {
  const topic = await scene.topic(4)
  const value = Buffer.alloc(10_000, 'x')
  const records = Array.from({ length: 50 }, () => ({ value }))
  for (let n = 0; n < 32; n++) await scene.store(topic, n % 4, records)
  const maxBytes = 1_000_000
  const partitionMaxBytes = 250_000
  const consumer = scene.consumer({ topics: topic, maxBytes, partitionMaxBytes })
  let most = 0
  let count = 0
  for await (const _ of consumer) {
    most = Math.max(most, consumer.metrics().bufferedBytes)
    count++
    // While user code holds a message, fetching has to stop at the bound.
    if (count % 200 === 0) await new Promise(resolve => setTimeout(resolve, 20))
    if (count === 1600) break
  }
  // A batch of 500 kB comes whole, though it is more than a partition may send.
  assert.ok(most <= maxBytes + 500_000 * 4, `${most} bytes were fetched ahead`)
  assert.ok(most > 0)
  return count
}

async function boundedWait(scene: Scene) {
  const topic = await scene.topic()
  const value = Buffer.alloc(100_000, 'x')
  for (let n = 0; n < 50; n++) await scene.store(topic, 0, [{ value }])
  const maxBytes = 500_000
  const consumer = scene.consumer({ topics: topic, maxBytes, partitionMaxBytes: 200_000 })
  for await (const _ of consumer) {
    await new Promise(resolve => setTimeout(resolve, 500))
    const { fetchedBytes } = consumer.metrics()
    assert.ok(fetchedBytes <= maxBytes + 200_000, `${fetchedBytes} bytes although nothing is read`)
    break
  }
}

async function decoding(scene: Scene) {
  const topic = await scene.topic()
  await scene.store(topic, 0, [{ value: '1' }, { value: 'x' }, { value: '3' }])
  const value = (bytes: Buffer | null) => {
    if (!/^\d+$/.test(String(bytes))) throw new Error('no number')
    return String(bytes)
  }
  const thrown = await errorOf(() => scene.read({ topics: topic, value }, 3))
  assert.equal(thrown, 'DecodeError DECODE')
  const skipped = scene.consumer({ topics: topic, value, onDecodeError: 'skip' })
  assert.deepEqual(values(await take(skipped, 2)), ['1', '3'])
  assert.equal(skipped.metrics().skipped, 1)
  const seen = await scene.read(
    {
      topics: topic,
      interceptors: [{ onMessage: message => ({ ...message, value: `<${message.value}>` }) }],
    },
    3,
  )
  assert.deepEqual(values(seen), ['<1>', '<x>', '<3>'])
  return thrown
}

async function aborts(scene: Scene) {
  const topic = await scene.topic()
  await scene.fill(topic, 1, 2)
  const aborted = new AbortController()
  const consumer = scene.consumer({ topics: topic })
  const seen: string[] = []
  for await (const { value } of consumer.messages({ signal: aborted.signal })) {
    seen.push(value)
    // There is nothing more: the loop waits when it is aborted.
    if (seen.length === 2) setTimeout(() => aborted.abort(), 50)
  }
  const after = await errorOf(async () => consumer.messages())
  assert.equal(after, 'ConsumerStateError CLOSED')
  const running = scene.consumer({ topics: topic })
  const stop = new AbortController()
  let ran = 0
  await running.run({
    signal: stop.signal,
    each() {
      if (++ran === 2) stop.abort()
    },
  })
  assert.equal(ran, 2)
  const before = AbortSignal.abort()
  await scene.consumer({ topics: topic }).run({ signal: before, each: () => {} })
  const twice = scene.consumer({ topics: topic })
  twice.messages()
  const busy = await errorOf(async () => twice.messages())
  assert.equal(busy, 'ConsumerStateError BUSY')
  return [seen, after, busy]
}

async function closes(scene: Scene) {
  const topic = await scene.topic()
  await scene.fill(topic, 1, 1)
  const consumer = scene.consumer({ topics: topic })
  let ended = false
  const loop = (async () => {
    for await (const _ of consumer);
    ended = true
  })()
  await until('it has read', () => consumer.metrics().messages === 1)
  await Promise.all([consumer.close(), consumer.close()])
  await loop
  assert.ok(ended)
  const unused = scene.consumer({ topics: topic })
  await unused.close()
  return await errorOf(() => unused.run({ each: () => {} }))
}

async function patterns(scene: Scene) {
  const name = scene.name('pattern')
  for (const suffix of ['-a', '-b', '-c1']) {
    const topic = await scene.topic(1, {}, `${name}${suffix}`)
    await scene.store(topic, 0, [{ value: suffix }])
  }
  const messages = await scene.read({ topics: new RegExp(`^${name}-[a-b]$`) }, 2)
  const seen = values(messages).sort()
  assert.deepEqual(seen, ['-a', '-b'])
  const mixed = await scene.read({ topics: [`${name}-c1`, new RegExp(`^${name}-a`)] }, 2)
  assert.deepEqual(values(mixed).sort(), ['-a', '-c1'])
  return seen
}

async function appears(scene: Scene) {
  const name = scene.name('late')
  const found = scene.read({ topics: name, groupId: scene.name('group') }, 2)
  await new Promise(resolve => setTimeout(resolve, 300))
  await scene.topic(1, {}, name)
  await scene.fill(name, 1, 2)
  return values(await found)
}

async function behindDeleted(scene: Scene) {
  const topic = await scene.topic()
  await scene.fill(topic, 1, 5)
  const consumer = scene.consumer({ assignment: [{ ...at(topic), offset: 2 }] })
  const seen: [string, number][] = []
  for await (const { value } of consumer) {
    const [lag] = consumer.lag()
    assert.equal(lag?.highWatermark, 5)
    assert.equal(consumer.position(at(topic)), lag.position)
    seen.push([value, lag.lag])
    if (seen.length === 3) break
  }
  assert.deepEqual(seen, [
    ['0-2', 2],
    ['0-3', 1],
    ['0-4', 0],
  ])
  return seen
}

async function cutOff(scene: Scene) {
  const topic = await scene.topic(3)
  const count = 400
  const records = Array.from({ length: 20 }, () => ({ value: Buffer.alloc(200, 'x') }))
  for (let n = 0; n < count; n += 20) {
    for (let partition = 0; partition < 3; partition++) {
      await scene.store(topic, partition, records)
    }
  }
  const world = cutting(7, { least: 500, most: 20_000 })
  try {
    const consumer = scene.consumer({
      topics: topic,
      io: world.io,
      maxBytes: 20_000,
      partitionMaxBytes: 2000,
    })
    const seen = await take(consumer, 3 * count)
    for (let partition = 0; partition < 3; partition++) {
      const mine = seen.filter(each => each.partition === partition)
      assert.deepEqual(
        mine.map(({ offset }) => offset),
        Array.from({ length: count }, (_, n) => n),
      )
    }
    assert.ok(world.cuts() >= 3, `${world.cuts()} connections were cut`)
  } finally {
    world.close()
  }
}

async function oneHolds(scene: Scene) {
  const topic = await scene.topic(4)
  await scene.fill(topic, 4, 30)
  const consumer = scene.consumer({ topics: topic, maxBatchMessages: 7 })
  const order = new Map<number, number>()
  const now = new Map<number, number>()
  let most = 0
  let done = 0
  const stop = new AbortController()
  await consumer.run({
    concurrency: 3,
    signal: stop.signal,
    async each({ partition, offset }) {
      now.set(partition, (now.get(partition) ?? 0) + 1)
      assert.equal(now.get(partition), 1, 'one message of a partition at a time')
      assert.equal(offset, order.get(partition) ?? 0, 'in order')
      order.set(partition, offset + 1)
      most = Math.max(most, [...now.values()].filter(each => each > 0).length)
      await new Promise(resolve => setTimeout(resolve, (partition * 3 + offset) % 5))
      now.set(partition, 0)
      if (++done === 120) stop.abort()
    },
  })
  assert.equal(most, 3)
  return done
}

async function userFails(scene: Scene) {
  const topic = await scene.topic()
  await scene.fill(topic, 1, 10)
  const groupId = scene.name('group')
  const mine = new Error('mine')
  const running = scene.consumer({ topics: topic, groupId }).run({
    each({ offset }) {
      if (offset === 4) throw mine
    },
  })
  await assert.rejects(running, error => error === mine)
  const [next] = await scene.read({ topics: topic, groupId }, 1)
  assert.equal(next!.offset, 4)
  return next!.offset
}

export const consumerCases: readonly Case[] = [
  { name: 'messages of every compression are read', run: compressed },
  { name: 'keys, values, nulls, timestamps and headers come as they were stored', run: asStored },
  { name: 'earliest, latest and none say where to begin, and offsets beyond the end', run: resets },
  { name: 'offsetReset agoMs begins at the first message of that time', run: sinceAWhile },
  { name: 'seek goes to an offset, to the beginning, to a time', run: seeks },
  { name: 'seek goes to the end; not in a partition of others', run: seekToTheEnd },
  { name: 'nothing of a paused partition is handed out until it is resumed', run: pauses },
  { name: 'offsetsForTimes finds the first offset at or after', run: times },
  { name: 'messages larger than every bound come, one at a time', run: large },
  { name: 'prefetch stays within maxBytes, a batch more for each partition', run: boundedBuffer },
  { name: 'while a message is held fetching stops', run: boundedWait },
  { name: 'what does not decode is thrown or skipped; interceptors see messages', run: decoding },
  { name: 'signals end loops and run; there is one loop a consumer', run: aborts },
  { name: 'close ends a loop that waits, is idempotent, and final', run: closes },
  { name: 'topics by pattern, and beside names', run: patterns },
  { name: 'a topic that is made later is found', run: appears },
  { name: 'position and lag follow what is handed out', run: behindDeleted },
  { name: 'connections that are cut lose, repeat and reorder nothing', run: cutOff },
  { name: 'run works on three partitions at a time, in order inside each', run: oneHolds },
  { name: 'an error of user code ends run; its message comes again', run: userFails },
]
