/** One timer for many wishes: it rings at the earliest, and those who are rung say when next. */
import type { Clock, Timer } from '../io/io.ts'

export class Alarm {
  readonly #clock: Clock
  readonly #ring: () => void
  #timer: Timer | undefined
  #atMs = Number.POSITIVE_INFINITY
  #isClosed = false

  constructor(clock: Clock, ring: () => void) {
    this.#clock = clock
    this.#ring = ring
  }

  /** Rings at `atMs` (monotonic), or earlier. `Infinity`: no wish. */
  set(atMs: number): void {
    if (atMs >= this.#atMs || this.#isClosed) return
    this.#timer?.cancel()
    this.#atMs = atMs
    this.#timer = this.#clock.timer(Math.max(0, atMs - this.#clock.monotonicMs()), () => {
      this.#timer = undefined
      this.#atMs = Number.POSITIVE_INFINITY
      this.#ring()
    })
  }

  /** Rings no more. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }
}
