import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { readLines } from '../../../test/vectors/check.ts'
import { setInt32, setInt64 } from '../../base/bytes.ts'
import { Batch, batches, compressions, fieldAt, isCrcValid } from './batch.ts'
import {
  BatchWriter,
  type HeadersToWrite,
  largestBatchBytes,
  type RecordContent,
  stampProducer,
} from './batch-writer.ts'
import { buildBatch } from './build.ts'
import { recordsOf } from './records.ts'

const bytes = fc.uint8Array({ maxLength: 300 })
const content: fc.Arbitrary<RecordContent> = fc.oneof(
  bytes,
  fc.string({ unit: 'grapheme', maxLength: 100 }),
  fc.constant(null),
)
const record = fc.record({
  timestamp: fc.oneof(
    fc.integer({ min: 0, max: 2 ** 31 }),
    fc.integer({ min: 1_700_000_000_000, max: 1_700_000_100_000 }),
  ),
  key: fc.option(bytes),
  value: content,
  headers: fc.dictionary(
    fc.string({ maxLength: 20 }).filter(name => name !== '__proto__'),
    fc.oneof(content, fc.array(content, { maxLength: 3 })),
    { maxKeys: 4 },
  ),
})
const producer = fc.tuple(
  fc.integer({ min: -1, max: 2 ** 40 }),
  fc.integer({ min: -1, max: 32_767 }),
  fc.integer({ min: -1, max: 2 ** 31 - 1 }),
)

/** As `buildBatch` takes them. */
function listed(headers: Readonly<Record<string, RecordContent | readonly RecordContent[]>>) {
  return Object.entries(headers).flatMap(([key, given]) =>
    (Array.isArray(given) ? given : [given]).map(value => ({
      key,
      value: typeof value === 'string' ? Buffer.from(value) : value,
    })),
  )
}

test('a batch written record by record is the one that is built at once, byte for byte', () => {
  fc.assert(
    fc.property(
      fc.array(record, { minLength: 1, maxLength: 30 }),
      producer,
      fc.nat({ max: 2000 }),
      (records, [producerId, producerEpoch, baseSequence], capacity) => {
        const writer = new BatchWriter(capacity)
        for (const { timestamp, key, value, headers } of records) {
          const before = writer.size
          writer.append(timestamp, key, value, headers)
          assert.ok(writer.size - before <= largestBatchBytes(key, value, headers))
        }
        assert.equal(writer.count, records.length)
        const size = writer.size
        const written = writer.finish('none')
        stampProducer(written, producerId, producerEpoch, baseSequence)
        const built = buildBatch(
          { producerId, producerEpoch, baseSequence },
          records.map(each => ({ ...each, headers: listed(each.headers) })),
        )
        assert.equal(written.length, size)
        assert.deepEqual(new Uint8Array(written), built)
      },
    ),
    { numRuns: 300 },
  )
})

test('what is compressed and stamped anew holds the same records', () => {
  const headers: HeadersToWrite = [{ key: 'h', value: Buffer.from('v') }]
  for (const compression of compressions) {
    const writer = new BatchWriter(0)
    for (let n = 0; n < 100; n++) writer.append(1000 + n, null, `value ${n}`, headers)
    const batch = writer.finish(compression)
    for (const sequence of [5, 105]) {
      stampProducer(batch, 9, 1, sequence)
      const read = new Batch(batch)
      assert.ok(isCrcValid(read))
      assert.deepEqual(
        [read.producerId, read.producerEpoch, read.baseSequence, read.lastOffset],
        [9, 1, sequence, 99],
      )
      const values = [...recordsOf(read, 100_000)].map(({ value }) => String(value))
      assert.deepEqual(
        values,
        Array.from({ length: 100 }, (_, n) => `value ${n}`),
      )
    }
  }
})

test('text that is no whole character is written as it is measured', () => {
  const writer = new BatchWriter(0)
  writer.append(0, null, 'a\ud800b', { '\udc00': '\ud83d' })
  writer.append(0, null, 'next', undefined)
  const batch = writer.finish('none')
  stampProducer(batch, -1, -1, -1)
  const [first, second] = [...recordsOf(new Batch(batch), 1000)]
  assert.deepEqual([String(first!.value), String(second!.value)], ['a�b', 'next'])
  assert.deepEqual(
    first!.headers.map(({ key, value }) => [key, String(value)]),
    [['�', '�']],
  )
})

test('golden batches of producers are written byte for byte, or when compressed read the same', () => {
  const file = new URL('../../../test/vectors/record-batch-vectors.ndjson.gz', import.meta.url)
  let count = 0
  for (const line of readLines(file)) {
    const { hex } = JSON.parse(line) as { hex: string }
    for (const golden of batches(Buffer.from(hex, 'hex'))) {
      const records = [...recordsOf(golden, 2 ** 26)]
      if (!isOfProducer(golden) || records.length !== golden.lastOffsetDelta + 1) continue
      const writer = new BatchWriter(100)
      for (const { timestamp, key, value, headers } of records) {
        writer.append(timestamp, key, value, headers)
      }
      const written = writer.finish(golden.compression)
      stampProducer(written, golden.producerId, golden.producerEpoch, golden.baseSequence)
      // What comes before the magic byte is the broker's to set, but for the length.
      setInt64(written, fieldAt.baseOffset, golden.baseOffset)
      setInt32(written, fieldAt.leaderEpoch, golden.partitionLeaderEpoch)
      if (golden.compression === 'none') assert.equal(hexOf(written), hexOf(golden.bytes))
      else assert.deepEqual([...recordsOf(new Batch(written), 2 ** 26)], records)
      count++
    }
  }
  assert.ok(count >= 10, `${count} batches`)
})

/** As a producer without transactions sends them. */
function isOfProducer(batch: Batch): boolean {
  return (
    batch.recordCount > 0 &&
    batch.timestampType === 'CreateTime' &&
    !batch.isTransactional &&
    !batch.isControl &&
    !batch.hasDeleteHorizon
  )
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
