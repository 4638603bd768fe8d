/** Says what a command waits for, once that takes longer than a second. */
import { Progress } from './output.ts'

const tickMs = 250

export class Working {
  readonly #what: () => string
  readonly #ticking: NodeJS.Timeout
  #progress = new Progress()

  constructor(what: () => string) {
    this.#what = what
    this.#ticking = setInterval(() => this.#progress.show(() => `… ${this.#what()}`), tickMs)
    this.#ticking.unref()
  }

  /** Takes the line away, for something else to be printed; another wait begins. */
  pause(): void {
    this.#progress.clear()
    this.#progress = new Progress()
  }

  end(): void {
    this.#progress.clear()
    clearInterval(this.#ticking)
  }
}
