/** Calls `eachMessage` or `eachBatch` for what came of one partition. */
import type { Message } from '../client/consumer/message.ts'
import type { TopicPartitionOffset } from '../client/consumer/options.ts'
import type { Clock } from '../io/io.ts'
import { pause } from '../io/pause.ts'
import type { Batch, EachBatchHandler, EachMessageHandler } from './consumer-types.ts'
import { KafkaJSProtocolError } from './errors.ts'
import { byTopic, type OffsetBook, type Place } from './offset-book.ts'
import { type Offsets, offsetOf } from './offsets.ts'
import type { Pauses } from './pauses.ts'

/** Work may block the event loop for so long between two heartbeats. */
const yieldAfterMs = 50

type Selection = { topic: string; partitions: number[] }[]

/** The run of which it is a part. */
export interface Control {
  readonly pauses: Pauses
  readonly book: OffsetBook
  readonly isRunning: boolean
  pause(selection: Selection): void
  resume(selection: Selection): void
  commit(offsets: readonly TopicPartitionOffset[]): Promise<void>
  commitIfDue(): Promise<void>
}

export class Processing {
  readonly #run: Control
  readonly #place: Place
  readonly #signal: AbortSignal
  readonly #clock: Clock
  readonly #version: number
  #yieldedMs: number

  constructor(run: Control, place: Place, signal: AbortSignal, clock: Clock) {
    this.#run = run
    this.#place = place
    this.#signal = signal
    this.#clock = clock
    this.#version = place.version
    this.#yieldedMs = clock.monotonicMs()
  }

  /** One by one, until the partition is paused, moved, revoked, or the consumer stops. */
  async messages(
    each: EachMessageHandler,
    batch: Batch,
    messages: readonly Message[],
  ): Promise<void> {
    const { topic, partition } = batch
    for (const [index, { offset }] of messages.entries()) {
      if (this.#isStale || this.#run.pauses.has(this.#place)) return
      const message = batch.messages[index]!
      await each({ topic, partition, message, heartbeat: this.#heartbeat, pause: this.#pause })
      this.#resolve(offset)
      await this.#run.commitIfDue()
    }
  }

  async batch(each: EachBatchHandler, batch: Batch, resolvesAll: boolean): Promise<void> {
    await each({
      batch,
      resolveOffset: offset => this.#resolve(offsetOf(offset)),
      heartbeat: this.#heartbeat,
      pause: this.#pause,
      commitOffsetsIfNecessary: offsets => this.#commitIfNecessary(offsets),
      uncommittedOffsets: () => ({ topics: byTopic(this.#run.book.uncommitted()) }),
      isRunning: () => this.#run.isRunning,
      isStale: () => this.#isStale && this.#run.isRunning,
    })
    if (resolvesAll) this.#resolve(offsetOf(batch.lastOffset()))
  }

  get #isStale(): boolean {
    return this.#signal.aborted || this.#place.version !== this.#version
  }

  #resolve(offset: number): void {
    if (this.#place.version === this.#version) this.#place.resolved = offset + 1
  }

  /** Members beat by themselves; it is work without a pause that could keep them from it. */
  readonly #heartbeat = async (): Promise<void> => {
    if (this.#signal.aborted && this.#run.isRunning) {
      throw new KafkaJSProtocolError({
        type: 'REBALANCE_IN_PROGRESS',
        code: 27,
        retriable: false,
        message: 'the partition goes to another member: what is not resolved comes again there',
      })
    }
    if (this.#clock.monotonicMs() < this.#yieldedMs + yieldAfterMs) return
    await pause(this.#clock, 0)
    this.#yieldedMs = this.#clock.monotonicMs()
  }

  readonly #pause = (): (() => void) => {
    const { topic, partition } = this.#place
    const selection = [{ topic, partitions: [partition] }]
    this.#run.pause(selection)
    return () => this.#run.resume(selection)
  }

  async #commitIfNecessary(offsets: Offsets | undefined): Promise<void> {
    if (offsets === undefined) {
      await this.#run.commitIfDue()
      return
    }
    await this.#run.commit(
      offsets.topics.flatMap(({ topic, partitions }) =>
        partitions.map(each => ({
          topic,
          partition: each.partition,
          offset: offsetOf(each.offset),
        })),
      ),
    )
  }
}
