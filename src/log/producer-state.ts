/**
 * What a log knows of idempotent producers (KIP-98). Pure.
 *
 * Of each producer id the newest epoch and its last five batches: a client has at most five requests
 * in flight, so a batch that it sends again is one of them, and is answered with the offset it has. A
 * sequence that does not follow the newest one means that a batch between is missing, and is refused.
 * Entries are replaced, never changed: what an append did is undone by putting the old one back.
 */
import { KafkaError } from '../protocol/errors.ts'
import type { Batch } from '../protocol/records/batch.ts'
import type { LastOfProducer } from './cleaned-transactions.ts'

/** How many batches are remembered of each producer: the most that a client has in flight. */
export const rememberedBatches = 5

/** The most producers that one log remembers; beyond it the one heard longest ago is forgotten. */
const maxProducers = 100_000

const maxSequence = 2 ** 31 - 1

/** One remembered batch. */
export interface SequenceRange {
  readonly baseSequence: number
  readonly lastSequence: number
  readonly baseOffset: number
  readonly lastOffset: number
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
const none = new Map<number, ProducerEntry>()

/** The producers of one log. */
export class ProducerState {
  /** In order of the last append. */
  #entries = none
  readonly #expirationMs: number

  constructor(expirationMs: number, entries: Iterable<ProducerEntry> = []) {
    this.#expirationMs = expirationMs
    for (const entry of entries) this.#put(entry)
  }

  get size(): number {
    return this.#entries.size
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

  /** Remembers a checked or stored batch, whose offsets are final. */
  append(batch: Batch, nowMs: number): Undo {
    const { producerId, producerEpoch } = batch
    const before = this.#entries.get(producerId)
    const continues = before !== undefined && before.producerEpoch === producerEpoch
    const range = {
      baseSequence: batch.baseSequence,
      lastSequence: batch.lastSequence,
      baseOffset: batch.baseOffset,
      lastOffset: batch.lastOffset,
    }
    const batches = continues ? [...before.batches.slice(1 - rememberedBatches), range] : [range]
    this.#put({
      producerId,
      producerEpoch,
      batches: batch.isControl ? (continues ? before.batches : []) : batches,
      lastTimestamp: nowMs,
      coordinatorEpoch: before?.coordinatorEpoch ?? -1,
      currentTransactionStartOffset: before?.currentTransactionStartOffset ?? -1,
    })
    return { producerId, before }
  }

  /** Takes the newest append back; several are undone newest first. */
  undo({ producerId, before }: Undo): void {
    this.#entries.delete(producerId)
    if (before !== undefined) this.#put(before)
  }

  /** Forgets producers not heard of for producer.id.expiration.ms, unless a transaction is open. */
  expire(nowMs: number): void {
    for (const entry of this.#entries.values()) {
      if (this.#isExpired(entry, nowMs)) this.#entries.delete(entry.producerId)
    }
  }

  #current(producerId: number, nowMs: number): ProducerEntry | undefined {
    const entry = this.#entries.get(producerId)
    return entry === undefined || this.#isExpired(entry, nowMs) ? undefined : entry
  }

  #isExpired(entry: ProducerEntry, nowMs: number): boolean {
    return (
      entry.currentTransactionStartOffset < 0 && nowMs - entry.lastTimestamp >= this.#expirationMs
    )
  }

  #put(entry: ProducerEntry): void {
    if (this.#entries === none) this.#entries = new Map()
    this.#entries.delete(entry.producerId)
    this.#entries.set(entry.producerId, entry)
    if (this.#entries.size <= maxProducers) return
    for (const oldest of this.#entries.values()) {
      if (oldest.currentTransactionStartOffset >= 0) continue
      this.#entries.delete(oldest.producerId)
      return
    }
  }
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
