/**
 * Commits offsets: one request at a time, so that an older one never overtakes a newer one, and only
 * what has changed since the last.
 */
import type { Clock, Timer } from '../../io/io.ts'
import { ConsumerStateError } from './errors.ts'
import type { TopicPartition, TopicPartitionOffset } from './options.ts'
import type { ConsumedPartition } from './partition.ts'

/** Where offsets are kept: a group. */
export interface OffsetStore {
  /** Rejects with ClientError when not all of them were stored. */
  commit(offsets: readonly TopicPartitionOffset[]): Promise<void>
}

export interface CommitterEvents {
  committed(offsets: readonly TopicPartitionOffset[]): void
  /** Of an automatic commit: the next one will try again. */
  failed(error: unknown): void
}

export class Committer {
  readonly #clock: Clock
  readonly #store: OffsetStore | undefined
  readonly #partitions: ReadonlyMap<string, ConsumedPartition>
  readonly #events: CommitterEvents
  #last: Promise<void> = Promise.resolve()
  #timer: Timer | undefined

  constructor(
    clock: Clock,
    store: OffsetStore | undefined,
    partitions: ReadonlyMap<string, ConsumedPartition>,
    events: CommitterEvents,
  ) {
    this.#clock = clock
    this.#store = store
    this.#partitions = partitions
    this.#events = events
  }

  /** Commits what is finished with, every `everyMs`, until `stop`. */
  start(everyMs: number): void {
    const tick = async () => {
      await this.finished([...this.#partitions.values()])
      if (this.#timer !== undefined) this.#timer = this.#clock.timer(everyMs, tick)
    }
    this.#timer = this.#clock.timer(everyMs, tick)
  }

  stop(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  /** Commits how far user code has finished with these. A failure is an event. */
  async finished(partitions: readonly ConsumedPartition[]): Promise<void> {
    try {
      await this.#inTurn(() => this.#offsets(partitions, each => each.finished))
    } catch (error) {
      this.#events.failed(error)
    }
  }

  /** Commits all that was handed out, the message in hands included. Rejects with ClientError. */
  async handedOut(): Promise<void> {
    const partitions = [...this.#partitions.values()]
    await this.#inTurn(() => this.#said(this.#offsets(partitions, each => each.handedOut)))
  }

  /** Commits these. Rejects with ClientError, or ConsumerStateError NO_GROUP. */
  async offsets(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    await this.#inTurn(() => this.#said(offsets))
  }

  #said(offsets: readonly TopicPartitionOffset[]): readonly TopicPartitionOffset[] {
    for (const each of offsets) {
      const partition = this.#partitions.get(keyOf(each))
      if (partition !== undefined) partition.saidOffset = each.offset
    }
    return offsets
  }

  async #inTurn(choose: () => readonly TopicPartitionOffset[]): Promise<void> {
    const store = this.#store
    if (store === undefined) {
      throw new ConsumerStateError('NO_GROUP', 'offsets are committed for a group: set groupId')
    }
    const commit = this.#last.then(async () => {
      const offsets = choose()
      if (offsets.length === 0) return
      await store.commit(offsets)
      for (const { topic, partition, offset } of offsets) {
        const each = this.#partitions.get(keyOf({ topic, partition }))
        if (each !== undefined) each.committedOffset = offset
      }
      this.#events.committed(offsets)
    })
    this.#last = commit.catch(() => {})
    await commit
  }

  #offsets(
    partitions: readonly ConsumedPartition[],
    behind: (each: ConsumedPartition) => ConsumedPartition['finished'],
  ): TopicPartitionOffset[] {
    return partitions.flatMap(each => {
      const reached = behind(each)
      if (reached === undefined || reached.offset === each.committedOffset) return []
      if (reached.offset < each.saidOffset) return []
      return [{ topic: each.topic, partition: each.partition, ...reached }]
    })
  }
}

/** Names a partition. */
export function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}
