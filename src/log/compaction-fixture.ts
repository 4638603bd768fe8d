/** What the tests of compaction share: batches with keys, a log's records, means of a pass. */
import assert from 'node:assert/strict'
import type { LogConfig } from '../config/log-config.ts'
import type { Io } from '../io/io.ts'
import { type Batch, batches, isCrcValid } from '../protocol/records/batch.ts'
import { type BuildOptions, buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import type { CompactionMeans } from './compaction-pass.ts'
import { config, startMs } from './fixture.ts'
import type { Log } from './log.ts'
import { Pace } from './pace.ts'

/** Small segments, compacted whenever something is dirty. */
export const compacted: LogConfig = {
  ...config,
  cleanupDelete: false,
  cleanupCompact: true,
  minCleanableRatio: 0,
  deleteRetentionMs: 1000,
  segmentBytes: 1000,
  indexIntervalBytes: 150,
  segmentIndexBytes: 1000,
  fileDeleteDelayMs: 50,
}

/** `a=1` is a record of key a and value 1, `a` a tombstone. */
export function batchOf(
  records: readonly string[],
  options: BuildOptions = {},
  timestamp = startMs,
): Uint8Array {
  return buildBatch(
    options,
    records.map(text => {
      const [key, value] = text.split('=')
      return { key: key!, value: value ?? null, timestamp }
    }),
  )
}

export function meansOf(io: Io, changes: Partial<CompactionMeans> = {}): CompactionMeans {
  const pace = new Pace(io.clock, () => Number.MAX_VALUE)
  return { mapBytes: 24_000, loadFactor: 0.9, bufferBytes: 512, pace, ...changes }
}

/** One pass over all that may be cleaned. */
export async function clean(log: Log, io: Io, changes: Partial<CompactionMeans> = {}) {
  await log.flush()
  return await log.compaction.clean(log.writtenEndOffset, meansOf(io, changes))
}

/** The batches from the log start to the end of what is written, read in pieces of `maxBytes`. */
export async function batchesOf(log: Log, maxBytes = 700): Promise<Batch[]> {
  const found: Batch[] = []
  let next = log.logStartOffset
  while (next < log.writtenEndOffset) {
    const { chunks } = await log.read(next, log.writtenEndOffset, maxBytes, true)
    assert.ok(chunks.length > 0, `nothing at ${next}`)
    for (const chunk of chunks) {
      for (const batch of batches(chunk)) {
        assert.ok(isCrcValid(batch) && batch.lastOffset >= next, `a good batch at ${next}`)
        found.push(batch)
        next = batch.lastOffset + 1
      }
    }
  }
  return found
}

/** A simulated disk. */
interface Files {
  paths(): string[]
  content(path: string): Uint8Array | undefined
}

/** The segment files follow one another: each holds offsets below the next one's base, and rising. */
export function checkFiles(disk: Files): void {
  const paths = disk.paths().filter(path => path.endsWith('.log'))
  assert.deepEqual(
    disk.paths().filter(path => /swap|cleaned/.test(path)),
    [],
  )
  let next = 0
  for (const [index, path] of paths.entries()) {
    const base = Number(path.slice(-24, -4))
    assert.ok(base >= next, `${path} begins below ${next}`)
    for (const batch of batches(disk.content(path)!, { partialTail: 'ignored' })) {
      assert.ok(batch.baseOffset >= next, `${path}: ${batch.baseOffset} after ${next}`)
      next = batch.lastOffset + 1
    }
    if (index < paths.length - 1) assert.ok(next > base, `${path} is empty`)
  }
}

/** All records from the log start on, as `offset:key=value`. */
export async function recordsFrom(log: Log, maxBytes?: number): Promise<string[]> {
  const found = await batchesOf(log, maxBytes)
  return found
    .flatMap(batch => [...recordsOf(batch, 1e6)])
    .filter(({ offset }) => offset >= log.logStartOffset)
    .map(({ offset, key, value }) => `${offset}:${textOf(key)}${value ? `=${textOf(value)}` : ''}`)
}

function textOf(bytes: Uint8Array | null): string {
  return Buffer.from(bytes ?? []).toString()
}
