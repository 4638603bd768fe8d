/**
 * Says when a consumer stands still: a partition that could be fetched and is not, or user code that
 * holds a message or a batch. Each is said once, and again every time it has lasted twice as long.
 *
 * It looks from time to time, so nothing has to be noted for each message: a unit of which the same
 * message is in hands as at the last look has been held since then.
 */
import type { Clock, Timer } from '../../io/io.ts'
import type { ConsumedPartition, Unit } from './partition.ts'

/** What stands still. */
export interface Standstill {
  /** 'held': user code holds a message or batch; 'unfetched': nothing fetches the partition. */
  readonly kind: 'unfetched' | 'held'
  readonly topic: string
  readonly partition: number
  /** The message in hands, or the next one. */
  readonly offset: number
  /** Since when. */
  readonly forMs: number
}

export interface WatchdogOptions {
  readonly maxProcessingMs: number
  readonly maxUnfetchedMs: number
}

interface Held {
  readonly unit: Unit
  readonly handed: number
  readonly sinceMs: number
}

export class Watchdog {
  readonly #clock: Clock
  readonly #options: WatchdogOptions
  readonly #partitions: () => Iterable<ConsumedPartition>
  readonly #say: (standstill: Standstill) => void
  readonly #held = new Map<ConsumedPartition, Held>()
  /** When to speak of it again, by partition and kind. */
  readonly #silentForMs = new Map<string, number>()
  #timer: Timer | undefined

  constructor(
    clock: Clock,
    options: WatchdogOptions,
    partitions: () => Iterable<ConsumedPartition>,
    say: (standstill: Standstill) => void,
  ) {
    this.#clock = clock
    this.#options = options
    this.#partitions = partitions
    this.#say = say
  }

  /** Looks four times in the shorter of its limits, at most once in 100 ms. */
  start(): void {
    const { maxProcessingMs, maxUnfetchedMs } = this.#options
    const everyMs = Math.max(100, Math.min(maxProcessingMs, maxUnfetchedMs) / 4)
    const look = () => {
      this.#look()
      this.#timer = this.#clock.timer(everyMs, look)
    }
    this.#timer = this.#clock.timer(everyMs, look)
  }

  stop(): void {
    this.#timer?.cancel()
  }

  #look(): void {
    const nowMs = this.#clock.monotonicMs()
    const seen = new Set<ConsumedPartition>()
    for (const partition of this.#partitions()) {
      seen.add(partition)
      this.#lookAtHeld(partition, nowMs)
      this.#lookAtFetched(partition, nowMs)
    }
    for (const partition of this.#held.keys())
      if (!seen.has(partition)) this.#held.delete(partition)
  }

  #lookAtHeld(partition: ConsumedPartition, nowMs: number): void {
    const unit = partition.held
    const known = this.#held.get(partition)
    if (unit === undefined) {
      this.#held.delete(partition)
      return
    }
    const { handed } = unit
    if (known?.unit !== unit || known.handed !== handed) {
      this.#held.set(partition, { unit, handed, sinceMs: nowMs })
      this.#over(partition, 'held')
      return
    }
    const offset = unit.messages[Math.min(unit.done, unit.messages.length - 1)]!.offset
    const forMs = nowMs - known.sinceMs
    this.#judge(
      { kind: 'held', ...placeOf(partition), offset, forMs },
      this.#options.maxProcessingMs,
    )
  }

  #lookAtFetched(partition: ConsumedPartition, nowMs: number): void {
    const { isPaused, isRevoking, hasBuffered, fetchedAtMs, isFailed } = partition
    // With something buffered it is user code's turn.
    if (isPaused || isRevoking || hasBuffered || isFailed || partition.held !== undefined) {
      partition.fetchedAtMs = nowMs
      return
    }
    const sinceMs = (partition.fetchedAtMs ??= nowMs)
    const forMs = nowMs - (fetchedAtMs ?? sinceMs)
    const offset = partition.fetchOffset ?? -1
    const { maxUnfetchedMs } = this.#options
    if (forMs < maxUnfetchedMs) this.#over(partition, 'unfetched')
    this.#judge({ kind: 'unfetched', ...placeOf(partition), offset, forMs }, maxUnfetchedMs)
  }

  #judge(standstill: Standstill, maxMs: number): void {
    const key = `${standstill.kind} ${standstill.topic}-${standstill.partition}`
    if (standstill.forMs < (this.#silentForMs.get(key) ?? maxMs)) return
    this.#silentForMs.set(key, standstill.forMs * 2)
    this.#say(standstill)
  }

  #over(partition: ConsumedPartition, kind: Standstill['kind']): void {
    this.#silentForMs.delete(`${kind} ${partition.topic}-${partition.partition}`)
  }
}

function placeOf({ topic, partition }: ConsumedPartition) {
  return { topic, partition }
}
