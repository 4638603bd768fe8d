/** What appends leave to a log's writer, and what it takes from its queue for one write. */
import type { Undo } from './producer-state.ts'
import type { Segment } from './segment.ts'
import type { StoredBatch } from './tail-cache.ts'
import type { AbortedTransaction } from './transaction-marker.ts'

/** Where an append landed. A duplicate is answered with the offsets of the original (KIP-98). */
export interface Appended {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** −1 with CreateTime. */
  readonly logAppendTimeMs: number
  readonly duplicate: boolean
}

/** What the writer has to do: without a batch only to begin the segment. */
export interface Waiting {
  readonly batch: StoredBatch | undefined
  readonly segment: Segment
  readonly undo: Undo | undefined
  /** What the batch aborts. */
  readonly aborted?: AbortedTransaction | undefined
}

/** Where the first transaction began that is aborted by what waits; Infinity without one. */
export function abortedFrom(queue: readonly Waiting[]): number {
  return Math.min(...queue.map(({ aborted }) => aborted?.firstOffset ?? Number.POSITIVE_INFINITY))
}

/** They are written, or never will be: the memory of their batches may be used again. */
export function release(written: readonly Waiting[]): void {
  for (const { batch } of written) batch?.slab?.release()
}

const maxGroupBatches = 1024
const maxGroupBytes = 16 * 1024 * 1024

/** From the front of the queue, what goes into one segment with one call. */
export function takeGroup(queue: Waiting[]): Waiting[] {
  const { segment } = queue[0]!
  let count = 0
  let bytes = 0
  for (const next of queue) {
    bytes += next.batch?.bytes.length ?? 0
    const isTooMuch = count === maxGroupBatches || (count > 0 && bytes > maxGroupBytes)
    if (next.segment !== segment || isTooMuch) break
    count++
  }
  return queue.splice(0, count)
}
