/**
 * The life of one simulated process: everything that calls into it goes through `deliver`.
 *
 * What comes to a paused process waits, as to one that got SIGSTOP: its timers expire, answers of its
 * disk lie ready, and none of its code runs. Once it goes on all of that comes in the order in which
 * it was due, each in an event of its own, before anything new. Its machine meanwhile works: sockets
 * take bytes until they are full, a lease runs out.
 */

/** One process; dead for good after `end`. */
export class Execution {
  readonly #soon: (run: () => void) => void
  readonly #ran: () => void
  readonly #resumed: () => void
  #alive = true
  #isPaused = false
  /** What waits; undefined when nothing does. */
  #backlog: (() => void)[] | undefined

  /** `soon` lets something happen in an event of its own; `ran` is told of every call into the process. */
  constructor(soon: (run: () => void) => void, ran: () => void, resumed: () => void) {
    this.#soon = soon
    this.#ran = ran
    this.#resumed = resumed
  }

  get alive(): boolean {
    return this.#alive
  }

  /** None of its code runs now; nothing is read from its sockets. */
  get isPaused(): boolean {
    return this.#isPaused || this.#backlog !== undefined
  }

  /** Runs it now; later when the process is paused; never when it is dead. */
  deliver(run: () => void): void {
    if (!this.#alive) return
    if (this.isPaused) {
      this.#backlog ??= []
      this.#backlog.push(run)
    } else {
      this.#ran()
      run()
    }
  }

  pause(): void {
    this.#isPaused = true
  }

  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#continue()
  }

  end(): void {
    this.#alive = false
    this.#backlog = undefined
  }

  #continue(): void {
    this.#soon(() => {
      if (!this.#alive || this.#isPaused) return
      const next = this.#backlog?.shift()
      if (next === undefined) {
        this.#backlog = undefined
        this.#resumed()
        return
      }
      this.#ran()
      next()
      this.#continue()
    })
  }
}
