/** Offsets by timestamp, exact to the record: what ListOffsets asks for. */
import type { Batch } from '../protocol/records/batch.ts'
import { recordsOf } from '../protocol/records/records.ts'
import type { Segment } from './segment.ts'

export interface FoundOffset {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

export interface Lookup {
  /** Oldest first. */
  readonly segments: readonly Segment[]
  readonly logStartOffset: number
  readonly indexIntervalBytes: number
  /** A batch may expand to so much. */
  readonly maxDecompressedBytes: number
}

/** The first record from the log start on with `timestampMs` or a later timestamp. */
export async function findByTimestamp(
  timestampMs: number,
  lookup: Lookup,
): Promise<FoundOffset | undefined> {
  const { logStartOffset, indexIntervalBytes } = lookup
  for (const segment of lookup.segments) {
    const largest = await segment.largest(indexIntervalBytes)
    if (largest === undefined || largest.timestamp < timestampMs) continue
    const before = await segment.offsetBefore(timestampMs, indexIntervalBytes)
    for (let from = Math.max(logStartOffset, before); ; ) {
      const isLateEnough = (header: Batch) => header.maxTimestamp >= timestampMs
      const batch = await segment.find(from, indexIntervalBytes, isLateEnough)
      if (batch === undefined) break
      const found = firstRecord(batch, timestampMs, lookup)
      if (found !== undefined) return found
      from = batch.lastOffset + 1
    }
  }
  return undefined
}

/** The record with the largest timestamp, the first of several (KIP-734). */
export async function findMaxTimestamp(lookup: Lookup): Promise<FoundOffset | undefined> {
  const { logStartOffset, indexIntervalBytes } = lookup
  let best: { segment: Segment; timestamp: number; offset: number } | undefined
  for (const segment of lookup.segments) {
    const largest = await segment.largest(indexIntervalBytes)
    if (largest === undefined || largest.offset < logStartOffset) continue
    if (best === undefined || largest.timestamp > best.timestamp) best = { segment, ...largest }
  }
  const batch = await best?.segment.find(best.offset, indexIntervalBytes, () => true)
  return batch && firstRecord(batch, best!.timestamp, lookup)
}

function firstRecord(batch: Batch, timestampMs: number, lookup: Lookup): FoundOffset | undefined {
  for (const { offset, timestamp } of recordsOf(batch, lookup.maxDecompressedBytes)) {
    if (timestamp >= timestampMs && offset >= lookup.logStartOffset) {
      return { offset, timestamp, leaderEpoch: batch.partitionLeaderEpoch }
    }
  }
  return undefined
}
