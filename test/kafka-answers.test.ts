/**
 * Requests that are refused, or easy to get wrong, and what Apache Kafka 4.4.0 answered to them:
 * each `answer` was read from a running Kafka broker with node id 1 and a topic `q` of two
 * partitions that holds two records in the first. Where we differ on purpose, `ours` says so.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as apiVersions from '../src/protocol/messages/api-versions.ts'
import * as createPartitions from '../src/protocol/messages/create-partitions.ts'
import * as createTopics from '../src/protocol/messages/create-topics.ts'
import * as deleteRecords from '../src/protocol/messages/delete-records.ts'
import * as deleteTopics from '../src/protocol/messages/delete-topics.ts'
import * as describeCluster from '../src/protocol/messages/describe-cluster.ts'
import * as describeConfigs from '../src/protocol/messages/describe-configs.ts'
import * as describeTopicPartitions from '../src/protocol/messages/describe-topic-partitions.ts'
import * as fetch from '../src/protocol/messages/fetch.ts'
import * as incrementalAlterConfigs from '../src/protocol/messages/incremental-alter-configs.ts'
import * as initProducerId from '../src/protocol/messages/init-producer-id.ts'
import * as listOffsets from '../src/protocol/messages/list-offsets.ts'
import * as metadata from '../src/protocol/messages/metadata.ts'
import * as offsetForLeaderEpoch from '../src/protocol/messages/offset-for-leader-epoch.ts'
import * as produce from '../src/protocol/messages/produce.ts'
import { buildBatch } from '../src/protocol/records/build.ts'
import { type WireClient, withBroker } from './wire-client.ts'

const zero = 'AAAAAAAAAAAAAAAAAAAAAA'
const unknownId = 'xxxxxxxxxxxxxxxxxxxxxA'
const timeoutMs = 5000
const record = () => buildBatch({}, [{ timestamp: 1000, value: 'abc' }])
const zstd = () => buildBatch({ compression: 'zstd' }, [{ timestamp: 1000, value: 'abc' }])

interface Case {
  readonly what: string
  ask(client: WireClient): Promise<unknown>
  readonly answer: unknown
  /** Why and how ours is another one. */
  readonly ours?: { readonly because: string; readonly answer: unknown }
}

function topic(name: string, more: object = {}) {
  return { name, numPartitions: 1, replicationFactor: 1, assignments: [], configs: [], ...more }
}

async function create(client: WireClient, topics: ReturnType<typeof topic>[]) {
  const { createTopicsRequest, createTopicsResponse } = createTopics
  const answer = await client.ask(createTopicsRequest, createTopicsResponse, 7, {
    topics,
    timeoutMs,
  })
  return answer.topics.map(({ errorCode }) => errorCode)
}

const creations: [what: string, topics: ReturnType<typeof topic>[], answer: number[]][] = [
  ['a topic that exists', [topic('q')], [36]],
  ['a name with a space', [topic('b d')], [17]],
  ['an empty name', [topic('')], [17]],
  ['a name twice', [topic('d'), topic('d')], [42]],
  ['more replicas than brokers', [topic('a', { replicationFactor: 3 })], [38]],
  ['no replicas', [topic('a', { replicationFactor: 0 })], [38]],
  ['no partitions', [topic('a', { numPartitions: 0 })], [37]],
  [
    'counts next to assignments',
    [topic('a', { assignments: [{ partitionIndex: 0, brokerIds: [1] }] })],
    [42],
  ],
  ['partitions with a gap', [assigned(1, [1])], [39]],
  ['an unknown broker', [assigned(0, [7])], [39]],
  ['an unknown config', [topic('a', { configs: [{ name: 'nope', value: '1' }] })], [40]],
  [
    'a config without a value',
    [topic('a', { configs: [{ name: 'retention.ms', value: null }] })],
    [40],
  ],
  [
    'a config that is no number',
    [topic('a', { configs: [{ name: 'retention.ms', value: 'x' }] })],
    [40],
  ],
  ['nothing', [], []],
]

function assigned(partitionIndex: number, brokerIds: number[]) {
  const assignments = [{ partitionIndex, brokerIds }]
  return topic('a', { numPartitions: -1, replicationFactor: -1, assignments })
}

async function write(client: WireClient, version: number, body: object, name = 'q', index = 0) {
  const partitionData = [{ index, records: record(), ...body }]
  const { responses } = await client.ask(produce.produceRequest, produce.produceResponse, version, {
    acks: -1,
    timeoutMs,
    ...body,
    topicData: [version < 13 ? { name, partitionData } : { topicId: name, partitionData }],
  })
  return responses[0]!.partitionResponses[0]!.errorCode
}

function damaged(at: number): Uint8Array {
  const bytes = Uint8Array.from(record())
  bytes[at]! ^= 1
  return bytes
}

const writes: Case[] = [
  { what: 'acks=2', ask: c => write(c, 12, { acks: 2 }), answer: 21 },
  { what: 'no records', ask: c => write(c, 12, { records: new Uint8Array(0) }), answer: 87 },
  {
    what: 'two batches',
    ask: c => write(c, 12, { records: Buffer.concat([record(), record()]) }),
    answer: 87,
  },
  { what: 'half a batch', ask: c => write(c, 12, { records: record().slice(0, 50) }), answer: 87 },
  { what: 'a wrong CRC', ask: c => write(c, 12, { records: damaged(70) }), answer: 2 },
  { what: 'zstd before v7', ask: c => write(c, 6, { records: zstd() }), answer: 76 },
  { what: 'an unknown topic', ask: c => write(c, 12, {}, 'nope'), answer: 3 },
  { what: 'an unknown partition', ask: c => write(c, 12, {}, 'q', 99), answer: 3 },
  { what: 'an unknown topic id', ask: c => write(c, 13, {}, unknownId), answer: 100 },
  {
    what: 'a transactional id',
    ask: c => write(c, 12, { transactionalId: 'tx' }),
    answer: 0,
    ours: { because: 'transactions are not here yet', answer: 42 },
  },
]

async function read(client: WireClient, partition: object, body: object = {}, version = 12) {
  const partitions = [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1_000_000, ...partition }]
  const answer = await client.ask(fetch.fetchRequest, fetch.fetchResponse, version, {
    maxWaitMs: 100,
    minBytes: 1,
    maxBytes: 1_000_000,
    topics: [{ topic: 'q', partitions }],
    forgottenTopicsData: [],
    ...body,
  })
  return answer.responses[0]?.partitions[0]?.errorCode ?? `all ${answer.errorCode}`
}

const reads: Case[] = [
  { what: 'an offset beyond the end', ask: c => read(c, { fetchOffset: 99 }), answer: 1 },
  { what: 'a negative offset', ask: c => read(c, { fetchOffset: -1 }), answer: 1 },
  { what: 'the end', ask: c => read(c, { fetchOffset: 2 }), answer: 0 },
  { what: 'a leader epoch to come', ask: c => read(c, { currentLeaderEpoch: 5 }), answer: 75 },
  { what: 'a last epoch to come', ask: c => read(c, { lastFetchedEpoch: 5 }), answer: 1 },
  { what: 'an unknown partition', ask: c => read(c, { partition: 77 }), answer: 3 },
  { what: 'as a replica that is none', ask: c => read(c, {}, { replicaId: 5 }), answer: 6 },
  {
    what: 'an unknown session',
    ask: c => read(c, {}, { sessionId: 7, sessionEpoch: 3 }),
    answer: 'all 70',
  },
  {
    what: 'an unknown topic id',
    ask: c =>
      read(
        c,
        {},
        {
          topics: [
            {
              topicId: unknownId,
              partitions: [{ partition: 0, fetchOffset: 0, partitionMaxBytes: 1 }],
            },
          ],
        },
        17,
      ),
    answer: 100,
  },
]

async function offsetsOf(client: WireClient, timestamp: number, version = 11, more: object = {}) {
  const { listOffsetsRequest, listOffsetsResponse } = listOffsets
  const { topics } = await client.ask(listOffsetsRequest, listOffsetsResponse, version, {
    replicaId: -1,
    isolationLevel: 0,
    topics: [{ name: 'q', partitions: [{ partitionIndex: 0, timestamp, ...more }] }],
    timeoutMs,
  } as Parameters<typeof client.ask<typeof listOffsetsRequest.fields, never>>[3])
  const { errorCode, offset, leaderEpoch } = topics[0]!.partitions[0]!
  return [errorCode, offset, leaderEpoch]
}

const offsets: Case[] = [
  { what: 'latest', ask: c => offsetsOf(c, -1), answer: [0, 2, 0] },
  { what: 'earliest', ask: c => offsetsOf(c, -2), answer: [0, 0, 0] },
  { what: 'the largest time', ask: c => offsetsOf(c, -3), answer: [0, 0, 0] },
  { what: 'earliest on disk', ask: c => offsetsOf(c, -4), answer: [0, 0, 0] },
  { what: 'latest tiered', ask: c => offsetsOf(c, -5), answer: [0, -1, -1] },
  { what: 'earliest to be tiered', ask: c => offsetsOf(c, -6), answer: [0, -1, -1] },
  { what: 'an unknown special time', ask: c => offsetsOf(c, -7), answer: [35, -1, -1] },
  { what: 'the largest time in v6', ask: c => offsetsOf(c, -3, 6), answer: [35, -1, -1] },
  { what: 'time 0', ask: c => offsetsOf(c, 0), answer: [0, 0, 0] },
  { what: 'a time to come', ask: c => offsetsOf(c, 4e12), answer: [0, -1, -1] },
  { what: 'latest in v1', ask: c => offsetsOf(c, -1, 1), answer: [0, 2, -1] },
  {
    what: 'a leader epoch to come',
    ask: c => offsetsOf(c, -1, 9, { currentLeaderEpoch: 5 }),
    answer: [75, -1, -1],
  },
  {
    what: 'an unknown partition',
    ask: c => offsetsOf(c, -1, 9, { partitionIndex: 44 }),
    answer: [3, -1, -1],
  },
]

async function endOf(client: WireClient, body: object) {
  const { offsetForLeaderEpochRequest: request, offsetForLeaderEpochResponse: response } =
    offsetForLeaderEpoch
  const { topics } = await client.ask(request, response, 4, {
    topics: [{ topic: 'q', partitions: [{ partition: 0, leaderEpoch: 0, ...body }] }],
  })
  const { errorCode, leaderEpoch, endOffset } = topics[0]!.partitions[0]!
  return [errorCode, leaderEpoch, endOffset]
}

const epochs: Case[] = [
  { what: 'the present epoch', ask: c => endOf(c, {}), answer: [0, 0, 2] },
  { what: 'an epoch to come', ask: c => endOf(c, { leaderEpoch: 5 }), answer: [0, -1, -1] },
  { what: 'no epoch', ask: c => endOf(c, { leaderEpoch: -1 }), answer: [0, -1, -1] },
  { what: 'a leader to come', ask: c => endOf(c, { currentLeaderEpoch: 3 }), answer: [75, -1, -1] },
  { what: 'an unknown partition', ask: c => endOf(c, { partition: 9 }), answer: [3, -1, -1] },
]

async function remove(client: WireClient, offset: number, partitionIndex = 0) {
  const { deleteRecordsRequest, deleteRecordsResponse } = deleteRecords
  const { topics } = await client.ask(deleteRecordsRequest, deleteRecordsResponse, 2, {
    topics: [{ name: 'q', partitions: [{ partitionIndex, offset }] }],
    timeoutMs,
  })
  const { errorCode, lowWatermark } = topics[0]!.partitions[0]!
  return [errorCode, lowWatermark]
}

const removals: Case[] = [
  { what: 'beyond the high watermark', ask: c => remove(c, 99), answer: [1, -1] },
  { what: 'a negative offset', ask: c => remove(c, -2), answer: [1, -1] },
  { what: 'one record', ask: c => remove(c, 1), answer: [0, 1] },
  { what: 'what is gone', ask: c => remove(c, 0), answer: [0, 1] },
  { what: 'all', ask: c => remove(c, -1), answer: [0, 2] },
  { what: 'an unknown partition', ask: c => remove(c, 0, 44), answer: [3, -1] },
]

async function deletion(client: WireClient, topics: { name: string | null; topicId: string }[]) {
  const { deleteTopicsRequest, deleteTopicsResponse } = deleteTopics
  const answer = await client.ask(deleteTopicsRequest, deleteTopicsResponse, 6, {
    topics,
    timeoutMs,
  })
  return answer.responses.map(({ errorCode }) => errorCode)
}

const deletions: Case[] = [
  {
    what: 'an unknown name',
    ask: c => deletion(c, [{ name: 'nope', topicId: zero }]),
    answer: [3],
  },
  {
    what: 'an unknown id',
    ask: c => deletion(c, [{ name: null, topicId: unknownId }]),
    answer: [100],
  },
  {
    what: 'neither name nor id',
    ask: c => deletion(c, [{ name: null, topicId: zero }]),
    answer: [42],
  },
  { what: 'both', ask: c => deletion(c, [{ name: 'q', topicId: unknownId }]), answer: [42] },
  {
    what: 'a name twice',
    ask: c =>
      deletion(c, [
        { name: 'x', topicId: zero },
        { name: 'x', topicId: zero },
      ]),
    answer: [42],
  },
]

async function grow(
  client: WireClient,
  ...topics: { name: string; count: number; brokers?: number[] }[]
) {
  const { createPartitionsRequest, createPartitionsResponse } = createPartitions
  const { results } = await client.ask(createPartitionsRequest, createPartitionsResponse, 3, {
    topics: topics.map(({ name, count, brokers }) => ({
      name,
      count,
      assignments: brokers === undefined ? null : brokers.map(id => ({ brokerIds: [id] })),
    })),
    timeoutMs,
    validateOnly: false,
  })
  return results.map(({ errorCode }) => errorCode)
}

const growths: Case[] = [
  { what: 'fewer', ask: c => grow(c, { name: 'q', count: 1 }), answer: [37] },
  { what: 'as many', ask: c => grow(c, { name: 'q', count: 2 }), answer: [37] },
  { what: 'none', ask: c => grow(c, { name: 'q', count: 0 }), answer: [37] },
  { what: 'of an unknown topic', ask: c => grow(c, { name: 'nope', count: 2 }), answer: [3] },
  {
    what: 'twice',
    ask: c => grow(c, { name: 'q', count: 3 }, { name: 'q', count: 3 }),
    answer: [42],
  },
  {
    what: 'on an unknown broker',
    ask: c => grow(c, { name: 'q', count: 3, brokers: [9] }),
    answer: [39],
  },
  {
    what: 'with too few assignments',
    ask: c => grow(c, { name: 'q', count: 3, brokers: [] }),
    answer: [39],
  },
]

async function alter(
  client: WireClient,
  resourceType: number,
  resourceName: string,
  name: string,
  value: string | null,
  configOperation = 0,
) {
  const { incrementalAlterConfigsRequest: request, incrementalAlterConfigsResponse: response } =
    incrementalAlterConfigs
  const { responses } = await client.ask(request, response, 1, {
    resources: [{ resourceType, resourceName, configs: [{ name, configOperation, value }] }],
    validateOnly: false,
  })
  return responses[0]!.errorCode
}

const alterations: Case[] = [
  { what: 'an unknown key', ask: c => alter(c, 2, 'q', 'nope', '1'), answer: 40 },
  { what: 'an unknown topic', ask: c => alter(c, 2, 'nope', 'retention.ms', '1'), answer: 3 },
  {
    what: 'another broker',
    ask: c => alter(c, 4, '7', 'message.max.bytes', '1000000'),
    answer: 42,
  },
  { what: 'an append to no list', ask: c => alter(c, 2, 'q', 'retention.ms', '1', 2), answer: 40 },
  { what: 'a set without a value', ask: c => alter(c, 2, 'q', 'retention.ms', null), answer: 42 },
  {
    what: 'an append to a list',
    ask: c => alter(c, 2, 'q', 'cleanup.policy', 'compact', 2),
    answer: 0,
  },
  { what: 'an unknown type', ask: c => alter(c, 99, '1', 'a', 'b'), answer: 42 },
  { what: 'a broker', ask: c => alter(c, 4, '1', 'message.max.bytes', '1048500'), answer: 0 },
  {
    what: 'a broker key that nobody knows',
    ask: c => alter(c, 4, '1', 'nope.x', '5'),
    answer: 0,
    ours: { because: 'a config that is accepted acts', answer: 40 },
  },
]

async function described(
  client: WireClient,
  resourceType: number,
  resourceName: string,
  keys: string[],
) {
  const { describeConfigsRequest, describeConfigsResponse } = describeConfigs
  const { results } = await client.ask(describeConfigsRequest, describeConfigsResponse, 4, {
    resources: [{ resourceType, resourceName, configurationKeys: keys }],
  })
  const { errorCode, configs } = results[0]!
  return [
    errorCode,
    ...configs.map(({ name, value, configSource }) => `${name}=${value} ${configSource}`),
  ]
}

const descriptions: Case[] = [
  { what: 'of an unknown topic', ask: c => described(c, 2, 'nope', []), answer: [3] },
  { what: 'of no topic name', ask: c => described(c, 2, 'b d', []), answer: [17] },
  { what: 'of another broker', ask: c => described(c, 4, '7', []), answer: [42] },
  { what: 'of an unknown type', ask: c => described(c, 99, 'x', []), answer: [42] },
  {
    what: 'of a topic',
    ask: c => described(c, 2, 'q', ['segment.ms', 'retention.ms']),
    answer: [0, 'retention.ms=604800000 5', 'segment.ms=604800000 5'],
  },
]

async function knownAs(
  client: WireClient,
  version: number,
  topics: { topicId?: string; name: string | null }[],
) {
  const { metadataRequest, metadataResponse } = metadata
  const body = { topics, allowAutoTopicCreation: false }
  const answer = await client.ask(metadataRequest, metadataResponse, version, body)
  return answer.topics.map(({ errorCode, name }) => `${name} ${errorCode}`)
}

const lookups: Case[] = [
  {
    what: 'an unknown id',
    ask: c => knownAs(c, 12, [{ topicId: unknownId, name: null }]),
    answer: ['null 100'],
  },
  {
    what: 'an id in v11',
    ask: c => knownAs(c, 11, [{ topicId: unknownId, name: null }]),
    answer: [' 42'],
  },
  { what: 'an unknown name', ask: c => knownAs(c, 12, [{ name: 'nope' }]), answer: ['nope 3'] },
  { what: 'no topic name', ask: c => knownAs(c, 12, [{ name: 'b d' }]), answer: ['b d 17'] },
  {
    what: 'a name twice',
    ask: c => knownAs(c, 12, [{ name: 'q' }, { name: 'q' }]),
    answer: ['q 0'],
  },
]

async function pages(client: WireClient, body: object) {
  const { describeTopicPartitionsRequest: request, describeTopicPartitionsResponse: response } =
    describeTopicPartitions
  const answer = await client.ask(request, response, 0, { topics: [{ name: 'q' }], ...body })
  const { nextCursor } = answer
  return [
    ...answer.topics.map(({ errorCode, partitions }) => [errorCode, partitions.length]),
    nextCursor && `${nextCursor.topicName} ${nextCursor.partitionIndex}`,
  ]
}

const cursors: Case[] = [
  {
    what: 'one partition',
    ask: c => pages(c, { responsePartitionLimit: 1 }),
    answer: [[0, 1], 'q 1'],
  },
  {
    what: 'a limit of 0',
    ask: c => pages(c, { responsePartitionLimit: 0 }),
    answer: [[0, 1], 'q 1'],
  },
  {
    what: 'from a cursor',
    ask: c => pages(c, { cursor: { topicName: 'q', partitionIndex: 1 } }),
    answer: [[0, 1], null],
  },
  {
    what: 'beyond the end',
    ask: c => pages(c, { cursor: { topicName: 'q', partitionIndex: 9 } }),
    answer: [[0, 0], null],
  },
  {
    what: 'a negative cursor',
    ask: c => pages(c, { cursor: { topicName: 'q', partitionIndex: -1 } }),
    answer: [[42, 0], null],
  },
  {
    what: 'unknown topics',
    ask: c => pages(c, { topics: [{ name: 'nope' }, { name: 'b d' }] }),
    answer: [[17, 0], [3, 0], null],
  },
]

async function producerId(client: WireClient, body: object) {
  const { initProducerIdRequest, initProducerIdResponse } = initProducerId
  const answer = await client.ask(initProducerIdRequest, initProducerIdResponse, 4, {
    transactionalId: null,
    transactionTimeoutMs: 1000,
    ...body,
  })
  return answer.errorCode
}

async function versions(client: WireClient, body: object) {
  const { apiVersionsRequest, apiVersionsResponse } = apiVersions
  const answer = await client.ask(apiVersionsRequest, apiVersionsResponse, 5, {
    clientSoftwareName: 'x',
    clientSoftwareVersion: '1',
    ...body,
  })
  return answer.errorCode
}

async function cluster(client: WireClient, endpointType: number) {
  const { describeClusterRequest, describeClusterResponse } = describeCluster
  const answer = await client.ask(describeClusterRequest, describeClusterResponse, 2, {
    includeClusterAuthorizedOperations: true,
    endpointType,
  })
  return [answer.errorCode, answer.clusterAuthorizedOperations]
}

const others: Case[] = [
  {
    what: 'an empty transactional id',
    ask: c => producerId(c, { transactionalId: '' }),
    answer: 42,
  },
  {
    what: 'a producer id without its epoch',
    ask: c => producerId(c, { producerId: 5 }),
    answer: 42,
  },
  {
    what: 'a software name that is none',
    ask: c => versions(c, { clientSoftwareName: '_x' }),
    answer: 42,
  },
  { what: 'another cluster', ask: c => versions(c, { clusterId: 'zz', nodeId: 1 }), answer: 129 },
  { what: 'a node without its cluster', ask: c => versions(c, { nodeId: 9 }), answer: 42 },
  { what: 'the brokers', ask: c => cluster(c, 1), answer: [0, 8096] },
  { what: 'the controllers', ask: c => cluster(c, 2), answer: [114, -2147483648] },
  { what: 'an unknown endpoint type', ask: c => cluster(c, 9), answer: [115, -2147483648] },
]

const apis: Readonly<Record<string, readonly Case[]>> = {
  CreateTopics: creations.map(([what, topics, answer]) => ({
    what,
    ask: (client: WireClient) => create(client, topics),
    answer,
  })),
  Produce: writes,
  Fetch: reads,
  ListOffsets: offsets,
  OffsetForLeaderEpoch: epochs,
  DeleteRecords: removals,
  DeleteTopics: deletions,
  CreatePartitions: growths,
  DescribeConfigs: descriptions,
  IncrementalAlterConfigs: alterations,
  Metadata: lookups,
  DescribeTopicPartitions: cursors,
  'InitProducerId, ApiVersions and DescribeCluster': others,
}

for (const [name, cases] of Object.entries(apis)) {
  test(`${name} answers as Kafka does`, async () => {
    await withBroker({}, async ({ client, world }) => {
      assert.deepEqual(await create(client, [topic('q', { numPartitions: 2 })]), [0])
      for (let i = 0; i < 2; i++) assert.equal(await write(client, 12, {}), 0)
      for (const { what, ask, answer, ours } of cases) {
        assert.deepEqual(await ask(client), ours?.answer ?? answer, what)
      }
      assert.deepEqual(
        world.reported.filter(({ level }) => level === 'error'),
        [],
      )
    })
  })
}
