import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import { setInt32, setInt64 } from '../../base/bytes.ts'
import { KafkaError } from '../errors.ts'
import {
  type Batch,
  batches,
  batchHeaderBytes,
  batchSizeAt,
  compressions,
  fieldAt,
  isCrcValid,
  readBatch,
  stampBatch,
  stampTimestamps,
  writeCrc,
} from './batch.ts'
import { buildBatch, type NewRecord, recompressed } from './build.ts'
import { recordBytes, recordsOf, walkRecords } from './records.ts'

const maxBytes = 1 << 20

const refuses = (error: string) => (thrown: unknown) =>
  thrown instanceof KafkaError && thrown.error === error

interface Vector {
  name: string
  hex: string
  batches: VectorBatch[]
}
interface VectorBatch {
  baseOffset: number
  lastOffset: number
  crc32c: number
  isControlBatch: boolean
  records: unknown[]
  [field: string]: unknown
}

function vectors(): Vector[] {
  const path = new URL('../../../test/vectors/record-batch-vectors.ndjson.gz', import.meta.url)
  const lines = gunzipSync(readFileSync(path)).toString().trim().split('\n')
  return lines.map(line => JSON.parse(line) as Vector)
}

const base64 = (bytes: Uint8Array | null) =>
  bytes === null ? null : Buffer.from(bytes).toString('base64')

function recordsAsJson(batch: Batch): unknown[] {
  return [...recordsOf(batch, maxBytes)].map(record => ({
    offset: record.offset,
    timestamp: record.timestamp,
    key: base64(record.key),
    value: base64(record.value),
    headers: record.headers.map(header => [header.key, base64(header.value)]),
  }))
}

test('golden batches of Kafka read field by field and record by record', () => {
  for (const { name, hex, batches: expected } of vectors()) {
    const read = [...batches(Buffer.from(hex, 'hex'))]
    assert.equal(read.length, expected.length)
    for (const [index, batch] of read.entries()) {
      const { records, crc32c, isControlBatch, magic, ...fields } = expected[index]!
      const got = batch as unknown as Record<string, unknown>
      for (const [field, value] of Object.entries(fields)) {
        assert.equal(got[field], value, `${name} ${field}`)
      }
      assert.equal(batch.crc, crc32c)
      assert.equal(batch.isControl, isControlBatch)
      assert.equal(batch.bytes[fieldAt.magic], magic)
      assert.ok(isCrcValid(batch), name)
      assert.deepEqual(recordsAsJson(batch), records, name)
    }
  }
})

test('golden uncompressed batches are built byte by byte', () => {
  for (const { name, hex } of vectors()) {
    const batch = readBatch(Buffer.from(hex, 'hex'))
    if (batch.compression !== 'none') continue
    // An append time hides the records' own timestamps: read them as if it were none.
    const plain = readBatch(Uint8Array.from(batch.bytes))
    plain.bytes[fieldAt.attributes + 1]! &= ~0x08
    const records = [...recordsOf(plain, maxBytes)]
    const built = buildBatch(
      {
        baseOffset: batch.baseOffset,
        leaderEpoch: batch.partitionLeaderEpoch,
        timestampType: batch.timestampType,
        baseTimestamp: batch.baseTimestamp,
        maxTimestamp: batch.maxTimestamp,
        producerId: batch.producerId,
        producerEpoch: batch.producerEpoch,
        baseSequence: batch.baseSequence,
        transactional: batch.isTransactional,
        control: batch.isControl,
      },
      records.map(({ timestamp, key, value, headers }) => ({ timestamp, key, value, headers })),
    )
    assert.equal(Buffer.from(built).toString('hex'), hex, name)
  }
})

const bytesOrNull = fc.option(fc.uint8Array({ maxLength: 40 }))
const plain = { noNullPrototype: true }
const someRecords = fc.array(
  fc.record(
    {
      timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: 0, max: 2 ** 42 })),
      key: bytesOrNull,
      value: bytesOrNull,
      headers: fc.array(
        fc.record({ key: fc.string({ unit: 'grapheme' }), value: bytesOrNull }, plain),
        {
          maxLength: 3,
        },
      ),
    },
    plain,
  ),
  { minLength: 1, maxLength: 20 },
)

test('what is built with any codec reads back', () => {
  fc.assert(
    fc.property(
      someRecords,
      fc.constantFrom(...compressions),
      fc.nat(2 ** 40),
      (records, compression, baseOffset) => {
        const batch = readBatch(buildBatch({ compression, baseOffset }, records))
        assert.ok(isCrcValid(batch))
        assert.equal(batch.compression, compression)
        assert.equal(batch.recordCount, records.length)
        assert.equal(batch.lastOffset, baseOffset + records.length - 1)
        assert.equal(batch.maxTimestamp, Math.max(...records.map(({ timestamp }) => timestamp)))
        const read = [...recordsOf(batch, maxBytes)].map(({ offset: _, ...rest }) => ({
          ...rest,
          key: rest.key && Uint8Array.from(rest.key),
          value: rest.value && Uint8Array.from(rest.value),
          headers: rest.headers.map(({ key, value }) => ({
            key,
            value: value && Uint8Array.from(value),
          })),
        }))
        assert.deepEqual(read, records)
      },
    ),
    { numRuns: 60 },
  )
})

const sample: NewRecord[] = [
  { timestamp: 1000, key: 'a', value: 'first' },
  { timestamp: 1007, key: null, value: 'second', headers: [{ key: 'h', value: null }] },
  { timestamp: 1003, key: 'c', value: null },
]

test('offsets are stamped in place, outside the CRC', () => {
  const bytes = Buffer.concat([buildBatch({}, sample), buildBatch({}, sample)])
  const [first, second] = [...batches(bytes)]
  stampBatch(bytes, 0, 2 ** 40 + 5, 7)
  stampBatch(bytes, first!.sizeInBytes, 2 ** 40 + 8, 7)
  assert.equal(first!.baseOffset, 2 ** 40 + 5)
  assert.equal(first!.lastOffset, 2 ** 40 + 7)
  assert.equal(second!.baseOffset, 2 ** 40 + 8)
  assert.equal(second!.partitionLeaderEpoch, 7)
  assert.ok(isCrcValid(first!) && isCrcValid(second!))
})

test('an append time replaces the timestamps that records show', () => {
  const batch = readBatch(buildBatch({}, sample))
  stampTimestamps(batch, 'LogAppendTime', 5000)
  assert.ok(isCrcValid(batch))
  assert.equal(batch.timestampType, 'LogAppendTime')
  assert.deepEqual(
    [...recordsOf(batch, maxBytes)].map(record => record.timestamp),
    [5000, 5000, 5000],
  )
})

test('sequence numbers wrap', () => {
  const batch = readBatch(
    buildBatch({ producerId: 1, producerEpoch: 0, baseSequence: 2 ** 31 - 1 }, sample),
  )
  assert.equal(batch.lastSequence, 1)
  assert.equal(readBatch(buildBatch({}, sample)).lastSequence, -1)
})

test('recompression keeps the header and the records', () => {
  const producer = { producerId: 9, producerEpoch: 2, baseSequence: 40, transactional: true }
  const batch = readBatch(buildBatch({ compression: 'gzip', ...producer }, sample))
  for (const compression of compressions) {
    const other = readBatch(recompressed(batch, recordBytes(batch, maxBytes), compression).bytes)
    assert.equal(other.compression, compression)
    assert.ok(isCrcValid(other))
    for (const field of [
      'producerId',
      'producerEpoch',
      'baseSequence',
      'isTransactional',
      'recordCount',
      'lastOffset',
      'baseTimestamp',
      'maxTimestamp',
    ] as const) {
      assert.equal(other[field], batch[field], `${compression} ${field}`)
    }
    assert.deepEqual(recordsAsJson(other), recordsAsJson(batch))
  }
})

test('framing that no batch can have is CORRUPT_MESSAGE', () => {
  const good = buildBatch({}, sample)
  const changed = (change: (bytes: Uint8Array) => void) => {
    const bytes = Uint8Array.from(good)
    change(bytes)
    return () => readBatch(bytes)
  }
  assert.throws(() => readBatch(good.subarray(0, -1)), refuses('CORRUPT_MESSAGE'))
  assert.throws(() => readBatch(good.subarray(0, 11)), refuses('CORRUPT_MESSAGE'))
  for (const length of [-(2 ** 31), -1, 0, 48, 2 ** 31 - 1]) {
    assert.throws(
      changed(bytes => setInt32(bytes, fieldAt.length, length)),
      refuses('CORRUPT_MESSAGE'),
    )
  }
  assert.throws(
    changed(bytes => (bytes[fieldAt.magic] = 1)),
    refuses('CORRUPT_MESSAGE'),
  )
  for (const field of ['baseOffset', 'baseTimestamp', 'maxTimestamp', 'producerId'] as const) {
    assert.throws(
      changed(bytes => setInt64(bytes, fieldAt[field], 2 ** 60)),
      refuses('CORRUPT_MESSAGE'),
    )
  }
  assert.throws(
    changed(bytes => (bytes[fieldAt.attributes + 1] = 5)),
    refuses('UNSUPPORTED_COMPRESSION_TYPE'),
  )
})

test('a partial tail is refused, or the end where an answer may be cut', () => {
  const good = buildBatch({}, sample)
  assert.equal(batchSizeAt(good, 0), good.length)
  assert.equal(batchSizeAt(good, good.length - 11), undefined)
  for (const tail of [1, 12, 60, good.length - 1]) {
    const bytes = Buffer.concat([good, good.subarray(0, tail)])
    assert.equal([...batches(bytes, { partialTail: 'ignored' })].length, 1)
    assert.throws(() => [...batches(bytes)], refuses('CORRUPT_MESSAGE'))
  }
})

test('a record count that is not that of the records is refused after those that are there', () => {
  const bytes = buildBatch({}, sample)
  setInt32(bytes, fieldAt.recordCount, 4)
  const seen: number[] = []
  assert.throws(() => {
    for (const record of recordsOf(readBatch(bytes), maxBytes)) seen.push(record.offset)
  }, refuses('INVALID_RECORD'))
  assert.deepEqual(seen, [0, 1, 2])
  setInt32(bytes, fieldAt.recordCount, 2)
  assert.throws(() => [...recordsOf(readBatch(bytes), maxBytes)], refuses('INVALID_RECORD'))
})

test('walking and reading agree on any mutation of the records, and end', () => {
  const good = buildBatch({}, [...sample, ...sample, ...sample])
  const place = fc.integer({ min: batchHeaderBytes, max: good.length - 1 })
  fc.assert(
    fc.property(fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 4 }), edits => {
      const bytes = Uint8Array.from(good)
      for (const [at, byte] of edits) bytes[at] = byte
      writeCrc(bytes)
      const batch = readBatch(bytes)
      const outcome = (run: () => void): string => {
        try {
          run()
          return 'fine'
        } catch (error) {
          assert.ok(error instanceof KafkaError, String(error))
          return error.error
        }
      }
      const expanded = recordBytes(batch, maxBytes)
      const walked = outcome(() => walkRecords(expanded, batch.recordCount, () => {}))
      assert.equal(
        outcome(() => void [...recordsOf(batch, maxBytes)]),
        walked,
      )
    }),
    { numRuns: 2000 },
  )
})

test('a claimed number of headers takes no memory', () => {
  // length 8, attributes, timestamp, offset, null key, null value, 2³¹−1 headers
  const record = Buffer.from('14000000' + '0101' + 'feffffff0f', 'hex')
  assert.throws(() => walkRecords(record, 1, () => {}), refuses('INVALID_RECORD'))
})
