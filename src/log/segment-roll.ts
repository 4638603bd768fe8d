/** When the next batch begins a new segment: Kafka's rules. Pure. */
import type { LogConfig } from '../config/log-config.ts'

/** The active segment, with what waits to be written. */
export interface ActiveSegment {
  readonly baseOffset: number
  readonly plannedSize: number
  /** The largest of its first batch; −1 without one. */
  readonly plannedFirstTimestamp: number
  readonly createdMs: number
  readonly rollJitterMs: number
  isIndexFull(segmentIndexBytes: number): boolean
}

/** What is to be appended. */
export interface NextBatches {
  readonly bytes: number
  readonly maxTimestamp: number
  readonly lastOffset: number
}

/** By size, by the time that the records span, when an index is full, at offset 2³¹. */
export function isFullFor(
  active: ActiveSegment,
  { bytes, maxTimestamp, lastOffset }: NextBatches,
  config: LogConfig,
  nowMs: number,
): boolean {
  const { plannedSize: size, plannedFirstTimestamp: firstTimestamp } = active
  if (size === 0) return false
  const spanMs = firstTimestamp >= 0 ? maxTimestamp - firstTimestamp : nowMs - active.createdMs
  return (
    size + bytes > config.segmentBytes ||
    spanMs > segmentSpanMs(config) - active.rollJitterMs ||
    active.isIndexFull(config.segmentIndexBytes) ||
    lastOffset - active.baseOffset > 0x7fffffff
  )
}

/** What waits to be compacted must not wait longer in the active segment, which never is. */
function segmentSpanMs({ cleanupCompact, segmentMs, maxCompactionLagMs }: LogConfig): number {
  return cleanupCompact ? Math.min(segmentMs, maxCompactionLagMs) : segmentMs
}
