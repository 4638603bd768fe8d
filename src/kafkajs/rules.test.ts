/** The rules of kafkajs that need no broker. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ConnectionError } from '../client/connection.ts'
import { OffsetOutOfRangeError } from '../client/consumer/errors.ts'
import { KafkaError } from '../protocol/errors.ts'
import { AssignerProtocol, PartitionAssigners } from './assigners.ts'
import { logLevel } from './constants.ts'
import {
  KafkaJSConnectionError,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
  KafkaJSNumberOfRetriesExceeded,
  type KafkaJSOffsetOutOfRange,
  KafkaJSProtocolError,
  translated,
  translatedAfterRetries,
} from './errors.ts'
import { Kafka } from './kafka.ts'
import { createLogger, type LogEntry } from './logger.ts'
import { OffsetBook } from './offset-book.ts'
import { seekTargetOf } from './offsets.ts'
import { Partitioners } from './partitioners.ts'
import { Pauses } from './pauses.ts'
import { isHopeless, patienceMs, retryingBy, retryTimeMs } from './retry.ts'

const brokers = ['127.0.0.1:1']
const metadata = (count: number, leader = 1) =>
  Array.from({ length: count }, (_, partitionId) => ({
    partitionErrorCode: 0,
    partitionId,
    leader,
    replicas: [1],
    isr: [1],
  }))

test('keys go where kafkajs puts them', () => {
  const keys = [
    'a',
    'ab',
    'abc',
    'abcd',
    'abcde',
    'orders-17',
    'ключ',
    'a longer key that has several blocks',
  ]
  const places = (make: typeof Partitioners.DefaultPartitioner) => {
    const partition = make()
    const partitionMetadata = metadata(1000)
    return keys.map(key =>
      partition({ topic: 't', partitionMetadata, message: { key, value: null } }),
    )
  }
  // Taken from kafkajs 2.2.4.
  assert.deepEqual(places(Partitioners.DefaultPartitioner), [524, 434, 107, 100, 741, 307, 24, 338])
  assert.deepEqual(places(Partitioners.LegacyPartitioner), [815, 235, 907, 264, 417, 618, 22, 450])
})

test('without a key messages go round all partitions that have a leader', () => {
  const partition = Partitioners.DefaultPartitioner()
  const partitionMetadata = [...metadata(3), ...metadata(4, -1).slice(3)]
  const places = Array.from({ length: 6 }, () =>
    partition({ topic: 't', partitionMetadata, message: { value: 'x' } }),
  )
  assert.deepEqual(places.slice(0, 3).sort(), [0, 1, 2])
  assert.deepEqual(places.slice(3), places.slice(0, 3))
})

test('waits between retries double, and what they take together is known', () => {
  const retrying = retryingBy({ initialRetryTime: 100, retries: 4 }, { maxRetryTime: 350 })
  assert.equal(patienceMs(retrying), 100 + 200 + 350 + 350)
  const random = (u32: number) => ({ u32: () => u32, bytes: () => new Uint8Array() })
  assert.equal(retryTimeMs(retrying, 1, random(0)), 80)
  assert.equal(retryTimeMs(retrying, 2, random(2 ** 31)), 200)
  assert.equal(patienceMs(retryingBy({ retries: Number.MAX_SAFE_INTEGER })), 24 * 60 * 60 * 1_000)
})

test('a mistake in the program is not tried again', () => {
  assert.equal(isHopeless(new TypeError('x is not a function')), true)
  assert.equal(isHopeless(new KafkaJSNonRetriableError('no')), true)
  assert.equal(isHopeless(new Error('the database is away')), false)
  assert.equal(isHopeless('text'), false)
})

test('a topic is paused with exceptions, and single partitions are', () => {
  const pauses = new Pauses()
  const paused = () => [0, 1, 2].filter(partition => pauses.has({ topic: 't', partition }))
  pauses.set([{ topic: 't', partitions: [1] }], true)
  assert.deepEqual(paused(), [1])
  pauses.set([{ topic: 't' }], true)
  pauses.set([{ topic: 't', partitions: [2] }], false)
  assert.deepEqual(paused(), [0, 1])
  pauses.set([{ topic: 't', partitions: [2] }], true)
  assert.deepEqual(paused(), [0, 1, 2])
  pauses.set([{ topic: 't' }], false)
  assert.deepEqual(paused(), [])
  assert.throws(() => pauses.set([{ topic: '' }], true), KafkaJSNonRetriableError)
  const letters = ['x'] as unknown as number[]
  assert.throws(() => pauses.set([{ topic: 't', partitions: letters }], true), /array of numbers/)
})

test('offsets are due by number and by time', () => {
  const book = new OffsetBook(0)
  book.add({ topic: 't', partition: 0 })
  const place = book.place({ topic: 't', partition: 0 })!
  place.begin(10)
  assert.deepEqual(book.uncommitted(), [])
  place.resolved = 13
  assert.equal(book.isDue(null, 4, 1_000), false)
  assert.equal(book.isDue(null, 3, 0), true)
  assert.equal(book.isDue(1_001, null, 1_000), false)
  assert.equal(book.isDue(1_000, null, 1_000), true)
  assert.deepEqual(book.uncommitted(), [{ topic: 't', partition: 0, offset: 13 }])
  book.committed(book.uncommitted(), 1_000)
  assert.deepEqual(book.uncommitted(), [])
  assert.equal(book.isDue(1_000, 1, 1_999), false)
})

test('offsets are digits; −1 is the end and −2 the beginning', () => {
  assert.deepEqual(seekTargetOf('12'), { offset: 12 })
  assert.deepEqual(seekTargetOf('-1'), { to: 'end' })
  assert.deepEqual(seekTargetOf('-2'), { to: 'beginning' })
  for (const offset of ['', 'x', '-3', '1.5', '9007199254740993']) {
    assert.throws(() => seekTargetOf(offset), KafkaJSNonRetriableError, offset)
  }
})

test('members and assignments are the bytes of kafkajs', () => {
  const { MemberMetadata, MemberAssignment } = AssignerProtocol
  const subscription = MemberMetadata.encode({ version: 1, topics: ['t'] })
  assert.equal(subscription.toString('hex'), '00010000000100017400000000')
  assert.deepEqual(MemberMetadata.decode(subscription), {
    version: 1,
    topics: ['t'],
    userData: Buffer.alloc(0),
  })
  const assignment = MemberAssignment.encode({ version: 0, assignment: { t: [0, 2] } })
  assert.equal(assignment.toString('hex'), '00000000000100017400000002000000000000000200000000')
  assert.deepEqual(MemberAssignment.decode(assignment)?.assignment, { t: [0, 2] })
  assert.equal(MemberAssignment.decode(Buffer.alloc(0)), null)
})

test('round robin gives a topic to those alone that subscribe to it', async () => {
  const assigner = PartitionAssigners.roundRobin({
    groupId: 'g',
    logger: new Kafka({ brokers }).logger(),
    cluster: { findTopicPartitionMetadata: () => metadata(3) },
  })
  const member = (memberId: string, topics: string[]) => ({
    memberId,
    memberMetadata: assigner.protocol({ topics }).metadata,
  })
  const members = [member('y', ['a']), member('x', ['a', 'b'])]
  const dealt = await assigner.assign({ topics: ['a', 'b'], members })
  const shown = dealt.map(({ memberId, memberAssignment }) => [
    memberId,
    AssignerProtocol.MemberAssignment.decode(memberAssignment)?.assignment,
  ])
  assert.deepEqual(shown, [
    ['x', { a: [0, 2], b: [0, 1, 2] }],
    ['y', { a: [1] }],
  ])
})

test('errors of the client become those of kafkajs, with what was below as their cause', () => {
  const moved = new KafkaError('NOT_LEADER_OR_FOLLOWER')
  const error = translated(moved) as KafkaJSProtocolError
  assert.ok(error instanceof KafkaJSProtocolError)
  assert.deepEqual([error.type, error.code, error.retriable], ['NOT_LEADER_FOR_PARTITION', 6, true])
  assert.equal(error.cause, moved)
  const exceeded = translatedAfterRetries(moved) as KafkaJSNumberOfRetriesExceeded
  assert.ok(exceeded instanceof KafkaJSNumberOfRetriesExceeded)
  assert.ok(exceeded.cause instanceof KafkaJSProtocolError)
  assert.ok(translated(new ConnectionError('REFUSED', 'x')) instanceof KafkaJSConnectionError)
  const place = { topic: 't', partition: 1, offset: 5 }
  const outside = translated(new OffsetOutOfRangeError(place)) as KafkaJSOffsetOutOfRange
  assert.deepEqual(
    [outside.name, outside.topic, outside.partition],
    ['KafkaJSOffsetOutOfRange', 't', 1],
  )
  const foreign = new Error('of the program')
  assert.equal(translated(foreign), foreign)
  assert.equal(new KafkaJSError(foreign).message, 'of the program')
})

test('what cannot be done is refused at once, by its name', () => {
  const refused = (make: () => unknown, name: RegExp) =>
    assert.throws(make, error => error instanceof KafkaJSNotImplemented && name.test(error.message))
  refused(() => new Kafka({ brokers, ssl: true }), /ssl/)
  refused(() => new Kafka({ brokers, sasl: { mechanism: 'plain' } }), /sasl/)
  refused(() => new Kafka({ brokers, socketFactory: () => undefined }), /socketFactory/)
  refused(() => new Kafka({ brokers, enforceRequestTimeout: false }), /enforceRequestTimeout/)
  const kafka = new Kafka({ brokers, ssl: false })
  refused(() => kafka.producer({ transactionalId: 'x' }), /transactions/)
  const consumer = kafka.consumer({ groupId: 'g' })
  refused(() => consumer.on(consumer.events.REQUEST, () => {}), /network\.request/)
  refused(() => consumer.on(consumer.events.FETCH, () => {}), /consumer\.fetch/)
})

test('what is not connected says so', async () => {
  const kafka = new Kafka({ brokers })
  await assert.rejects(kafka.producer().send({ topic: 't', messages: [{ value: 'x' }] }), /connect/)
  const consumer = kafka.consumer({ groupId: 'g' })
  await assert.rejects(consumer.describeGroup(), /not connected/)
  assert.throws(() => consumer.seek({ topic: 't', partition: 0, offset: '0' }), /call run first/)
  assert.throws(() => consumer.pause([{ topic: 't' }]), /call run first/)
  assert.deepEqual(consumer.paused(), [])
})

test('connecting to nowhere fails within the waits between retries', async () => {
  const kafka = new Kafka({
    brokers,
    logLevel: logLevel.NOTHING,
    retry: { retries: 1, initialRetryTime: 10 },
    connectionTimeout: 50,
  })
  await assert.rejects(kafka.admin().connect(), KafkaJSNumberOfRetriesExceeded)
  const none = new Kafka({ brokers: () => [] })
  await assert.rejects(none.producer().connect(), /at least one host:port/)
})

test('loggers have names and levels, and a level is changed for all', () => {
  const entries: LogEntry[] = []
  const root = createLogger({
    level: logLevel.WARN,
    creator: () => entry => entries.push(entry),
    wallMs: () => 0,
  })
  const named = root.namespace('Part')
  const loud = root.namespace('Loud', logLevel.DEBUG)
  named.info('not heard')
  named.warn('heard', { extra: 1 })
  loud.debug('heard')
  root.setLogLevel(logLevel.INFO)
  named.info('heard now')
  const shown = entries.map(({ namespace, label, log }) => [namespace, label, log.message])
  assert.deepEqual(shown, [
    ['Part', 'WARN', 'heard'],
    ['Loud', 'DEBUG', 'heard'],
    ['Part', 'INFO', 'heard now'],
  ])
  assert.equal(entries[0]!.log['extra'], 1)
  assert.equal(entries[0]!.log.timestamp, '1970-01-01T00:00:00.000Z')
})
