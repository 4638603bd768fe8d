/**
 * What a pass of compaction knows of transactions (KIP-98). Pure.
 *
 * Records of an aborted transaction go; a marker stays as long as the pass meets batches of its
 * transaction, and then for delete.retention.ms, as a tombstone does. A pass needs to know at the first
 * batch of a transaction how it ended: `endedTransactions` finds that from the headers beforehand.
 */
import type { Batch } from '../protocol/records/batch.ts'
import { nextSequence } from './producer-state.ts'
import type { BatchFate } from './record-filter.ts'
import { type AbortedTransaction, markerOf } from './transaction-marker.ts'

/** What a pass asks of an aborted one. */
type Aborted = Omit<AbortedTransaction, 'lastStableOffset'>

/** How transactions ended, as far as the log goes. */
export interface EndedTransactions {
  /** In order of first offsets. */
  readonly aborted: readonly Aborted[]
  /** Where the oldest transaction begins that has no end yet; Infinity without one. */
  readonly openOffset: number
}

/** Collects ends of transactions from the batches of a log, in order. */
export class TransactionScan {
  readonly #open = new Map<number, number>()
  readonly #aborted: Aborted[] = []

  /** Of a control batch the records are needed, of all others the header. */
  add(batch: Batch): void {
    const { producerId, baseOffset, lastOffset } = batch
    if (!batch.isTransactional) return
    if (!batch.isControl) {
      if (!this.#open.has(producerId)) this.#open.set(producerId, baseOffset)
      return
    }
    const firstOffset = this.#open.get(producerId)
    this.#open.delete(producerId)
    if (firstOffset === undefined || markerOf(batch) !== 'abort') return
    this.#aborted.push({ producerId, firstOffset, lastOffset })
  }

  end(): EndedTransactions {
    return {
      aborted: this.#aborted.sort((a, b) => a.firstOffset - b.firstOffset),
      openOffset: Math.min(...this.#open.values()),
    }
  }
}

/** What is remembered of a producer's newest batches: these keep its state. */
export interface LastOfProducer {
  /** −1: only a marker is known of it. */
  readonly lastDataOffset: number
  /** The last one that cannot be cut any more, where replicas part; −1: it is not remembered. */
  readonly stableOffset: number
  /** Of the oldest batch that is remembered. */
  readonly firstSequence: number
  readonly producerEpoch: number
}

/** Decides of each batch of a pass, in order. */
export class CleanedTransactions {
  readonly #aborted: readonly Aborted[]
  #next = 0
  /** Aborted and not yet at their markers, and whether a batch of them was met. */
  readonly #underWay = new Map<number, { wasMet: boolean }>()
  readonly #met = new Set<number>()

  constructor(aborted: readonly Aborted[]) {
    this.#aborted = aborted
  }

  /** Whether its records are of no interest: aborted, or a marker of a transaction that left nothing. */
  isIdle(batch: Batch): boolean {
    if (!batch.isTransactional) return false
    this.#reach(batch)
    const { producerId } = batch
    const aborted = this.#underWay.get(producerId)
    if (!batch.isControl) {
      if (aborted === undefined) this.#met.add(producerId)
      else aborted.wasMet = true
      return aborted !== undefined
    }
    switch (markerOf(batch)) {
      case 'abort':
        this.#underWay.delete(producerId)
        return aborted?.wasMet !== true
      case 'commit':
        return !this.#met.delete(producerId)
      case undefined:
        return true // Its records went in an earlier pass.
    }
  }

  /** A pass may begin behind the end of a transaction. */
  #reach({ baseOffset, lastOffset }: Batch): void {
    for (; ; this.#next++) {
      const next = this.#aborted[this.#next]
      if (next === undefined || next.firstOffset > lastOffset) return
      if (next.lastOffset >= baseOffset) this.#underWay.set(next.producerId, { wasMet: false })
    }
  }
}

/**
 * What becomes of a batch: `isIdle` from CleanedTransactions; `isLast`: of the segment that is made;
 * `opensEpoch`: the first one of a leader epoch, from which a follower learns where that began.
 * Kafka's rules, but that it keeps the last header of a pass, not of each segment, of each producer
 * none but the last one, and of each leader epoch none.
 */
export function fateOf(
  batch: Batch,
  facts: { readonly isIdle: boolean; readonly isLast: boolean; readonly opensEpoch?: boolean },
  lastOfProducers: ReadonlyMap<number, LastOfProducer>,
  nowMs: number,
): BatchFate {
  const { isIdle, isLast, opensEpoch = false } = facts
  const isOver = batch.hasDeleteHorizon && batch.baseTimestamp <= nowMs
  return {
    discards: isIdle && (!batch.isControl || isOver),
    keepsHeader: isLast || opensEpoch || isLastOfProducer(batch, lastOfProducers),
    isIdleMarker: isIdle && batch.isControl,
  }
}

function isLastOfProducer(
  batch: Batch,
  lastOfProducers: ReadonlyMap<number, LastOfProducer>,
): boolean {
  const last = batch.producerId < 0 ? undefined : lastOfProducers.get(batch.producerId)
  if (last === undefined) return false
  const isSameEpoch = batch.producerEpoch === last.producerEpoch
  if (last.lastDataOffset < 0) return batch.isControl && isSameEpoch
  if (batch.lastOffset === last.lastDataOffset) return true
  if (last.stableOffset >= 0) return batch.lastOffset === last.stableOffset
  // All that is remembered may be cut: what is left then is the batch before it.
  const { lastSequence } = batch
  return isSameEpoch && lastSequence >= 0 && nextSequence(lastSequence) === last.firstSequence
}
