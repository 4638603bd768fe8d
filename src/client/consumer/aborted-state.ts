/**
 * Which batches of one fetch answer are part of aborted transactions (KIP-98).
 *
 * With read_committed a broker stops at the last stable offset, so every transaction in the answer
 * is decided, and lists those that were aborted: producer and first offset. From that offset on the
 * producer's batches are left out, until its abort marker ends them. Batches are to be shown in
 * order, from the first of the answer.
 */
import { int16At } from '../../base/bytes.ts'
import type { Batch } from '../../protocol/records/batch.ts'
import { recordsOf } from '../../protocol/records/records.ts'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

const abortMarker = 0
/** A marker's record has under a hundred bytes; nobody compresses it. */
const maxMarkerBytes = 64 * 1024

export class AbortedTransactions {
  /** Not begun yet, the next one last. */
  readonly #ahead: AbortedTransaction[]
  readonly #open = new Set<number>()

  constructor(listed: readonly AbortedTransaction[]) {
    this.#ahead = [...listed].sort((a, b) => b.firstOffset - a.firstOffset)
  }

  /** Whether the messages of this batch are to be left out. Throws as `recordsOf`. */
  isAborted(batch: Batch): boolean {
    while (this.#ahead.length > 0 && this.#ahead.at(-1)!.firstOffset <= batch.lastOffset) {
      this.#open.add(this.#ahead.pop()!.producerId)
    }
    if (!batch.isControl) return batch.isTransactional && this.#open.has(batch.producerId)
    if (this.#open.has(batch.producerId) && isAbortMarker(batch)) {
      this.#open.delete(batch.producerId)
    }
    return true
  }
}

function isAbortMarker(batch: Batch): boolean {
  for (const { key } of recordsOf(batch, maxMarkerBytes)) {
    if (key !== null && key.length >= 4) return int16At(key, 2) === abortMarker
  }
  return false
}
