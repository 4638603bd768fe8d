/**
 * Between what was fetched and user code: partitions that have something to read stand in a queue,
 * and give one unit of messages each time it is their turn. A partition whose unit is in hands does
 * not stand in the queue, so its messages are worked on in order.
 */
import type { ConsumedPartition, Unit } from './partition.ts'

interface Waiting {
  resolve(unit: Unit | undefined): void
  reject(error: unknown): void
}

export class Delivery {
  readonly #onTaken: () => void
  readonly #queue: ConsumedPartition[] = []
  readonly #waiting: Waiting[] = []
  #end: { readonly error?: unknown } | undefined

  /** `onTaken`: there may be room to fetch more. */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken
  }

  /** Whether nothing is given out any more. */
  get isEnded(): boolean {
    return this.#end !== undefined
  }

  /** The partition may have something to read now. */
  readable(partition: ConsumedPartition): void {
    if (partition.isQueued || !partition.isReadable) return
    partition.isQueued = true
    this.#queue.push(partition)
    while (this.#waiting.length > 0) {
      const waiting = this.#waiting[0]!
      try {
        const unit = this.takeNow()
        if (unit === undefined) return
        this.#waiting.shift()
        waiting.resolve(unit)
      } catch (error) {
        this.#waiting.shift()
        waiting.reject(error)
      }
    }
  }

  /** The next unit, if there is one; it is in hands until `release`. Throws what reading throws. */
  takeNow(): Unit | undefined {
    if (this.#end !== undefined) return undefined
    for (;;) {
      const partition = this.#queue.shift()
      if (partition === undefined) return undefined
      partition.isQueued = false
      if (!partition.isReadable) continue
      const unit = partition.take()
      this.#onTaken()
      if (unit !== undefined) return unit
    }
  }

  /** As `takeNow`, but waits. Undefined at the end; rejects with the error that ended it. */
  take(): Promise<Unit | undefined> {
    try {
      const unit = this.takeNow()
      if (unit !== undefined) return Promise.resolve(unit)
    } catch (error) {
      return Promise.reject(error)
    }
    return new Promise((resolve, reject) => {
      if (this.#end === undefined) this.#waiting.push({ resolve, reject })
      else settle({ resolve, reject }, this.#end)
    })
  }

  /** User code is done with a unit, or as far as it says. */
  release(unit: Unit): void {
    unit.source.release(unit)
    this.#onTaken()
    this.readable(unit.source)
  }

  /** Nothing is given out any more; those who wait get `undefined`, or the error. Idempotent. */
  end(error?: unknown): void {
    if (this.#end !== undefined) return
    this.#end = error === undefined ? {} : { error }
    for (const waiting of this.#waiting.splice(0)) settle(waiting, this.#end)
  }
}

function settle({ resolve, reject }: Waiting, end: { readonly error?: unknown }): void {
  if ('error' in end) reject(end.error)
  else resolve(undefined)
}
