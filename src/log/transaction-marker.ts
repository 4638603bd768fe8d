/** How transactions end: control batches, and what an aborted one leaves behind (KIP-98). Pure. */
import { int16At } from '../base/bytes.ts'
import type { Batch } from '../protocol/records/batch.ts'
import { recordsOf } from '../protocol/records/records.ts'

/** One line of a transaction index. */
export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Of its marker. */
  readonly lastOffset: number
  /** When it ended, the oldest transaction that was still open began there; without one, the next offset. */
  readonly lastStableOffset: number
}

/** Bytes of a marker's key: int16 version, int16 type. */
const markerKeyBytes = 4

/** A control batch is larger only when it is none. */
export const maxMarkerBytes = 4096

/** What a control batch says; undefined when its record went with compaction, or says something else. */
export function markerOf(batch: Batch): 'abort' | 'commit' | undefined {
  if (batch.recordCount === 0) return undefined
  for (const { key } of recordsOf(batch, maxMarkerBytes)) {
    const type = key !== null && key.length >= markerKeyBytes ? int16At(key, 2) : -1
    return type === 0 ? 'abort' : type === 1 ? 'commit' : undefined
  }
  return undefined
}
