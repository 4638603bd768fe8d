/** What a producer stores where, and what it answers. */
import { CompressionTypes, type Message, Partitioners, type RecordMetadata } from 'kafkajs'
import { counter, createTopic, failure, kafka, named, quick, say } from './program.ts'

const shape = (sent: RecordMetadata[]) =>
  sent
    .map(({ logStartOffset, ...rest }) => rest)
    .sort((a, b) => a.topicName.localeCompare(b.topicName) || a.partition - b.partition)

const topic = await createTopic('placed', 7)
const keys = Array.from({ length: 60 }, (_, at) => 'ключ'.repeat(at % 3) + 'k'.repeat(at % 5) + at)
const keyed: Message[] = keys.map(key => ({ key, value: key }))

for (const [name, createPartitioner] of Object.entries({
  none: undefined,
  DefaultPartitioner: Partitioners.DefaultPartitioner,
  JavaCompatiblePartitioner: Partitioners.JavaCompatiblePartitioner,
  LegacyPartitioner: Partitioners.LegacyPartitioner,
})) {
  const producer = kafka.producer(createPartitioner ? { createPartitioner } : {})
  say(
    `${name}: send before connect`,
    await failure(() => producer.send({ topic, messages: keyed })),
  )
  await producer.connect()
  say(`${name}: keyed`, shape(await producer.send({ topic, messages: keyed })))
  const spread = await producer.send({ topic, messages: Array(14).fill({ value: 'no key' }) })
  say(
    `${name}: without a key`,
    shape(spread).map(({ partition }) => partition),
  )
  await producer.disconnect()
  say(
    `${name}: send when disconnected`,
    await failure(() => producer.send({ topic, messages: keyed })),
  )
}

const custom = kafka.producer({
  createPartitioner: () => args => {
    say('partitioner', {
      ...args,
      partitionMetadata: args.partitionMetadata.map(p => p.partitionId).sort(),
    })
    return args.message.key === 'last' ? 6 : (args.message.partition ?? 3)
  },
})
await custom.connect()
const args = [
  { key: 'last', value: 'a' },
  { value: 'b', partition: 5 },
  { key: Buffer.from('x'), value: null },
]
say('custom', shape(await custom.send({ topic, messages: args })))
await custom.disconnect()

const producer = kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
await producer.connect()
say('isIdempotent', producer.isIdempotent())
say(
  'acks 1 of an idempotent one',
  await failure(() => producer.send({ topic, acks: 1, messages: keyed })),
)
await producer.disconnect()

const plain = kafka.producer()
await plain.connect()
say('isIdempotent by default', plain.isIdempotent())
const one = await createTopic('one')
const other = await createTopic('other')
say('acks 0', await plain.send({ topic: one, acks: 0, messages: [{ value: 'acks 0' }] }))
say('acks 1', shape(await plain.send({ topic: one, acks: 1, messages: [{ value: 'acks 1' }] })))
const compression = CompressionTypes.GZIP
say('gzip', shape(await plain.send({ topic: one, compression, messages: keyed.slice(0, 20) })))
const fields: Message = {
  key: Buffer.from([0, 255]),
  value: Buffer.from([1, 2, 254]),
  timestamp: '1600000000123',
  headers: { text: 'ü', bytes: Buffer.from([9]), many: ['a', Buffer.from('b')] },
}
const topicMessages = [
  { topic: one, messages: [fields] },
  { topic: other, messages: [{ value: null, key: 'tombstone' }, { value: '' }] },
  { topic: one, messages: [{ value: 'again' }] },
]
say('sendBatch', shape(await plain.sendBatch({ topicMessages })))
say('sendBatch of nothing', await plain.sendBatch({ topicMessages: [] }))
say('no messages', await plain.send({ topic: one, messages: [] }))
const wrong = (messages: unknown, name = one) =>
  failure(() => plain.send({ topic: name, messages: messages as Message[] }))
say('no value', await wrong([{ key: 'k' }]))
say('no array', await wrong(undefined))
say('no topic', await wrong([{ value: 'x' }], ''))
say('a new topic', shape(await plain.send({ topic: named('new'), messages: [{ value: 'first' }] })))

const found: unknown[] = []
const all = counter(27)
const consumer = kafka.consumer({ groupId: named('reader'), ...quick })
await consumer.connect()
await consumer.subscribe({ topics: [one, other, named('new')], fromBeginning: true })
await consumer.run({
  eachMessage: async ({ topic, partition, message }) => {
    const { key, value, offset, headers, timestamp } = message
    const time = timestamp.startsWith('16') ? timestamp : /^\d{13}$/.test(timestamp)
    found.push({ topic, partition, key, value, offset, headers, time })
    all.add()
  },
})
await all.done
await consumer.disconnect()
say('stored', found.map(each => JSON.stringify(each)).sort())
await plain.disconnect()
