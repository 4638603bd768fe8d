/** What a consumer is told, and what it tells, in the words of kafkajs. Offsets are digits. */
import type { GroupDescription } from './admin-types.ts'
import type { PartitionAssigner } from './assigners.ts'
import type { ConsumerEvents, On } from './events.ts'
import type { Logger } from './logger.ts'
import type {
  Offsets,
  OffsetsByTopicPartition,
  TopicPartitionOffset,
  TopicPartitionOffsetAndMetadata,
  TopicPartitions,
} from './offsets.ts'
import type { IHeaders } from './producer-types.ts'
import type { RetryOptions } from './retry.ts'

export interface ConsumerConfig {
  groupId: string
  /** In order of preference. Default: `PartitionAssigners.roundRobin`. */
  partitionAssigners?: PartitionAssigner[] | undefined
  /** Milliseconds, as all times here. Default 300,000. */
  metadataMaxAge?: number | undefined
  /** Default 30,000. */
  sessionTimeout?: number | undefined
  /** How long a rebalance, and `stop`, waits for work to be finished. Default 60,000. */
  rebalanceTimeout?: number | undefined
  /** Default 3,000. */
  heartbeatInterval?: number | undefined
  /** Default 1,048,576. */
  maxBytesPerPartition?: number | undefined
  /** Default 1. */
  minBytes?: number | undefined
  /** Fetched ahead, over all partitions. Default 10,485,760. */
  maxBytes?: number | undefined
  /** How long a broker waits for `minBytes`. Default 5,000. */
  maxWaitTimeInMs?: number | undefined
  retry?: RetryOptions | undefined
  /** Whether a broker may create a topic that is subscribed to. Default true. */
  allowAutoTopicCreation?: boolean | undefined
  /** Kept whatever it is: one Fetch is under way to a broker at a time. */
  maxInFlightRequests?: number | null | undefined
  /** Default false: messages of open and aborted transactions are left out. */
  readUncommitted?: boolean | undefined
  rackId?: string | undefined
}

/** As it is stored; a plain object that is the program's own. */
export interface KafkaMessage {
  key: Buffer | null
  value: Buffer | null
  /** Milliseconds since the epoch. */
  timestamp: string
  attributes: number
  offset: string
  headers: IHeaders
  size?: never
}

/** Messages of one partition, in order. */
export type Batch = {
  topic: string
  partition: number
  /** End of what is replicated, as of the last fetch. */
  highWatermark: string
  messages: KafkaMessage[]
  isEmpty(): boolean
  firstOffset(): string | null
  lastOffset(): string
  /** Messages behind the last one of the batch. */
  offsetLag(): string
  /** Messages behind the first one of the batch. */
  offsetLagLow(): string
}

export interface EachMessagePayload {
  topic: string
  partition: number
  message: KafkaMessage
  /** Gives way to other work. Throws REBALANCE_IN_PROGRESS when the partition is about to go. */
  heartbeat(): Promise<void>
  /** Pauses the partition; answers how to resume it. */
  pause(): () => void
}

export interface EachBatchPayload {
  batch: Batch
  /** The message with this offset, and all before it, are finished with. */
  resolveOffset(offset: string): void
  /** As in EachMessagePayload. */
  heartbeat(): Promise<void>
  pause(): () => void
  /** Commits these; without, what is resolved when `autoCommitInterval` or `autoCommitThreshold` says. */
  commitOffsetsIfNecessary(offsets?: Offsets): Promise<void>
  uncommittedOffsets(): OffsetsByTopicPartition
  /** False: the consumer is about to stop. */
  isRunning(): boolean
  /** True: the position was moved by `seek`, or the partition goes to another member. */
  isStale(): boolean
}

/** The names of older types. */
export type ConsumerEachMessagePayload = EachMessagePayload
export type ConsumerEachBatchPayload = EachBatchPayload

export type EachBatchHandler = (payload: EachBatchPayload) => Promise<void>
export type EachMessageHandler = (payload: EachMessagePayload) => Promise<void>

export type ConsumerRunConfig = {
  /** Default true: after each batch what is resolved is committed. */
  autoCommit?: boolean | undefined
  /** Also after so many milliseconds inside a batch. */
  autoCommitInterval?: number | null | undefined
  /** Also after so many messages inside a batch. */
  autoCommitThreshold?: number | null | undefined
  /** Default true: a batch whose `eachBatch` is done is resolved. */
  eachBatchAutoResolve?: boolean | undefined
  /** Default 1. */
  partitionsConsumedConcurrently?: number | undefined
  eachBatch?: EachBatchHandler | undefined
  eachMessage?: EachMessageHandler | undefined
}

export type ConsumerSubscribeTopic = {
  topic: string | RegExp
  fromBeginning?: boolean | undefined
}
export type ConsumerSubscribeTopics = {
  topics: (string | RegExp)[]
  /** Where to begin without a committed offset. Default false: at the end. */
  fromBeginning?: boolean | undefined
}

export type Consumer = {
  /** Idempotent. */
  connect(): Promise<void>
  /** Stops, and leaves the group. It can connect again. */
  disconnect(): Promise<void>
  /** Before `run`, once or more. A pattern also takes topics that are made later. */
  subscribe(subscription: ConsumerSubscribeTopics | ConsumerSubscribeTopic): Promise<void>
  /** Finishes the message or batch in hands, commits, leaves the group. */
  stop(): Promise<void>
  /** Resolves when it has joined the group. */
  run(config?: ConsumerRunConfig): Promise<void>
  /** Offsets of the next messages to read. */
  commitOffsets(topicPartitions: TopicPartitionOffsetAndMetadata[]): Promise<void>
  /** After `run` was called. '-1' is the end, '-2' the beginning. */
  seek(topicPartitionOffset: TopicPartitionOffset): void
  describeGroup(): Promise<GroupDescription>
  /** Without `partitions` all of the topic, also those that are assigned later. */
  pause(topics: { topic: string; partitions?: number[] }[]): void
  paused(): TopicPartitions[]
  resume(topics: { topic: string; partitions?: number[] }[]): void
  on: On<ConsumerEvents>
  logger(): Logger
  readonly events: ConsumerEvents
}
