/**
 * Holds the copying of some replicas below a rate, on the leader's side or on the follower's (KIP-73).
 *
 * What was copied is counted in windows; the rate is that of all windows that are kept. A replica is
 * left out while the rate is above the limit, so one answer may pass it, and a pause follows. Replicas
 * in the ISR are counted and never left out: that is for the caller to see.
 */
import type { Image } from '../cluster/image.ts'
import {
  type ThrottleConfig,
  type ThrottledSide,
  throttledPartitions,
  throttledReplicasKeys,
} from '../config/throttle-config.ts'
import type { Clock } from '../io/io.ts'

export interface ThrottleOptions {
  readonly side: ThrottledSide
  readonly image: Image
  readonly brokerId: number
  /** As it is now. */
  config(): ThrottleConfig
}

interface Named {
  readonly text: string
  readonly partitions: ReadonlySet<number> | 'all'
}

interface Window {
  readonly startMs: number
  bytes: number
}

/** One side of this broker. */
export class Throttle {
  readonly #clock: Clock
  readonly #options: ThrottleOptions
  /** By topic, of those with a list: as it was parsed last. */
  readonly #named = new Map<string, Named>()
  /** Oldest first. */
  #windows: Window[] = []

  constructor(clock: Clock, options: ThrottleOptions) {
    this.#clock = clock
    this.#options = options
  }

  /** Whether this broker's replica is one of those that the topic names. */
  covers(topic: string, index: number): boolean {
    const { image, brokerId, side } = this.#options
    const text = image.configs('topic', topic).get(throttledReplicasKeys[side])
    if (text === undefined) {
      this.#named.delete(topic)
      return false
    }
    let named = this.#named.get(topic)
    if (named?.text !== text) {
      named = { text, partitions: throttledPartitions(text, brokerId) }
      this.#named.set(topic, named)
    }
    return named.partitions === 'all' || named.partitions.has(index)
  }

  /** So much of replicas that it covers was copied. */
  record(bytes: number): void {
    if (bytes === 0) return
    const nowMs = this.#clock.monotonicMs()
    const last = this.#windows.at(-1)
    if (last === undefined || nowMs - last.startMs >= this.#options.config().windowMs) {
      this.#forgetOld(nowMs)
      this.#windows.push({ startMs: nowMs, bytes })
    } else {
      last.bytes += bytes
    }
  }

  /** More was copied than the rate allows. */
  isExceeded(): boolean {
    return this.bytesPerSecond > this.#limit
  }

  /** How fast it was of late. */
  get bytesPerSecond(): number {
    if (this.#windows.length === 0) return 0
    const nowMs = this.#clock.monotonicMs()
    this.#forgetOld(nowMs)
    const [oldest] = this.#windows
    if (oldest === undefined) return 0
    const bytes = this.#windows.reduce((sum, window) => sum + window.bytes, 0)
    const { windowMs } = this.#options.config()
    return (1000 * bytes) / Math.max(windowMs, nowMs - oldest.startMs)
  }

  get #limit(): number {
    const { side, config } = this.#options
    return side === 'leader' ? config().leaderRate : config().followerRate
  }

  #forgetOld(nowMs: number): void {
    const { windows, windowMs } = this.#options.config()
    const first = this.#windows.findIndex(({ startMs }) => nowMs - startMs < windows * windowMs)
    if (first !== 0) this.#windows = first === -1 ? [] : this.#windows.slice(first)
  }
}

/** Both sides of a broker. */
export type Throttles = Readonly<Record<ThrottledSide, Throttle>>

export function throttles(clock: Clock, options: Omit<ThrottleOptions, 'side'>): Throttles {
  return {
    leader: new Throttle(clock, { ...options, side: 'leader' }),
    follower: new Throttle(clock, { ...options, side: 'follower' }),
  }
}
