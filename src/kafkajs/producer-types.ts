/** What a producer is told, and what it tells, in the words of kafkajs. */
import type { CompressionTypes } from './constants.ts'
import type { On, ProducerEvents } from './events.ts'
import type { Logger } from './logger.ts'
import type { RetryOptions } from './retry.ts'
import type { PartitionMetadata } from './topic-metadata.ts'

export interface IHeaders {
  [key: string]: Buffer | string | (Buffer | string)[] | undefined
}

/** A message to send. */
export interface Message {
  key?: Buffer | string | null | undefined
  /** null is a tombstone, where the topic is compacted. */
  value: Buffer | string | null
  partition?: number | undefined
  headers?: IHeaders | undefined
  /** Milliseconds since the epoch, in digits. Default: now. */
  timestamp?: string | undefined
}

export interface PartitionerArgs {
  topic: string
  partitionMetadata: PartitionMetadata[]
  message: Message
}

export type ICustomPartitioner = () => (args: PartitionerArgs) => number
export type DefaultPartitioner = ICustomPartitioner
export type LegacyPartitioner = ICustomPartitioner

export interface ProducerConfig {
  /** Default: `Partitioners.DefaultPartitioner`. */
  createPartitioner?: ICustomPartitioner | undefined
  retry?: RetryOptions | undefined
  /** Milliseconds. Default 300,000. */
  metadataMaxAge?: number | undefined
  /** Whether a broker may create a topic that is sent to. Default true. */
  allowAutoTopicCreation?: boolean | undefined
  /**
   * Refuses `acks` other than −1. Without it messages are stored once and in order all the same,
   * where acks are −1.
   */
  idempotent?: boolean | undefined
  /** Refused: there are no transactions yet. */
  transactionalId?: string | undefined
  /** Refused, as `transactionalId`. */
  transactionTimeout?: number | undefined
  /** Requests under way to one broker; more than 5 is 5. Default 5. */
  maxInFlightRequests?: number | null | undefined
}

export interface ProducerRecord {
  topic: string
  messages: Message[]
  /** −1 all in-sync replicas, 1 the leader, 0 nobody. Default −1. */
  acks?: number | undefined
  /** Milliseconds for the acknowledgement, beside the waits between retries. Default: `requestTimeout`. */
  timeout?: number | undefined
  compression?: CompressionTypes | undefined
}

export interface TopicMessages {
  topic: string
  messages: Message[]
}

export interface ProducerBatch {
  acks?: number | undefined
  timeout?: number | undefined
  compression?: CompressionTypes | undefined
  topicMessages?: TopicMessages[] | undefined
}

/** Of what was sent to one partition. */
export type RecordMetadata = {
  topicName: string
  partition: number
  /** 0: what fails is thrown. */
  errorCode: number
  offset?: string
  timestamp?: string
  /** The offset of the first of its messages. */
  baseOffset?: string
  /** '-1' unless the topic has the time of the broker. */
  logAppendTime?: string
  logStartOffset?: string
}

export type Sender = {
  /** One result for each partition that was written to; none with acks 0. */
  send(record: ProducerRecord): Promise<RecordMetadata[]>
  sendBatch(batch: ProducerBatch): Promise<RecordMetadata[]>
}

/** Refused: there are no transactions yet. */
export type Transaction = Sender & {
  sendOffsets(offsets: {
    consumerGroupId: string
    topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
  }): Promise<void>
  commit(): Promise<void>
  abort(): Promise<void>
  isActive(): boolean
}

export type Producer = Sender & {
  /** Idempotent. */
  connect(): Promise<void>
  /** Sends what was given to it first; it can connect again. */
  disconnect(): Promise<void>
  isIdempotent(): boolean
  readonly events: ProducerEvents
  on: On<ProducerEvents>
  /** Throws KafkaJSNotImplemented. */
  transaction(): Promise<Transaction>
  logger(): Logger
}
