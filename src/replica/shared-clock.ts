/**
 * A clock all of whose timers are one: thousands of partitions wait for deadlines that almost never
 * come. What is set lies in a set; the one timer goes off at the earliest deadline known when it was
 * set, and then the set is looked through. Cancelling is taking out of the set, no more: a timer that
 * goes off for nothing is cheaper than one that is set anew for each request.
 */
import type { Clock, Timer } from '../io/io.ts'

class Alarm implements Timer {
  readonly dueMs: number
  readonly run: () => void
  readonly #set: Set<Alarm>

  constructor(set: Set<Alarm>, dueMs: number, run: () => void) {
    this.#set = set
    this.dueMs = dueMs
    this.run = run
  }

  cancel(): void {
    this.#set.delete(this)
  }
}

export class SharedClock implements Clock {
  readonly #clock: Clock
  readonly #alarms = new Set<Alarm>()
  #timer: Timer | undefined
  #timerMs = Number.POSITIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  wallMs(): number {
    return this.#clock.wallMs()
  }

  monotonicMs(): number {
    return this.#clock.monotonicMs()
  }

  timer(delayMs: number, run: () => void): Timer {
    const alarm = new Alarm(this.#alarms, this.monotonicMs() + delayMs, run)
    this.#alarms.add(alarm)
    this.#goOffAt(alarm.dueMs)
    return alarm
  }

  /** Nothing that was set goes off any more. */
  close(): void {
    this.#alarms.clear()
    this.#timer?.cancel()
  }

  #goOffAt(dueMs: number): void {
    if (dueMs >= this.#timerMs) return
    this.#timer?.cancel()
    this.#timerMs = dueMs
    const delayMs = Math.max(0, dueMs - this.monotonicMs())
    this.#timer = this.#clock.timer(delayMs, () => this.#goOff())
  }

  #goOff(): void {
    this.#timer = undefined
    this.#timerMs = Number.POSITIVE_INFINITY
    const nowMs = this.monotonicMs()
    const due: Alarm[] = []
    let earliestMs = Number.POSITIVE_INFINITY
    for (const alarm of this.#alarms) {
      if (alarm.dueMs <= nowMs) due.push(alarm)
      else earliestMs = Math.min(earliestMs, alarm.dueMs)
    }
    this.#goOffAt(earliestMs)
    due.sort((a, b) => a.dueMs - b.dueMs)
    // One of them may cancel another.
    for (const alarm of due) if (this.#alarms.delete(alarm)) alarm.run()
  }
}
