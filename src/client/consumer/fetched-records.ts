/**
 * The records of one fetch answer for one partition, walked lazily: framing is checked as they come,
 * for the next fetch has to know where it begins; the rest when they are read.
 */
import { int32At, int64At } from '../../base/bytes.ts'
import { type Batch, batchSizeAt, fieldAt, readBatch } from '../../protocol/records/batch.ts'
import { type AbortedTransaction, AbortedTransactions } from './aborted-state.ts'

export class FetchedRecords {
  /** Behind the last whole batch: where the next fetch begins. */
  readonly endOffset: number
  /** Leader epoch of the last whole batch; −1 without one. */
  readonly endEpoch: number
  /** Why there is no going on at `endOffset`: the bytes there are no batch. */
  readonly damage: unknown
  readonly #bytes: Uint8Array
  readonly #end: number
  readonly #aborted: AbortedTransactions | undefined
  #position = 0

  /** `aborted`: null where nothing is to be left out. */
  constructor(
    bytes: Uint8Array,
    fetchOffset: number,
    aborted: readonly AbortedTransaction[] | null,
  ) {
    this.#bytes = bytes
    this.#aborted = aborted === null ? undefined : new AbortedTransactions(aborted)
    const scanned = scan(bytes, fetchOffset)
    this.endOffset = scanned.endOffset
    this.endEpoch = scanned.endEpoch
    this.damage = scanned.damage
    this.#end = scanned.end
  }

  /** Stored bytes not read yet. */
  get leftBytes(): number {
    return this.#end - this.#position
  }

  /** The next batch; undefined at the end. */
  next(): Batch | undefined {
    if (this.#position >= this.#end) return undefined
    const batch = readBatch(this.#bytes, this.#position)
    this.#position += batch.sizeInBytes
    return batch
  }

  /** Whether the batch has no messages for users; to be asked of each batch in order. */
  isLeftOut(batch: Batch): boolean {
    return this.#aborted === undefined ? batch.isControl : this.#aborted.isAborted(batch)
  }
}

/** Steps over whole batches; the last one may be cut off. */
function scan(bytes: Uint8Array, fetchOffset: number) {
  let end = 0
  let endOffset = fetchOffset
  let endEpoch = -1
  try {
    for (;;) {
      const size = batchSizeAt(bytes, end)
      if (size === undefined || size > bytes.length - end) break
      // It must be one that `next` can read later.
      if (bytes[end + fieldAt.magic] !== 2) readBatch(bytes, end)
      const baseOffset = int64At(bytes, end)
      const lastOffset = baseOffset + int32At(bytes, end + fieldAt.lastOffsetDelta)
      if (!(lastOffset >= baseOffset && lastOffset + 1 >= endOffset)) {
        throw new Error(`it ends at offset ${lastOffset}, where ${endOffset} was to come`)
      }
      endOffset = lastOffset + 1
      endEpoch = int32At(bytes, end + fieldAt.leaderEpoch)
      end += size
    }
    return { end, endOffset, endEpoch, damage: undefined }
  } catch (damage) {
    return { end, endOffset, endEpoch, damage }
  }
}
