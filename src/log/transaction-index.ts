/**
 * `.txnindex` of a segment: the transactions whose abort markers lie in it, in Kafka's form (KIP-98).
 *
 *     int16 version 0, int64 producerId, int64 firstOffset, int64 lastOffset, int64 lastStableOffset
 *
 * Last offsets rise. A segment without such a marker has no file, so that most logs cost nothing. A
 * reader of [from, to) needs the entries that overlap it, of this segment and of later ones, until one
 * whose last stable offset is `to` or above: what ends later begins later.
 *
 * Compaction takes the records of aborted transactions out, and their entries with them.
 */
import { int16At, int64At, isSafeInt64At, setInt64 } from '../base/bytes.ts'
import { IndexBrokenError, type IndexFile } from './index-file.ts'
import type { AbortedTransaction } from './transaction-marker.ts'

export const transactionEntryBytes = 34

/** Where a damaged index stops making sense. */
export interface BadEntry {
  readonly position: number
  readonly what: string
}

/** The entry for a transaction. */
export function encodeAborted(aborted: AbortedTransaction): Uint8Array {
  const bytes = new Uint8Array(transactionEntryBytes)
  setInt64(bytes, 2, aborted.producerId)
  setInt64(bytes, 10, aborted.firstOffset)
  setInt64(bytes, 18, aborted.lastOffset)
  setInt64(bytes, 26, aborted.lastStableOffset)
  return bytes
}

/** All entries of an index, or the first one that makes no sense. */
export function decodeAborted(bytes: Uint8Array): AbortedTransaction[] | BadEntry {
  const found: AbortedTransaction[] = []
  let previous = -1
  for (let position = 0; position < bytes.length; position += transactionEntryBytes) {
    const entry = entryAt(bytes, position)
    if (entry === undefined || entry.lastOffset <= previous) {
      return { position, what: 'an entry makes no sense' }
    }
    previous = entry.lastOffset
    found.push(entry)
  }
  return found
}

function entryAt(bytes: Uint8Array, at: number): AbortedTransaction | undefined {
  if (at + transactionEntryBytes > bytes.length || int16At(bytes, at) !== 0) return undefined
  for (const field of [2, 10, 18, 26]) if (!isSafeInt64At(bytes, at + field)) return undefined
  const producerId = int64At(bytes, at + 2)
  const firstOffset = int64At(bytes, at + 10)
  const lastOffset = int64At(bytes, at + 18)
  const lastStableOffset = int64At(bytes, at + 26)
  const isSound = producerId >= 0 && firstOffset >= 0 && lastOffset >= firstOffset
  if (!isSound || lastStableOffset < 0 || lastStableOffset > lastOffset + 1) return undefined
  return { producerId, firstOffset, lastOffset, lastStableOffset }
}

/** One segment's, over its file. */
export class TransactionIndex {
  readonly file: IndexFile

  constructor(file: IndexFile) {
    this.file = file
  }

  /** Goes to the file at the next `file.write`. */
  append(aborted: AbortedTransaction): void {
    this.file.append(encodeAborted(aborted))
  }

  /** Throws IndexBrokenError. */
  async entries(): Promise<AbortedTransaction[]> {
    const entries = decodeAborted(await this.file.load())
    if ('what' in entries) {
      throw new IndexBrokenError(`${this.file.path}: ${entries.what} at ${entries.position}`)
    }
    return entries
  }

  /** Forgets the transactions whose markers are cut off; true when none is left. */
  async truncate(endOffset: number): Promise<boolean> {
    const entries = await this.entries()
    const left = entries.filter(({ lastOffset }) => lastOffset < endOffset).length
    if (left < entries.length) await this.file.truncate(left)
    return left === 0
  }
}
