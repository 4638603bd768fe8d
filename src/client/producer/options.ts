/** What a producer is told, and what it tells: the types of its public face. */
import type { Compression } from '../../protocol/records/batch.ts'
import type { Connecting } from '../connected.ts'
import type { Payload, Serializer, StandardSchema } from '../serializers.ts'

/** The value of a header; an array sends the name once for each. Text is stored as UTF-8. */
export type HeaderValue = string | Uint8Array | null | readonly (string | Uint8Array | null)[]

/** A record to send. What it refers to must not be changed until its send has settled. */
export interface ProducerRecord<K = Payload, V = Payload> {
  readonly topic: string
  /** Records of one key go to one partition, in order. */
  readonly key?: K | null | undefined
  /** null or undefined is a tombstone, where the topic is compacted. */
  readonly value?: V | null | undefined
  readonly headers?: Readonly<Record<string, HeaderValue>> | undefined
  /** Default: by key, else evenly (see `partitioner`). */
  readonly partition?: number | undefined
  /** Milliseconds since the epoch. Default, and for −1: now. */
  readonly timestamp?: number | Date | undefined
}

/** Where a record went. */
export interface RecordMetadata {
  readonly topic: string
  readonly partition: number
  /** −1 when the broker did not tell: with acks 0, or it had it already. */
  readonly offset: number
  /** The record's own, or the broker's where the topic has LogAppendTime. */
  readonly timestamp: number
}

/** A record as a partitioner sees it: serialized. */
export interface RecordToPlace {
  readonly topic: string
  readonly key: Uint8Array | null
  readonly value: Uint8Array | string | null
  readonly headers: Readonly<Record<string, HeaderValue>> | undefined
}

/** The partitions there are to choose from: 0 to `count` − 1. */
export interface PartitionChoice {
  /** How many the topic has. */
  readonly count: number
  /** Those that have a leader now. */
  readonly available: readonly number[]
}

/** Chooses a partition; undefined leaves the choice to the default. */
export type Partitioner = (record: RecordToPlace, partitions: PartitionChoice) => number | undefined

/** Hooks around what is sent. */
export interface ProducerInterceptor<K, V> {
  /** Sees each record before it is serialized, and may replace it. What it throws rejects the send. */
  onSend?(record: ProducerRecord<K, V>): ProducerRecord<K, V> | undefined
  /** A record was acknowledged. What it throws is logged, and changes nothing. */
  onAcknowledged?(metadata: RecordMetadata, record: ProducerRecord<K, V>): void
  /** The send of a record is about to reject. What it throws is logged, and changes nothing. */
  onError?(error: Error, record: ProducerRecord<K, V>): void
}

/** When a record counts as stored, and for how long that is tried. */
export interface DeliveryOptions {
  /** Who has to have a record before it counts: all in-sync replicas, the leader, nobody. Default 'all'. */
  readonly acks?: 'all' | 1 | 0
  /**
   * Each record is stored once and in order, whatever is sent again (KIP-98). Needs acks 'all'. Without,
   * what is sent again after a lost answer may be stored twice. Default true with acks 'all'.
   */
  readonly idempotent?: boolean
  /** From `send` to its acknowledgement, retries and waiting included. Default 120,000. */
  readonly deliveryTimeoutMs?: number
}

/** How records are gathered, and how many. */
export interface BatchingOptions {
  /** Default 'none'. */
  readonly compression?: Compression
  /** Of gzip (1 to 9) or zstd (−131072 to 22). Default: the library's own. */
  readonly compressionLevel?: number
  /** How long a batch that is not full waits for more. Default 0: see `Producer`. */
  readonly lingerMs?: number
  /** What a batch of several records may have, uncompressed. Default 262,144. */
  readonly batchBytes?: number
  /**
   * What a record, and a request, may have, uncompressed. Default 1,048,576, Kafka's own; a larger one
   * also needs the topic's max.message.bytes.
   */
  readonly maxRequestBytes?: number
  /** Of records that are not acknowledged yet; beyond it `send` waits. Default 33,554,432. */
  readonly bufferBytes?: number
  /** Requests under way to one broker. Default 5. */
  readonly maxInFlight?: number
}

/** All that a producer is made from. */
export type ProducerOptions<K = Payload, V = Payload> = Connecting & ProducerSettings<K, V>

/** What a producer sends, and how; how it connects is said beside it, or by the `client`. */
export interface ProducerSettings<K = Payload, V = Payload>
  extends DeliveryOptions,
    BatchingOptions {
  /** Default: text and bytes. A Standard Schema stands for JSON that it validates. */
  readonly key?: Serializer<K> | StandardSchema<K, unknown>
  /** As `key`. */
  readonly value?: Serializer<V> | StandardSchema<V, unknown>
  /**
   * Default: by murmur2 of the key, as the Java client; without a key, one partition after another,
   * each for a batch (KIP-794).
   */
  readonly partitioner?: Partitioner
  /** Hooks around each record, called in this order. Default: none. */
  readonly interceptors?: readonly ProducerInterceptor<K, V>[]
}

/** How one call waits. */
export interface SendOptions {
  /** Rejects with its reason. A record that is on its way already may be stored all the same. */
  readonly signal?: AbortSignal
}

/** Counters since the producer was made, and what is now. */
export interface ProducerMetrics {
  /** Accepted by `send`. */
  readonly records: number
  /** Stored, by the word of the brokers that `acks` asks for. */
  readonly acknowledgedRecords: number
  /** Whose send was rejected. */
  readonly failedRecords: number
  /** Sent, those sent again included. */
  readonly batches: number
  /** Produce requests, those sent again included. */
  readonly requests: number
  /** Of batches, as sent. */
  readonly sentBytes: number
  /** Batches sent again. */
  readonly retries: number
  /** Batches that were cut in two, as the broker found them too large. */
  readonly splits: number
  /** Not acknowledged yet. */
  readonly bufferedBytes: number
  /** Records that wait for a topic's partitions, or for room in the buffer. */
  readonly waitingRecords: number
  /** Sent and not answered yet, to all brokers. */
  readonly requestsInFlight: number
}
