/**
 * One partition that a consumer reads: where it stands, what is fetched ahead of it, and the messages
 * that user code has in hands.
 *
 *     finished ≤ position ≤ read so far ≤ fetchOffset
 *
 * What was fetched belongs to a `version`: a seek, or the end of the assignment, makes a new one, and
 * everything of an older version, in the buffer, under way, or in hands, counts no longer.
 */
import { KafkaError } from '../../protocol/errors.ts'
import type { Batch } from '../../protocol/records/batch.ts'
import { type BatchLimits, BatchReader } from './batch-reader.ts'
import { DamagedBatchError } from './errors.ts'
import type { FetchedRecords } from './fetched-records.ts'
import type { Message } from './message.ts'

/** How messages are made; what it throws reaches the user, undefined skips the message. */
export interface Reading extends BatchLimits {
  readonly maxBatchMessages: number
  decode(message: Message): Message<unknown, unknown> | undefined
  /** True: go on behind the damaged batch. */
  skips(error: DamagedBatchError): boolean
}

/** Where the position comes from, when it has to be found first. */
export type Wanted =
  | { readonly kind: 'reset'; readonly timestamp: number }
  /** Does the leader's log still hold what was read? (KIP-320) */
  | { readonly kind: 'validate' }

/** Messages of one partition given out together, and how far they got. */
export class Unit {
  readonly source: ConsumedPartition
  readonly messages: readonly Message<unknown, unknown>[]
  readonly version: number
  /** What is finished with when none and when all of the messages are. */
  readonly startOffset: number
  readonly endOffset: number
  readonly startEpoch: number
  /** False: nothing more of it may be handed out. */
  isOpen = true
  /** Messages given to user code, from the first. */
  handed = 0
  /** Messages that user code has finished with, from the first; at most `handed`. */
  done = 0
  /** Messages that were counted as handed out. */
  counted = 0
  /** Of the work on it, in `run`. */
  abort: AbortController | undefined

  constructor(
    source: ConsumedPartition,
    messages: readonly Message<unknown, unknown>[],
    endOffset: number,
  ) {
    this.source = source
    this.messages = messages
    this.version = source.version
    this.startOffset = source.finishedOffset ?? messages[0]!.offset
    this.startEpoch = source.finishedEpoch
    this.endOffset = endOffset
  }

  /** The offset behind the first `count` messages. */
  offsetBehind(count: number): number {
    if (count === this.messages.length) return this.endOffset
    return count === 0 ? this.startOffset : this.messages[count - 1]!.offset + 1
  }

  epochBehind(count: number): number {
    return count === 0 ? this.startEpoch : this.messages[count - 1]!.leaderEpoch
  }
}

/** Batches are gathered into one unit until they have expanded to so much. */
const maxUnitBytes = 1024 * 1024

export class ConsumedPartition {
  readonly topic: string
  readonly partition: number
  topicId = ''
  leaderId = -1
  leaderEpoch = -1
  /** A replica that the leader told us to read from (KIP-392), until a monotonic time. */
  preferred: { readonly brokerId: number; readonly untilMs: number } | undefined
  /** Where the next fetch begins; undefined: `wanted` says how that is found. */
  fetchOffset: number | undefined
  /** Leader epoch of the record before `fetchOffset`; −1 when unknown. */
  fetchEpoch = -1
  wanted: Wanted | undefined
  /** The log has nothing at `fetchOffset`: what is buffered is still good, then it is reset. */
  resetWhenRead = false
  /** Monotonic: not asked for before. */
  retryAtMs = 0
  attempts = 0
  /** When it was last in an answered fetch, or could first be fetched; for the watchdog. */
  fetchedAtMs: number | undefined
  highWatermark = -1
  lastStableOffset = -1
  logStartOffset = -1
  bufferedBytes = 0
  version = 0
  /** False: not this consumer's any more. */
  isAssigned = true
  isPaused = false
  /** About to go: nothing more of it is handed out. */
  isRevoking = false
  /** In the queue of those that have something to read. */
  isQueued = false
  held: Unit | undefined
  /** Offset and epoch behind everything that user code has finished with, but for `held`. */
  finishedOffset: number | undefined
  finishedEpoch = -1
  committedOffset = -1
  /** What the user said is done; automatic commits do not go behind it. */
  saidOffset = -1
  readonly #reading: Reading
  /** Given back unread, because it was paused. */
  #returned: Unit | undefined
  #fetched: FetchedRecords[] = []
  #reader: BatchReader | undefined
  #readOffset = 0
  /** What the fetcher found, behind all that is buffered. */
  #failure: { readonly error: unknown } | undefined
  /** What reading found, behind the messages handed out before. */
  #readFailure: { readonly error: unknown } | undefined
  /** What the batches of the unit that is being read expanded to. */
  #unitBytes = 0
  #onReleased: (() => void)[] = []

  constructor(topic: string, partition: number, reading: Reading) {
    this.topic = topic
    this.partition = partition
    this.#reading = reading
  }

  /** The next offset to be handed out; undefined while it is not known. */
  get position(): number | undefined {
    return this.handedOut?.offset
  }

  /** As of now, with what is done of the messages in hands. */
  get finished(): { readonly offset: number; readonly leaderEpoch: number } | undefined {
    return this.#behind(unit => unit.done)
  }

  /** As `finished`, but with everything that was handed out. */
  get handedOut(): { readonly offset: number; readonly leaderEpoch: number } | undefined {
    return this.#behind(unit => unit.handed)
  }

  #behind(count: (unit: Unit) => number) {
    const unit = this.held ?? this.#returned
    if (unit !== undefined && unit.version === this.version) {
      const done = count(unit)
      return { offset: unit.offsetBehind(done), leaderEpoch: unit.epochBehind(done) }
    }
    if (this.finishedOffset === undefined) return undefined
    return { offset: this.finishedOffset, leaderEpoch: this.finishedEpoch }
  }

  /** Whether a `take` may have something, or an error. */
  get isReadable(): boolean {
    const isFree = this.held === undefined && !this.isPaused && !this.isRevoking && this.isAssigned
    return isFree && this.hasBuffered
  }

  get hasBuffered(): boolean {
    return (
      this.#returned !== undefined ||
      this.#reader !== undefined ||
      this.#fetched.length > 0 ||
      this.#failure !== undefined ||
      this.#readFailure !== undefined
    )
  }

  /** Goes on at an offset, or where `wanted` will say. Everything fetched so far is dropped. */
  moveTo(target: { readonly offset: number; readonly leaderEpoch?: number } | Wanted): void {
    this.drop()
    if ('kind' in target) {
      this.fetchOffset = undefined
      this.finishedOffset = undefined
      this.finishedEpoch = -1
      this.wanted = target
      return
    }
    this.wanted = undefined
    this.fetchOffset = target.offset
    this.fetchEpoch = target.leaderEpoch ?? -1
    this.finishedOffset = target.offset
    this.finishedEpoch = this.fetchEpoch
    this.#readOffset = target.offset
  }

  /** Drops what was fetched, and what is in hands counts no longer. */
  drop(): void {
    this.version++
    this.saidOffset = -1
    if (this.held !== undefined) this.held.isOpen = false
    this.#returned = undefined
    this.#fetched = []
    this.#reader = undefined
    this.#failure = undefined
    this.#readFailure = undefined
    this.resetWhenRead = false
    this.bufferedBytes = 0
    this.retryAtMs = 0
    this.attempts = 0
  }

  /** Takes what a fetch from `fetchOffset` brought. */
  accept(records: FetchedRecords): void {
    this.fetchOffset = records.endOffset
    if (records.endEpoch >= 0) this.fetchEpoch = records.endEpoch
    if (records.leftBytes === 0 && records.damage === undefined) return
    this.#fetched.push(records)
    this.bufferedBytes += records.leftBytes
  }

  /** Makes room: what is fetched ahead of reading will be fetched again. Nothing in hands changes. */
  forgetBuffered(): void {
    if (this.fetchOffset === undefined || this.bufferedBytes === 0) return
    this.#fetched = []
    this.#reader = undefined
    this.bufferedBytes = 0
    this.fetchOffset = this.#readOffset
    this.fetchEpoch = this.finishedEpoch
  }

  /** The next `take`, behind what is buffered, throws this; nothing is fetched until it moves. */
  fail(error: unknown): void {
    this.#failure ??= { error }
  }

  get isFailed(): boolean {
    return this.#failure !== undefined || this.#fetched.at(-1)?.damage !== undefined
  }

  /** Some messages, in `held` until `release`; undefined when there are none. */
  take(): Unit | undefined {
    const returned = this.#returned
    if (returned !== undefined) {
      this.#returned = undefined
      returned.isOpen = true
      return (this.held = returned)
    }
    const messages = this.#read()
    if (messages.length === 0) {
      // Only markers and the like: nobody has to finish with those.
      if (this.fetchOffset !== undefined) this.finishedOffset = this.#readOffset
      return undefined
    }
    return (this.held = new Unit(this, messages, this.#readOffset))
  }

  /** User code is done with the messages in hands, or with as many as their unit says. */
  release(unit: Unit): void {
    if (this.held !== unit) return
    this.held = undefined
    if (unit.version === this.version) {
      if (unit.done === unit.messages.length || !this.isPaused) {
        this.finishedOffset = unit.offsetBehind(unit.done)
        this.finishedEpoch = unit.epochBehind(unit.done)
      } else {
        this.#returned = unit
      }
    }
    for (const resolve of this.#onReleased.splice(0)) resolve()
  }

  /** Resolves when nothing is in hands. */
  async released(): Promise<void> {
    if (this.held === undefined) return
    await new Promise<void>(resolve => this.#onReleased.push(resolve))
  }

  #read(): Message<unknown, unknown>[] {
    if (this.#readFailure !== undefined) throw this.#readFailure.error
    const messages: Message<unknown, unknown>[] = []
    const max = this.#reading.maxBatchMessages
    this.#unitBytes = 0
    try {
      while (messages.length < max && this.#unitBytes < maxUnitBytes) {
        const message = this.#nextStored()
        if (message === undefined) break
        const decoded = this.#reading.decode(message)
        this.#readOffset = message.offset + 1
        if (decoded !== undefined) messages.push(decoded)
      }
      // Where a batch ends with it, its end may lie behind its last message.
      if (this.#reader?.isDone) this.#nextBatchEnds(this.#reader)
    } catch (error) {
      this.#readFailure = { error }
      if (messages.length === 0) throw error
    }
    return messages
  }

  #nextStored(): Message | undefined {
    for (;;) {
      const reader = this.#reader ?? this.#nextReader()
      if (reader === undefined) return undefined
      try {
        const message = reader.next(this.#readOffset)
        if (message !== undefined) return message
      } catch (cause) {
        this.#passOver(this.#readOffset, reader.endOffset, cause)
      }
      this.#nextBatchEnds(reader)
    }
  }

  #nextBatchEnds(reader: BatchReader): void {
    this.#readOffset = Math.max(this.#readOffset, reader.endOffset)
    this.#reader = undefined
    this.bufferedBytes -= reader.sizeInBytes
    this.#unitBytes += reader.expandedBytes
  }

  #nextReader(): BatchReader | undefined {
    if (this.#failure !== undefined && this.#fetched.length === 0) throw this.#failure.error
    for (;;) {
      const records = this.#fetched[0]
      if (records === undefined) return undefined
      const batch = this.#nextBatch(records)
      if (batch === undefined) {
        if (records.damage !== undefined) {
          this.#passOver(records.endOffset, undefined, records.damage)
        }
        this.#fetched.shift()
      } else if (records.isLeftOut(batch)) {
        this.bufferedBytes -= batch.sizeInBytes
        this.#readOffset = Math.max(this.#readOffset, batch.lastOffset + 1)
      } else {
        return (this.#reader = new BatchReader(this, batch, this.#reading))
      }
    }
  }

  #nextBatch(records: FetchedRecords): Batch | undefined {
    try {
      return records.next()
    } catch (cause) {
      this.#passOver(this.#readOffset, undefined, cause)
      throw cause
    }
  }

  /** Throws unless the user wants to go on behind a damaged batch. */
  #passOver(offset: number, nextOffset: number | undefined, cause: unknown): void {
    if (!(cause instanceof KafkaError) && !(cause instanceof Error)) throw cause
    const place = { topic: this.topic, partition: this.partition, offset }
    const error = new DamagedBatchError(place, nextOffset, cause)
    if (nextOffset === undefined || !this.#reading.skips(error)) throw error
  }
}
