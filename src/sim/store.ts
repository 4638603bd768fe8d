/**
 * The metadata store of a simulated world: one linearizable model, reached over a delay.
 *
 * A request takes effect at one moment between its start and its answer. It may take effect though
 * the process that sent it is dead by then: a store does not know.
 */

import {
  type Compare,
  type KeyRange,
  type Lease,
  type MetadataStore,
  type Op,
  StoreUnavailableError,
  type Watch,
  type WatchSink,
} from '../io/io.ts'
import { leaseId, StoreModel, type StoreModelOptions } from '../io/store-model.ts'
import { StoreWatches } from '../io/store-watches.ts'
import type { Event, EventQueue } from './events.ts'
import type { Prng } from './random.ts'

/** How a request goes unanswered: it never arrives, took effect, or takes effect after the refusal. */
export type StoreFault = 'lost' | 'answer lost' | 'late'

/** The store, as the test sees it. */
export class SimulatedStore {
  /** Bounds of the time of one way to the store, of the lag of a watch, of an expiry's lateness. */
  delayMs = { min: 0.1, max: 2 }
  watchLagMs = { min: 0.1, max: 5 }
  expiryLateMs = { min: 0, max: 500 }
  /** Makes a request (get, txn, grant, keepAlive, revoke) end as StoreUnavailableError. */
  fault: ((kind: string) => StoreFault | undefined) | undefined
  readonly #events: EventQueue
  readonly #random: Prng
  readonly #watches: StoreWatches
  readonly #model: StoreModel
  #expiry: Event | undefined

  constructor(events: EventQueue, random: Prng, options: StoreModelOptions = { minTtlMs: 2000 }) {
    this.#events = events
    this.#random = random
    this.#model = new StoreModel(options)
    this.#watches = new StoreWatches(this.#model, deliver => this.#after(this.watchLagMs, deliver))
  }

  /** The store as one process has it; nothing is answered once `isAlive` is false. */
  attach(isAlive: () => boolean): MetadataStore {
    return new ProcessStore(this, isAlive)
  }

  /** What is in the store now. */
  get model(): StoreModel {
    return this.#model
  }

  /** Ends all watches as `broken`. */
  breakWatches(): void {
    this.#watches.break(new StoreUnavailableError('simulated end of the watch'))
  }

  /** One way to the store, the effect, one way back. */
  call<T>(kind: string, isAlive: () => boolean, effect: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!isAlive()) return
      const fault = this.fault?.(kind)
      const giveUp = () => reject(new StoreUnavailableError(`simulated: ${kind} was not answered`))
      const answer = (settle: () => void) =>
        this.#after(this.delayMs, () => isAlive() && settle(), `store.${kind} answer`)
      this.#after(this.delayMs, () => {
        if (fault !== undefined) answer(giveUp)
        if (fault === 'lost') return
        if (fault === 'late') {
          // Well after the answer: the caller has tried again by then.
          this.#events.schedule(10 * this.delayMs.max, 'store.late', () => this.#take(effect))
          return
        }
        const outcome = this.#take(effect)
        if (fault === undefined) {
          answer(() => ('error' in outcome ? reject(outcome.error) : resolve(outcome.value)))
        }
      })
    })
  }

  /** Lets a request take effect now. */
  #take<T>(effect: () => T): { value: T } | { error: unknown } {
    try {
      return { value: effect() }
    } catch (error) {
      return { error }
    } finally {
      this.#events.note(Number(this.#model.revision))
      this.#watches.publish(this.#model.revision)
      this.#armExpiry()
    }
  }

  watch(range: KeyRange, from: bigint, sink: WatchSink, isAlive: () => boolean): Watch {
    return this.#watches.open(range, from, sink, deliver =>
      this.#after(this.watchLagMs, () => isAlive() && deliver(), 'store.watch'),
    )
  }

  nowMs(): number {
    return this.#events.nowMs
  }

  newLeaseId(): bigint {
    return leaseId(this.#random)
  }

  #after({ min, max }: { min: number; max: number }, run: () => void, kind = 'store'): Event {
    return this.#events.schedule(this.#random.between(min, max), kind, run)
  }

  /** Late, never early. */
  #armExpiry(): void {
    const endMs = this.#model.nextExpiryMs
    if (this.#expiry !== undefined && this.#expiry.atMs >= endMs) {
      // It may stay when it is not later than lateness allows.
      if (this.#expiry.atMs <= endMs + this.expiryLateMs.max) return
    }
    if (this.#expiry !== undefined) this.#expiry.cancelled = true
    this.#expiry = undefined
    if (endMs === Number.POSITIVE_INFINITY) return
    const lateMs = this.#random.between(this.expiryLateMs.min, this.expiryLateMs.max)
    const delayMs = endMs - this.#events.nowMs + lateMs
    this.#expiry = this.#events.schedule(delayMs, 'store.expiry', () => {
      this.#expiry = undefined
      for (const id of this.#model.expired(this.#events.nowMs)) this.#model.revoke(id)
      this.#watches.publish(this.#model.revision)
      this.#armExpiry()
    })
  }
}

class ProcessStore implements MetadataStore {
  readonly #store: SimulatedStore
  readonly #isAlive: () => boolean
  #closed = false

  constructor(store: SimulatedStore, isAlive: () => boolean) {
    this.#store = store
    this.#isAlive = () => isAlive() && !this.#closed
  }

  get(range: KeyRange, atRevision?: bigint) {
    return this.#call('get', () => this.#store.model.get(range, atRevision))
  }

  txn(compares: readonly Compare[], then: readonly Op[], otherwise?: readonly Op[]) {
    return this.#call('txn', () => this.#store.model.txn(compares, then, otherwise).result)
  }

  watch(range: KeyRange, fromRevision: bigint, sink: WatchSink): Watch {
    return this.#store.watch(range, fromRevision, sink, this.#isAlive)
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    const store = this.#store
    const id = store.newLeaseId()
    await this.#call('grant', () => store.model.grant(id, ttlMs, store.nowMs()))
    const keepAlive = () => this.#call('keepAlive', () => store.model.keepAlive(id, store.nowMs()))
    return { id, keepAlive }
  }

  async revokeLease(id: bigint): Promise<void> {
    await this.#call('revoke', () => this.#store.model.revoke(id))
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  async #call<T>(kind: string, effect: () => T): Promise<T> {
    if (this.#closed) throw new StoreUnavailableError('the store is closed')
    return this.#store.call(kind, this.#isAlive, effect)
  }
}
