/**
 * kafkajs: node kafkajs/main.ts BOOTSTRAP PREFIX TIME work|again
 *
 * It brings gzip; snappy is kafkajs-snappy (raw blocks); lz4 and zstd are two lines each over the
 * library and the Node that Ottla uses.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { promisify } from 'node:util'
import { zstdCompress, zstdDecompress } from 'node:zlib'
import kafkajs from 'kafkajs'
// @ts-expect-error it has no types
import snappy from 'kafkajs-snappy'
import { compressFrame, decompressFrame } from 'lz4-napi'
import { type Adapter, eventually, type Found, type Member, show, until } from '../scenario.ts'
import { runtime, shown, version } from '../shown.ts'

const { AssignerProtocol, CompressionCodecs, CompressionTypes, ConfigResourceTypes } = kafkajs
CompressionCodecs[CompressionTypes.Snappy] = snappy
CompressionCodecs[CompressionTypes.LZ4] = () => ({
  compress: (encoder: { buffer: Buffer }) => compressFrame(encoder.buffer),
  decompress: (bytes: Buffer) => decompressFrame(bytes),
})
CompressionCodecs[CompressionTypes.ZSTD] = () => ({
  compress: (encoder: { buffer: Buffer }) => promisify(zstdCompress)(encoder.buffer),
  decompress: (bytes: Buffer) => promisify(zstdDecompress)(bytes),
})

const [bootstrap = '', prefix = '', firstTime = '', phase = ''] = process.argv.slice(2)
const name = 'kafkajs'
const partitions = [0, 1, 2]
const codecs = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
}
const kafka = new kafkajs.Kafka({
  clientId: name,
  brokers: [bootstrap],
  logLevel: kafkajs.logLevel.NOTHING,
})
const admin = kafka.admin()

function producerOf(idempotent = false) {
  return kafka.producer({ idempotent, createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
}

function consumerOf(groupId: string) {
  return kafka.consumer({ groupId, heartbeatInterval: 300, maxWaitTimeInMs: 100 })
}

const join: Adapter['join'] = async (group, topic, _, from) => {
  const consumer = consumerOf(group)
  const read: Found[] = []
  const given: number[][] = []
  let rebalancing = true
  let failure: Error | undefined
  consumer.on(consumer.events.REBALANCING, () => {
    rebalancing = true
  })
  consumer.on(consumer.events.GROUP_JOIN, ({ payload }) => {
    rebalancing = false
    given.push((payload.memberAssignment[topic] ?? []).toSorted())
  })
  consumer.on(consumer.events.CRASH, ({ payload }) => {
    failure = payload.error
  })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    autoCommit: false,
    eachMessage: async ({ partition, message: { key, value, timestamp, offset } }) => {
      read.push({
        key: key?.toString() ?? null,
        value: `${value}`,
        timestamp: Number(timestamp),
        partition,
        offset: Number(offset),
      })
    },
  })
  if (from !== undefined) {
    await until('partitions', () => given.length > 0)
    const first = (p: number) => read.some(({ partition }) => partition === p)
    await until('a message of each partition', () => partitions.every(first))
    read.length = 0
    from.forEach((offset, partition) => {
      consumer.seek({ topic, partition, offset: `${offset}` })
    })
  }
  return {
    get found() {
      if (failure !== undefined) throw failure
      return read
    },
    given,
    holds: () => (rebalancing ? [] : (given.at(-1) ?? [])),
    commit: offsets =>
      consumer.commitOffsets(
        Object.entries(offsets).map(([partition, offset]) => ({
          topic,
          partition: Number(partition),
          offset: `${offset}`,
        })),
      ),
    close: () => consumer.disconnect(),
  } satisfies Member
}

function byPartition(listed: { partition: number; offset: string }[]): number[] {
  return partitions.map(p => Number(listed.find(one => one.partition === p)?.offset))
}

async function headers(topic: string): Promise<void> {
  const producer = producerOf()
  await producer.connect()
  await producer.send({
    topic,
    messages: [
      {
        partition: 0,
        key: 'deleted',
        value: null,
        headers: { trace: ['abc', 'é'], empty: '' },
      },
      { partition: 0, key: '', value: '' },
    ],
  })
  await producer.disconnect()
  const read: unknown[] = []
  const consumer = consumerOf(`${topic}-reader`)
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message: { key, value, headers } }) => {
      read.push({ key: `${key}`, value: value?.toString() ?? null, headers })
    },
  })
  await until('two messages', () => read.length === 2)
  await consumer.disconnect()
  const bytes = (text: string) => Buffer.from(text)
  const expected = { trace: [bytes('abc'), bytes('é')], empty: bytes('') }
  assert.deepEqual(read, [
    { key: 'deleted', value: null, headers: expected },
    { key: '', value: '', headers: {} },
  ])
}

const client: Adapter = {
  name,
  absent: {
    cooperative: 'it has no cooperative assignor',
    'static member': 'it has no group.instance.id',
    'delete offsets': 'its admin client has no such call',
    'remove members': 'its admin client has no such call',
  },
  create: topic => admin.createTopics({ topics: [{ topic, numPartitions: 3 }] }),
  async partitionsOf(topic) {
    const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
    return (topics[0]?.partitions ?? []).map(one => one.partitionId).sort()
  },
  async produce(topic, messages, { codec = 'none', idempotent = false, acks = -1 }) {
    const producer = producerOf(idempotent)
    await producer.connect()
    for (let i = 0; i < messages.length; i += 100) {
      await producer.send({
        topic,
        acks,
        compression: codecs[codec],
        messages: messages
          .slice(i, i + 100)
          .map(({ timestamp, ...message }) => ({ ...message, timestamp: `${timestamp}` })),
      })
    }
    await producer.disconnect()
  },
  ends: async topic => byPartition(await admin.fetchTopicOffsets(topic)),
  offsetsAt: async (topic, timestamp) =>
    byPartition(await admin.fetchTopicOffsetsByTimestamp(topic, timestamp)),
  join,
  async committed(group, topic) {
    const [answer] = await admin.fetchOffsets({ groupId: group, topics: [topic] })
    return byPartition(answer?.partitions ?? [])
  },
  async groups() {
    return (await admin.listGroups()).groups.map(({ groupId }) => groupId)
  },
  async describe(group) {
    const { groups } = await admin.describeGroups([group])
    const members = (groups[0]?.members ?? []).map(member => ({
      clientId: member.clientId,
      partitions: Object.values(
        AssignerProtocol.MemberAssignment.decode(member.memberAssignment)?.assignment ?? {},
      )
        .flat()
        .sort(),
    }))
    return { state: groups[0]?.state ?? '', members }
  },
  headers,
  resetOffsets: (groupId, topic, offsets) =>
    admin.setOffsets({
      groupId,
      topic,
      partitions: offsets.map((offset, partition) => ({ partition, offset: `${offset}` })),
    }),
  async deleteGroup(group) {
    await admin.deleteGroups([group])
  },
}

/** What its admin client can do with topics. */
async function topics(): Promise<void> {
  await shown('describes the cluster', async () => {
    const { brokers, controller } = await admin.describeCluster()
    assert.equal(`${brokers[0]?.host}:${brokers[0]?.port}`, bootstrap)
    assert.equal(controller, brokers[0]?.nodeId)
  })
  await shown('describes and alters topic configs', async () => {
    const resource = { type: ConfigResourceTypes.TOPIC, name: `${prefix}-${name}-gzip` }
    const retention = async () => {
      const answer = await admin.describeConfigs({ includeSynonyms: false, resources: [resource] })
      const entries = answer.resources[0]?.configEntries
      return entries?.find(entry => entry.configName === 'retention.ms')?.configValue
    }
    assert.equal(await retention(), '604800000')
    const configEntries = [{ name: 'retention.ms', value: '86400001' }]
    await admin.alterConfigs({ validateOnly: false, resources: [{ ...resource, configEntries }] })
    assert.equal(await retention(), '86400001')
  })
  await shown('deletes records, creates partitions, deletes topics', async () => {
    const topic = `${prefix}-${name}-admin`
    assert.equal(await client.create(topic), true)
    const messages = Array.from({ length: 20 }, (_, i) => ({
      key: null,
      value: `${i}`,
      timestamp: Number(firstTime) + i,
      partition: 0,
    }))
    await client.produce(topic, messages, {})
    await admin.fetchTopicOffsets(topic) // kafkajs deletes only where it knows the leader already
    await admin.deleteTopicRecords({ topic, partitions: [{ partition: 0, offset: '15' }] })
    const [zero] = (await admin.fetchTopicOffsets(topic)).filter(one => one.partition === 0)
    assert.deepEqual(zero, { partition: 0, offset: '20', high: '20', low: '15' })
    await admin.createPartitions({ topicPartitions: [{ topic, count: 4 }] })
    await eventually(async () => assert.deepEqual(await client.partitionsOf(topic), [0, 1, 2, 3]))
    await admin.deleteTopics({ topics: [topic] })
    await eventually(async () => assert.ok(!(await admin.listTopics()).includes(topic)))
  })
}

const manifest = new URL('./node_modules/kafkajs/package.json', import.meta.url)
version(JSON.parse(readFileSync(manifest, 'utf8')).version)
runtime(`Node ${process.versions.node}`)
await admin.connect()
await show(client, prefix, Number(firstTime), phase)
if (phase === 'work') await topics()
process.exit() // after a failure members may still be in their groups
