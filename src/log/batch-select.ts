/**
 * Which batches of a stretch of a segment answer a read.
 *
 * A batch is told apart from damage by its neighbours as well, for the CRC does not cover its offset:
 * it is given out only when it begins behind the one before it and the next one begins behind it, or
 * nothing follows. Straight from the bytes: a read of small batches comes here a thousand times per
 * megabyte.
 */
import { int32At, int64At, uint32At } from '../base/bytes.ts'
import { batchHeaderBytes, batchOverheadBytes, fieldAt } from '../protocol/records/batch.ts'

/** What is asked for. */
export interface WantedBatches {
  readonly offset: number
  /** Exclusive. */
  readonly end: number
  readonly maxBytes: number
  /** The first batch also when it is larger than `maxBytes`. */
  readonly atLeastOneBatch: boolean
}

/** A stretch in memory that begins with a batch. */
export interface Stretch {
  readonly bytes: Uint8Array
  /** Its batches begin at or behind this offset. */
  readonly baseOffset: number
  /** Nothing follows it: the segment ends there, or damage begins. */
  readonly isEnd: boolean
}

/** From `start` to `end` of the stretch; or nothing, and the stretch has to begin elsewhere. */
export interface Selection {
  /** The first batch that is wanted; −1: none begins here, and `skipped` bytes can be passed over. */
  readonly start: number
  readonly end: number
  readonly skipped: number
  /** Bytes of the first batch when it does not end, or nothing behind it begins, in the stretch. */
  readonly firstSize: number
  /** What comes behind the skipped bytes, or behind `end`, has this offset or a larger one. */
  readonly nextOffset: number
}

/** No batch begins there that could follow the one before it. */
export class NoBatchError extends Error {
  override readonly name = 'NoBatchError'
  /** In the stretch. */
  readonly at: number

  constructor(at: number) {
    super(`no batch at ${at}`)
    this.at = at
  }
}

/** The batches of `stretch` that are wanted. Throws NoBatchError. */
export function selectBatches(stretch: Stretch, wanted: WantedBatches): Selection {
  const { bytes, isEnd } = stretch
  let start = -1
  let at = 0
  let confirmed = 0
  let confirmedOffset = 0
  let nextOffset = stretch.baseOffset
  while (at + batchHeaderBytes <= bytes.length) {
    const { size, baseOffset, lastOffset } = headerAt(bytes, at, nextOffset)
    confirmed = at
    confirmedOffset = nextOffset
    if (start < 0 && lastOffset < wanted.offset) {
      at += size
      nextOffset = lastOffset + 1
      continue
    }
    const isFirst = start < 0
    if (isFirst) start = at
    const isTooLarge = at + size - start > wanted.maxBytes && !(isFirst && wanted.atLeastOneBatch)
    if (lastOffset >= wanted.end || isTooLarge) return selected(start, at, nextOffset)
    if (at + size > bytes.length) {
      return isFirst ? unseen(at, size, baseOffset) : selected(start, at, nextOffset)
    }
    at += size
    nextOffset = lastOffset + 1
  }
  if (isEnd && at !== bytes.length) throw new NoBatchError(at)
  if (start < 0) return unseen(at, 0, nextOffset)
  if (isEnd && at === bytes.length) return selected(start, at, nextOffset)
  return confirmed > start
    ? selected(start, confirmed, confirmedOffset)
    : unseen(start, at - start, int64At(bytes, start + fieldAt.baseOffset))
}

function selected(start: number, end: number, nextOffset: number): Selection {
  return { start, end, skipped: 0, firstSize: 0, nextOffset }
}

function unseen(skipped: number, firstSize: number, nextOffset: number): Selection {
  return { start: -1, end: -1, skipped, firstSize, nextOffset }
}

/** The last offset of the batch at the beginning; undefined when it is cut short. */
export function lastOffsetOf(bytes: Uint8Array): number | undefined {
  if (bytes.length < batchHeaderBytes) return undefined
  return int64At(bytes, fieldAt.baseOffset) + int32At(bytes, fieldAt.lastOffsetDelta)
}

function headerAt(
  bytes: Uint8Array,
  at: number,
  nextOffset: number,
): { size: number; baseOffset: number; lastOffset: number } {
  const baseOffset = int64At(bytes, at + fieldAt.baseOffset)
  const delta = int32At(bytes, at + fieldAt.lastOffsetDelta)
  const size = batchOverheadBytes + uint32At(bytes, at + fieldAt.length)
  const isBatch =
    bytes[at + fieldAt.magic] === 2 &&
    delta >= 0 &&
    size >= batchHeaderBytes &&
    baseOffset >= nextOffset
  if (!isBatch) throw new NoBatchError(at)
  return { size, baseOffset, lastOffset: baseOffset + delta }
}
