/**
 * What a client knows of brokers and topics, and how it comes to know more.
 *
 * Topics are asked for in batches: what is wanted in one turn of the event loop, or while a request
 * is under way, goes in one. Who wants a topic that is being asked for waits for that answer, unless
 * the topic was invalidated since: then the answer may be of before. What is known is used until it
 * is invalidated; when it grows old it is asked for again while it goes on being used.
 *
 * A broker that lags behind may tell of an earlier leader. It is not believed: a leader epoch never
 * goes back as long as the topic has the same id (KIP-320).
 */
import type { Clock } from '../io/io.ts'
import { errorName, KafkaError } from '../protocol/errors.ts'
import type { Address, ClusterMetadata } from './cluster.ts'

/** A partition, as the cluster tells of it. */
export interface PartitionInfo {
  readonly partition: number
  /** −1: it has none now. */
  readonly leaderId: number
  readonly leaderEpoch: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

export interface KnownTopic {
  readonly topicId: string
  /** By index, in order. */
  readonly partitions: ReadonlyMap<number, PartitionInfo>
  readonly list: readonly PartitionInfo[]
  readonly atMs: number
}

/** Asks the cluster for topics, learns the answer, and rejects with ClientError. */
export type AskForTopics = (topics: readonly string[], create: boolean) => Promise<unknown>

interface Batch {
  readonly topics: Set<string>
  readonly done: Promise<unknown>
}

export class MetadataCache {
  readonly brokers = new Map<number, Address>()
  readonly #clock: Clock
  readonly #maxAgeMs: number
  readonly #ask: AskForTopics
  /** The error stands for a topic that was refused. */
  readonly #topics = new Map<string, KnownTopic | KafkaError>()
  readonly #stale = new Set<string>()
  readonly #listeners = new Set<() => void>()
  /** The last batch: of topics that may be created, and of those that may not. */
  readonly #waiting = new Map<boolean, Batch>()
  readonly #asking = new Map<boolean, Batch>()

  constructor(clock: Clock, maxAgeMs: number, ask: AskForTopics) {
    this.#clock = clock
    this.#maxAgeMs = maxAgeMs
    this.#ask = ask
  }

  /** What is known of a topic, stale or not; an error when it was refused. */
  topic(name: string): KnownTopic | KafkaError | undefined {
    return this.#topics.get(name)
  }

  /**
   * A topic as it is known, asked for where it is not. Rejects with the topic's own KafkaError, or as
   * `AskForTopics` does.
   */
  async find(name: string, create: boolean): Promise<KnownTopic> {
    const known = this.#topics.get(name)
    if (known !== undefined && !(known instanceof KafkaError) && !this.#stale.has(name)) {
      if (this.#clock.monotonicMs() - known.atMs > this.#maxAgeMs) this.#renew(name, create)
      return known
    }
    await this.refresh(name, create)
    const found = this.#topics.get(name)
    if (found === undefined) throw KafkaError.of('UNKNOWN_TOPIC_OR_PARTITION', `topic ${name}`)
    if (found instanceof KafkaError) throw found
    return found
  }

  /** Asks for a topic, together with others that are wanted now. Rejects as `AskForTopics` does. */
  async refresh(name: string, create: boolean): Promise<void> {
    const asking = this.#asking.get(create)
    if (asking?.topics.has(name)) {
      await asking.done
      return
    }
    let waiting = this.#waiting.get(create)
    if (waiting === undefined) {
      const topics = new Set<string>()
      waiting = { topics, done: this.#run(topics, create, asking?.done) }
      this.#waiting.set(create, waiting)
    }
    waiting.topics.add(name)
    await waiting.done
  }

  /** What is known of a topic, or of all, is not so any more. */
  invalidate(name?: string): void {
    for (const each of name === undefined ? this.#topics.keys() : [name]) this.#stale.add(each)
    for (const { topics } of this.#asking.values()) {
      if (name === undefined) topics.clear()
      else topics.delete(name)
    }
  }

  forget(name: string): void {
    this.#topics.delete(name)
    this.#stale.delete(name)
  }

  /** Called after something new was learned. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  learn(answer: ClusterMetadata): void {
    let isNew = false
    for (const { nodeId, host, port } of answer.brokers) {
      const known = this.brokers.get(nodeId)
      if (known?.host === host && known.port === port) continue
      this.brokers.set(nodeId, { host, port })
      isNew = true
    }
    for (const topic of answer.topics) {
      if (topic.name === null) continue
      const before = this.#topics.get(topic.name)
      const now = this.#learned(topic, before instanceof KafkaError ? undefined : before)
      this.#topics.set(topic.name, now)
      if (now instanceof KafkaError || !this.#wasInvalidated(topic.name)) {
        this.#stale.delete(topic.name)
      }
      isNew ||= !isSame(before, now)
    }
    if (isNew) for (const listener of this.#listeners) listener()
  }

  #learned(
    { name, topicId, errorCode, partitions }: ClusterMetadata['topics'][number],
    before: KnownTopic | undefined,
  ): KnownTopic | KafkaError {
    if (errorCode !== 0) {
      return KafkaError.of(errorName(errorCode), `topic ${name}`)
    }
    const known = before?.topicId === topicId ? before.partitions : undefined
    const list = partitions
      .map(each => {
        const now: PartitionInfo = {
          partition: each.partitionIndex,
          leaderId: each.leaderId,
          leaderEpoch: each.leaderEpoch,
          replicas: each.replicaNodes,
          isr: each.isrNodes,
        }
        const last = known?.get(now.partition)
        return last !== undefined && last.leaderEpoch > now.leaderEpoch && now.leaderEpoch >= 0
          ? last
          : now
      })
      .toSorted((a, b) => a.partition - b.partition)
    const byIndex = new Map(list.map(each => [each.partition, each]))
    return { topicId, partitions: byIndex, list, atMs: this.#clock.monotonicMs() }
  }

  /** While it was asked for; then the answer may be of before. */
  #wasInvalidated(name: string): boolean {
    return (
      this.#stale.has(name) &&
      this.#asking.size > 0 &&
      ![...this.#asking.values()].some(({ topics }) => topics.has(name))
    )
  }

  async #run(topics: Set<string>, create: boolean, before?: Promise<unknown>): Promise<void> {
    // What else is wanted in this turn, or until the request under way is answered, comes along.
    await before?.catch(() => {})
    await Promise.resolve()
    const batch = this.#waiting.get(create)!
    this.#waiting.delete(create)
    this.#asking.set(create, batch)
    try {
      await this.#ask([...topics], create)
    } finally {
      if (this.#asking.get(create) === batch) this.#asking.delete(create)
    }
  }

  /** In the background: what is known is good enough until it fails. */
  #renew(name: string, create: boolean): void {
    this.refresh(name, create).catch(() => {})
  }
}

function isSame(
  before: KnownTopic | KafkaError | undefined,
  now: KnownTopic | KafkaError,
): boolean {
  if (before === undefined || before instanceof KafkaError || now instanceof KafkaError) {
    return before instanceof KafkaError && now instanceof KafkaError && before.error === now.error
  }
  return (
    before.topicId === now.topicId &&
    before.list.length === now.list.length &&
    now.list.every((each, at) => {
      const { leaderId, leaderEpoch } = before.list[at]!
      return each.leaderId === leaderId && each.leaderEpoch === leaderEpoch
    })
  )
}
