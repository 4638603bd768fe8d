import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { simulated } from '../sim/world.ts'
import { batchOf, clean, compacted, recordsFrom } from './compaction-fixture.ts'
import { openDirectory, openLog, startMs } from './fixture.ts'
import { expiredSegments, type SegmentFacts } from './retention.ts'

const nowMs = 1_000_000
const rules = { cleanupDelete: true, retentionMs: 1000, retentionBytes: -1 }
const all = { logStartOffset: 0, highWatermark: Number.MAX_SAFE_INTEGER }

/** Segments of ten offsets and a hundred bytes whose newest records are so old. */
function aged(...agesMs: number[]): SegmentFacts[] {
  return agesMs.map((ageMs, index) => ({
    endOffset: (index + 1) * 10,
    sizeBytes: 100,
    largestTimestampMs: nowMs - ageMs,
  }))
}

test('a segment goes when its newest record is older than retention.ms, not a millisecond before', () => {
  assert.equal(expiredSegments(aged(1001, 1000, 0), rules, all, nowMs), 1)
  assert.equal(expiredSegments(aged(1001, 1000, 0), rules, all, nowMs + 1), 2)
  assert.equal(expiredSegments(aged(1e9, 1e9), { ...rules, retentionMs: -1 }, all, nowMs), 0)
  assert.equal(expiredSegments(aged(1), { ...rules, retentionMs: 0 }, all, nowMs), 1)
})

test('a record from the future keeps its segment, and all that lie behind it', () => {
  assert.equal(expiredSegments(aged(5000, -1e9, 5000), rules, all, nowMs), 1)
  assert.equal(expiredSegments(aged(-1e9, 5000), rules, all, nowMs), 0)
})

test('a record from long ago goes at once, however new it is in the log', () => {
  assert.equal(expiredSegments(aged(0, nowMs), rules, all, nowMs), 0)
  assert.equal(expiredSegments(aged(nowMs, 0), rules, all, nowMs), 1)
})

test('as many segments go as the rest can spare under retention.bytes', () => {
  const bySize = (retentionBytes: number) =>
    expiredSegments(aged(0, 0, 0, 0), { ...rules, retentionBytes }, all, nowMs)
  assert.deepEqual([400, 399, 300, 299, 0].map(bySize), [0, 0, 1, 1, 4])
})

test('where the policy only compacts, only what lies below the log start goes', () => {
  const compacts = { ...rules, cleanupDelete: false, retentionBytes: 0 }
  const start = { ...all, logStartOffset: 25 }
  assert.equal(expiredSegments(aged(1e6, 1e6, 1e6), compacts, start, nowMs), 2)
})

test('an empty segment at the end stays, one before others goes with its time', () => {
  const [first, second] = aged(5000, 5000)
  const empty = { ...first!, sizeBytes: 0 }
  assert.equal(expiredSegments([empty, second!], rules, all, nowMs), 2)
  assert.equal(expiredSegments([empty], rules, all, nowMs), 0)
})

test('whatever the rules, the log start never passes the high watermark', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: -2000, max: 2000 }), { maxLength: 6 }),
      fc.nat(70),
      fc.nat(70),
      fc.integer({ min: -1, max: 700 }),
      (ages, logStartOffset, highWatermark, retentionBytes) => {
        const segments = aged(...ages)
        const bounds = { logStartOffset, highWatermark }
        const count = expiredSegments(segments, { ...rules, retentionBytes }, bounds, nowMs)
        if (count > 0) assert.ok(segments[count - 1]!.endOffset <= highWatermark)
      },
    ),
  )
})

test('a topic that compacts and deletes does both', async () => {
  await simulated().run(async world => {
    const io = world.io()
    const both = { ...compacted, cleanupDelete: true, retentionMs: 60_000 }
    const log = await openLog(await openDirectory(io), both)
    const append = (index: number, timestamp: number) =>
      log.append(batchOf([`k${index % 3}=${'x'.repeat(150)}`], {}, timestamp), 0)
    for (let index = 0; index < 20; index++) append(index, startMs - 120_000)
    for (let index = 20; index < 60; index++) append(index, startMs)
    await log.flush()
    await log.enforceRetention(60, startMs)
    assert.ok(log.logStartOffset >= 16 && log.logStartOffset <= 20)
    const { endOffset } = (await clean(log, io))!
    const offsets = (await recordsFrom(log)).map(text => Number(text.split(':')[0]))
    assert.deepEqual(offsets[0], endOffset - 3)
    await log.enforceRetention(60, startMs + 60_001)
    assert.deepEqual([log.logStartOffset, log.logEndOffset], [60, 60])
  })
})

test('records without timestamps are as old as the last write of their segment, across a start', async () => {
  await simulated().run(async world => {
    const limits = { segmentBytes: 1000, retentionMs: 60_000 }
    const directory = await openDirectory(world.io())
    const log = await openLog(directory, limits)
    for (let index = 0; index < 20; index++) {
      log.append(batchOf([`k=${'x'.repeat(150)}`], {}, -1), 0)
    }
    await log.flush()
    await directory.close([])
    await world.sleep(40_000)
    world.start()
    const again = await openLog(await openDirectory(world.io()), limits)
    await again.enforceRetention(20, world.io().clock.wallMs())
    assert.equal(again.logStartOffset, 0)
    await world.sleep(21_000)
    await again.enforceRetention(20, world.io().clock.wallMs())
    assert.equal(again.logStartOffset, 20)
  })
})
