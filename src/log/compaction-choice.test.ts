import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type CompactionFacts,
  dirtinessOf,
  groupsOf,
  isWorthCleaning,
} from './compaction-choice.ts'

const maxMs = Number.MAX_SAFE_INTEGER
const rules = { minCleanableRatio: 0.5, minCompactionLagMs: 0, maxCompactionLagMs: maxMs }
const nowMs = 1_000_000

/** Segments of a hundred offsets and a thousand bytes; the last one is active. */
function segmentsOf(count: number, times: readonly number[] = []): CompactionFacts[] {
  return Array.from({ length: count }, (_, index) => ({
    baseOffset: index * 100,
    sizeBytes: 1000,
    indexBytes: 10,
    largestTimestampMs: times[index] ?? 0,
    firstTimestampMs: times[index] ?? -1,
  }))
}

const bounds = {
  cleanedEndOffset: undefined as number | undefined,
  logStartOffset: 0,
  logEndOffset: 450,
  lastStableOffset: 450,
  durableEndOffset: 450,
}

test('everything but the active segment is dirty at first', () => {
  const dirtiness = dirtinessOf(segmentsOf(5), bounds, rules, nowMs)
  assert.deepEqual(dirtiness, {
    firstDirtyOffset: 0,
    endOffset: 400,
    cleanableBytes: 4000,
    ratio: 1,
    isOverdue: false,
  })
  assert.ok(isWorthCleaning(dirtiness, rules))
})

test('what a pass has come to is clean, and half of the rest is not enough', () => {
  const dirtiness = dirtinessOf(segmentsOf(5), { ...bounds, cleanedEndOffset: 200 }, rules, nowMs)
  assert.equal(dirtiness.firstDirtyOffset, 200)
  assert.equal(dirtiness.ratio, 0.5)
  assert.equal(isWorthCleaning(dirtiness, rules), false)
  assert.ok(isWorthCleaning(dirtiness, { ...rules, minCleanableRatio: 0.49 }))
})

test('a pass that ended inside a segment leaves all of it dirty', () => {
  const dirtiness = dirtinessOf(segmentsOf(5), { ...bounds, cleanedEndOffset: 250 }, rules, nowMs)
  assert.equal(dirtiness.cleanableBytes, 2000)
})

test('a checkpoint outside the log counts for nothing', () => {
  for (const cleanedEndOffset of [50, 451]) {
    const start = { ...bounds, logStartOffset: 100, cleanedEndOffset }
    assert.equal(dirtinessOf(segmentsOf(5), start, rules, nowMs).firstDirtyOffset, 100)
  }
})

test('what is not stable or not synced stays', () => {
  const endOf = (changes: object) =>
    dirtinessOf(segmentsOf(5), { ...bounds, ...changes }, rules, nowMs).endOffset
  assert.equal(endOf({ lastStableOffset: 299 }), 200)
  assert.equal(endOf({ lastStableOffset: 300 }), 300)
  assert.equal(endOf({ durableEndOffset: 120 }), 100)
  assert.equal(endOf({ durableEndOffset: 0 }), 0)
})

test('min.compaction.lag.ms keeps from the first young segment on, below the clean part', () => {
  const segments = segmentsOf(5, [0, 990_000, 0, 0])
  const lagged = { ...rules, minCompactionLagMs: 50_000 }
  assert.equal(dirtinessOf(segments, bounds, lagged, nowMs).endOffset, 100)
  assert.equal(
    dirtinessOf(segments, { ...bounds, cleanedEndOffset: 200 }, lagged, nowMs).endOffset,
    400,
  )
})

test('max.compaction.lag.ms makes a log overdue by its oldest dirty batch', () => {
  const segments = segmentsOf(5, [10, 900_000, 950_000, -1])
  const clean = { ...bounds, cleanedEndOffset: 100 }
  const isOverdue = (maxCompactionLagMs: number) =>
    dirtinessOf(segments, clean, { ...rules, maxCompactionLagMs }, nowMs).isOverdue
  assert.equal(isOverdue(99_999), true)
  assert.equal(isOverdue(100_000), false)
  const overdue = dirtinessOf(segments, clean, { ...rules, maxCompactionLagMs: 1 }, nowMs)
  assert.ok(isWorthCleaning(overdue, { ...rules, minCleanableRatio: 1 }))
})

test('a log of one segment has nothing to clean', () => {
  const dirtiness = dirtinessOf(segmentsOf(1), bounds, rules, nowMs)
  assert.equal(dirtiness.cleanableBytes, 0)
  assert.equal(isWorthCleaning(dirtiness, { ...rules, minCleanableRatio: 0 }), false)
})

test('groups take the oldest segments in order, each as large as one segment may be', () => {
  const segment = fc.record({ span: fc.constantFrom(1, 100, 2 ** 30), size: fc.nat(1500) })
  fc.assert(
    fc.property(fc.array(segment, { minLength: 1, maxLength: 12 }), fc.nat(13), (parts, upTo) => {
      let baseOffset = 0
      const segments = parts.map(({ span, size }) => {
        const facts = { ...segmentsOf(1)[0]!, baseOffset, sizeBytes: size, indexBytes: size >> 3 }
        baseOffset += span
        return facts
      })
      const endOffset = segments[upTo]?.baseOffset ?? baseOffset
      const groups = groupsOf(segments, endOffset, { segmentBytes: 2000, segmentIndexBytes: 200 })
      const taken = segments.slice(0, Math.min(upTo, segments.length - 1))
      assert.deepEqual(groups.flat(), taken)
      for (const group of groups.filter(({ length }) => length > 1)) {
        assert.ok(group.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) <= 2000)
        assert.ok(group.reduce((sum, { indexBytes }) => sum + indexBytes, 0) <= 200)
        const next = segments[segments.indexOf(group.at(-1)!) + 1]!
        assert.ok(next.baseOffset - 1 - group[0]!.baseOffset < 2 ** 31)
      }
    }),
  )
})
