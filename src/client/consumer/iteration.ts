/**
 * `for await` over messages or batches. Asking for the next one says that the last one is finished
 * with; leaving the loop does not, for `break` and `throw` look the same from here.
 */
import type { Message } from './message.ts'
import type { Unit } from './partition.ts'

/** What an iteration needs of its consumer. */
export interface Supply {
  /** Joins, or assigns, when that has not been done. */
  start(): Promise<void>
  takeNow(): Unit | undefined
  /** Undefined: the end. */
  take(): Promise<Unit | undefined>
  /** The unit is done as far as it says; commits where that is to happen after each batch. */
  finish(unit: Unit): Promise<void> | undefined
  /** The loop is over: closes the consumer, after giving back what is in hands. */
  leave(unit: Unit | undefined): Promise<void>
}

/** Makes what is yielded of a unit, beginning at `unit.handed`, which it raises. */
type Hand<T> = (unit: Unit) => T

export class Iteration<T> implements AsyncIterableIterator<T> {
  readonly #supply: Supply
  readonly #hand: Hand<T>
  readonly #signal: AbortSignal | undefined
  #unit: Unit | undefined
  /** A `next` that waits; those behind it queue up. */
  #slow: Promise<IteratorResult<T>> | undefined
  #isStarted = false
  #isOver = false

  constructor(supply: Supply, hand: Hand<T>, signal: AbortSignal | undefined) {
    this.#supply = supply
    this.#hand = hand
    this.#signal = signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  /** The common case, a message that is there, costs one settled promise. */
  next(): Promise<IteratorResult<T>> {
    if (this.#slow !== undefined) return this.#slow.then(() => this.next())
    const unit = this.#unit
    if (unit?.isOpen && unit.handed < unit.messages.length && !this.#signal?.aborted) {
      unit.done = unit.handed
      return Promise.resolve({ value: this.#hand(unit), done: false })
    }
    const slow = this.#nextUnit().finally(() => {
      this.#slow = undefined
    })
    this.#slow = slow
    return slow
  }

  /** Called by `break`, `return` and `throw` in the loop. */
  async return(): Promise<IteratorResult<T>> {
    if (!this.#isOver) {
      this.#isOver = true
      const unit = this.#unit
      this.#unit = undefined
      await this.#supply.leave(unit)
    }
    return { value: undefined, done: true }
  }

  async #nextUnit(): Promise<IteratorResult<T>> {
    if (this.#isOver) return { value: undefined, done: true }
    try {
      if (!this.#isStarted) {
        this.#isStarted = true
        await this.#supply.start()
      }
      await this.#finishUnit()
      const unit = await this.#nextOpen()
      if (unit === undefined) return await this.return()
      this.#unit = unit
      return { value: this.#hand(unit), done: false }
    } catch (error) {
      await this.return()
      throw error
    }
  }

  async #finishUnit(): Promise<void> {
    const unit = this.#unit
    if (unit === undefined) return
    this.#unit = undefined
    unit.done = unit.handed
    await this.#supply.finish(unit)
  }

  async #nextOpen(): Promise<Unit | undefined> {
    const signal = this.#signal
    if (signal?.aborted) return undefined
    const unit = this.#supply.takeNow()
    if (unit !== undefined) return unit
    if (signal === undefined) return await this.#supply.take()
    const taking = this.#supply.take()
    let onAbort: (() => void) | undefined
    const aborted = new Promise<undefined>(resolve => {
      onAbort = () => resolve(undefined)
      signal.addEventListener('abort', onAbort, { once: true })
    })
    try {
      const taken = await Promise.race([taking, aborted])
      // What comes now has no one to go to; the consumer closes.
      if (taken === undefined) taking.catch(() => {})
      return taken
    } finally {
      signal.removeEventListener('abort', onAbort!)
    }
  }
}

/** Hands out message by message. */
export function handMessage<K, V>(unit: Unit): Message<K, V> {
  return unit.messages[unit.handed++] as Message<K, V>
}
