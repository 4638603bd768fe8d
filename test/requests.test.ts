/** Requests as bytes, against a whole broker in a simulated world. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { encode } from '../src/protocol/compile.ts'
import {
  createTopicsRequest,
  createTopicsResponse,
} from '../src/protocol/messages/create-topics.ts'
import {
  deleteTopicsRequest,
  deleteTopicsResponse,
} from '../src/protocol/messages/delete-topics.ts'
import {
  describeTopicPartitionsRequest,
  describeTopicPartitionsResponse,
} from '../src/protocol/messages/describe-topic-partitions.ts'
import { fetchRequest, fetchResponse } from '../src/protocol/messages/fetch.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../src/protocol/messages/incremental-alter-configs.ts'
import { metadataRequest, metadataResponse } from '../src/protocol/messages/metadata.ts'
import { produceRequest, produceResponse } from '../src/protocol/messages/produce.ts'
import { batches } from '../src/protocol/records/batch.ts'
import { buildBatch } from '../src/protocol/records/build.ts'
import type { Field, Fields, Message } from '../src/protocol/schema.ts'
import { apis } from '../src/server/apis.ts'
import { type WireClient, withBroker } from './wire-client.ts'

function batch(...values: string[]): Uint8Array {
  return buildBatch(
    {},
    values.map(value => ({ timestamp: 1_000, value })),
  )
}

function produceBody(topic: string, records: Uint8Array, acks = -1, index = 0) {
  return {
    acks,
    timeoutMs: 5000,
    topicData: [{ name: topic, partitionData: [{ index, records }] }],
  }
}

async function createTopic(client: WireClient, name: string, numPartitions = 1) {
  const { topics } = await client.ask(createTopicsRequest, createTopicsResponse, 7, {
    topics: [{ name, numPartitions, replicationFactor: 1, assignments: [], configs: [] }],
    timeoutMs: 5000,
  })
  assert.equal(topics[0]!.errorCode, 0, topics[0]!.errorMessage ?? '')
  return topics[0]!
}

async function produce(client: WireClient, topic: string, records: Uint8Array, index = 0) {
  const body = produceBody(topic, records, -1, index)
  const { responses } = await client.ask(produceRequest, produceResponse, 12, body)
  return responses[0]!.partitionResponses[0]!
}

interface FetchOptions {
  readonly partitions: readonly {
    partition: number
    fetchOffset: number
    partitionMaxBytes?: number
  }[]
  readonly maxWaitMs?: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly sessionId?: number
  readonly sessionEpoch?: number
}

function fetchBody(topic: string, options: FetchOptions) {
  const { partitions, maxWaitMs = 0, minBytes = 1, maxBytes = 1_000_000 } = options
  const { sessionId = 0, sessionEpoch = -1 } = options
  return {
    maxWaitMs,
    minBytes,
    maxBytes,
    sessionId,
    sessionEpoch,
    topics:
      partitions.length === 0
        ? []
        : [
            {
              topic,
              partitions: partitions.map(partition => ({
                partitionMaxBytes: 1_000_000,
                ...partition,
              })),
            },
          ],
    forgottenTopicsData: [],
  }
}

function fetch(client: WireClient, topic: string, options: FetchOptions) {
  return client.ask(fetchRequest, fetchResponse, 12, fetchBody(topic, options))
}

function bytesIn(response: Awaited<ReturnType<typeof fetch>>): number[] {
  return response.responses.flatMap(({ partitions }) =>
    partitions.map(({ records }) => records?.length ?? 0),
  )
}

/** The emptiest body that a version of a message can have. */
function emptyBody(fields: Fields, version: number): Record<string, unknown> {
  const body: Record<string, unknown> = {}
  for (const [name, field] of Object.entries(fields)) {
    if (version < field.versions.first || version > field.versions.last) continue
    body[name] = field.default !== undefined ? field.default : emptyValue(field, version)
  }
  return body
}

function emptyValue(field: Field, version: number): unknown {
  if (field.kind === 'array') return []
  if (field.kind === 'struct') return emptyBody(field.fields!, version)
  return new Uint8Array(0)
}

test('every version of every API that is listed is answered', async () => {
  await withBroker({}, async ({ client, world }) => {
    for (const { request, response, served } of apis as readonly {
      request: Message
      response: Message
      served: { first: number; last: number }
    }[]) {
      for (let version = served.first; version <= served.last; version++) {
        // A software name is wanted, and acks other than 0.
        const extra = { acks: 1, clientSoftwareName: 'a', clientSoftwareVersion: '1' }
        const body = { ...emptyBody(request.fields, version), ...only(extra, request, version) }
        assert.doesNotThrow(() => encode(request, version, body), `${request.name} v${version}`)
        await client.ask(request, response, version, body)
      }
    }
    assert.deepEqual(
      world.reported.filter(({ level }) => level !== 'info'),
      [],
    )
  })
})

function only(extra: Record<string, unknown>, request: Message, version: number) {
  return Object.fromEntries(
    Object.entries(extra).filter(([name]) => {
      const versions = request.fields[name]?.versions
      return versions !== undefined && version >= versions.first && version <= versions.last
    }),
  )
}

test('what is not listed closes the connection', async () => {
  await withBroker({}, async ({ connect }) => {
    for (const bytes of [
      [0, 24, 0, 0], // AddPartitionsToTxn
      [0, 3, 0, 99],
      [3, 9, 0, 0],
      [0xff, 0xff, 0, 0],
    ]) {
      const client = await connect()
      client.write([Buffer.from([0, 0, 0, 12, ...bytes, 0, 0, 0, 1, 0xff, 0xff, 0, 0])])
      assert.equal(await client.frame(), undefined, String(bytes))
    }
  })
})

test('a malformed body closes the connection and harms nobody else', async () => {
  await withBroker({}, async ({ client, connect }) => {
    const bad = await connect()
    const header = [0, 3, 0, 1, 0, 0, 0, 1, 0xff, 0xff]
    bad.write([Buffer.from([0, 0, 0, 14, ...header, 0x7f, 0xff, 0xff, 0xff])])
    assert.equal(await bad.frame(), undefined)
    await client.ask(metadataRequest, metadataResponse, 1, { topics: [] })
  })
})

test('a version of ApiVersions that nobody knows is answered in v0 with what we have', async () => {
  await withBroker({}, async ({ client }) => {
    client.write([Buffer.from([0, 0, 0, 11, 0, 18, 0, 99, 0, 0, 0, 7, 0xff, 0xff, 0])])
    const answer = await client.frame()
    // As Kafka 4.4 answers it: correlation id, error 35, and the range of ApiVersions alone.
    assert.equal(Buffer.from(answer!).toString('hex'), '00000007002300000001001200000005')
  })
})

test('a topic that Metadata creates can be written at once', async () => {
  await withBroker({ 'num.partitions': '3' }, async ({ client }) => {
    const body = { topics: [{ name: 'made' }], allowAutoTopicCreation: true }
    const { topics } = await client.ask(metadataRequest, metadataResponse, 9, body)
    assert.equal(topics[0]!.errorCode, 0)
    assert.deepEqual(
      topics[0]!.partitions.map(({ leaderId }) => leaderId),
      [1, 1, 1],
    )
    assert.equal((await produce(client, 'made', batch('a'), 2)).errorCode, 0)
  })
})

test('topics are not created when client or broker does not want it', async () => {
  await withBroker({ 'auto.create.topics.enable': 'false' }, async ({ client }) => {
    const body = { topics: [{ name: 'made' }], allowAutoTopicCreation: true }
    const { topics } = await client.ask(metadataRequest, metadataResponse, 9, body)
    assert.equal(topics[0]!.errorCode, 3)
  })
  await withBroker({}, async ({ client }) => {
    const body = { topics: [{ name: 'made' }], allowAutoTopicCreation: false }
    const { topics } = await client.ask(metadataRequest, metadataResponse, 9, body)
    assert.equal(topics[0]!.errorCode, 3)
  })
})

test('null asks Metadata for all topics, an empty list for none, and in v0 for all', async () => {
  await withBroker({}, async ({ client }) => {
    await createTopic(client, 'one')
    const count = async (version: number, topics: [] | null) =>
      (await client.ask(metadataRequest, metadataResponse, version, { topics })).topics.length
    assert.deepEqual([await count(0, []), await count(1, []), await count(1, null)], [1, 0, 1])
    assert.deepEqual([await count(13, []), await count(13, null)], [0, 1])
  })
})

test('a client is told the address by which it came, or the one that is advertised', async () => {
  await withBroker({}, async ({ client, broker }) => {
    const { brokers } = await client.ask(metadataRequest, metadataResponse, 1, { topics: [] })
    assert.deepEqual(brokers, [
      { nodeId: 1, host: '10.0.0.1', port: broker.address.port, rack: null },
    ])
  })
  const advertised = { 'advertised.listeners': 'PLAINTEXT://kafka.example:19092' }
  await withBroker(advertised, async ({ client }) => {
    const { brokers } = await client.ask(metadataRequest, metadataResponse, 1, { topics: [] })
    assert.deepEqual([brokers[0]!.host, brokers[0]!.port], ['kafka.example', 19092])
  })
})

test('records come back in the order in which pipelined requests sent them', async () => {
  await withBroker({}, async ({ client }) => {
    await createTopic(client, 't')
    for (let i = 0; i < 50; i++) client.send(produceRequest, 12, produceBody('t', batch(`${i}`)))
    for (let i = 0; i < 50; i++) {
      const { responses } = await client.answer(produceResponse, 12)
      assert.equal(responses[0]!.partitionResponses[0]!.baseOffset, i)
    }
    const response = await fetch(client, 't', { partitions: [{ partition: 0, fetchOffset: 0 }] })
    const found = [...batches(response.responses[0]!.partitions[0]!.records!)]
    assert.deepEqual(
      found.map(({ baseOffset }) => baseOffset),
      [...Array(50).keys()],
    )
  })
})

test('acks=0 is not answered; a failure closes the connection', async () => {
  await withBroker({}, async ({ client, connect }) => {
    await createTopic(client, 't')
    client.send(produceRequest, 12, produceBody('t', batch('a'), 0))
    const { responses } = await fetch(client, 't', {
      partitions: [{ partition: 0, fetchOffset: 0 }],
      maxWaitMs: 1000,
    })
    assert.equal(responses[0]!.partitions[0]!.highWatermark, 1)
    const other = await connect()
    other.send(produceRequest, 12, produceBody('nope', batch('a'), 0))
    assert.equal(await other.frame(), undefined)
  })
})

test('a fetch without enough to read waits, and is answered when it came', async () => {
  await withBroker({}, async ({ client, connect, world }) => {
    await createTopic(client, 't', 2)
    const both = [0, 1].map(partition => ({ partition, fetchOffset: 0 }))
    const startedMs = world.nowMs
    const waiting = fetch(client, 't', { partitions: both, maxWaitMs: 60_000 })
    await world.sleep(5000)
    const other = await connect()
    await produce(other, 't', batch('a'), 1)
    assert.deepEqual(
      bytesIn(await waiting).map(bytes => bytes > 0),
      [false, true],
    )
    assert.ok(world.nowMs - startedMs < 6000)
  })
})

test('a fetch that waits in vain is answered at its deadline, and costs nothing meanwhile', async () => {
  await withBroker({}, async ({ client, connect, world }) => {
    await createTopic(client, 't')
    await produce(client, 't', batch('a'))
    const events = world.eventCount
    const startedMs = world.nowMs
    const partitions = [{ partition: 0, fetchOffset: 0 }]
    const response = await fetch(client, 't', { partitions, maxWaitMs: 500, minBytes: 10_000 })
    assert.ok(Math.abs(world.nowMs - startedMs - 500) < 20, `${world.nowMs - startedMs}`)
    assert.ok(world.eventCount - events < 200, `${world.eventCount - events}`)
    assert.ok(bytesIn(response)[0]! > 0)
    const other = await connect()
    await fetch(other, 't', { partitions, maxWaitMs: 0, minBytes: 10_000 })
  })
})

test('a fetch that waits does not outlive its connection or the broker', async () => {
  await withBroker({}, async ({ client, world, broker }) => {
    await createTopic(client, 't')
    const partitions = [{ partition: 0, fetchOffset: 0 }]
    const waiting = fetch(client, 't', { partitions, maxWaitMs: 3_600_000 })
    await world.sleep(1000)
    const startedMs = world.nowMs
    const closing = broker.close()
    assert.deepEqual(bytesIn(await waiting), [0])
    await closing
    assert.ok(world.nowMs - startedMs < 10_000)
  })
})

test('the first batch is sent whatever its size, what follows keeps the limits', async () => {
  await withBroker({}, async ({ client }) => {
    await createTopic(client, 't', 2)
    const large = batch('x'.repeat(5000))
    for (const index of [0, 1]) for (let i = 0; i < 3; i++) await produce(client, 't', large, index)
    const size = large.length
    const both = [0, 1].map(partition => ({ partition, fetchOffset: 0 }))
    assert.deepEqual(bytesIn(await fetch(client, 't', { partitions: both, maxBytes: 1 })), [
      size,
      0,
    ])
    assert.deepEqual(
      bytesIn(await fetch(client, 't', { partitions: both, maxBytes: 2 * size + 1 })),
      [2 * size, 0],
    )
    const limited = both.map(partition => ({ ...partition, partitionMaxBytes: size + 1 }))
    assert.deepEqual(bytesIn(await fetch(client, 't', { partitions: limited })), [size, size])
    const tiny = both.map(partition => ({ ...partition, partitionMaxBytes: 1 }))
    assert.deepEqual(bytesIn(await fetch(client, 't', { partitions: tiny })), [size, 0])
  })
})

test('a session is answered with what is new alone', async () => {
  await withBroker({}, async ({ client }) => {
    await createTopic(client, 't', 2)
    const both = [0, 1].map(partition => ({ partition, fetchOffset: 0 }))
    const first = await fetch(client, 't', { partitions: both, sessionEpoch: 0 })
    assert.notEqual(first.sessionId, 0)
    const { sessionId } = first
    const quiet = await fetch(client, 't', { partitions: [], sessionId, sessionEpoch: 1 })
    assert.deepEqual(quiet.responses, [])
    await produce(client, 't', batch('a'), 1)
    const news = await fetch(client, 't', { partitions: [], sessionId, sessionEpoch: 2 })
    assert.deepEqual(
      news.responses[0]!.partitions.map(({ partitionIndex }) => partitionIndex),
      [1],
    )
    const wrong = await fetch(client, 't', { partitions: [], sessionId, sessionEpoch: 2 })
    assert.equal(wrong.errorCode, 71)
  })
})

test('a deleted topic is gone when the deletion is answered, by name and by id', async () => {
  await withBroker({}, async ({ client }) => {
    await createTopic(client, 'a')
    const { topicId } = await createTopic(client, 'b')
    const zero = 'AAAAAAAAAAAAAAAAAAAAAA'
    const { responses } = await client.ask(deleteTopicsRequest, deleteTopicsResponse, 6, {
      topics: [
        { name: 'a', topicId: zero },
        { name: null, topicId },
      ],
      timeoutMs: 5000,
    })
    assert.deepEqual(
      responses.map(({ name, errorCode }) => [name, errorCode]),
      [
        ['a', 0],
        ['b', 0],
      ],
    )
    const { topics } = await client.ask(metadataRequest, metadataResponse, 12, { topics: null })
    assert.deepEqual(topics, [])
    await createTopic(client, 'a')
    assert.equal((await produce(client, 'a', batch('x'))).baseOffset, 0)
  })
})

test('partitions are described page by page', async () => {
  await withBroker({}, async ({ client }) => {
    await createTopic(client, 'a', 2)
    await createTopic(client, 'b', 3)
    const pages: string[] = []
    let cursor: { topicName: string; partitionIndex: number } | null = null
    do {
      const answer: Awaited<ReturnType<typeof page>> = await page(client, cursor)
      pages.push(
        answer.topics
          .map(({ name, partitions }) => `${name}${partitions.map(p => p.partitionIndex)}`)
          .join(' '),
      )
      cursor = answer.nextCursor
    } while (cursor !== null)
    assert.deepEqual(pages, ['a0,1', 'b0,1', 'b2'])
  })
})

function page(client: WireClient, cursor: { topicName: string; partitionIndex: number } | null) {
  return client.ask(describeTopicPartitionsRequest, describeTopicPartitionsResponse, 0, {
    topics: [],
    responsePartitionLimit: 2,
    cursor,
  })
}

test('connections beyond the limits are closed, those before them stay', async () => {
  await withBroker({ 'max.connections': '3', 'max.connections.per.ip': '2' }, async scene => {
    const { client, connect, world } = scene
    const second = await connect()
    const third = await connect()
    assert.equal(await third.frame(), undefined)
    for (const one of [client, second]) {
      await one.ask(metadataRequest, metadataResponse, 1, { topics: [] })
    }
    second.close()
    await world.sleep(100)
    const next = await connect()
    await next.ask(metadataRequest, metadataResponse, 1, { topics: [] })
  })
})

test('a stop answers the requests that came before it', async () => {
  await withBroker({}, async ({ client, broker, world }) => {
    await createTopic(client, 't')
    for (let i = 0; i < 20; i++) client.send(produceRequest, 12, produceBody('t', batch(`${i}`)))
    await world.sleep(2)
    const closing = broker.close()
    for (let i = 0; i < 20; i++) {
      const { responses } = await client.answer(produceResponse, 12)
      const { errorCode, baseOffset } = responses[0]!.partitionResponses[0]!
      assert.deepEqual([errorCode, baseOffset], [0, i])
    }
    await closing
  })
})

test('a request larger than the limit closes the connection', async () => {
  await withBroker({ 'socket.request.max.bytes': '1000' }, async ({ client }) => {
    client.send(produceRequest, 12, produceBody('t', batch('x'.repeat(1000))))
    assert.equal(await client.frame(), undefined)
  })
})

test('a broker config that is changed while it runs acts at once', async () => {
  await withBroker({}, async ({ client }) => {
    await createTopic(client, 't')
    const large = batch('x'.repeat(5000))
    assert.equal((await produce(client, 't', large)).errorCode, 0)
    const set = (resourceName: string, name: string, value: string) =>
      client.ask(incrementalAlterConfigsRequest, incrementalAlterConfigsResponse, 1, {
        resources: [
          { resourceType: 4, resourceName, configs: [{ name, configOperation: 0, value }] },
        ],
        validateOnly: false,
      })
    assert.equal((await set('', 'message.max.bytes', '4000')).responses[0]!.errorCode, 0)
    assert.equal((await produce(client, 't', batch('x'.repeat(5000)))).errorCode, 10)
    assert.equal((await set('1', 'message.max.bytes', '6000')).responses[0]!.errorCode, 0)
    assert.equal((await produce(client, 't', batch('x'.repeat(5000)))).errorCode, 0)
  })
})
