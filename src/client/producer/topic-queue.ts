/** What is sent to one topic: its partitions, and the records that wait until they are known. */
import type { PartitionInfo } from '../cluster.ts'
import { partitionOfKey } from '../partitioner.ts'
import { ProducerStateError } from './errors.ts'
import type { Partitioner } from './options.ts'
import { PartitionQueue, type QueueLimits } from './partition-queue.ts'
import type { Content, Sending } from './sending.ts'
import { StickyState } from './sticky-state.ts'

/** What a topic has to know of the producer it is part of. */
export interface TopicSettings extends QueueLimits {
  readonly partitioner: Partitioner | undefined
  readonly random: () => number
}

export class TopicQueue {
  readonly name: string
  topicId: string | undefined
  /** Records that have no place yet, in order. */
  waiting: Sending[] = []
  /** When its partitions were last asked for: `-Infinity` before. */
  askedMs = Number.NEGATIVE_INFINITY
  /** When they were last heard. */
  heardMs = Number.NEGATIVE_INFINITY
  /** When they are to be asked for; `Infinity`: not at all. */
  askAtMs = Number.POSITIVE_INFINITY
  isAsking = false
  /** How often in a row they were asked for in vain. */
  attempts = 0
  /** What the last question was refused with. */
  lastError: Error | undefined
  partitions: readonly PartitionQueue[] = []
  readonly #settings: TopicSettings
  readonly #sticky: StickyState
  #available: readonly number[] = []

  constructor(name: string, settings: TopicSettings) {
    this.name = name
    this.#settings = settings
    this.#sticky = new StickyState(settings.batchBytes)
  }

  get isKnown(): boolean {
    return this.partitions.length > 0
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0 && this.partitions.every(({ isEmpty }) => isEmpty)
  }

  /** Some records wait for a leader. */
  get needsLeader(): boolean {
    return this.partitions.some(each => each.leaderId < 0 && !each.isEmpty)
  }

  /** News of its partitions, in order of their numbers; answers those whose leader has changed, and those that are gone. */
  update(
    topicId: string | undefined,
    infos: readonly PartitionInfo[],
    nowMs: number,
  ): { moved: PartitionQueue[]; gone: readonly PartitionQueue[] } {
    const isNew = this.topicId !== undefined && topicId !== this.topicId
    this.topicId = topicId
    this.heardMs = nowMs
    const known = this.partitions
    this.partitions = infos.map(
      (_, index) => known[index] ?? new PartitionQueue(this.name, index, this.#settings),
    )
    if (isNew) for (const each of known) each.sequence.restart()
    const moved = this.partitions.filter((each, index) => {
      const { leaderId } = infos[index]!
      if (each.leaderId === leaderId) return false
      each.leaderId = leaderId
      each.sequence.leaderChanged()
      if (leaderId < 0) this.#sticky.leave(index)
      return true
    })
    this.#available = infos.flatMap(({ leaderId }, index) => (leaderId < 0 ? [] : [index]))
    return { moved, gone: known.slice(infos.length) }
  }

  /**
   * The queue for a record; undefined when it names a partition that is not known. Throws
   * ProducerStateError for a choice that makes no sense.
   */
  place(content: Content, bytes: number): PartitionQueue | undefined {
    return this.partitions[content.partition < 0 ? this.#choose(content, bytes) : content.partition]
  }

  /** A batch of a partition is sent: what has no key goes elsewhere. */
  sent(partition: number): void {
    this.#sticky.leave(partition)
  }

  #choose(content: Content, bytes: number): number {
    const count = this.partitions.length
    const { partitioner, random } = this.#settings
    if (partitioner !== undefined) {
      const chosen = partitioner(content, { count, available: this.#available })
      if (chosen !== undefined) return checked(chosen, count)
    }
    if (content.key !== null) return partitionOfKey(content.key, count)
    const waitingBytes = (partition: number) => this.partitions[partition]!.unsentBytes
    return this.#sticky.next(bytes, count, this.#available, random, waitingBytes)
  }
}

function checked(chosen: number, count: number): number {
  if (Number.isInteger(chosen) && chosen >= 0 && chosen < count) return chosen
  throw new ProducerStateError(
    'BAD_OPTION',
    `the partitioner chose ${chosen}: partitions go from 0 to ${count - 1}`,
  )
}
