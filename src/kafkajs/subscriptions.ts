/** The topics that a consumer subscribes to, and from where it reads each. */
import type { Cluster } from '../client/cluster.ts'
import type { ConsumerSubscribeTopic, ConsumerSubscribeTopics } from './consumer-types.ts'
import { KafkaJSNonRetriableError } from './errors.ts'
import { partitionsOf, type Waiting } from './topic-metadata.ts'

export class Subscriptions {
  readonly #topics = new Map<string | RegExp, boolean>()
  readonly #waiting: Waiting
  #isReady = true

  constructor(waiting: Waiting) {
    this.#waiting = waiting
  }

  get isEmpty(): boolean {
    return this.#topics.size === 0
  }

  get topics(): readonly (string | RegExp)[] {
    return [...this.#topics.keys()]
  }

  /** Of those that are named. */
  get names(): string[] {
    return this.topics.filter(each => typeof each === 'string')
  }

  get anyFromBeginning(): boolean {
    return [...this.#topics.values()].some(fromBeginning => fromBeginning)
  }

  /** Throws KafkaJSNonRetriableError for what is no subscription. */
  add(subscription: ConsumerSubscribeTopics | ConsumerSubscribeTopic): void {
    const { fromBeginning = false } = subscription
    const wanted = 'topics' in subscription ? subscription.topics : [subscription.topic]
    if (!Array.isArray(wanted)) throw new KafkaJSNonRetriableError('topics: give an array')
    for (const each of wanted) {
      if ((typeof each === 'string' && each !== '') || each instanceof RegExp) continue
      throw new KafkaJSNonRetriableError(`topic ${each}: give a name or a pattern`)
    }
    for (const each of wanted) this.#topics.set(each, fromBeginning)
    this.#isReady = false
  }

  /** The topics that are named exist, or are created where that is allowed. */
  async ready(cluster: Cluster): Promise<void> {
    if (this.#isReady) return
    await Promise.all(this.names.map(name => partitionsOf(cluster, name, this.#waiting)))
    this.#isReady = true
  }

  has(topic: string): boolean {
    return this.fromBeginning(topic) !== undefined
  }

  /** Undefined for a topic that is not subscribed to. */
  fromBeginning(topic: string): boolean | undefined {
    const byName = this.#topics.get(topic)
    if (byName !== undefined) return byName
    for (const [pattern, fromBeginning] of this.#topics) {
      if (typeof pattern !== 'string' && matches(pattern, topic)) return fromBeginning
    }
    return undefined
  }
}

/** A pattern with the flag g or y remembers where it stopped. */
function matches(pattern: RegExp, topic: string): boolean {
  pattern.lastIndex = 0
  return pattern.test(topic)
}
