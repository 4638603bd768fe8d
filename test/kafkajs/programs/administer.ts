/** What an admin answers. */
import kafkajs, { type KafkaJSAggregateError, type KafkaJSDeleteGroupsError } from 'kafkajs'
import { counter, failure, kafka, named, pause, present, quick, say } from './program.ts'

const { ConfigResourceTypes } = kafkajs
const admin = kafka.admin()
say('before connect', (await failure(() => admin.listTopics())) !== 'nothing')
await admin.connect()
const [a, b] = [named('a'), named('b')]
const configEntries = [
  { name: 'retention.ms', value: '12345678' },
  { name: 'max.message.bytes', value: '2000000' },
]
say(
  'create',
  await admin.createTopics({
    waitForLeaders: false,
    topics: [{ topic: a, numPartitions: 3, configEntries }, { topic: b }],
  }),
)
await Promise.all([present(admin, a), present(admin, b)])
say('create again', await admin.createTopics({ topics: [{ topic: a }] }))
say(
  'validate',
  await admin.createTopics({
    validateOnly: true,
    waitForLeaders: false,
    topics: [{ topic: named('never') }],
  }),
)
const createErrors = (await failure(() =>
  admin.createTopics({
    topics: [{ topic: a }, { topic: named('bad!') }, { topic: named('c'), replicationFactor: 99 }],
  }),
)) as KafkaJSAggregateError
say('create what cannot be', {
  name: createErrors.name,
  errors: createErrors.errors
    .map(each => each)
    .sort((x, y) => `${x}`.localeCompare(`${y}`))
    .map(each => (each as Error & { type: string }).type)
    .sort(),
})
for (const topics of [undefined, [{}], [{ topic: 'x' }, { topic: 'x' }]]) {
  say(
    `create ${JSON.stringify(topics)}`,
    ((await failure(() => admin.createTopics({ topics: topics as never }))) as Error).name,
  )
}
say('list', (await admin.listTopics()).filter(name => [a, b].includes(name)).sort())
const { topics } = await admin.fetchTopicMetadata({ topics: [a] })
say(
  'metadata',
  topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions
      .map(each => ({
        ...each,
        leader: each.leader >= 0,
        replicas: each.replicas.length,
        isr: each.isr.length,
      }))
      .sort((x, y) => x.partitionId - y.partitionId),
  })),
)
say(
  'metadata of all',
  (await admin.fetchTopicMetadata()).topics.filter(({ name }) => [a, b].includes(name)).length,
)
say(
  'metadata of what is not there',
  await failure(() => admin.fetchTopicMetadata({ topics: [named('none')] })),
)
await admin.createPartitions({ topicPartitions: [{ topic: a, count: 4 }] })
await pause(1_500)
say(
  'more partitions',
  (await admin.fetchTopicMetadata({ topics: [a] })).topics[0]!.partitions.length,
)
say(
  'fewer partitions',
  await failure(() => admin.createPartitions({ topicPartitions: [{ topic: a, count: 2 }] })),
)

const producer = kafka.producer()
await producer.connect()
const startMs = Date.now() - 60_000
const timestamp = (at: number) => String(startMs + at * 1_000)
const messages = Array.from({ length: 10 }, (_, at) => ({
  value: `${at}`,
  partition: at % 2,
  timestamp: timestamp(at),
}))
await producer.send({ topic: a, messages })
const sorted = <Each extends { partition: number }>(list: Each[]) =>
  list.toSorted((x, y) => x.partition - y.partition)
say('offsets', sorted(await admin.fetchTopicOffsets(a)))
say('offsets by time', sorted(await admin.fetchTopicOffsetsByTimestamp(a, Number(timestamp(4)))))
say('offsets too late', sorted(await admin.fetchTopicOffsetsByTimestamp(a, Number(timestamp(99)))))
say('offsets of no topic', ((await failure(() => admin.fetchTopicOffsets(''))) as Error).name)

const { resources } = await admin.describeConfigs({
  includeSynonyms: false,
  resources: [
    {
      type: ConfigResourceTypes.TOPIC,
      name: a,
      configNames: ['retention.ms', 'max.message.bytes', 'cleanup.policy'],
    },
  ],
})
const configs = (found: typeof resources) =>
  found.map(({ resourceName, resourceType, errorCode, configEntries: entries }) => ({
    resourceName,
    resourceType,
    errorCode,
    entries: entries
      .map(({ configSynonyms, ...each }) => each)
      .sort((x, y) => x.configName.localeCompare(y.configName)),
  }))
say('configs', configs(resources))
await admin.alterConfigs({
  validateOnly: false,
  resources: [
    {
      type: ConfigResourceTypes.TOPIC,
      name: a,
      configEntries: [{ name: 'retention.ms', value: '777777' }],
    },
  ],
})
await pause(3_000)
say(
  'altered',
  configs(
    (
      await admin.describeConfigs({
        includeSynonyms: false,
        resources: [
          {
            type: ConfigResourceTypes.TOPIC,
            name: a,
            configNames: ['retention.ms', 'max.message.bytes'],
          },
        ],
      })
    ).resources,
  ),
)
say(
  'a config that is none',
  (
    (await failure(() =>
      admin.alterConfigs({
        validateOnly: false,
        resources: [
          {
            type: ConfigResourceTypes.TOPIC,
            name: a,
            configEntries: [{ name: 'nonsense', value: '1' }],
          },
        ],
      }),
    )) as { type: string }
  ).type,
)
say(
  'no resources',
  (
    (await failure(() =>
      admin.describeConfigs({ includeSynonyms: false, resources: undefined as never }),
    )) as Error
  ).name,
)

const { brokers, controller, clusterId } = await admin.describeCluster()
say('cluster', {
  brokers: brokers.map(each => Object.keys(each).sort()),
  controller: typeof controller,
  clusterId: typeof clusterId,
})

const groupId = named('group')
const consumer = kafka.consumer({ groupId, ...quick })
const ten = counter(10)
await consumer.connect()
await consumer.subscribe({ topic: a, fromBeginning: true })
await consumer.run({ eachMessage: async () => ten.add() })
await ten.done
const described = await admin.describeGroups([groupId, named('no-group')])
const groups = described.groups.toSorted((x, y) => (x.groupId < y.groupId ? -1 : 1))
say(
  'groups',
  groups.map(({ groupId: id, state, protocol, protocolType, members }) => ({
    id,
    state,
    protocol,
    protocolType,
    members: members.map(each => Object.keys(each).sort()),
  })),
)
const own = await consumer.describeGroup()
say('own group', { state: own.state, members: own.members.length })
say(
  'set offsets of a group that is in use',
  (
    (await failure(() =>
      admin.setOffsets({ groupId, topic: a, partitions: [{ partition: 0, offset: '1' }] }),
    )) as Error
  ).name,
)
const deleted = (await failure(() => admin.deleteGroups([groupId]))) as KafkaJSDeleteGroupsError
say('delete a group that is in use', {
  name: deleted.name,
  groups: deleted.groups.map(({ groupId: id, errorCode, error }) => ({
    id,
    errorCode,
    type: error?.type,
  })),
})
await consumer.disconnect()
const committed = async (options = {}) =>
  (await admin.fetchOffsets({ groupId, topics: [a], ...options })).map(each => ({
    ...each,
    partitions: sorted(each.partitions),
  }))
say('committed', await committed())
say(
  'committed of all topics',
  (await admin.fetchOffsets({ groupId })).map(each => sorted(each.partitions)),
)
await admin.setOffsets({ groupId, topic: a, partitions: [{ partition: 0, offset: '2' }] })
say('set', await committed())
await admin.resetOffsets({ groupId, topic: a, earliest: true })
say('reset to the beginning', await committed({ resolveOffsets: true }))
await admin.resetOffsets({ groupId, topic: a, earliest: false })
say('reset to the end', await committed({ resolveOffsets: true }))
say(
  'listed',
  (await admin.listGroups()).groups.filter(each => each.groupId === groupId),
)
say(
  'delete groups',
  (await admin.deleteGroups([groupId])).map(({ groupId: id, errorCode }) => ({ id, errorCode })),
)

await admin.deleteTopicRecords({
  topic: a,
  partitions: [
    { partition: 0, offset: '3' },
    { partition: 1, offset: '-1' },
  ],
})
say('after deletion of records', sorted(await admin.fetchTopicOffsets(a)))
say(
  'delete records that are not there',
  (
    (await failure(() =>
      admin.deleteTopicRecords({ topic: a, partitions: [{ partition: 0, offset: '99' }] }),
    )) as Error
  ).name,
)
say('delete', await admin.deleteTopics({ topics: [a, b] }))
say('delete what is gone', await failure(() => admin.deleteTopics({ topics: [b] })))
await producer.disconnect()
await admin.disconnect()
