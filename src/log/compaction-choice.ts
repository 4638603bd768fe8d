/**
 * What of a log can be compacted, whether that is worth the work, and which segments become one. Pure.
 *
 *     log start … first dirty … first uncleanable … end
 *        clean         dirty         stays as it is
 *
 * As Kafka: nothing of the active segment, at or above the last stable offset (at most the high
 * watermark), or younger than min.compaction.lag.ms; besides, only what is synced, for the new files
 * replace the old ones.
 */

/** A segment that is not written any more, or the active one, which comes last. */
export interface CompactionFacts {
  readonly baseOffset: number
  readonly sizeBytes: number
  /** Of both index files, the larger. */
  readonly indexBytes: number
  /** Largest timestamp; asked for min.compaction.lag.ms only. */
  readonly largestTimestampMs: number
  /** Of the first batch, −1 without one; asked for max.compaction.lag.ms only. */
  readonly firstTimestampMs: number
}

/** Bounds that change while the broker works. */
export interface CompactionBounds {
  /** Below it a pass has come; undefined: none ever. */
  readonly cleanedEndOffset: number | undefined
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly lastStableOffset: number
  readonly durableEndOffset: number
}

/** min.cleanable.dirty.ratio, and the lags; the largest safe integer is "no bound" of the max. */
export interface CompactionRules {
  readonly minCleanableRatio: number
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
}

export interface Dirtiness {
  readonly firstDirtyOffset: number
  /** Exclusive end of what can be cleaned: the base of a segment. */
  readonly endOffset: number
  readonly cleanableBytes: number
  /** Of the bytes up to the end, those that are dirty. */
  readonly ratio: number
  /** max.compaction.lag.ms: records wait longer than they may. */
  readonly isOverdue: boolean
}

/** How dirty the log is; the active segment is the last one. */
export function dirtinessOf(
  segments: readonly CompactionFacts[],
  bounds: CompactionBounds,
  rules: CompactionRules,
  nowMs: number,
): Dirtiness {
  const { logStartOffset, logEndOffset, cleanedEndOffset = logStartOffset } = bounds
  const isKnown = cleanedEndOffset >= logStartOffset && cleanedEndOffset <= logEndOffset
  const firstDirtyOffset = isKnown ? cleanedEndOffset : logStartOffset
  const end = uncleanableFrom(segments, firstDirtyOffset, bounds, rules, nowMs)
  let bytes = 0
  let cleanableBytes = 0
  let oldestMs = Number.POSITIVE_INFINITY
  for (const [index, segment] of segments.slice(0, end).entries()) {
    const endOffset = segments[index + 1]!.baseOffset
    bytes += segment.sizeBytes
    if (endOffset <= firstDirtyOffset) continue
    cleanableBytes += segment.sizeBytes
    if (segment.firstTimestampMs >= 0) oldestMs = Math.min(oldestMs, segment.firstTimestampMs)
  }
  return {
    firstDirtyOffset,
    endOffset: Math.max(firstDirtyOffset, segments[end]?.baseOffset ?? firstDirtyOffset),
    cleanableBytes,
    ratio: bytes === 0 ? 0 : cleanableBytes / bytes,
    isOverdue: oldestMs < nowMs - rules.maxCompactionLagMs,
  }
}

/** The index of the first segment that stays as it is. */
function uncleanableFrom(
  segments: readonly CompactionFacts[],
  firstDirtyOffset: number,
  { lastStableOffset, durableEndOffset }: CompactionBounds,
  { minCompactionLagMs }: CompactionRules,
  nowMs: number,
): number {
  const stable = Math.min(lastStableOffset, durableEndOffset)
  const active = segments.length - 1
  const found = segments.slice(0, active).findIndex((segment, index) => {
    const endOffset = segments[index + 1]!.baseOffset
    const isYoung = segment.largestTimestampMs > nowMs - minCompactionLagMs
    const isDirty = endOffset > firstDirtyOffset
    return endOffset > stable || (minCompactionLagMs > 0 && isDirty && isYoung)
  })
  return found === -1 ? Math.max(0, active) : found
}

/** min.cleanable.dirty.ratio, or the lag. */
export function isWorthCleaning(dirtiness: Dirtiness, { minCleanableRatio }: CompactionRules) {
  const { cleanableBytes, ratio, isOverdue } = dirtiness
  return cleanableBytes > 0 && (isOverdue || ratio > minCleanableRatio)
}

/** How large a segment may become, indexes included. */
export interface GroupLimits {
  readonly segmentBytes: number
  readonly segmentIndexBytes: number
}

/**
 * The segments from the oldest up to `endOffset` in groups, each to become one segment of the first
 * one's base offset. What was cleaned before is smaller than it was, so neighbours are put together.
 */
export function groupsOf<T extends CompactionFacts>(
  segments: readonly T[],
  endOffset: number,
  { segmentBytes, segmentIndexBytes }: GroupLimits,
): T[][] {
  const groups: T[][] = []
  let bytes = 0
  let indexBytes = 0
  for (const [index, segment] of segments.entries()) {
    const next = segments[index + 1]
    if (segment.baseOffset >= endOffset || next === undefined) break
    const group = groups.at(-1)
    bytes += segment.sizeBytes
    indexBytes += segment.indexBytes
    const fits =
      group !== undefined &&
      bytes <= segmentBytes &&
      indexBytes <= segmentIndexBytes &&
      next.baseOffset - 1 - group[0]!.baseOffset <= 0x7fffffff
    if (fits) group.push(segment)
    else {
      groups.push([segment])
      bytes = segment.sizeBytes
      indexBytes = segment.indexBytes
    }
  }
  return groups
}
