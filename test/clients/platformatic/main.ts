/** @platformatic/kafka: node platformatic/main.ts BOOTSTRAP PREFIX TIME work|again */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import {
  Admin,
  Consumer,
  compatibilityPartitioner,
  type Message,
  MessagesStreamFallbackModes,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
} from '@platformatic/kafka'
import { type Adapter, type Found, type Member, show, until } from '../scenario.ts'
import { runtime, version } from '../shown.ts'

const [bootstrap = '', prefix = '', firstTime = '', phase = ''] = process.argv.slice(2)
const name = 'platformatic'
const base = { clientId: name, bootstrapBrokers: [bootstrap] }
const admin = new Admin(base)
const partitions = [0, 1, 2]

function consumerOf(groupId: string, options: object = {}) {
  return new Consumer({
    ...base,
    groupId,
    deserializers: stringDeserializers,
    autocommit: false,
    heartbeatInterval: 300,
    maxWaitTime: 100,
    ...options,
  })
}

function found(message: Message<string, string, string, string>): Found {
  return {
    key: message.key ?? null,
    value: message.value,
    timestamp: Number(message.timestamp),
    partition: message.partition,
    offset: Number(message.offset),
  }
}

const join: Adapter['join'] = async (group, topic, options, from) => {
  const consumer = consumerOf(group, {
    ...(options.instanceId === undefined ? {} : { groupInstanceId: options.instanceId }),
    ...(options.cooperative ? { protocols: [{ name: 'cooperative-sticky', version: 3 }] } : {}),
  })
  const read: Found[] = []
  const given: number[][] = []
  let rebalancing = true
  let fetching = false // from what it held before: such a fetch still brings messages
  consumer.on('consumer:group:rebalance', () => {
    rebalancing = true
  })
  consumer.on('consumer:group:join', ({ assignments }) => {
    rebalancing = false
    fetching = given.length > 0
    given.push((assignments ?? []).flatMap(one => one.partitions).sort())
  })
  const stream = await consumer.consume({
    topics: [topic],
    ...(from === undefined
      ? { mode: MessagesStreamModes.COMMITTED, fallbackMode: MessagesStreamFallbackModes.EARLIEST }
      : {
          mode: MessagesStreamModes.MANUAL,
          offsets: from.map((offset, partition) => ({ topic, partition, offset: BigInt(offset) })),
        }),
  })
  let failure: Error | undefined
  stream.on('data', message => read.push(found(message)))
  stream.on('fetch', () => {
    fetching = false
  })
  stream.on('error', error => {
    failure = error
  })
  return {
    get found() {
      if (failure !== undefined) throw failure
      return read
    },
    given,
    holds: () => (rebalancing || fetching ? [] : (given.at(-1) ?? [])),
    commit: offsets =>
      consumer.commit({
        offsets: Object.entries(offsets).map(([partition, offset]) => ({
          topic,
          partition: Number(partition),
          offset: BigInt(offset),
          leaderEpoch: -1,
        })),
      }),
    close: () => consumer.close(true),
  } satisfies Member
}

async function offsets(topic: string, timestamp: bigint): Promise<number[]> {
  const [listed] = await admin.listOffsets({
    topics: [{ name: topic, partitions: partitions.map(p => ({ partitionIndex: p, timestamp })) }],
  })
  assert.equal(listed?.name, topic)
  return partitions.map(p =>
    Number(listed.partitions.find(one => one.partitionIndex === p)?.offset),
  )
}

async function headers(topic: string): Promise<void> {
  const producer = new Producer({ ...base, serializers: stringSerializers })
  await producer.send({
    messages: [
      { topic, partition: 0, key: 'deleted', headers: { trace: 'abc', empty: '', other: 'é' } },
      { topic, partition: 0, key: '', value: '' },
    ],
  })
  await producer.close()
  const consumer = consumerOf(`${topic}-reader`)
  const read: Message<string, string, string, string>[] = []
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.EARLIEST,
  })
  stream.on('data', message => read.push(message))
  await until('two messages', () => read.length === 2)
  await consumer.close(true)
  assert.deepEqual(
    read.map(({ key, value, headerEntries }) => ({ key, value, headerEntries })),
    [
      {
        key: 'deleted',
        value: undefined,
        headerEntries: [
          ['trace', 'abc'],
          ['empty', ''],
          ['other', 'é'],
        ],
      },
      { key: '', value: '', headerEntries: [] },
    ],
  )
}

/** The number Kafka gives to an error, somewhere inside what was thrown. */
function hasCode(error: unknown, apiId: string): boolean {
  if (typeof error !== 'object' || error === null) return false
  if ('apiId' in error && error.apiId === apiId) return true
  return 'errors' in error && Array.isArray(error.errors)
    ? error.errors.some(one => hasCode(one, apiId))
    : 'cause' in error && hasCode(error.cause, apiId)
}

const client: Adapter = {
  name,
  absent: { 'static member': 'it leaves the group when it closes, with a groupInstanceId too' },
  async create(topic) {
    try {
      await admin.createTopics({ topics: [topic], partitions: 3, replicas: 1 })
      return true
    } catch (error) {
      if (hasCode(error, 'TOPIC_ALREADY_EXISTS')) return false
      throw error
    }
  },
  async partitionsOf(topic) {
    const { topics } = await admin.metadata({ topics: [topic], forceUpdate: true })
    return (topics.get(topic)?.partitions ?? []).map((_, i) => i)
  },
  async produce(topic, messages, { codec = 'none', idempotent = false, acks = -1 }) {
    const producer = new Producer({
      ...base,
      serializers: stringSerializers,
      partitioner: compatibilityPartitioner,
    })
    for (let i = 0; i < messages.length; i += 100) {
      await producer.send({
        messages: messages.slice(i, i + 100).map(({ key, timestamp, ...message }) => ({
          topic,
          ...message,
          ...(key === null ? {} : { key }),
          timestamp: BigInt(timestamp),
        })),
        acks,
        compression: codec,
        idempotent,
      })
    }
    await producer.close()
  },
  ends: topic => offsets(topic, -1n),
  offsetsAt: (topic, timestamp) => offsets(topic, BigInt(timestamp)),
  join,
  async committed(group, topic) {
    const [answer] = await admin.listConsumerGroupOffsets({
      groups: [{ groupId: group, topics: [{ name: topic, partitionIndexes: partitions }] }],
    })
    const listed = answer?.topics[0]?.partitions ?? []
    return partitions.map(p =>
      Number(listed.find(one => one.partitionIndex === p)?.committedOffset),
    )
  },
  async groups() {
    return [...(await admin.listGroups()).keys()]
  },
  async describe(group) {
    const described = (await admin.describeGroups({ groups: [group] })).get(group)
    const members = [...(described?.members.values() ?? [])].map(member => ({
      clientId: member.clientId,
      partitions: [...(member.assignments?.values() ?? [])].flatMap(one => one.partitions).sort(),
    }))
    const state = described?.state ?? ''
    return { state: state.charAt(0) + state.slice(1).toLowerCase(), members }
  },
  headers,
  resetOffsets: (groupId, topic, to) =>
    admin.alterConsumerGroupOffsets({
      groupId,
      topics: [
        {
          name: topic,
          partitionOffsets: to.map((offset, partition) => ({ partition, offset: BigInt(offset) })),
        },
      ],
    }),
  async deleteOffsets(groupId, topic, partition) {
    const topics = [{ name: topic, partitionIndexes: [partition] }]
    await admin.deleteConsumerGroupOffsets({ groupId, topics })
  },
  removeMembers: groupId => admin.removeMembersFromConsumerGroup({ groupId, members: null }),
  deleteGroup: group => admin.deleteGroups({ groups: [group] }),
}

const manifest = new URL('./node_modules/@platformatic/kafka/package.json', import.meta.url)
version(JSON.parse(readFileSync(manifest, 'utf8')).version)
runtime(`Node ${process.versions.node}`)
await show(client, prefix, Number(firstTime), phase)
process.exit() // after a failure members may still be in their groups
