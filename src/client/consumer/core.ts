/**
 * A consumer without its options and its connections: partitions come and go, are fetched, handed
 * out, worked on, committed.
 *
 * Before a partition goes to another member nothing more of it is handed out, what is in hands is
 * waited for until the group's patience ends, the user hears of it, and what is finished is committed;
 * only then it is let go. What was fetched of it, or comes later, is dropped.
 */
import type { Io } from '../../io/io.ts'
import type { FetchSettings } from './broker-fetch.ts'
import type { Brokers } from './brokers.ts'
import { Committer, keyOf } from './committer.ts'
import { Delivery } from './delivery.ts'
import { ConsumerStateError } from './errors.ts'
import { Fetcher } from './fetcher.ts'
import type { Supply } from './iteration.ts'
import type {
  Assigned,
  OffsetReset,
  PartitionsListener,
  TopicPartition,
  TopicPartitionOffset,
} from './options.ts'
import { ConsumedPartition, type Reading, type Unit } from './partition.ts'
import { logBeginning, Positions } from './positions.ts'
import type { Subscription } from './subscription.ts'
import { type Standstill, Watchdog } from './watchdog.ts'

/** Membership in a group, or at least its committed offsets. */
export interface Group {
  /** Joins; with manual assignment there is nothing to join. */
  start(): void
  /** Topics or numbers of partitions have changed. */
  rejoin(reason: string): void
  commit(offsets: readonly TopicPartitionOffset[]): Promise<void>
  /** Partitions without a committed offset are left out. */
  committed(partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]>
  leave(): Promise<void>
  /** Who it is in the group; undefined where it is no member. */
  readonly member?: { readonly memberId: string; readonly generationId: number }
}

/** What a group asks of its member. */
export interface GroupHandlers {
  assign(partitions: readonly TopicPartition[]): Promise<void>
  revoke(partitions: readonly TopicPartition[], signal: AbortSignal): Promise<void>
  lost(partitions: readonly TopicPartition[]): void
  error(error: unknown): void
  /** The coordinator has answered a heartbeat: all is well. */
  beat?(): void
}

/** What the consumer has to say to those who watch. */
export interface ConsumerNotices {
  assigned(partitions: readonly TopicPartition[]): void
  revoked(partitions: readonly TopicPartition[]): void
  lost(partitions: readonly TopicPartition[]): void
  committed(offsets: readonly TopicPartitionOffset[]): void
  commitFailed(error: unknown): void
  standstill(standstill: Standstill): void
  warn(message: string): void
  beat?(): void
}

export interface CoreOptions {
  readonly fetch: FetchSettings
  readonly reading: Reading
  readonly offsetReset: OffsetReset
  readonly commit: 'auto' | 'batch' | 'manual'
  readonly autoCommitMs: number
  readonly maxProcessingMs: number
  readonly maxUnfetchedMs: number
  /** How long `close` waits for `each` and `eachBatch`. */
  readonly closeTimeoutMs: number
  readonly onAssigned: PartitionsListener | undefined
  readonly onRevoked: PartitionsListener | undefined
  readonly onLost: PartitionsListener | undefined
  readonly assignment: readonly Assigned[] | undefined
  readonly subscription: Subscription | undefined
  readonly group: ((handlers: GroupHandlers) => Group) | undefined
}

export class ConsumerCore implements Supply {
  readonly partitions = new Map<string, ConsumedPartition>()
  readonly positions: Positions
  readonly group: Group | undefined
  readonly #io: Io
  readonly #options: CoreOptions
  readonly #notices: ConsumerNotices
  readonly #delivery: Delivery
  readonly fetcher: Fetcher
  readonly #watchdog: Watchdog
  readonly #committer: Committer
  readonly #onClosed: () => Promise<void>
  #starting: Promise<void> | undefined
  #closing: Promise<void> | undefined
  /** Messages handed out by units that are done. */
  #handedOut = 0
  /** True in `run`, whose work `close` waits for. */
  #waitsForWork = false

  /** `onClosed`: what is to be closed after it. */
  constructor(
    io: Io,
    cluster: Brokers,
    options: CoreOptions,
    notices: ConsumerNotices,
    onClosed: () => Promise<void>,
  ) {
    this.#io = io
    this.#options = options
    this.#notices = notices
    this.#onClosed = onClosed
    const { offsetReset, fetch } = options
    const { readCommitted } = fetch
    this.positions = new Positions(io, cluster, { offsetReset, readCommitted }, message =>
      notices.warn(message),
    )
    this.#delivery = new Delivery(() => this.fetcher.wake())
    this.fetcher = new Fetcher(io, cluster, fetch, this.positions, {
      readable: partition => this.#delivery.readable(partition),
    })
    this.group = options.group?.({
      assign: partitions => this.#assign(partitions),
      revoke: (partitions, signal) => this.#revoke(partitions, signal),
      lost: partitions => this.#lose(partitions),
      error: error => this.#delivery.end(error),
      beat: () => notices.beat?.(),
    })
    this.#committer = new Committer(io.clock, this.group, this.partitions, {
      committed: offsets => notices.committed(offsets),
      failed: error => notices.commitFailed(error),
    })
    this.#watchdog = new Watchdog(
      io.clock,
      options,
      () => this.partitions.values(),
      standstill => notices.standstill(standstill),
    )
    // Manual partitions are there from the beginning, so that one can seek in them.
    for (const { topic, partition, offset } of options.assignment ?? []) {
      const each = this.#add({ topic, partition })
      if (offset !== undefined) each.moveTo({ offset })
    }
  }

  get isClosed(): boolean {
    return this.#closing !== undefined
  }

  get handedOutMessages(): number {
    let handed = this.#handedOut
    for (const { held } of this.partitions.values()) {
      if (held !== undefined) handed += held.handed - held.counted
    }
    return handed
  }

  /** Idempotent. Rejects with ClientError, or ConsumerStateError CLOSED. */
  start(): Promise<void> {
    if (this.isClosed) {
      return Promise.reject(
        new ConsumerStateError('CLOSED', 'this consumer is closed: make another'),
      )
    }
    this.#starting ??= this.#start()
    return this.#starting
  }

  takeNow(): Unit | undefined {
    return this.#delivery.takeNow()
  }

  take(): Promise<Unit | undefined> {
    return this.#delivery.take()
  }

  finish(unit: Unit): Promise<void> | undefined {
    this.#count(unit)
    if (this.#options.commit !== 'batch' || this.group === undefined) {
      this.#delivery.release(unit)
      return undefined
    }
    return this.#committer.finished([unit.source]).then(() => this.#delivery.release(unit))
  }

  async leave(unit: Unit | undefined): Promise<void> {
    if (unit !== undefined) {
      this.#count(unit)
      this.#delivery.release(unit)
    }
    await this.close()
  }

  #count(unit: Unit): void {
    this.#handedOut += unit.handed - unit.counted
    unit.counted = unit.handed
  }

  /** From now on `close` waits for messages in hands, and their signals are aborted. */
  waitForWork(): void {
    this.#waitsForWork = true
  }

  /** Nothing more is handed out; those who wait hear of the error, if there is one. */
  stop(error?: unknown): void {
    this.#delivery.end(error)
    for (const { held } of this.partitions.values()) if (held !== undefined) shut(held)
  }

  pause(partitions: readonly ConsumedPartition[]): void {
    for (const each of partitions) {
      each.isPaused = true
      if (each.held !== undefined) each.held.isOpen = false
    }
  }

  resume(partitions: readonly ConsumedPartition[]): void {
    for (const each of partitions) {
      each.isPaused = false
      const { held } = each
      if (held !== undefined && held.version === each.version && !each.isRevoking) {
        held.isOpen = !this.#delivery.isEnded
      }
      this.#delivery.readable(each)
    }
    this.fetcher.wake()
  }

  /** Goes on elsewhere; what is in hands is not committed any more when it is finished. */
  seek(partition: ConsumedPartition, offset: number, leaderEpoch = -1): void {
    partition.moveTo({ offset, leaderEpoch })
    this.fetcher.wake()
  }

  commitHandedOut(): Promise<void> {
    return this.#committer.handedOut()
  }

  commit(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    return this.#committer.offsets(offsets)
  }

  /** Commits what is finished with, leaves the group, closes connections. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #start(): Promise<void> {
    const { subscription, assignment, commit, autoCommitMs } = this.#options
    this.#watchdog.start()
    if (commit === 'auto' && this.group !== undefined) this.#committer.start(autoCommitMs)
    if (assignment !== undefined) {
      await this.#assign(assignment)
      return
    }
    const topics = await subscription!.topics()
    if (this.isClosed) return
    for (const topic of subscription!.missing) {
      this.#notices.warn(`topic ${topic} does not exist (yet): it is looked for again`)
    }
    if (this.group !== undefined) {
      this.group.start()
      subscription!.watch(() => this.group!.rejoin('the topics have changed'))
      return
    }
    await this.#assign(partitionsOf(topics))
    // What goes wrong there has stopped the consumer, and whoever reads it hears of it.
    subscription!.watch(now => void this.#grow(now).catch(() => {}))
  }

  /** Without a group all partitions are read, also those that are made later: from their beginning. */
  async #grow(topics: ReadonlyMap<string, number>): Promise<void> {
    const all = partitionsOf(topics)
    const added = all.filter(each => !this.partitions.has(keyOf(each)))
    const keys = new Set(all.map(keyOf))
    const gone = [...this.partitions.values()].filter(each => !keys.has(keyOf(each)))
    if (gone.length > 0) this.#lose(gone)
    for (const each of added) this.#add(each).moveTo({ kind: 'reset', timestamp: logBeginning })
    if (added.length > 0) await this.#assign(added)
  }

  #add({ topic, partition }: TopicPartition): ConsumedPartition {
    const each = new ConsumedPartition(topic, partition, this.#options.reading)
    this.partitions.set(keyOf(each), each)
    return each
  }

  async #assign(assigned: readonly TopicPartition[]): Promise<void> {
    const partitions = assigned.map(each => this.partitions.get(keyOf(each)) ?? this.#add(each))
    try {
      await this.#place(partitions)
      const mine = partitions.filter(each => each.isAssigned)
      const places = mine.map(placeOf)
      this.#notices.assigned(places)
      if (places.length > 0) await this.#options.onAssigned?.(places)
      if (this.isClosed) return
      this.fetcher.add(mine.filter(each => each.isAssigned))
      for (const each of mine) this.#delivery.readable(each)
    } catch (error) {
      this.stop(error)
      throw error
    }
  }

  /** Those without a position go to where the group has committed, or where `offsetReset` says. */
  async #place(partitions: readonly ConsumedPartition[]): Promise<void> {
    const open = partitions.filter(each => each.fetchOffset === undefined && !each.wanted)
    if (open.length === 0) return
    const committed = (await this.group?.committed(open.map(placeOf))) ?? []
    const found = new Map(committed.map(each => [keyOf(each), each]))
    for (const each of open) {
      if (each.fetchOffset !== undefined || each.wanted) continue
      const { offset = -1, leaderEpoch = -1 } = found.get(keyOf(each)) ?? {}
      each.committedOffset = offset
      if (offset < 0) this.positions.restart(each, -1)
      else each.moveTo({ offset, leaderEpoch })
    }
  }

  async #revoke(revoked: readonly TopicPartition[], signal: AbortSignal): Promise<void> {
    const partitions = this.#mine(revoked)
    for (const each of partitions) {
      each.isRevoking = true
      if (each.held !== undefined) shut(each.held)
    }
    await this.#released(partitions, signal)
    const places = partitions.map(placeOf)
    try {
      await this.#options.onRevoked?.(places)
    } catch (error) {
      this.stop(error)
    }
    if (this.#options.commit !== 'manual') {
      await this.#committer.finished(partitions.filter(each => each.isAssigned))
    }
    this.#remove(partitions)
    this.#notices.revoked(places)
  }

  #lose(lost: readonly TopicPartition[]): void {
    const partitions = this.#mine(lost)
    for (const each of partitions) if (each.held !== undefined) shut(each.held)
    this.#remove(partitions)
    const places = partitions.map(placeOf)
    this.#notices.lost(places)
    Promise.resolve(places)
      .then(this.#options.onLost)
      .catch(error => this.stop(error))
  }

  #mine(partitions: readonly TopicPartition[]): ConsumedPartition[] {
    return partitions.flatMap(each => this.partitions.get(keyOf(each)) ?? [])
  }

  #remove(partitions: readonly ConsumedPartition[]): void {
    for (const each of partitions) {
      if (this.partitions.get(keyOf(each)) === each) this.partitions.delete(keyOf(each))
    }
    this.fetcher.remove(partitions)
  }

  /** Waits for what is in hands of these, at most until the signal. */
  async #released(partitions: readonly ConsumedPartition[], signal: AbortSignal): Promise<void> {
    const released = Promise.all(partitions.map(each => each.released()))
    if (signal.aborted) return
    await new Promise<void>(resolve => {
      const done = () => {
        signal.removeEventListener('abort', done)
        resolve()
      }
      signal.addEventListener('abort', done)
      void released.then(done)
    })
  }

  async #close(): Promise<void> {
    const { subscription, assignment, commit, closeTimeoutMs } = this.#options
    this.stop()
    subscription?.stop()
    this.#committer.stop()
    const partitions = [...this.partitions.values()]
    if (this.#waitsForWork) {
      const patience = new AbortController()
      const timer = this.#io.clock.timer(closeTimeoutMs, () => patience.abort())
      await this.#released(partitions, patience.signal)
      timer.cancel()
    }
    if (assignment === undefined && this.group !== undefined && partitions.length > 0) {
      await Promise.resolve(partitions.map(placeOf))
        .then(this.#options.onRevoked)
        .catch(error => this.#notices.warn(`onRevoked threw: ${error}`))
    }
    if (commit !== 'manual' && this.group !== undefined) {
      await this.#committer.finished(partitions)
    }
    this.#watchdog.stop()
    await this.group?.leave().catch(error => this.#notices.commitFailed(error))
    this.fetcher.close()
    this.partitions.clear()
    await this.#onClosed()
  }
}

function shut(unit: Unit): void {
  unit.isOpen = false
  unit.abort?.abort()
}

function placeOf({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}

function partitionsOf(topics: ReadonlyMap<string, number>): TopicPartition[] {
  return [...topics].flatMap(([topic, count]) =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  )
}
