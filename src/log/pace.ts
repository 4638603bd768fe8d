/**
 * How work in the background makes way for the rest: it runs in slices of a millisecond with longer
 * pauses in between, in which whatever came meanwhile has its turn, and moves no more bytes a second
 * than it may. Several pieces of work share one pace.
 */
import type { Clock } from '../io/io.ts'
import { pause } from '../io/pause.ts'

/**
 * Longest stretch without a pause, and the length of each. Who waits for an answer goes through the
 * event loop several times, and meets a slice in one of seven; with pauses of two milliseconds the
 * slowest answers took five times as long (bench/compaction.ts).
 */
const [sliceMs, pauseMs] = [1, 6]
/** Longest wait for the rate at once, so that who is to end ends soon, and a new rate is soon obeyed. */
const stepMs = 100

export class Pace {
  readonly #clock: Clock
  readonly #bytesPerSecond: () => number
  /** Bytes moved that the rate does not cover yet, at `#atMs`. */
  #ahead = 0
  #atMs = 0

  constructor(clock: Clock, bytesPerSecond: () => number) {
    this.#clock = clock
    this.#bytesPerSecond = bytesPerSecond
  }

  /** The beginning of a slice. */
  slice(): number {
    return this.#clock.monotonicMs()
  }

  /** Whether the slice that began then has to end. */
  isOver(beganMs: number): boolean {
    return this.#clock.monotonicMs() - beganMs >= sliceMs
  }

  /** Everything else has its turn. */
  pause(): Promise<void> {
    return pause(this.#clock, pauseMs)
  }

  /** So many bytes were read or written: waits until the rate allows more, or `isEnded`. */
  async moved(bytes: number, isEnded: () => boolean): Promise<void> {
    this.#settle()
    this.#ahead += bytes
    while (this.#waitMs() >= 1 && !isEnded()) {
      await pause(this.#clock, Math.min(this.#waitMs(), stepMs))
      this.#settle()
    }
  }

  /** The rate may be another one by now. */
  #settle(): void {
    const nowMs = this.#clock.monotonicMs()
    const covered = (this.#bytesPerSecond() * (nowMs - this.#atMs)) / 1000
    this.#ahead = Math.max(0, this.#ahead - covered)
    this.#atMs = nowMs
  }

  #waitMs(): number {
    return (this.#ahead * 1000) / this.#bytesPerSecond()
  }
}
