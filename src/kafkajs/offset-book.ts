/** How far a consumer got in each of its partitions: what it has resolved, and what is committed. */
import { keyOf } from '../client/consumer/committer.ts'
import type { TopicPartition, TopicPartitionOffset } from '../client/consumer/options.ts'
import type { TopicOffsets } from './offsets.ts'

export class Place implements TopicPartition {
  readonly topic: string
  readonly partition: number
  /** The next offset to read; undefined before the first message. */
  resolved: number | undefined
  /** What the group has; undefined when that is not known. */
  committed: number | undefined
  /** Raised when the position moves, or the partition goes: what was read before counts no longer. */
  version = 0

  constructor({ topic, partition }: TopicPartition) {
    this.topic = topic
    this.partition = partition
  }

  /** Reading begins at `offset`, if it has not begun. */
  begin(offset: number): void {
    this.resolved ??= offset
    this.committed ??= offset
  }
}

export class OffsetBook {
  readonly #places = new Map<string, Place>()
  #committedAtMs: number

  constructor(nowMs: number) {
    this.#committedAtMs = nowMs
  }

  place(partition: TopicPartition): Place | undefined {
    return this.#places.get(keyOf(partition))
  }

  add(partition: TopicPartition): void {
    this.#places.set(keyOf(partition), new Place(partition))
  }

  remove(partition: TopicPartition): void {
    const place = this.place(partition)
    if (place !== undefined) place.version++
    this.#places.delete(keyOf(partition))
  }

  uncommitted(): TopicPartitionOffset[] {
    return [...this.#places.values()].flatMap(({ topic, partition, resolved, committed }) =>
      resolved === undefined || resolved === committed
        ? []
        : [{ topic, partition, offset: resolved }],
    )
  }

  committed(offsets: readonly TopicPartitionOffset[], nowMs: number): void {
    this.#committedAtMs = nowMs
    for (const each of offsets) {
      const place = this.place(each)
      if (place !== undefined) place.committed = each.offset
    }
  }

  /** Whether so much, or so long, is not committed. */
  isDue(intervalMs: number | null, threshold: number | null, nowMs: number): boolean {
    if (intervalMs !== null && nowMs >= this.#committedAtMs + intervalMs) return true
    if (threshold === null) return false
    let sum = 0
    for (const { resolved, committed } of this.#places.values()) {
      if (resolved !== undefined) sum += resolved - (committed ?? 0)
    }
    return sum >= threshold
  }
}

/** In the shape of kafkajs. */
export function byTopic(offsets: readonly TopicPartitionOffset[]): TopicOffsets[] {
  return [...Map.groupBy(offsets, ({ topic }) => topic)].map(([topic, mine]) => ({
    topic,
    partitions: mine.map(({ partition, offset }) => ({ partition, offset: String(offset) })),
  }))
}
