/**
 * The metadata store of a simulated world: one linearizable model, reached over a delay.
 *
 * A request takes effect at one moment between its start and its answer. It may take effect though
 * the process that sent it is dead by then: a store does not know. A machine may be cut off from the
 * store: its requests do not arrive, and what its watches would see waits.
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
import type { Execution } from './execution.ts'
import type { Prng } from './random.ts'
import type { Answer, StoreHistory } from './store-history.ts'

/** How a request goes unanswered: it never arrives, took effect, or takes effect after the refusal. */
export type StoreFault = 'lost' | 'answer lost' | 'late'

/** The store, as the test sees it. */
export class SimulatedStore {
  /** Bounds of the time of one way to the store, of the lag of a watch, of an expiry's lateness. */
  delayMs = { min: 0.1, max: 2 }
  watchLagMs = { min: 0.1, max: 5 }
  expiryLateMs = { min: 0, max: 500 }
  /** When a request whose fault is `late` takes effect, from when it would have. */
  lateMs = { min: 20, max: 20 }
  /** Makes a request (get, txn, grant, keepAlive, revoke) end as StoreUnavailableError. */
  fault: ((kind: string, host: string) => StoreFault | undefined) | undefined
  /** Bounds of the lag of this machine's watches, where they differ. */
  readonly watchLagOf = new Map<string, { min: number; max: number }>()
  /** Told of every answer and event; from the very beginning. */
  history: StoreHistory | undefined
  readonly #cutOff = new Map<string, (() => void)[]>()
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

  /** The store as one process has it. */
  attach(host: string, execution: Execution): MetadataStore {
    return new ProcessStore(this, host, execution)
  }

  /** Nothing passes between a machine and the store until `rejoin`. */
  cutOff(host: string): void {
    if (!this.#cutOff.has(host)) this.#cutOff.set(host, [])
  }

  /** Undoes `cutOff`. */
  rejoin(host: string): void {
    const held = this.#cutOff.get(host) ?? []
    this.#cutOff.delete(host)
    for (const deliver of held) this.#after(this.watchLagMs, deliver, 'store.watch')
  }

  /** What is in the store now. */
  get model(): StoreModel {
    return this.#model
  }

  /** As when etcd changes its leader: every lease starts again at its full TTL. */
  extendLeases(): void {
    const { nowMs } = this.#events
    for (const { id } of this.#model.content().leases) {
      this.history?.keptAlive(id, nowMs, this.#model.keepAlive(id, nowMs))
    }
    this.#armExpiry()
  }

  /** Ends all watches as `broken`. */
  breakWatches(): void {
    this.#watches.break(new StoreUnavailableError('simulated end of the watch'))
  }

  /** One way to the store, the effect, one way back. */
  call<T>(kind: string, host: string, execution: Execution, effect: () => Answer<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      if (!execution.alive) return
      const fault = this.#cutOff.has(host) ? 'lost' : this.fault?.(kind, host)
      const giveUp = () => reject(new StoreUnavailableError(`simulated: ${kind} was not answered`))
      const answer = (settle: () => void) =>
        this.#after(this.delayMs, () => execution.deliver(settle), `store.${kind} answer`)
      this.#after(this.delayMs, () => {
        if (fault !== undefined) answer(giveUp)
        if (fault === 'lost') return
        if (fault === 'late') {
          // Well after the answer: the caller has tried again by then.
          this.#after(this.lateMs, () => this.#take(effect), 'store.late')
          return
        }
        const outcome = this.#take(effect)
        if (fault !== undefined) return
        answer(() => ('error' in outcome ? reject(outcome.error) : resolve(outcome.value)))
      })
    })
  }

  /** Lets a request take effect now. */
  #take<T>(effect: () => Answer<T>): Answer<T> {
    const answer = effect()
    this.#events.note(Number(this.#model.revision))
    this.#watches.publish(this.#model.revision)
    this.#armExpiry()
    return answer
  }

  watch(range: KeyRange, from: bigint, sink: WatchSink, host: string, execution: Execution): Watch {
    let isClosed = false
    const isDeaf = () => isClosed || !execution.alive
    const watched = this.history?.watched(range, from, sink, isDeaf) ?? sink
    const watch = this.#watches.open(range, from, watched, deliver => {
      const arrive = () => {
        const held = this.#cutOff.get(host)
        if (held !== undefined) held.push(arrive)
        else execution.deliver(deliver)
      }
      this.#after(this.watchLagOf.get(host) ?? this.watchLagMs, arrive, 'store.watch')
    })
    return {
      close() {
        isClosed = true
        watch.close()
      },
    }
  }

  /** Forgets the history before `revision`. */
  compact(revision: bigint): void {
    this.#model.compact(revision)
    this.history?.compacted(revision)
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
      for (const id of this.#model.expired(this.#events.nowMs)) {
        this.#model.revoke(id)
        this.history?.expired(id, this.#events.nowMs)
      }
      this.#watches.publish(this.#model.revision)
      this.#armExpiry()
    })
  }
}

class ProcessStore implements MetadataStore {
  readonly #store: SimulatedStore
  readonly #host: string
  readonly #execution: Execution
  #closed = false

  constructor(store: SimulatedStore, host: string, execution: Execution) {
    this.#store = store
    this.#host = host
    this.#execution = execution
  }

  get(range: KeyRange, atRevision?: bigint) {
    const { model, history } = this.#store
    return this.#call(
      'get',
      () => model.get(range, atRevision),
      answer => history?.get(range, atRevision, answer),
    )
  }

  txn(compares: readonly Compare[], then: readonly Op[], otherwise: readonly Op[] = []) {
    const { model, history } = this.#store
    return this.#call(
      'txn',
      () => model.txn(compares, then, otherwise).result,
      answer => history?.txn(compares, then, otherwise, this.#store.nowMs(), answer),
    )
  }

  watch(range: KeyRange, fromRevision: bigint, sink: WatchSink): Watch {
    return this.#store.watch(range, fromRevision, sink, this.#host, this.#execution)
  }

  async grantLease(ttlMs: number): Promise<Lease> {
    const store = this.#store
    const { model, history } = store
    const id = store.newLeaseId()
    await this.#call(
      'grant',
      () => model.grant(id, ttlMs, store.nowMs()),
      () => history?.granted(id, ttlMs, store.nowMs()),
    )
    const keepAlive = () =>
      this.#call(
        'keepAlive',
        () => model.keepAlive(id, store.nowMs()),
        answer => 'value' in answer && history?.keptAlive(id, store.nowMs(), answer.value),
      )
    return { id, keepAlive }
  }

  async revokeLease(id: bigint): Promise<void> {
    const { model, history } = this.#store
    await this.#call(
      'revoke',
      () => model.revoke(id),
      () => history?.revoked(id, this.#store.nowMs()),
    )
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  /** `told` hears at the moment of effect what the answer is, whether it arrives or not. */
  async #call<T>(kind: string, effect: () => T, told: (answer: Answer<T>) => unknown): Promise<T> {
    if (this.#closed) throw new StoreUnavailableError('the store is closed')
    return this.#store.call(kind, this.#host, this.#execution, () => {
      const answer = answerOf(effect)
      told(answer)
      return answer
    })
  }
}

function answerOf<T>(effect: () => T): Answer<T> {
  try {
    return { value: effect() }
  } catch (error) {
    return { error }
  }
}
