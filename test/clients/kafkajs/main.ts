/**
 * kafkajs, producer and admin: node kafkajs/main.ts BOOTSTRAP PREFIX TIME work|again
 *
 * TIME is the timestamp of the first message, in milliseconds. Its consumer needs groups, so what it produced is read back by kcat. kafkajs brings gzip;
 * snappy is kafkajs-snappy (raw blocks); lz4 and zstd are one line each over the library and the
 * Node that Ottla uses.
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { zstdCompress } from 'node:zlib'
import kafkajs from 'kafkajs'
// @ts-expect-error it has no types
import snappy from 'kafkajs-snappy'
import { compressFrame } from 'lz4-napi'
import { shown, version } from '../shown.ts'

const { CompressionCodecs, CompressionTypes, ConfigResourceTypes, Kafka, logLevel } = kafkajs
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder: { buffer: Buffer }) => compressFrame(encoder.buffer),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder: { buffer: Buffer }) => promisify(zstdCompress)(encoder.buffer),
})

const [bootstrap = '', prefix = '', firstTime = '', phase = ''] = process.argv.slice(2)
const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}
const kafka = new Kafka({ clientId: 'kafkajs', brokers: [bootstrap], logLevel: logLevel.NOTHING })
const admin = kafka.admin()

interface Message {
  key: string | null
  value: string
  timestamp?: string
}

function messagesOf(topic: string): Message[] {
  return Array.from({ length: 400 }, (_, i) => ({
    key: i % 2 === 0 ? `key-${i % 10}` : null,
    value: `${topic} message ${i} ${'.'.repeat(i % 50)}`,
    timestamp: String(Number(firstTime) + i * 1000),
  }))
}

/** What kcat reads from one partition, from its start. */
function readBack(
  topic: string,
  partition = 0,
): { offset: number; ts: number; key: string | null; payload: string }[] {
  return execFileSync(
    'kcat',
    ['-b', bootstrap, '-C', '-t', topic, '-p', `${partition}`, '-o', 'beginning', '-e', '-q', '-J'],
    { encoding: 'utf8', timeout: 20_000, maxBuffer: 64 * 1024 * 1024 },
  )
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line))
}

function holds(topic: string, messages: Message[]): void {
  assert.deepEqual(
    readBack(topic).map(({ offset, ts, key, payload }) => ({ offset, ts, key, payload })),
    messages.map(({ key, value, timestamp }, offset) => ({
      offset,
      ts: Number(timestamp),
      key,
      payload: value,
    })),
  )
}

function topicOf(name: string): string {
  return `${prefix}-kafkajs-${name}`
}

async function create(topic: string, numPartitions = 1): Promise<void> {
  assert.equal(await admin.createTopics({ topics: [{ topic, numPartitions }] }), true)
}

async function send(
  topic: string,
  options: { acks?: number; codec?: keyof typeof codecs; idempotent?: boolean },
): Promise<void> {
  const producer = kafka.producer({
    idempotent: options.idempotent ?? false,
    createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
  })
  await producer.connect()
  const compression = codecs[options.codec ?? 'none']
  const acks = options.acks ?? -1
  const messages = messagesOf(topic)
  for (let i = 0; i < messages.length; i += 100) {
    const answers = await producer.send({
      topic,
      acks,
      compression,
      messages: messages.slice(i, i + 100),
    })
    if (acks !== 0) assert.equal(answers[0]?.baseOffset, `${i}`)
  }
  await producer.disconnect()
}

async function produceAndReadBack(
  name: string,
  options: Parameters<typeof send>[1],
): Promise<void> {
  const topic = topicOf(name)
  await create(topic)
  await send(topic, options)
  holds(topic, messagesOf(topic))
}

const manifest = new URL('./node_modules/kafkajs/package.json', import.meta.url)
version(JSON.parse(readFileSync(manifest, 'utf8')).version)
await admin.connect()

if (phase === 'work') {
  for (const codec of Object.keys(codecs) as (keyof typeof codecs)[]) {
    await shown(`produce, ${codec}: keyed and unkeyed, in order`, () =>
      produceAndReadBack(codec, { codec }),
    )
  }
  for (const [name, acks] of Object.entries({ '0': 0, '1': 1, all: -1 })) {
    await shown(`acks=${name}`, () => produceAndReadBack(`acks-${name}`, { acks }))
  }
  await shown('idempotent producer', () => produceAndReadBack('idempotent', { idempotent: true }))
  await shown('keys choose partitions; their order holds', async () => {
    const topic = topicOf('partitions')
    await create(topic, 3)
    const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
    await producer.connect()
    const messages = messagesOf(topic).filter(({ key }) => key !== null)
    await producer.send({ topic, messages })
    await producer.disconnect()
    const read = [0, 1, 2].map(partition => readBack(topic, partition))
    const valuesByKey = (pairs: { key: string | null; value: string }[]) =>
      Object.groupBy(pairs, ({ key }) => `${key}`)
    assert.deepEqual(
      valuesByKey(read.flat().map(({ key, payload }) => ({ key, value: payload }))),
      valuesByKey(messages.map(({ key, value }) => ({ key, value }))),
    )
    for (const key of new Set(messages.map(message => message.key))) {
      const homes = read.filter(partition => partition.some(message => message.key === key))
      assert.equal(homes.length, 1, `${key} lies in ${homes.length} partitions`)
    }
  })
  await shown('list and describe topics, describe the cluster', async () => {
    assert.ok((await admin.listTopics()).includes(topicOf('none')))
    const { topics } = await admin.fetchTopicMetadata({ topics: [topicOf('partitions')] })
    const { brokers, controller } = await admin.describeCluster()
    assert.equal(`${brokers[0]?.host}:${brokers[0]?.port}`, bootstrap)
    const id = brokers[0]?.nodeId ?? -1
    assert.equal(controller, id)
    assert.deepEqual(topics[0]?.partitions.map(p => [p.partitionId, p.leader, p.isr]).sort(), [
      [0, id, [id]],
      [1, id, [id]],
      [2, id, [id]],
    ])
  })
  await shown('offsets: first, last, by timestamp', async () => {
    const topic = topicOf('none')
    assert.deepEqual(await admin.fetchTopicOffsets(topic), [
      { partition: 0, offset: '400', high: '400', low: '0' },
    ])
    assert.deepEqual(await admin.fetchTopicOffsetsByTimestamp(topic, Number(firstTime) + 122_500), [
      { partition: 0, offset: '123' },
    ])
  })
  await shown('describe and alter topic configs', async () => {
    const resource = { type: ConfigResourceTypes.TOPIC, name: topicOf('gzip') }
    const retention = async () => {
      const { resources } = await admin.describeConfigs({
        includeSynonyms: false,
        resources: [resource],
      })
      return resources[0]?.configEntries.find(entry => entry.configName === 'retention.ms')
        ?.configValue
    }
    assert.equal(await retention(), '604800000')
    await admin.alterConfigs({
      validateOnly: false,
      resources: [{ ...resource, configEntries: [{ name: 'retention.ms', value: '86400001' }] }],
    })
    assert.equal(await retention(), '86400001')
  })
  await shown('delete records, create partitions, delete topics', async () => {
    const topic = topicOf('admin')
    await create(topic)
    await send(topic, {})
    await admin.fetchTopicOffsets(topic) // kafkajs deletes only where it knows the leader already
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '150' }] })
    assert.equal(readBack(topic)[0]?.offset, 150)
    await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    assert.equal(topics[0]?.partitions.length, 4)
    await admin.deleteTopics({ topics: [topic] })
    assert.ok(!(await admin.listTopics()).includes(topic))
  })
}

if (phase === 'again') {
  await shown('every topic, every message, in order', () => {
    for (const name of [...Object.keys(codecs), 'acks-0', 'acks-1', 'acks-all', 'idempotent']) {
      holds(topicOf(name), messagesOf(topicOf(name)))
    }
  })
}

await admin.disconnect()
