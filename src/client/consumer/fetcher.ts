/**
 * Fetches ahead of what is read: one Fetch at a time to each broker that leads (or may serve, KIP-392)
 * some of the partitions, over a connection of its own, as a broker holds it while there is nothing.
 *
 * `maxBytes` is shared out over those brokers; each request asks for what is free of its share. A
 * partition that is paused, or has `partitionMaxBytes` buffered, is left out until that is read;
 * while one is left out the broker is asked to wait only shortly, for soon there is more to ask for.
 * When a share is used up by partitions that are paused, what they have buffered is dropped, and
 * fetched again when it is wanted.
 */
import type { Io, Timer } from '../../io/io.ts'
import { BrokerFetch, type FetchSettings } from './broker-fetch.ts'
import type { Brokers } from './brokers.ts'
import type { ConsumedPartition } from './partition.ts'
import type { Positions } from './positions.ts'

export interface FetcherEvents {
  /** There is something to read, or an error. */
  readable(partition: ConsumedPartition): void
}

/** What one round asks of one broker. */
export interface Selection {
  readonly partitions: readonly ConsumedPartition[]
  readonly maxBytes: number
  /** Another partition of this broker is left out for now. */
  readonly isPartial: boolean
}

export class Fetcher {
  readonly #io: Io
  readonly #cluster: Brokers
  readonly #settings: FetchSettings
  readonly #positions: Positions
  readonly #events: FetcherEvents
  readonly #partitions = new Set<ConsumedPartition>()
  readonly #brokers = new Map<number, BrokerFetch>()
  readonly #unsubscribe: () => void
  /** Topics whose leaders are asked for at the moment. */
  readonly #learning = new Set<string>()
  /** Answered. */
  fetches = 0
  /** Of records, as stored. */
  fetchedBytes = 0
  #timer: Timer | undefined
  #isWoken = false
  #isClosed = false

  constructor(
    io: Io,
    cluster: Brokers,
    settings: FetchSettings,
    positions: Positions,
    events: FetcherEvents,
  ) {
    this.#io = io
    this.#cluster = cluster
    this.#settings = settings
    this.#positions = positions
    this.#events = events
    this.#unsubscribe = cluster.onMetadata(() => {
      for (const topic of new Set([...this.#partitions].map(each => each.topic))) {
        void this.#learn(topic)
      }
    })
  }

  /** Reads these too. Their positions are set, or `wanted`. */
  add(partitions: Iterable<ConsumedPartition>): void {
    for (const partition of partitions) this.#partitions.add(partition)
    this.wake()
  }

  /** Drops everything of these; what of theirs is under way is dropped when it comes. */
  remove(partitions: Iterable<ConsumedPartition>): void {
    for (const partition of partitions) {
      partition.isAssigned = false
      partition.drop()
      this.#partitions.delete(partition)
    }
    this.wake()
  }

  /** Something has changed that may allow or need another fetch. Cheap; acts a moment later. */
  wake(): void {
    if (this.#isWoken || this.#isClosed) return
    this.#isWoken = true
    queueMicrotask(() => {
      this.#isWoken = false
      if (!this.#isClosed) this.#look()
    })
  }

  /** Idempotent. Answers that come later are dropped. */
  close(): void {
    this.#isClosed = true
    this.#unsubscribe()
    this.#timer?.cancel()
    for (const broker of this.#brokers.values()) broker.close()
    this.remove([...this.#partitions])
  }

  /** What to ask this broker for; undefined: nothing now. */
  select(brokerId: number): Selection | undefined {
    if (this.#isClosed) return undefined
    const nowMs = this.#io.clock.monotonicMs()
    const mine = [...this.#partitions].filter(each => this.#brokerOf(each, nowMs) === brokerId)
    const share = Math.floor(this.#settings.maxBytes / Math.max(1, this.#brokerCount(nowMs)))
    let buffered = mine.reduce((sum, each) => sum + each.bufferedBytes, 0)
    if (buffered > share / 2) buffered -= this.#forgetPaused(mine)
    const ready = mine.filter(each => isFetchable(each) && each.retryAtMs <= nowMs)
    const isFull = buffered > 0 && share - buffered < share / 4
    const partitions = isFull
      ? []
      : ready.filter(each => each.bufferedBytes < this.#settings.partitionMaxBytes)
    if (partitions.length === 0) return undefined
    for (const each of partitions) each.fetchedAtMs ??= nowMs
    const maxBytes = Math.max(1, share - buffered)
    return { partitions, maxBytes, isPartial: partitions.length < ready.length }
  }

  /** A fetch of these failed in a way that may pass. */
  delay(partitions: Iterable<ConsumedPartition>, needsMetadata: boolean): void {
    const nowMs = this.#io.clock.monotonicMs()
    const topics = new Set<string>()
    for (const each of partitions) {
      each.retryAtMs = nowMs + this.#cluster.nextBackoffMs(each.attempts++)
      topics.add(each.topic)
    }
    if (needsMetadata) {
      for (const topic of topics) {
        this.#cluster.invalidate(topic)
        void this.#learn(topic)
      }
    }
    this.wake()
  }

  count(bytes: number): void {
    this.fetches++
    this.fetchedBytes += bytes
  }

  readable(partition: ConsumedPartition): void {
    this.#events.readable(partition)
  }

  #look(): void {
    const nowMs = this.#io.clock.monotonicMs()
    this.#applyResets()
    const unknown = new Set<string>()
    const brokers = new Set<number>()
    for (const each of this.#partitions) {
      const broker = this.#brokerOf(each, nowMs)
      if (each.retryAtMs > nowMs) continue
      if (broker < 0) unknown.add(each.topic)
      else if (isFetchable(each)) brokers.add(broker)
    }
    for (const topic of unknown) void this.#learn(topic)
    for (const id of brokers) this.#broker(id).start()
    this.#resolvePositions()
    this.#arm(nowMs)
  }

  /** A position that the log has not: what was fetched before it is read first. */
  #applyResets(): void {
    for (const each of this.#partitions) {
      if (!each.resetWhenRead || each.hasBuffered || each.held !== undefined) continue
      each.resetWhenRead = false
      this.#positions.restart(each, each.fetchOffset ?? -1)
      if (each.isFailed) this.readable(each)
    }
  }

  #resolvePositions(): void {
    this.#positions.resolve(this.#partitions).then(
      isAny => {
        if (!isAny) return
        for (const each of this.#partitions) if (each.isFailed) this.readable(each)
        this.wake()
      },
      error => {
        for (const each of this.#partitions) {
          each.fail(error)
          this.readable(each)
        }
      },
    )
  }

  /** Wakes up when the first of those that wait before another attempt may be tried. */
  #arm(nowMs: number): void {
    this.#timer?.cancel()
    this.#timer = undefined
    let firstMs = Number.POSITIVE_INFINITY
    for (const { retryAtMs } of this.#partitions) {
      if (retryAtMs > nowMs) firstMs = Math.min(firstMs, retryAtMs)
    }
    if (firstMs === Number.POSITIVE_INFINITY) return
    this.#timer = this.#io.clock.timer(firstMs - nowMs, () => this.wake())
  }

  #broker(id: number): BrokerFetch {
    let broker = this.#brokers.get(id)
    if (broker === undefined) {
      broker = new BrokerFetch(this.#io, this.#cluster, id, this.#settings, this.#positions, this)
      this.#brokers.set(id, broker)
    }
    return broker
  }

  #brokerOf(each: ConsumedPartition, nowMs: number): number {
    const { preferred } = each
    if (preferred !== undefined) {
      if (nowMs < preferred.untilMs) return preferred.brokerId
      each.preferred = undefined
    }
    return each.leaderId
  }

  #brokerCount(nowMs: number): number {
    const brokers = new Set<number>()
    for (const each of this.#partitions) brokers.add(this.#brokerOf(each, nowMs))
    brokers.delete(-1)
    return brokers.size
  }

  #forgetPaused(mine: readonly ConsumedPartition[]): number {
    let bytes = 0
    for (const each of mine) {
      if (!each.isPaused) continue
      bytes += each.bufferedBytes
      each.forgetBuffered()
    }
    return bytes
  }

  async #learn(topic: string): Promise<void> {
    if (this.#learning.has(topic)) return
    this.#learning.add(topic)
    const mine = () => [...this.#partitions].filter(each => each.topic === topic)
    try {
      const known = await this.#cluster.partitions(topic)
      const topicId = this.#cluster.topicId(topic) ?? ''
      const infos = new Map(known.map(each => [each.partition, each]))
      for (const each of mine()) {
        const info = infos.get(each.partition)
        if (info === undefined || info.leaderId < 0) this.#unled(each)
        else this.#lead(each, topicId, info.leaderId, info.leaderEpoch)
      }
    } catch (error) {
      if (this.#isClosed) return
      for (const each of mine()) {
        if (isRetriable(error)) this.#unled(each)
        else {
          each.fail(error)
          this.readable(each)
        }
      }
    } finally {
      this.#learning.delete(topic)
      this.wake()
    }
  }

  #unled(each: ConsumedPartition): void {
    each.leaderId = -1
    const backoffMs = this.#cluster.nextBackoffMs(each.attempts++)
    each.retryAtMs = this.#io.clock.monotonicMs() + backoffMs
    this.#cluster.invalidate(each.topic)
  }

  #lead(each: ConsumedPartition, topicId: string, leaderId: number, leaderEpoch: number): void {
    const isSameTopic = each.topicId === topicId
    // Brokers learn of a new leader one after the other: an older one says nothing new.
    if (isSameTopic && leaderEpoch < each.leaderEpoch) return
    const isNew = leaderEpoch > each.leaderEpoch
    each.topicId = topicId
    each.leaderId = leaderId
    each.leaderEpoch = leaderEpoch
    if (!isNew || each.fetchEpoch < 0 || each.fetchEpoch >= leaderEpoch) return
    if (each.fetchOffset !== undefined) each.wanted = { kind: 'validate' }
  }
}

function isFetchable(each: ConsumedPartition): boolean {
  return (
    each.fetchOffset !== undefined &&
    each.wanted === undefined &&
    !each.resetWhenRead &&
    !each.isPaused &&
    !each.isRevoking &&
    !each.isFailed
  )
}

function isRetriable(error: unknown): boolean {
  return error instanceof Error && (!('retriable' in error) || error.retriable === true)
}
