/**
 * A topic that the broker makes for itself when it is first needed.
 *
 * As in Kafka a client may make it first, with other settings, and may delete it: what was in it is
 * gone then, and it is made anew when it is needed again.
 */
import type { CreatedTopic, NewTopic, RequestOptions } from '../cluster/admin.ts'
import { within } from '../cluster/deadline.ts'
import type { Image, Topic } from '../cluster/image.ts'
import type { Io } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'

/** Who makes topics. */
export interface TopicMaker {
  createTopics(topics: readonly NewTopic[], options: RequestOptions): Promise<CreatedTopic[]>
}

/** How the topic is to be, when it is made. */
export interface InternalTopicSpec {
  readonly partitionCount: number
  readonly replicationFactor: number
  readonly configs: ReadonlyMap<string, string>
}

/** How long the making of the topic may take; who asked may have gone by then. */
const creationMs = 30_000

const reportEveryMs = 10_000

export class InternalTopic {
  readonly name: string
  readonly #io: Io
  readonly #image: Image
  readonly #maker: TopicMaker
  readonly #settled: (topicId: string) => Promise<void>
  readonly #spec: () => InternalTopicSpec
  /** The one attempt under way. */
  #making: Promise<void> | undefined
  #reportedMs = Number.NEGATIVE_INFINITY

  /** `settled` resolves when the partitions of a topic are open here. */
  constructor(
    io: Io,
    image: Image,
    maker: TopicMaker,
    options: {
      readonly name: string
      settled(topicId: string): Promise<void>
      spec(): InternalTopicSpec
    },
  ) {
    this.name = options.name
    this.#io = io
    this.#image = image
    this.#maker = maker
    this.#settled = options.settled
    this.#spec = options.spec
  }

  /** As the image has it. */
  get known(): Topic | undefined {
    return this.#image.topicByName(this.name)
  }

  /** As it would be made now. */
  get wanted(): NewTopic {
    return { name: this.name, ...this.#spec() }
  }

  /**
   * The topic, open where this broker has a part in it; made when there is none. Throws
   * COORDINATOR_NOT_AVAILABLE at the monotonic deadline, or when it cannot be made.
   */
  async ready(deadlineMs: number): Promise<Topic> {
    const { clock } = this.#io
    try {
      if (this.known === undefined) await within(clock, this.#make(), deadlineMs)
      const topic = this.known
      if (topic === undefined) throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION')
      await within(clock, this.#settled(topic.topicId), deadlineMs)
      return topic
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      throw new KafkaError('COORDINATOR_NOT_AVAILABLE', `${this.name}: ${error.message}`)
    }
  }

  #make(): Promise<void> {
    this.#making ??= this.#create().finally(() => {
      this.#making = undefined
    })
    return this.#making
  }

  async #create(): Promise<void> {
    const deadlineMs = this.#io.clock.monotonicMs() + creationMs
    const [created] = await this.#maker.createTopics([this.wanted], { deadlineMs })
    const error = created?.error
    if (error === undefined || error.error === 'TOPIC_ALREADY_EXISTS') return
    this.#report(error)
    throw error
  }

  /** Those who need it ask again and again. */
  #report({ message }: KafkaError): void {
    const nowMs = this.#io.clock.monotonicMs()
    if (nowMs - this.#reportedMs < reportEveryMs) return
    this.#reportedMs = nowMs
    const fields = { topic: this.name, error: message }
    this.#io.report.error(fields, 'an internal topic could not be made')
  }
}
