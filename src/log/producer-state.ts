/**
 * What a log knows of idempotent producers (KIP-98). Pure.
 *
 * Of each producer id the newest epoch and its last five batches: a client has at most five requests
 * in flight, so a batch that it sends again is one of them, and is answered with the offset it has. A
 * sequence that does not follow the newest one means that a batch between is missing, and is refused.
 * Entries are replaced, never changed: what an append did is undone by putting the old one back.
 */
import { isList } from '../base/list.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Batch } from '../protocol/records/batch.ts'
import type { LastOfProducer } from './cleaned-transactions.ts'
import { type AbortedTransaction, markerOf } from './transaction-marker.ts'

/** How many batches are remembered of each producer: the most that a client has in flight. */
export const rememberedBatches = 5

/** The most producers that one log remembers; beyond it the one heard longest ago is forgotten. */
const maxProducers = 100_000

const maxSequence = 2 ** 31 - 1

/** One remembered batch. There may be five for each producer of each log: it holds no more than it must. */
export class SequenceRange {
  readonly lastSequence: number
  readonly lastOffset: number
  readonly #lastOffsetDelta: number

  constructor(lastSequence: number, lastOffset: number, lastOffsetDelta: number) {
    this.lastSequence = lastSequence
    this.lastOffset = lastOffset
    this.#lastOffsetDelta = lastOffsetDelta
  }

  /** Sequences go round at 2³¹, so it may be larger than the last one. */
  get baseSequence(): number {
    return (this.lastSequence - this.#lastOffsetDelta) & maxSequence
  }

  get baseOffset(): number {
    return this.lastOffset - this.#lastOffsetDelta
  }
}

export interface ProducerEntry {
  readonly producerId: number
  readonly producerEpoch: number
  /** Oldest first; empty for an epoch that only a transaction marker has brought. */
  readonly batches: readonly SequenceRange[]
  /** Wall time of the last append; expiry counts from it. */
  readonly lastTimestamp: number
  /** Epoch of the coordinator that wrote the last transaction marker, −1 without one. */
  readonly coordinatorEpoch: number
  /** Start of the open transaction, −1 without one. */
  readonly currentTransactionStartOffset: number
}

/** What people are told of a producer. */
export interface ActiveProducer {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  /** −1: no open transaction. */
  readonly currentTransactionStartOffset: number
}

/** Puts back what an append replaced. */
export interface Undo {
  readonly producerId: number
  readonly before: ProducerEntry | undefined
}

/** Of logs without any, which are many; nothing is put into it. */
const none: ProducerEntry[] = []

/** So many are held in an array: a Map takes as much as all else that is known of one. */
const few = 4

/** The producers of one log. */
export class ProducerState {
  /** In order of the last append. */
  #entries: ProducerEntry[] | Map<number, ProducerEntry> = none
  /** Where the transaction of a producer began; undefined: none was ever open here. */
  #open: Map<number, number> | undefined
  readonly #expirationMs: number

  constructor(expirationMs: number, entries: Iterable<ProducerEntry> = []) {
    this.#expirationMs = expirationMs
    for (const entry of entries) this.#put(entry)
  }

  get size(): number {
    return isList(this.#entries) ? this.#entries.length : this.#entries.size
  }

  entries(): Iterable<ProducerEntry> {
    return this.#entries.values()
  }

  active(): ActiveProducer[] {
    return [...this.#entries.values()].map(({ batches, ...producer }) => ({
      ...producer,
      lastSequence: batches.at(-1)?.lastSequence ?? -1,
    }))
  }

  /** Of each producer what compaction has to keep a header of; nothing below the end will be cut. */
  lastBatches(stableEndOffset: number): Map<number, LastOfProducer> {
    const last = [...this.#entries.values()].map(({ producerId, producerEpoch, batches }) => {
      const stable = batches.findLast(({ lastOffset }) => lastOffset < stableEndOffset)
      const lastDataOffset = batches.at(-1)?.lastOffset ?? -1
      const stableOffset = stable?.lastOffset ?? -1
      const firstSequence = batches[0]?.baseSequence ?? -1
      return [producerId, { lastDataOffset, stableOffset, firstSequence, producerEpoch }] as const
    })
    return new Map(last)
  }

  /**
   * The remembered batch that this one repeats, else undefined. Throws INVALID_PRODUCER_EPOCH for an
   * epoch older than the known one, OUT_OF_ORDER_SEQUENCE_NUMBER for a sequence that does not follow.
   */
  check(batch: Batch, nowMs: number): SequenceRange | undefined {
    const { producerId, producerEpoch, baseSequence, lastSequence } = batch
    const entry = this.#current(producerId, nowMs)
    if (entry === undefined) return undefined // Nothing is known of it: any sequence may come.
    if (producerEpoch < entry.producerEpoch) {
      throw new KafkaError(
        'INVALID_PRODUCER_EPOCH',
        `producer ${producerId} has epoch ${entry.producerEpoch}, not ${producerEpoch}`,
      )
    }
    if (producerEpoch > entry.producerEpoch) {
      if (baseSequence === 0) return undefined
      throw outOfOrder(batch, `epoch ${producerEpoch} has to begin with 0`)
    }
    const repeated = entry.batches.find(
      known => known.baseSequence === baseSequence && known.lastSequence === lastSequence,
    )
    if (repeated !== undefined) return repeated
    const newest = entry.batches.at(-1)
    const next = newest === undefined ? 0 : nextSequence(newest.lastSequence)
    if (baseSequence !== next) throw outOfOrder(batch, `${next} comes next`)
    return undefined
  }

  /** Whether there were ever any, as far as this knows. */
  get hasTransactions(): boolean {
    return this.#open !== undefined
  }

  /** Where the oldest open transaction begins; Infinity without one. */
  get openOffset(): number {
    return this.#open === undefined ? Number.POSITIVE_INFINITY : oldest(this.#open)
  }

  /** What a batch ends that is about to be appended: of one that may be an abort marker all is needed. */
  abortedBy(batch: Batch): AbortedTransaction | undefined {
    const { producerId, lastOffset, isControl } = batch
    const firstOffset = isControl ? this.#open?.get(producerId) : undefined
    if (firstOffset === undefined || markerOf(batch) !== 'abort') return undefined
    const others = new Map(this.#open)
    others.delete(producerId)
    const lastStableOffset = Math.min(oldest(others), lastOffset + 1)
    return { producerId, firstOffset, lastOffset, lastStableOffset }
  }

  /** Remembers a checked or stored batch, whose offsets are final. */
  append(batch: Batch, nowMs: number): Undo {
    const { producerId, producerEpoch } = batch
    const before = this.#entry(producerId)
    const continues = before !== undefined && before.producerEpoch === producerEpoch
    const range = new SequenceRange(batch.lastSequence, batch.lastOffset, batch.lastOffsetDelta)
    const openOffset = before?.currentTransactionStartOffset ?? -1
    const begun = openOffset < 0 && batch.isTransactional ? batch.baseOffset : openOffset
    const batches = continues ? before.batches.slice(1 - rememberedBatches).concat(range) : [range]
    this.#put({
      producerId,
      producerEpoch,
      batches: batch.isControl ? (continues ? before.batches : []) : batches,
      lastTimestamp: nowMs,
      coordinatorEpoch: before?.coordinatorEpoch ?? -1,
      currentTransactionStartOffset: batch.isControl ? -1 : begun,
    })
    return { producerId, before }
  }

  /** Takes the newest append back; several are undone newest first. */
  undo({ producerId, before }: Undo): void {
    this.#delete(producerId)
    if (before !== undefined) this.#put(before)
  }

  /** Forgets producers not heard of for producer.id.expiration.ms, unless a transaction is open. */
  expire(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (this.#isExpired(entry, nowMs)) this.#delete(entry.producerId)
    }
  }

  #current(producerId: number, nowMs: number): ProducerEntry | undefined {
    const entry = this.#entry(producerId)
    return entry === undefined || this.#isExpired(entry, nowMs) ? undefined : entry
  }

  #isExpired(entry: ProducerEntry, nowMs: number): boolean {
    return (
      entry.currentTransactionStartOffset < 0 && nowMs - entry.lastTimestamp >= this.#expirationMs
    )
  }

  #entry(producerId: number): ProducerEntry | undefined {
    const entries = this.#entries
    if (isList(entries)) return entries.find(entry => entry.producerId === producerId)
    return entries.get(producerId)
  }

  #delete(producerId: number): void {
    this.#open?.delete(producerId)
    const entries = this.#entries
    if (!isList(entries)) entries.delete(producerId)
    else this.#entries = entries.filter(entry => entry.producerId !== producerId)
  }

  #put(entry: ProducerEntry): void {
    const { producerId, currentTransactionStartOffset: openOffset } = entry
    if (openOffset < 0) this.#open?.delete(producerId)
    else (this.#open ??= new Map()).set(producerId, openOffset)
    const entries = this.#entries
    if (!isList(entries)) {
      entries.delete(producerId)
      entries.set(producerId, entry)
      this.#forgetOldest(entries)
    } else if (entries.at(-1)?.producerId === producerId) entries[entries.length - 1] = entry
    else {
      const others = entries.filter(other => other.producerId !== producerId)
      // Not spread nor pushed: that makes room for sixteen more.
      if (others.length < few) this.#entries = others.concat(entry)
      else this.#entries = new Map([...others, entry].map(each => [each.producerId, each]))
    }
  }

  #forgetOldest(entries: Map<number, ProducerEntry>): void {
    if (entries.size <= maxProducers) return
    for (const entry of entries.values()) {
      if (entry.currentTransactionStartOffset >= 0) continue
      entries.delete(entry.producerId)
      return
    }
  }
}

function oldest(open: ReadonlyMap<number, number>): number {
  return Math.min(...open.values())
}

/** Sequences go round: 0 follows 2³¹ − 1. */
export function nextSequence(sequence: number): number {
  return sequence === maxSequence ? 0 : sequence + 1
}

function outOfOrder(batch: Batch, why: string): KafkaError {
  return new KafkaError(
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    `producer ${batch.producerId} sent sequence ${batch.baseSequence}: ${why}`,
  )
}
