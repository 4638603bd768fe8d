/** What all of a client have in common: connections, what is known of the cluster, deadlines, ends, errors. */
import assert from 'node:assert/strict'
import { freePort } from '../../src/cli/cluster-etcd.ts'
import { createTopics, deleteTopics } from '../../src/client/topics.ts'
import { Client, type ClientOptions, type ErrorName, Producer } from '../../src/index.ts'
import { errors } from '../../src/protocol/errors.ts'
import {
  apiVersionsRequest,
  apiVersionsResponse,
} from '../../src/protocol/messages/api-versions.ts'
import { fetchRequest, fetchResponse } from '../../src/protocol/messages/fetch.ts'
import { joinGroupRequest } from '../../src/protocol/messages/join-group.ts'
import { listOffsetsResponse } from '../../src/protocol/messages/list-offsets.ts'
import { metadataRequest, metadataResponse } from '../../src/protocol/messages/metadata.ts'
import { produceRequest, produceResponse } from '../../src/protocol/messages/produce.ts'
import type { Incoming } from '../../src/protocol/schema.ts'
import { type Case, errorOf, type Scene, take, until } from './suite.ts'
import { answers, Watched } from './watched-io.ts'

const range = (count: number) => Array.from({ length: count }, (_, n) => n)
const at = (topic: string, partition = 0) => ({ topic, partition })
const text = (bytes: Buffer | null) => String(bytes)

function client(scene: Scene, options: Partial<ClientOptions> = {}): Client {
  return new Client({ bootstrap: scene.bootstrap, ...options })
}

/** Settings of a consumer that begins at the beginning. */
const reading = { offsetReset: 'earliest', maxWaitMs: 200, value: text } as const

/** How many records a topic has. */
async function endOf(scene: Scene, topic: string): Promise<number> {
  const [end] = await scene.cluster.listOffsets([{ ...at(topic), timestamp: -1 }])
  if (end === undefined || end instanceof Error) throw end
  return end.offset
}

/** As an answer of a leader that is one no more, or whatever else. */
function refused(answer: Incoming<typeof produceResponse>, error: ErrorName) {
  const { code } = errors[error]
  const responses = answer.responses.map(topic => ({
    ...topic,
    partitionResponses: topic.partitionResponses.map(each => ({
      ...each,
      errorCode: code,
      baseOffset: -1,
    })),
  }))
  return { ...answer, responses }
}

async function shares(scene: Scene) {
  const topic = await scene.topic(2)
  const world = new Watched()
  await using mine = client(scene, { io: world.io })
  const [first, second] = [mine.producer(), mine.producer()]
  await Promise.all(
    range(20).map(n => [first, second][n % 2]!.send({ topic, partition: n % 2, value: `${n}` })),
  )
  const group = scene.name('group')
  const readers = [
    mine.consumer({ ...reading, topics: topic, groupId: group }),
    mine.consumer({ ...reading, assignment: [at(topic), at(topic, 1)] }),
  ]
  const seen = await Promise.all(readers.map(each => take(each, 20)))
  assert.deepEqual(
    seen.map(messages => messages.length),
    [20, 20],
  )
  const shared = world.over(produceRequest)
  assert.equal(shared.length, 1, 'both producers share one connection')
  const held = [...world.over(fetchRequest), ...world.over(joinGroupRequest)]
  assert.equal(world.over(fetchRequest).length, 2, 'each consumer fetches over its own')
  assert.ok(!held.includes(shared[0]!), 'what is held on purpose holds nobody else up')
  assert.ok(world.over(metadataRequest).includes(shared[0]!))
  assert.equal(mine.metrics().producers.length, 2)
  return mine.metrics().brokers.every(({ failedRequests }) => failedRequests === 0)
}

async function pipelines(scene: Scene) {
  const topic = await scene.topic()
  const five = Promise.withResolvers<undefined>()
  // The first one of an idempotent producer goes alone.
  const world = new Watched(
    answers(produceResponse, (_, nth) => (nth === 0 ? undefined : five.promise)),
  )
  await using mine = client(scene, { io: world.io })
  const producer = mine.producer({ batchBytes: 1000, maxInFlight: 5 })
  await producer.send({ topic, value: 'first' })
  const sends = range(100).map(n => producer.send({ topic, value: `${n}`.padEnd(90) }))
  await until('five requests are under way', () => producer.metrics().requestsInFlight === 5)
  assert.equal(world.count(produceRequest), 6)
  five.resolve(undefined)
  const offsets = (await Promise.all(sends)).map(({ offset }) => offset - 1)
  assert.deepEqual(offsets, range(100))
  assert.equal(world.over(produceRequest).length, 1)
}

/** A refusal that may pass: the record is sent again, and is there once. */
function sentAgain(error: ErrorName) {
  return async (scene: Scene) => {
    const topic = await scene.topic()
    const world = new Watched(
      answers(produceResponse, (answer, nth) => (nth === 1 ? refused(answer, error) : undefined)),
    )
    await using mine = client(scene, { io: world.io })
    const producer = mine.producer()
    await producer.send({ topic, value: 'first' })
    const asked = world.count(metadataRequest)
    // It was stored, only its answer says otherwise: what comes again is a duplicate.
    const { offset } = await producer.send({ topic, value: 'second' })
    const third = await producer.send({ topic, value: 'third' })
    assert.deepEqual([offset, third.offset], [1, 2])
    assert.equal(await endOf(scene, topic), 3)
    assert.equal(producer.metrics().retries, 1)
    const isAskedAgain = () => world.count(metadataRequest) > asked
    if (errors[error].invalidatesMetadata) await until('metadata is asked for', isAskedAgain)
    else assert.ok(!isAskedAgain(), 'metadata is not in doubt')
    return [offset, third.offset]
  }
}

/** A refusal of a fetch that may pass: metadata is asked for, nothing is lost or comes twice. */
function fetchedAgain(error: ErrorName) {
  return async (scene: Scene) => {
    const topic = await scene.topic()
    await scene.fill(topic, 1, 5)
    let refusals = 0
    const world = new Watched(
      answers(fetchResponse, answer => {
        const isAnswer = answer.responses.some(({ partitions }) => partitions.length > 0)
        if (!isAnswer || refusals++ > 0) return undefined
        const { code } = errors[error]
        const responses = answer.responses.map(each => ({
          ...each,
          partitions: each.partitions.map(one => ({ ...one, errorCode: code, records: null })),
        }))
        return { ...answer, responses }
      }),
    )
    await using mine = client(scene, { io: world.io })
    const consumer = mine.consumer({ ...reading, assignment: [at(topic)] })
    const messages = await take(consumer, 5)
    assert.deepEqual(
      messages.map(({ value }) => value),
      range(5).map(n => `0-${n}`),
    )
    assert.ok(refusals >= 2)
    return world.count(metadataRequest) > 1
  }
}

async function madeAgain(scene: Scene) {
  const topic = await scene.topic()
  await using mine = client(scene)
  const producer = mine.producer()
  const seen: string[] = []
  const consumer = mine.consumer({ ...reading, assignment: [at(topic)] })
  const running = consumer.run({ each: ({ value }) => void seen.push(value) })
  await producer.send({ topic, value: 'of the first' })
  await producer.send({ topic, value: 'of the first, too' })
  await until('it is read', () => seen.length === 2)
  const idOf = async () => (await scene.cluster.metadata([topic])).topics[0]!.topicId
  const first = await idOf()
  await deleteTopics(scene.cluster, [topic])
  await until('there is another of its name', async () => {
    // Where brokers make topics that are asked for, it may be there already.
    await createTopics(scene.cluster, [{ name: topic, partitions: 1, replicationFactor: 1 }])
    const id = await idOf()
    return id !== first && !/^[0-]+$/.test(id)
  })
  const { offset } = await producer.send({ topic, value: 'of the second' })
  assert.equal(offset, 0)
  await until('the other is read', () => seen.length >= 3)
  await consumer.close()
  await running
  assert.deepEqual(seen, ['of the first', 'of the first, too', 'of the second'])
  return seen
}

/** Where brokers still have, or name, versions of before Kafka 0.11, which is where ours begin. */
const firstOurs = new Map([
  [produceRequest.apiKey!, 3],
  [metadataRequest.apiKey!, 4],
])

/** A broker that has nothing but the oldest versions. */
async function oldest(scene: Scene) {
  const topic = await scene.topic(2)
  const firsts = new Map<number, number>()
  const world = new Watched(
    answers(apiVersionsResponse, answer => {
      const apiKeys = answer.apiKeys.map(each => ({
        ...each,
        maxVersion: Math.max(each.minVersion, firstOurs.get(each.apiKey) ?? 0),
      }))
      for (const { apiKey, maxVersion } of apiKeys) firsts.set(apiKey, maxVersion)
      return { ...answer, apiKeys }
    }),
  )
  await using mine = client(scene, { io: world.io })
  const producer = mine.producer()
  const value = (n: number) => `value ${n}`
  await producer.send(range(10).map(n => ({ topic, partition: n % 2, value: value(n) })))
  const consumer = mine.consumer({ ...reading, topics: topic, groupId: scene.name('group') })
  const seen = (await take(consumer, 10)).map(each => each.value)
  assert.deepEqual(seen.toSorted(), range(10).map(value))
  const others = world.asked.filter(({ apiKey }) => apiKey !== apiVersionsRequest.apiKey)
  assert.ok(others.length > 10)
  for (const { apiKey, version } of others) assert.equal(version, firsts.get(apiKey), `${apiKey}`)
  return seen.length
}

async function newest(scene: Scene) {
  const topic = await scene.topic()
  const ranges = new Map<number, { minVersion: number; maxVersion: number }>()
  const world = new Watched(
    answers(apiVersionsResponse, ({ apiKeys }) => {
      for (const each of apiKeys) ranges.set(each.apiKey, each)
      return undefined
    }),
  )
  await using mine = client(scene, { io: world.io })
  await mine.producer().send({ topic, value: 'x' })
  for (const message of [produceRequest, metadataRequest]) {
    const { maxVersion } = ranges.get(message.apiKey!)!
    const versions = world.asked.filter(each => each.apiKey === message.apiKey)
    const wanted = Math.min(maxVersion, message.versions.last)
    assert.deepEqual(new Set(versions.map(({ version }) => version)), new Set([wanted]))
  }
  assert.equal(world.count(apiVersionsRequest), world.connections.opened, 'asked once for each')
}

async function idle(scene: Scene) {
  const topic = await scene.topic()
  const world = new Watched()
  await using mine = client(scene, { io: world.io })
  const producer = mine.producer()
  const consumer = mine.consumer({ ...reading, topics: topic, groupId: scene.name('group') })
  const seen: string[] = []
  const running = consumer.run({ each: ({ value }) => void seen.push(value) })
  for (const round of range(4)) {
    const { offset } = await producer.send({ topic, value: `${round}` })
    assert.equal(offset, round)
    await until('it is read', () => seen.length === round + 1)
    world.cut()
  }
  await consumer.close()
  await running
  assert.deepEqual(seen, ['0', '1', '2', '3'])
  assert.ok(world.connections.opened >= 8, `${world.connections.opened} connections`)
  return seen
}

async function begins(scene: Scene) {
  const topic = await scene.topic()
  const dead = `127.0.0.1:${await freePort()}`
  for (const bootstrap of [`${dead},${scene.bootstrap}`, [dead, scene.bootstrap]]) {
    await using mine = client(scene, { bootstrap })
    await mine.producer().send({ topic, value: 'x' })
  }
  await using nowhere = client(scene, { bootstrap: dead, requestTimeoutMs: 500 })
  const lost = await errorOf(() =>
    nowhere.consumer({ topics: topic }).offsetsForTimes([{ ...at(topic), timestamp: 0 }]),
  )
  assert.match(lost, /^ConnectionError /)
  const wrong = [
    await errorOf(() => client(scene, { bootstrap: 'kafka://host:9092' })),
    await errorOf(() => client(scene, { bootstrap: [] })),
    await errorOf(() => client(scene, { requestTimeoutMs: -1 })),
  ]
  assert.deepEqual(wrong, Array(3).fill('OptionError BAD_OPTION'))
  return [lost, wrong]
}

async function deadlines(scene: Scene) {
  const topic = await scene.topic()
  const world = new Watched(
    answers(listOffsetsResponse, () => 'lost'),
    answers(produceResponse, () => 'lost'),
  )
  await using mine = client(scene, { io: world.io, requestTimeoutMs: 400 })
  const consumer = mine.consumer({ ...reading, assignment: [{ ...at(topic), offset: 0 }] })
  const startMs = performance.now()
  const asked = await errorOf(() => consumer.offsetsForTimes([{ ...at(topic), timestamp: 0 }]))
  const askedMs = performance.now() - startMs
  assert.ok(askedMs >= 380 && askedMs < 3000, `after ${askedMs} ms`)
  const producer = mine.producer({ deliveryTimeoutMs: 1000 })
  const sent = await producer.send({ topic, value: 'x' }).then(
    () => assert.fail('it was acknowledged'),
    (error: unknown) => error as Error & { code: string; mayBeStored: boolean },
  )
  const sentMs = performance.now() - startMs - askedMs
  assert.ok(sentMs >= 980 && sentMs < 5000, `after ${sentMs} ms`)
  assert.equal(sent.mayBeStored, true)
  return [asked, sent.name, sent.code]
}

async function lostOnce(scene: Scene) {
  const topic = await scene.topic()
  const world = new Watched(
    answers(produceResponse, (_, nth) => (nth === 0 ? 'lost' : undefined)),
    answers(metadataResponse, (_, nth) => (nth === 0 ? 'lost' : undefined)),
  )
  await using mine = client(scene, { io: world.io, requestTimeoutMs: 400 })
  const producer = mine.producer()
  const sends = range(3).map(n => producer.send({ topic, value: `${n}` }))
  const offsets = (await Promise.allSettled(sends)).map(each =>
    each.status === 'fulfilled' ? each.value.offset : String(each.reason),
  )
  assert.deepEqual(offsets, [0, 1, 2])
  assert.equal(await endOf(scene, topic), 3)
  return offsets
}

async function aborts(scene: Scene) {
  const topic = await scene.topic()
  const never = new Promise<undefined>(() => {})
  const world = new Watched(answers(produceResponse, () => never))
  await using mine = client(scene, { io: world.io })
  const producer = mine.producer({ deliveryTimeoutMs: 1000 })
  const reason = new Error('enough')
  const abort = new AbortController()
  const startMs = performance.now()
  const send = producer.send({ topic, value: 'x' }, { signal: abort.signal })
  const held = assert.rejects(send, error => error === reason)
  await until('it is sent', () => world.count(produceRequest) === 1)
  abort.abort(reason)
  await held
  assert.ok(performance.now() - startMs < 900, 'at once')
}

/** Whatever is under way when a client is closed comes to an end, and nothing stays open. */
async function ends(scene: Scene) {
  const topic = await scene.topic()
  await scene.fill(topic, 1, 5)
  let isSilent = false
  const silence = () => (isSilent ? 'lost' : undefined)
  const world = new Watched(
    answers(produceResponse, silence),
    answers(listOffsetsResponse, silence),
    answers(fetchResponse, silence),
  )
  const mine = client(scene, { io: world.io })
  const producer = mine.producer({ deliveryTimeoutMs: 1000 })
  const [looping, waiting] = [scene.name('group'), scene.name('group')].map(groupId =>
    mine.consumer({ ...reading, topics: topic, groupId }),
  )
  let count = 0
  const loop = (async () => {
    for await (const _ of looping!) count++
  })()
  const running = waiting!.run({ each: () => {} })
  await producer.send({ topic, value: 'x' })
  await until('all is read', () => count === 6 && waiting!.metrics().messages === 6)
  isSilent = true
  const underWay = [
    ...range(20).map(n => producer.send({ topic, value: `${n}` })),
    looping!.offsetsForTimes([{ ...at(topic), timestamp: 0 }]),
    loop,
    running,
  ]
  const settled = Promise.allSettled(underWay)
  await until('they are under way', () => world.count(produceRequest) > 1)
  await Promise.all([mine.close(), mine.close()])
  const outcomes = (await settled).map(({ status }) => status)
  assert.deepEqual(outcomes.slice(-2), ['fulfilled', 'fulfilled'], 'loops end well')
  assert.ok(
    outcomes.slice(0, -2).every(status => status === 'rejected'),
    'sends and calls reject',
  )
  await until('all connections are closed', () => world.connections.open === 0)
  const after = [
    await errorOf(() => producer.send({ topic, value: 'x' })),
    await errorOf(() => mine.producer().send({ topic, value: 'x' })),
    await errorOf(() => take(mine.consumer({ ...reading, assignment: [at(topic)] }), 1)),
  ]
  await client(scene).close()
  return after
}

async function eachItsEnd(scene: Scene) {
  const topic = await scene.topic()
  const world = new Watched()
  await using mine = client(scene, { io: world.io })
  const [first, second] = [mine.producer(), mine.producer()]
  await first.send({ topic, value: '0' })
  const [one, two] = range(2).map(() => mine.consumer({ ...reading, assignment: [at(topic)] }))
  assert.equal((await take(one!, 1)).length, 1)
  await first.close()
  await second.send({ topic, value: '1' })
  assert.equal((await take(two!, 2)).length, 2)
  assert.equal(mine.metrics().producers.length, 1)
  assert.equal(mine.metrics().consumers.length, 0)
  await until('their lanes are closed', () => {
    const shared = new Set([...world.over(produceRequest), ...world.over(metadataRequest)])
    return world.connections.open <= shared.size
  })
}

async function typed(scene: Scene) {
  const topic = await scene.topic(1, { 'max.message.bytes': '2000' })
  await using mine = client(scene, { requestTimeoutMs: 2000 })
  const producer = mine.producer({ deliveryTimeoutMs: 2000 })
  const reader = mine.consumer({ topics: topic })
  const group = mine.consumer({
    topics: topic,
    groupId: scene.name('group'),
    sessionTimeoutMs: 1,
    heartbeatIntervalMs: 1,
  })
  const attempts = [
    () => producer.send({ topic, value: Buffer.alloc(5000) }),
    () => producer.send({ topic: 'no/name', value: 'x' }),
    () => reader.commit({ ...at(topic), offset: 1 }),
    () => take(group, 1),
    () => take(mine.consumer({ ...reading, assignment: [at(topic)], offsetReset: 'none' }), 1),
  ]
  const seen: [string, unknown][] = []
  for (const attempt of attempts) {
    let thrown: unknown
    const error = await errorOf(() =>
      Promise.resolve()
        .then<unknown>(attempt)
        .catch(each => {
          thrown = each
          throw each
        }),
    )
    const { retriable, message } = thrown as Error & { retriable?: boolean }
    assert.equal(typeof retriable, 'boolean', error)
    assert.ok(message.length > 10, error)
    seen.push([error, retriable])
  }
  assert.deepEqual(seen, [
    ['KafkaError MESSAGE_TOO_LARGE', false],
    ['KafkaError INVALID_TOPIC_EXCEPTION', false],
    ['ConsumerStateError NO_GROUP', false],
    ['KafkaError INVALID_SESSION_TIMEOUT', false],
    ['OffsetOutOfRangeError OFFSET_OUT_OF_RANGE', false],
  ])
  const gone = new Producer({
    bootstrap: `127.0.0.1:${await freePort()}`,
    deliveryTimeoutMs: 300,
  })
  const late = await gone.send({ topic, value: 'x' }).catch((error: unknown) => error)
  await gone.close()
  assert.equal((late as { retriable?: boolean }).retriable, true)
  return seen
}

const refusals = [
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'NOT_ENOUGH_REPLICAS',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'REQUEST_TIMED_OUT',
  'KAFKA_STORAGE_ERROR',
] as const
const fetchRefusals = [
  'NOT_LEADER_OR_FOLLOWER',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'OFFSET_NOT_AVAILABLE',
  'KAFKA_STORAGE_ERROR',
] as const

export const clientCases: readonly Case[] = [
  { name: 'one connection to a broker is shared; what brokers hold has its own', run: shares },
  { name: 'five requests are under way on one connection', run: pipelines },
  { name: 'the newest version that both have is used, asked for once a connection', run: newest },
  { name: 'everything works in the oldest versions that a broker has', run: oldest },
  ...refusals.map(error => ({
    name: `a record refused with ${error} is sent again, and stored once`,
    run: sentAgain(error),
  })),
  ...fetchRefusals.map(error => ({
    name: `a fetch refused with ${error} is made again`,
    run: fetchedAgain(error),
  })),
  { name: 'a topic that is deleted and made again is written and read on', run: madeAgain },
  { name: 'connections that brokers close are opened again, nobody notices', run: idle },
  { name: 'one bootstrap address that answers is enough; what is none is said', run: begins },
  { name: 'what is not answered in time is an error that says so', run: deadlines },
  { name: 'an answer that is lost is waited for once, and nothing stored twice', run: lostOnce },
  { name: 'a signal ends a send at once, with its reason', run: aborts },
  { name: 'close settles everything under way and leaves nothing open', run: ends },
  { name: 'producers and consumers of a client end each by themselves', run: eachItsEnd },
  { name: 'errors have a type, a code, and say whether to try again', run: typed },
]
