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
  const candidates: Candidate[] = []
  for (const segment of lookup.segments) {
    const largest = await segment.largest(lookup.indexIntervalBytes)
    if (largest !== undefined) candidates.push({ segment, ...largest })
  }
  let best: FoundOffset | undefined
  for (const candidate of candidates.sort(order)) {
    if (best !== undefined && order(best, candidate) < 0) break
    const found = await newestIn(candidate, lookup)
    if (found !== undefined && (best === undefined || order(found, best) < 0)) best = found
  }
  return best
}

/** A segment, and the batch of its largest timestamp. */
interface Candidate {
  readonly segment: Segment
  readonly timestamp: number
  readonly offset: number
}

type Moment = Pick<Candidate, 'timestamp' | 'offset'>

/** Later ones first, of the same time those with smaller offsets. */
function order(a: Moment, b: Moment): number {
  return b.timestamp - a.timestamp || a.offset - b.offset
}

async function newestIn(
  { segment, timestamp, offset }: Candidate,
  lookup: Lookup,
): Promise<FoundOffset | undefined> {
  const { logStartOffset, indexIntervalBytes } = lookup
  const recordAt = async (moment: Moment) => {
    const batch = await segment.find(moment.offset, indexIntervalBytes, () => true)
    return batch && firstRecord(batch, moment.timestamp, lookup)
  }
  const found = offset < logStartOffset ? undefined : await recordAt({ timestamp, offset })
  if (found !== undefined) return found
  // Compaction left only its header, or the log start has passed it: the others are looked at.
  let newest: Moment = { timestamp: -1, offset: -1 }
  let isCut = false
  await segment.eachHeader(logStartOffset, header => {
    const { recordCount, maxTimestamp, baseOffset, lastOffset } = header
    // What the header of a batch says may be of a record below the log start.
    if (baseOffset < logStartOffset) isCut = true
    else if (recordCount > 0 && maxTimestamp > newest.timestamp) {
      newest = { timestamp: maxTimestamp, offset: lastOffset }
    }
  })
  const first = isCut
    ? await segment.find(logStartOffset, indexIntervalBytes, () => true)
    : undefined
  const ofCut = first && newestRecord(first, lookup)
  if (ofCut !== undefined && ofCut.timestamp >= newest.timestamp) return ofCut
  return newest.timestamp < 0 ? undefined : await recordAt(newest)
}

function newestRecord(batch: Batch, lookup: Lookup): FoundOffset | undefined {
  let newest: FoundOffset | undefined
  for (const { offset, timestamp } of recordsOf(batch, lookup.maxDecompressedBytes)) {
    if (offset < lookup.logStartOffset || timestamp <= (newest?.timestamp ?? -1)) continue
    newest = { offset, timestamp, leaderEpoch: batch.partitionLeaderEpoch }
  }
  return newest
}

function firstRecord(batch: Batch, timestampMs: number, lookup: Lookup): FoundOffset | undefined {
  for (const { offset, timestamp } of recordsOf(batch, lookup.maxDecompressedBytes)) {
    if (timestamp >= timestampMs && offset >= lookup.logStartOffset) {
      return { offset, timestamp, leaderEpoch: batch.partitionLeaderEpoch }
    }
  }
  return undefined
}
