import assert from 'node:assert/strict'
import { test } from 'node:test'
import { gzipSync } from 'node:zlib'
import fc from 'fast-check'
import { setInt16, setInt32, setInt64 } from '../base/bytes.ts'
import type { LogConfig } from '../config/log-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import {
  type Batch,
  batchHeaderBytes,
  compressions,
  fieldAt,
  isCrcValid,
  readBatch,
  writeCrc,
} from '../protocol/records/batch.ts'
import { buildBatch, type NewRecord } from '../protocol/records/build.ts'
import { compress } from '../protocol/records/compression.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { RecordsError, validateForAppend } from './validation.ts'

const nowMs = 1_800_000_000_000
const hourMs = 3_600_000

const defaults = {
  cleanupDelete: true,
  cleanupCompact: false,
  compressionType: 'producer',
  gzipLevel: -1,
  lz4Level: 9,
  zstdLevel: 3,
  maxMessageBytes: 1_048_588,
  maxDecompressedMessageBytes: 2 ** 31 - 9,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: hourMs,
  segmentBytes: 2 ** 30,
} as LogConfig

const append = (records: Uint8Array, config: Partial<LogConfig> = {}) =>
  validateForAppend(records, { config: { ...defaults, ...config }, nowMs })

const refuses = (error: string) => (thrown: unknown) =>
  thrown instanceof KafkaError && thrown.error === error && !(thrown instanceof RecordsError)

/** The RecordsError that validation throws. */
function recordsError(records: Uint8Array, config: Partial<LogConfig> = {}): RecordsError {
  try {
    append(records, config)
  } catch (error) {
    assert.ok(error instanceof RecordsError, String(error))
    return error
  }
  assert.fail('nothing was refused')
}

const records = (count: number, more: Partial<NewRecord> = {}): NewRecord[] =>
  Array.from({ length: count }, (_, index) => ({
    timestamp: nowMs - 50 + index,
    key: `key ${index}`,
    value: `value ${index}`,
    ...more,
  }))

/** A good batch of three, with a change and a right CRC. */
function changed(change: (bytes: Uint8Array) => void): Uint8Array {
  const bytes = buildBatch({}, records(3))
  change(bytes)
  writeCrc(bytes)
  return bytes
}

/** A batch of `count` records whose payload is given, with a right CRC. */
function batchOf(payload: Uint8Array, count: number, compression: number): Uint8Array {
  const bytes = new Uint8Array(batchHeaderBytes + payload.length)
  bytes.set(buildBatch({ baseTimestamp: nowMs, maxTimestamp: nowMs }, []))
  bytes.set(payload, batchHeaderBytes)
  setInt32(bytes, fieldAt.length, bytes.length - 12)
  setInt16(bytes, fieldAt.attributes, compression)
  setInt32(bytes, fieldAt.lastOffsetDelta, count - 1)
  setInt32(bytes, fieldAt.recordCount, count)
  writeCrc(bytes)
  return bytes
}

/** What a consumer sees of a batch. */
function shown(batch: Batch): unknown[] {
  return [...recordsOf(batch, 1 << 20)].map(record => ({
    ...record,
    key: String(record.key && Buffer.from(record.key)),
    value: String(record.value && Buffer.from(record.value)),
  }))
}

test('a good batch passes with its bytes as they came, whatever its codec', () => {
  for (const compression of compressions) {
    const sent = buildBatch({ compression }, records(20))
    const before = Uint8Array.from(sent)
    const validated = append(sent)
    assert.equal(validated.bytes.buffer, sent.buffer, 'not copied')
    assert.deepEqual(validated.bytes, before)
    assert.equal(validated.batches.length, 1)
    assert.equal(validated.recordCount, 20)
    assert.equal(validated.maxTimestamp, nowMs - 31)
    assert.equal(validated.logAppendTimeMs, -1)
  }
})

test('anything but one whole batch is INVALID_RECORD', () => {
  const good = buildBatch({}, records(3))
  for (const bytes of [
    new Uint8Array(0),
    good.subarray(0, 11),
    good.subarray(0, -1),
    Buffer.concat([good, good]),
    Buffer.concat([good, Buffer.of(1, 2, 3)]),
    changed(bytes => (bytes[fieldAt.magic] = 0)),
    changed(bytes => (bytes[fieldAt.magic] = 1)),
  ]) {
    assert.throws(() => append(bytes), refuses('INVALID_RECORD'))
  }
})

test('a wrong CRC, magic or length is CORRUPT_MESSAGE, an unknown codec is named so', () => {
  const flipped = buildBatch({}, records(3))
  flipped[batchHeaderBytes + 9]! ^= 1
  assert.throws(() => append(flipped), refuses('CORRUPT_MESSAGE'))
  assert.throws(
    () => append(changed(bytes => (bytes[fieldAt.magic] = 3))),
    refuses('CORRUPT_MESSAGE'),
  )
  assert.throws(
    () => append(changed(bytes => setInt32(bytes, fieldAt.length, 5))),
    refuses('CORRUPT_MESSAGE'),
  )
  assert.throws(
    () => append(changed(bytes => setInt16(bytes, fieldAt.attributes, 6))),
    refuses('UNSUPPORTED_COMPRESSION_TYPE'),
  )
})

test('header fields that a producer may not send are INVALID_RECORD', () => {
  const producer = { producerId: 5, producerEpoch: 0, baseSequence: 0 }
  append(buildBatch(producer, records(1)))
  for (const bytes of [
    changed(bytes => setInt64(bytes, fieldAt.baseOffset, 5)),
    changed(bytes => setInt32(bytes, fieldAt.recordCount, 0)),
    changed(bytes => setInt32(bytes, fieldAt.recordCount, -1)),
    changed(bytes => setInt32(bytes, fieldAt.lastOffsetDelta, 7)),
    changed(bytes => setInt32(bytes, fieldAt.lastOffsetDelta, -1)),
    changed(bytes => setInt16(bytes, fieldAt.attributes, 0x40)),
    buildBatch({ ...producer, control: true }, records(1)),
    buildBatch({ ...producer, baseSequence: -1 }, records(1)),
    buildBatch({ ...producer, producerEpoch: -1 }, records(1)),
    buildBatch({ transactional: true }, records(1)),
    buildBatch({}, []),
  ]) {
    assert.throws(() => append(bytes), refuses('INVALID_RECORD'))
  }
})

test('records that do not parse are INVALID_RECORD although the CRC is right', () => {
  const payload = buildBatch({}, records(3)).subarray(batchHeaderBytes)
  for (const [codec, compression] of compressions.entries()) {
    append(batchOf(compress(compression, payload), 3, codec))
    for (const count of [2, 4]) {
      const bytes = batchOf(compress(compression, payload), count, codec)
      assert.throws(() => append(bytes), refuses('INVALID_RECORD'), `${compression} ${count}`)
    }
    const garbage = batchOf(Buffer.from('garbage, not compressed'), 1, codec)
    assert.throws(() => append(garbage), refuses('INVALID_RECORD'), compression)
  }
})

test('offset deltas have to count up from zero', () => {
  for (const compression of compressions) {
    const [first, second, third] = records(3)
    const sent = buildBatch({ compression }, [first!, { ...second!, offsetDelta: 5 }, third!])
    const error = recordsError(sent)
    assert.equal(error.error, 'INVALID_RECORD')
    assert.deepEqual(
      error.recordErrors.map(refusal => refusal.batchIndex),
      [1],
    )
  }
})

test('a compacted topic refuses each record without a key, by its index', () => {
  const sent = () => buildBatch({}, [...records(2), ...records(2, { key: null })])
  append(sent())
  const error = recordsError(sent(), { cleanupCompact: true })
  assert.equal(error.error, 'INVALID_RECORD')
  assert.deepEqual(
    error.recordErrors.map(refusal => refusal.batchIndex),
    [2, 3],
  )
})

test('timestamps are bounded on both sides, inclusively, and may be absent', () => {
  const config = { timestampBeforeMaxMs: 1000, timestampAfterMaxMs: 2000 }
  for (const compression of compressions) {
    const sent = (...timestamps: number[]) =>
      buildBatch(
        { compression },
        timestamps.map(timestamp => ({ timestamp, value: 'v' })),
      )
    append(sent(nowMs - 1000, nowMs + 2000, -1), config)
    const error = recordsError(sent(nowMs - 1001, nowMs, nowMs + 2001), config)
    assert.equal(error.error, 'INVALID_TIMESTAMP')
    assert.deepEqual(
      error.recordErrors.map(refusal => refusal.batchIndex),
      [0, 2],
    )
    assert.match(error.recordErrors[0]!.message, /1799999998999/)
  }
})

test('a batch of bad records is answered with a bounded list', () => {
  const error = recordsError(buildBatch({}, records(3000, { timestamp: nowMs + 2 * hourMs })))
  assert.equal(error.recordErrors.length, 1000)
})

test('a largest timestamp that is none of the records is put right', () => {
  const validated = append(buildBatch({ maxTimestamp: 12345 }, records(3)))
  assert.equal(validated.maxTimestamp, nowMs - 48)
  assert.equal(validated.batches[0]!.maxTimestamp, nowMs - 48)
  assert.ok(isCrcValid(validated.batches[0]!))
})

test('LogAppendTime stamps the batch, looks at no bound, and refuses it from a producer', () => {
  const config = { timestampType: 'LogAppendTime' } as const
  const validated = append(buildBatch({}, records(3, { timestamp: nowMs + 9 * hourMs })), config)
  const [batch] = validated.batches
  assert.equal(validated.logAppendTimeMs, nowMs)
  assert.equal(validated.maxTimestamp, nowMs)
  assert.equal(batch!.timestampType, 'LogAppendTime')
  assert.equal(batch!.baseTimestamp, nowMs + 9 * hourMs)
  assert.ok(isCrcValid(batch!))
  assert.deepEqual(
    [...recordsOf(batch!, 1000)].map(record => record.timestamp),
    [nowMs, nowMs, nowMs],
  )
  const claimed = buildBatch({ timestampType: 'LogAppendTime' }, records(2))
  assert.equal(recordsError(claimed, config).error, 'INVALID_TIMESTAMP')
  const [kept] = append(buildBatch({ timestampType: 'LogAppendTime' }, records(2))).batches
  assert.equal(kept!.timestampType, 'CreateTime')
})

test('sizes are bounded by max.message.bytes and the segment', () => {
  const sent = () => buildBatch({}, records(30))
  const { length } = sent()
  append(sent(), { maxMessageBytes: length, segmentBytes: length })
  assert.throws(() => append(sent(), { maxMessageBytes: length - 1 }), refuses('MESSAGE_TOO_LARGE'))
  assert.throws(
    () => append(sent(), { segmentBytes: length - 1 }),
    refuses('RECORD_LIST_TOO_LARGE'),
  )
})

test('a record may not expand beyond max.decompressed.message.bytes, a batch of them may', () => {
  const config = { maxDecompressedMessageBytes: 1000 }
  append(buildBatch({ compression: 'gzip' }, records(200)), config)
  const large = records(1, { value: new Uint8Array(2000) })
  append(buildBatch({}, large), config)
  const error = recordsError(buildBatch({ compression: 'gzip' }, large), config)
  assert.equal(error.error, 'INVALID_RECORD')
})

test('a bomb is refused as too large', () => {
  const bomb = batchOf(gzipSync(new Uint8Array(130 << 20), { level: 1 }), 1, 1)
  assert.throws(() => append(bomb), refuses('MESSAGE_TOO_LARGE'))
})

test('the topic decides the codec; producer fields and records stay', () => {
  const producer = { producerId: 7, producerEpoch: 3, baseSequence: 11, transactional: true }
  for (const compressionType of ['uncompressed', 'gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const stored = compressionType === 'uncompressed' ? 'none' : compressionType
    for (const compression of compressions) {
      const sent = buildBatch({ compression, ...producer }, records(50))
      const original = readBatch(Uint8Array.from(sent))
      const validated = append(sent, { compressionType })
      const batch = readBatch(validated.bytes)
      assert.equal(batch.compression, stored)
      assert.equal(validated.recordCount, 50)
      assert.equal(batch.sizeInBytes, validated.bytes.length)
      assert.ok(isCrcValid(batch))
      assert.deepEqual(
        [batch.producerId, batch.producerEpoch, batch.baseSequence, batch.isTransactional],
        [7, 3, 11, true],
      )
      assert.deepEqual(shown(batch), shown(original))
    }
  }
})

test('a batch that grows beyond the limit when it is recompressed is refused', () => {
  const sent = buildBatch({ compression: 'zstd' }, records(100))
  const config = { compressionType: 'uncompressed', maxMessageBytes: sent.length } as const
  assert.throws(() => append(sent, config), refuses('MESSAGE_TOO_LARGE'))
})

test('any mutation with a right CRC is stored readable or refused', () => {
  const place = fc.nat(10_000)
  const edits = fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(fc.constantFrom(...compressions), edits, (compression, changes) => {
      const bytes = buildBatch({ compression }, records(8))
      for (const [at, byte] of changes) bytes[at % bytes.length] = byte
      writeCrc(bytes)
      try {
        const [batch] = append(bytes).batches
        assert.equal([...recordsOf(batch!, 1 << 20)].length, batch!.recordCount)
        assert.ok(isCrcValid(batch!))
      } catch (error) {
        assert.ok(error instanceof KafkaError, String(error))
      }
    }),
    { numRuns: 1500 },
  )
})
