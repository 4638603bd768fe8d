/** The committed offsets of one group. */
import type { FetchedOffset, FetchedOffsets, FetchOffsets } from './commands.ts'
import type { GroupRecord, StoredOffset } from './group-records.ts'

/** Whether an offset has had its time. */
export type Expired = (topic: string, stored: StoredOffset) => boolean

const nothing: Omit<FetchedOffset, 'partition'> = { offset: -1, leaderEpoch: -1, metadata: '' }

/** See above. Replicated state: records alone change it. */
export class OffsetsState {
  readonly #groupId: string
  readonly #topics = new Map<string, Map<number, StoredOffset>>()
  #size = 0

  constructor(groupId: string) {
    this.#groupId = groupId
  }

  /** How many partitions have one. */
  get size(): number {
    return this.#size
  }

  apply(topic: string, partition: number, value: StoredOffset | null): void {
    const known = this.#topics.get(topic)
    if (value === null) {
      if (known === undefined || !known.delete(partition)) return
      this.#size--
      if (known.size === 0) this.#topics.delete(topic)
      return
    }
    const partitions = known ?? new Map<number, StoredOffset>()
    if (known === undefined) this.#topics.set(topic, partitions)
    if (!partitions.has(partition)) this.#size++
    partitions.set(partition, value)
  }

  has(topic: string, partition: number): boolean {
    return this.#topics.get(topic)?.has(partition) ?? false
  }

  fetch(topics: FetchOffsets['topics']): FetchedOffsets {
    if (topics === null) {
      return {
        topics: Array.from(this.#topics, ([name, partitions]) => ({
          name,
          partitions: Array.from(partitions, ([partition, stored]) => fetched(partition, stored)),
        })),
      }
    }
    return {
      topics: topics.map(({ name, partitions }) => {
        const ofTopic = this.#topics.get(name)
        return {
          name,
          partitions: partitions.map(partition => fetched(partition, ofTopic?.get(partition))),
        }
      }),
    }
  }

  tombstone(topic: string, partition: number): GroupRecord {
    return { kind: 'offset', groupId: this.#groupId, topic, partition, value: null }
  }

  /** Tombstones of the offsets that `isMeant`. */
  *tombstones(isMeant: Expired): Iterable<GroupRecord> {
    for (const [topic, partitions] of this.#topics) {
      for (const [partition, stored] of partitions) {
        if (isMeant(topic, stored)) yield this.tombstone(topic, partition)
      }
    }
  }

  /** Tombstones of all offsets of these topics. */
  *tombstonesOf(topics: ReadonlySet<string>): Iterable<GroupRecord> {
    for (const topic of topics) {
      for (const partition of this.#topics.get(topic)?.keys() ?? []) {
        yield this.tombstone(topic, partition)
      }
    }
  }
}

function fetched(partition: number, stored: StoredOffset | undefined): FetchedOffset {
  const { offset, leaderEpoch, metadata } = stored ?? nothing
  return { partition, offset, leaderEpoch, metadata }
}
