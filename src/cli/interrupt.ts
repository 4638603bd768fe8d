/** Ctrl-C for commands that last: the first one asks to finish, the second ends at once. */

/** The exit code of a command that was interrupted, as shells give it. */
const interruptedCode = 130

export class Interrupt {
  /** Resolves, to undefined, at the first Ctrl-C. */
  readonly asked: Promise<undefined>
  readonly #onSignal: () => void
  #isAsked = false

  /** Listens until `close`. */
  constructor() {
    const { promise, resolve } = Promise.withResolvers<undefined>()
    this.asked = promise
    this.#onSignal = () => {
      this.#isAsked = true
      process.exitCode = interruptedCode
      resolve(undefined)
    }
    // Once: the next one has Node's own effect.
    process.once('SIGINT', this.#onSignal)
  }

  get isAsked(): boolean {
    return this.#isAsked
  }

  close(): void {
    process.off('SIGINT', this.#onSignal)
  }
}
