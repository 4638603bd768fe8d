import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { KafkaError } from '../protocol/errors.ts'
import {
  type Batch,
  batchHeaderBytes,
  compressions,
  isCrcValid,
  readBatch,
  writeCrc,
} from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { recordBytes, recordsOf } from '../protocol/records/records.ts'
import { type BatchFate, eachKey, type FilterRules, filterBatch } from './record-filter.ts'

const plain: BatchFate = { discards: false, keepsHeader: false, isIdleMarker: false }
const nowMs = 1_767_225_600_000
const deleteRetentionMs = 1000

function rulesOf(newest: Record<string, number>, changes: Partial<FilterRules> = {}): FilterRules {
  return {
    nowMs,
    deleteRetentionMs,
    maxExpandedBytes: 1 << 20,
    endOffset: Number.MAX_SAFE_INTEGER,
    newestOffset: (bytes, start, end) =>
      newest[Buffer.from(bytes.subarray(start, end)).toString()] ?? -1,
    ...changes,
  }
}

function shown(batch: Batch) {
  return [...recordsOf(batch, 1 << 20)].map(({ offset, timestamp, key, value, headers }) => ({
    offset,
    timestamp,
    key: key && Buffer.from(key).toString(),
    value: value && Buffer.from(value).toString(),
    headers: headers.map(header => `${header.key}=${header.value}`),
  }))
}

const someRecords = fc.array(
  fc.record({
    key: fc.option(fc.constantFrom('a', 'b', 'c', 'd'), { freq: 8 }),
    value: fc.option(fc.string({ maxLength: 20 }), { freq: 2 }),
    timestamp: fc.oneof(fc.constant(-1), fc.integer({ min: nowMs - 1e9, max: nowMs + 1e9 })),
    headers: fc.array(fc.record({ key: fc.string({ maxLength: 3 }), value: fc.constant(null) }), {
      maxLength: 2,
    }),
  }),
  { minLength: 1, maxLength: 12 },
)

const someBatch = fc
  .record({
    records: someRecords,
    compression: fc.constantFrom(...compressions),
    timestampType: fc.constantFrom('CreateTime' as const, 'LogAppendTime' as const),
    baseOffset: fc.nat(2 ** 40),
    isIdempotent: fc.boolean(),
  })
  .map(({ records, isIdempotent, ...options }) => {
    const producer = isIdempotent ? { producerId: 9, producerEpoch: 2, baseSequence: 7 } : {}
    // As a pass has it: part of a larger Buffer.
    const built = buildBatch({ leaderEpoch: 3, ...options, ...producer }, records)
    return readBatch(Buffer.concat([Buffer.alloc(9), built]), 9)
  })

const someNewest = fc.record({
  a: fc.nat(14),
  b: fc.nat(14),
  c: fc.nat(14),
})

/** Of each record whether it stays, by the words of the rules alone. */
function model(batch: Batch, newest: Record<string, number>, rules: FilterRules) {
  return shown(batch).filter(({ offset, key, value }) => {
    if (offset >= rules.endOffset) return true
    if (key === null || offset < (newest[key] ?? -1)) return false
    return value !== null || !batch.hasDeleteHorizon || batch.baseTimestamp > rules.nowMs
  })
}

test('what stays of a batch is what the rules say, and all else it said stays as it was', () => {
  fc.assert(
    fc.property(
      someBatch,
      someNewest,
      fc.option(fc.nat(12)),
      fc.boolean(),
      (batch, deltas, bound, keepsHeader) => {
        const newest = Object.fromEntries(
          Object.entries(deltas).map(([key, delta]) => [key, batch.baseOffset + delta]),
        )
        const rules = rulesOf(newest, bound === null ? {} : { endOffset: batch.baseOffset + bound })
        const expected = model(batch, newest, rules)
        const before = Buffer.from(batch.bytes)
        const filtered = filterBatch(batch, { ...plain, keepsHeader }, rules)
        assert.deepEqual(Buffer.from(batch.bytes), before)
        if (expected.length === 0 && !keepsHeader) return assert.equal(filtered.bytes, undefined)
        const left = readBatch(filtered.bytes!)
        assert.ok(isCrcValid(left))
        assert.deepEqual(shown(left), expected)
        for (const field of fields) assert.equal(left[field], batch[field], field)
        assert.equal(filtered.maxTimestamp, left.maxTimestamp)
        const times = expected.map(({ timestamp }) => timestamp)
        if (times.length > 0) assert.equal(left.maxTimestamp, Math.max(...times))
        else assert.equal(left.maxTimestamp, batch.maxTimestamp)
        const hasTombstone = expected.some(({ value }) => value === null)
        assert.equal(left.hasDeleteHorizon, hasTombstone)
        if (hasTombstone) assert.equal(left.baseTimestamp, nowMs + deleteRetentionMs)
        // Once more changes nothing; once the horizon has passed the tombstones go.
        assert.equal(filterBatch(left, { ...plain, keepsHeader }, rules).bytes, left.bytes)
        const later = { ...rules, nowMs: nowMs + deleteRetentionMs }
        const last = filterBatch(left, plain, later).bytes
        const rest = model(left, newest, later)
        assert.deepEqual(last === undefined ? [] : shown(readBatch(last)), rest)
      },
    ),
    { numRuns: 300 },
  )
})

const fields = [
  'baseOffset',
  'lastOffset',
  'partitionLeaderEpoch',
  'timestampType',
  'isTransactional',
  'isControl',
  'producerId',
  'producerEpoch',
  'baseSequence',
  'lastSequence',
] as const

test('a tombstone goes at its horizon, not a millisecond before', () => {
  const records = [{ key: 'a', value: null, timestamp: nowMs - 5000 }]
  const first = filterBatch(readBatch(buildBatch({}, records)), plain, rulesOf({ a: 0 }))
  const at = (time: number) =>
    filterBatch(readBatch(first.bytes!), plain, rulesOf({ a: 0 }, { nowMs: time })).bytes
  assert.deepEqual(at(nowMs + deleteRetentionMs - 1), first.bytes)
  assert.equal(at(nowMs + deleteRetentionMs), undefined)
})

test('delete.retention.ms without bound is a horizon that never comes', () => {
  const batch = readBatch(buildBatch({}, [{ key: 'a', value: null, timestamp: 5 }]))
  const forever = rulesOf({ a: 0 }, { deleteRetentionMs: Number.MAX_SAFE_INTEGER })
  const left = readBatch(filterBatch(batch, plain, forever).bytes!)
  assert.equal(left.baseTimestamp, Number.MAX_SAFE_INTEGER)
  assert.equal(shown(left)[0]!.timestamp, 5)
})

test('a header that stays says the offsets and sequences, and no codec', () => {
  const options = { baseOffset: 40, producerId: 1, producerEpoch: 0, baseSequence: 5 }
  const records = ['a', 'b', 'c'].map(key => ({ key, value: 'x', timestamp: nowMs }))
  const batch = readBatch(buildBatch({ ...options, compression: 'gzip' }, records))
  const fate = { ...plain, discards: true, keepsHeader: true }
  const left = readBatch(filterBatch(batch, fate, rulesOf({})).bytes!)
  assert.equal(left.sizeInBytes, batchHeaderBytes)
  assert.equal(left.compression, 'none')
  assert.deepEqual([left.baseOffset, left.lastOffset, left.lastSequence], [40, 42, 7])
  assert.equal(filterBatch(left, { ...plain, keepsHeader: true }, rulesOf({})).bytes!.length, 61)
  assert.equal(filterBatch(left, plain, rulesOf({})).bytes, undefined)
})

test('a marker of a transaction that left nothing gets a horizon, and goes when it is over', () => {
  const marker = { key: Buffer.from('00000001', 'hex'), value: 'coordinator', timestamp: nowMs }
  const options = { control: true, transactional: true, producerId: 1, producerEpoch: 0 }
  const batch = readBatch(buildBatch(options, [marker]))
  assert.equal(filterBatch(batch, plain, rulesOf({})).bytes, batch.bytes)
  const left = readBatch(filterBatch(batch, { ...plain, isIdleMarker: true }, rulesOf({})).bytes!)
  assert.equal(left.baseTimestamp, nowMs + deleteRetentionMs)
  assert.equal(shown(left)[0]!.timestamp, nowMs)
})

test('each key is shown with its offset, until somebody has had enough', () => {
  const records = ['a', null, 'b', 'a'].map(key => ({ key, value: 'x' }))
  const batch = readBatch(buildBatch({ baseOffset: 10, compression: 'lz4' }, records))
  const seen: string[] = []
  const see = (bytes: Uint8Array, start: number, end: number, offset: number) => {
    seen.push(Buffer.from(bytes.subarray(start, end)).toString() + offset)
    return seen.length < 2
  }
  assert.equal(eachKey(batch, recordBytes(batch, 1000), see), false)
  assert.deepEqual(seen, ['a10', 'b12'])
})

test('records that are damaged are refused, whatever the damage', () => {
  const records = ['a', 'b', 'c'].map(key => ({ key, value: 'some value', timestamp: nowMs }))
  const good = buildBatch({}, records)
  const place = fc.integer({ min: 57, max: good.length - 1 })
  fc.assert(
    fc.property(fc.array(fc.tuple(place, fc.nat(255)), { minLength: 1, maxLength: 4 }), edits => {
      const bytes = Uint8Array.from(good)
      for (const [at, byte] of edits) bytes[at] = byte
      writeCrc(bytes)
      try {
        filterBatch(readBatch(bytes), plain, rulesOf({ a: 1 }))
      } catch (error) {
        assert.ok(error instanceof KafkaError, String(error))
      }
    }),
    { numRuns: 1000 },
  )
})
