/** One record on its way: what it is, how long it may take, and who is told what became of it. */

import { SendError } from './errors.ts'
import type { HeaderValue, RecordMetadata } from './options.ts'

/** Counts down to the end of a flush. */
export class Latch {
  readonly done: Promise<void>
  readonly #resolve: () => void
  #count = 1

  constructor() {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.done = promise
    this.#resolve = resolve
  }

  up(): void {
    this.#count++
  }

  down(): void {
    if (--this.#count === 0) this.#resolve()
  }
}

/** Told once. */
export interface Receiver {
  stored(metadata: RecordMetadata): void
  failed(error: Error): void
}

/** What a record is, serialized. */
export interface Content {
  readonly topic: string
  /** −1: it has to be chosen. */
  readonly partition: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | string | null
  readonly headers: Readonly<Record<string, HeaderValue>> | undefined
  readonly timestamp: number
  /** At most what it takes in the buffer. */
  readonly bytes: number
}

/** A record on its way. */
export class Sending {
  /** Undefined once it is written into a batch. */
  content: Content | undefined
  readonly timestamp: number
  /** At most what it takes in the buffer. */
  readonly bytes: number
  readonly sinceMs: number
  /** The batch that it comes into does not linger. */
  isUrgent = false
  /** Of flushes that began while it had no batch. */
  #latches: Latch[] | undefined
  #receiver: Receiver | undefined

  constructor(content: Content, sinceMs: number, receiver: Receiver) {
    this.content = content
    this.timestamp = content.timestamp
    this.bytes = content.bytes
    this.sinceMs = sinceMs
    this.#receiver = receiver
  }

  /** Nobody waits for it any more. */
  get isSettled(): boolean {
    return this.#receiver === undefined
  }

  /** Somebody waits for it: `latch`, if given. */
  hurry(latch: Latch | undefined): void {
    this.isUrgent = true
    if (latch === undefined || this.isSettled) return
    latch.up()
    this.#latches ??= []
    this.#latches.push(latch)
  }

  stored(topic: string, partition: number, offset: number, logAppendTimeMs: number): void {
    const timestamp = logAppendTimeMs < 0 ? this.timestamp : logAppendTimeMs
    this.#settled()?.stored({ topic, partition, offset, timestamp })
  }

  failed(error: Error): void {
    this.#settled()?.failed(error)
  }

  #settled(): Receiver | undefined {
    const receiver = this.#receiver
    this.#receiver = undefined
    this.content = undefined
    if (this.#latches !== undefined) for (const latch of this.#latches.splice(0)) latch.down()
    return receiver
  }
}

/** Records that were sent together: told when the last of them has settled. */
export class SendGroup {
  readonly promise: Promise<RecordMetadata[]>
  readonly #results: (RecordMetadata | Error)[]
  readonly #resolve: (results: RecordMetadata[]) => void
  readonly #reject: (error: Error) => void
  #left: number
  #hasFailed = false

  constructor(count: number) {
    const { promise, resolve, reject } = Promise.withResolvers<RecordMetadata[]>()
    this.promise = promise
    this.#results = new Array(count)
    this.#resolve = resolve
    this.#reject = reject
    this.#left = count
    if (count === 0) resolve([])
  }

  /** The receiver of one of them. */
  receiver(index: number): Receiver {
    return new GroupReceiver(this, index)
  }

  failed(index: number, error: Error): void {
    this.#hasFailed = true
    this.settle(index, error)
  }

  settle(index: number, result: RecordMetadata | Error): void {
    this.#results[index] = result
    if (--this.#left > 0) return
    if (this.#hasFailed) this.#reject(new SendError(this.#results))
    else this.#resolve(this.#results as RecordMetadata[])
  }
}

class GroupReceiver implements Receiver {
  readonly #group: SendGroup
  readonly #index: number

  constructor(group: SendGroup, index: number) {
    this.#group = group
    this.#index = index
  }

  stored(metadata: RecordMetadata): void {
    this.#group.settle(this.#index, metadata)
  }

  failed(error: Error): void {
    this.#group.failed(this.#index, error)
  }
}
