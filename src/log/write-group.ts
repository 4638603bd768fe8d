/** What a log's writer takes from its queue for one write. */
import type { Undo } from './producer-state.ts'
import type { Segment } from './segment.ts'
import type { StoredBatch } from './tail-cache.ts'

/** What the writer has to do: without a batch only to begin the segment. */
export interface Waiting {
  readonly batch: StoredBatch | undefined
  readonly segment: Segment
  readonly undo: Undo | undefined
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
