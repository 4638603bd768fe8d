/** Which of the oldest segments cleanup.policy=delete takes. */
import type { LogConfig } from '../config/log-config.ts'
import { type Segment, SegmentRetiredError } from './segment.ts'

export interface SegmentFacts {
  /** Exclusive. */
  readonly endOffset: number
  readonly sizeBytes: number
  readonly largestTimestampMs: number
}

/** What retention looks at; `ends` are those of the segments as they were when it began to look. */
export async function segmentFacts(
  segments: readonly Segment[],
  ends: readonly number[],
  indexIntervalBytes: number,
): Promise<SegmentFacts[]> {
  const facts: SegmentFacts[] = []
  const sizes = segments.map(({ size }) => size)
  for (const [index, segment] of segments.entries()) {
    // One that compaction replaces meanwhile is looked at the next time.
    const largest = await segment.largest(indexIntervalBytes).catch(error => {
      if (!(error instanceof SegmentRetiredError)) throw error
    })
    const largestTimestampMs = largest?.timestamp ?? segment.createdMs
    facts.push({ endOffset: ends[index]!, sizeBytes: sizes[index]!, largestTimestampMs })
  }
  return facts
}

/**
 * How many of the oldest segments go: those below `logStartOffset`; with delete also those whose
 * newest record is older than retention.ms, and as many as the rest can spare under retention.bytes.
 * None reaches above the high watermark, and an empty one, which marks the end, stays.
 */
export function expiredSegments(
  segments: readonly SegmentFacts[],
  config: Pick<LogConfig, 'cleanupDelete' | 'retentionMs' | 'retentionBytes'>,
  bounds: { readonly logStartOffset: number; readonly highWatermark: number },
  nowMs: number,
): number {
  const { cleanupDelete, retentionMs, retentionBytes } = config
  let surplusBytes = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) - retentionBytes
  let count = 0
  for (const [index, { endOffset, sizeBytes, largestTimestampMs }] of segments.entries()) {
    const isTooOld = retentionMs >= 0 && nowMs - largestTimestampMs > retentionMs
    const isSurplus = retentionBytes >= 0 && surplusBytes >= sizeBytes
    const isBelowStart = endOffset <= bounds.logStartOffset
    const isExpired = isBelowStart || (cleanupDelete && (isTooOld || isSurplus))
    const isEnd = sizeBytes === 0 && index === segments.length - 1
    if (endOffset > bounds.highWatermark || isEnd || !isExpired) break
    surplusBytes -= sizeBytes
    count++
  }
  return count
}
