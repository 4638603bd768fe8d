/**
 * Requests that wait for an offset to be reached.
 *
 * They come in the order of their offsets, so reaching one is a walk from the front. A duplicate's
 * offset lies below those before it: it is answered with them, a moment later than it could be. One
 * timer serves all: it is set for the earliest deadline, and left alone when that one is met early and
 * others wait on.
 */
import type { Clock, Timer } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'

interface Waiter {
  readonly endOffset: number
  readonly deadlineMs: number
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const reached = Promise.resolve()

/** Those who wait for one rising offset of one partition. */
export class Waiters {
  readonly #clock: Clock
  #waiting: Waiter[] = []
  /** Those before it are answered. */
  #first = 0
  #end: number
  #timer: Timer | undefined
  #timerMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock, end: number) {
    this.#clock = clock
    this.#end = end
  }

  /** Resolves when everything below `endOffset` is reached; REQUEST_TIMED_OUT at the deadline. */
  wait(endOffset: number, deadlineMs: number): Promise<void> {
    if (endOffset <= this.#end) return reached
    return new Promise((resolve, reject) => {
      this.#waiting.push({ endOffset, deadlineMs, resolve, reject })
      if (deadlineMs < this.#timerMs) this.#setTimer(deadlineMs)
    })
  }

  /** Nobody waits. */
  get isIdle(): boolean {
    return this.#waiting.length === 0
  }

  reach(end: number): void {
    this.#end = end
    const waiting = this.#waiting
    let first = this.#first
    while (first < waiting.length && waiting[first]!.endOffset <= end) waiting[first++]!.resolve()
    if (first === waiting.length) {
      this.#waiting = []
      first = 0
      this.#clearTimer()
    } else if (first >= 1024 && 2 * first >= waiting.length) {
      this.#waiting = waiting.slice(first)
      first = 0
    }
    this.#first = first
  }

  /** Those that wait for more than `end` fail; with `end` 0, all. */
  fail(end: number, error: Error): void {
    this.#remove(waiter => waiter.endOffset > end, error)
    if (this.#waiting.length === 0) this.#clearTimer()
  }

  #expire(): void {
    this.#clearTimer()
    const nowMs = this.#clock.monotonicMs()
    this.#remove(({ deadlineMs }) => deadlineMs <= nowMs, new KafkaError('REQUEST_TIMED_OUT'))
    let earliestMs = Number.POSITIVE_INFINITY
    for (const { deadlineMs } of this.#waiting) earliestMs = Math.min(earliestMs, deadlineMs)
    if (earliestMs < Number.POSITIVE_INFINITY) this.#setTimer(earliestMs)
  }

  #remove(isMeant: (waiter: Waiter) => boolean, error: Error): void {
    const waiting = this.#waiting.slice(this.#first)
    this.#first = 0
    this.#waiting = waiting.filter(waiter => !isMeant(waiter))
    for (const waiter of waiting) if (isMeant(waiter)) waiter.reject(error)
  }

  #setTimer(deadlineMs: number): void {
    this.#timer?.cancel()
    this.#timerMs = deadlineMs
    const delayMs = Math.max(0, deadlineMs - this.#clock.monotonicMs())
    this.#timer = this.#clock.timer(delayMs, () => this.#expire())
  }

  #clearTimer(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#timerMs = Number.POSITIVE_INFINITY
  }
}
