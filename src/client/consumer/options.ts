/** What a consumer is told, and what it tells: the types of its public face. */
import type { Connecting } from '../connected.ts'
import type { OwnAssignor } from './assignors/assignor.ts'
import type { Decoder } from './decoding.ts'
import type { DamagedBatchError, DecodeError } from './errors.ts'
import type { Bytes, Message } from './message.ts'

/** One partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** An offset of a partition: of the next message to read, never of the last one read. */
export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: number
  /** Of the record before it, where known (KIP-320). */
  readonly leaderEpoch?: number | undefined
  /** Free text stored with a commit. */
  readonly metadata?: string | undefined
}

/**
 * Where to begin in a partition without a committed offset, or whose position lies outside its log:
 * the end, the beginning, the first message of the last `agoMs` milliseconds, or nowhere: an error.
 */
export type OffsetReset = 'latest' | 'earliest' | 'none' | { readonly agoMs: number }

/** Where to seek to: an offset, an end, or the first message at or after a time. */
export type SeekTarget =
  | { readonly offset: number }
  | { readonly to: 'beginning' | 'end' }
  | { readonly timestamp: number | Date }

/** Hooks around what is handed out and committed. */
export interface ConsumerInterceptor<K, V> {
  /** Sees each message before the user does, and may replace it (undefined keeps it). What it throws stops the consumer. */
  onMessage?(message: Message<K, V>): Message<K, V> | undefined
  /** Sees what was committed. */
  onCommit?(offsets: readonly TopicPartitionOffset[]): void
}

/** What happens with a message that does not decode, or a batch that is damaged. */
export type OnDecodeError =
  | 'throw'
  | 'skip'
  | ((error: DecodeError | DamagedBatchError) => 'throw' | 'skip')

/** A partition to read without a group. */
export interface Assigned extends TopicPartition {
  /** Default: the committed offset of `groupId` where there is one, else by `offsetReset`. */
  readonly offset?: number
}

/** Topics by name or pattern; a pattern also takes those that are created later. */
export type TopicSelector = string | RegExp | readonly (string | RegExp)[]

/** Called with the partitions concerned; what comes back is waited for. */
export type PartitionsListener = (partitions: readonly TopicPartition[]) => void | Promise<void>

export interface ReadingOptions {
  /** Topics by name or pattern. With a `groupId` they are shared with the other members. */
  readonly topics?: TopicSelector
  /** Exactly these partitions; instead of `topics`. */
  readonly assignment?: readonly Assigned[]
  /** Default 'latest'. */
  readonly offsetReset?: OffsetReset
  /** Bytes that may be fetched ahead, over all partitions. Default 16 MiB. */
  readonly maxBytes?: number
  /** Bytes of one partition in one answer; a larger batch still comes, alone. Default 1 MiB. */
  readonly partitionMaxBytes?: number
  /** What one record batch may expand to. Default 128 MiB. */
  readonly maxBatchBytes?: number
  /** Messages of one partition handed out together. Default 500. */
  readonly maxBatchMessages?: number
  /** How long a broker waits for `minBytes`. Default 500. */
  readonly maxWaitMs?: number
  /** Default 1: a broker answers as soon as there is something. */
  readonly minBytes?: number
  /** 'read_committed' leaves out messages of aborted and open transactions. Default 'read_uncommitted'. */
  readonly isolation?: 'read_uncommitted' | 'read_committed'
  /** Where this consumer is: it reads from a replica there, where brokers allow it (KIP-392). */
  readonly rack?: string
  /** Whether the checksum of each batch is verified. Default true. */
  readonly checkCrcs?: boolean
}

export interface HandlingOptions<K, V> {
  /** Make keys and values of what is stored; by default they stay bytes. */
  readonly key?: Decoder<K>
  /** As `key`, for values. */
  readonly value?: Decoder<V>
  /** Default 'throw': a message that does not decode ends the loop with DecodeError. */
  readonly onDecodeError?: OnDecodeError
  /** Hooks around each message and commit, called in this order. Default: none. */
  readonly interceptors?: readonly ConsumerInterceptor<K, V>[]
  /** Before the first message of these partitions; may seek in them. */
  readonly onAssigned?: PartitionsListener
  /** Before they go to another member: their work is done, `commit` still works. */
  readonly onRevoked?: PartitionsListener
  /** They are another member's already: nothing can be committed. */
  readonly onLost?: PartitionsListener
  /** User code that holds a message or batch longer is reported. Default 60,000. */
  readonly maxProcessingMs?: number
  /** How long `close` waits for `each` and `eachBatch`. Default 10,000. */
  readonly closeTimeoutMs?: number
  /** A partition that could be fetched and was not for so long is reported. Default 30,000. */
  readonly maxUnfetchedMs?: number
}

/** The assignors of Kafka's clients. */
export type AssignorName = 'range' | 'roundrobin' | 'sticky' | 'cooperative-sticky'

export interface GroupOptions {
  /** The group whose members share the topics, and under which offsets are committed. Default: none. */
  readonly groupId?: string
  /** Makes this a static member: it keeps its partitions through a restart (KIP-345). */
  readonly groupInstanceId?: string
  /**
   * How the group shares out partitions, in order of preference; it uses one that all members know.
   * An assignor of one's own is one more object.
   * Default range, cooperative-sticky: as the Java client, so that both share a group.
   */
  readonly assignors?: readonly (AssignorName | OwnAssignor)[]
  /** Default 45,000. */
  readonly sessionTimeoutMs?: number
  /** How long a rebalance waits for work to be finished. Default 300,000. */
  readonly rebalanceTimeoutMs?: number
  /** Default 3,000. */
  readonly heartbeatIntervalMs?: number
  /**
   * When offsets are committed. 'auto': of messages that the loop, or `each`, has finished with, every
   * `autoCommitMs`, before revocation and at close. 'batch': after each batch, before the next one
   * of that partition. 'manual': by `commit` alone. Default 'auto' with a group.
   */
  readonly commit?: 'auto' | 'batch' | 'manual'
  /** Default 5,000. */
  readonly autoCommitMs?: number
}

/** What `each` and `eachBatch` are given beside their messages. */
export interface WorkContext {
  /** Aborted when the partition is about to be revoked, or the consumer closes. */
  readonly signal: AbortSignal
}

/** What is known of a partition from its last fetch. */
export interface PartitionLag extends TopicPartition {
  /** The next offset to be handed out. */
  readonly position: number
  /** End of what is replicated. */
  readonly highWatermark: number
  /** Messages between the position and the end of what may be read. */
  readonly lag: number
}

/** What and how to read: either `topics` or an `assignment`. */
export interface ConsumerSettings<K = Bytes, V = Bytes>
  extends GroupOptions,
    ReadingOptions,
    HandlingOptions<K, V> {}

/** All that a consumer is made from: settings, and a `client` or how to connect. */
export type ConsumerOptions<K = Bytes, V = Bytes> = Connecting & ConsumerSettings<K, V>

/** Messages of one partition, in order; at least one. */
export interface MessageBatch<K = Bytes, V = Bytes> extends TopicPartition {
  /** In the order of their offsets. */
  readonly messages: readonly Message<K, V>[]
  /** End of what is replicated, as of the last fetch. */
  readonly highWatermark: number
  /** Commits all of its partition up to and with this batch. */
  commit(options?: WaitOptions): Promise<void>
}

/** How long a call may wait. */
export interface WaitOptions {
  /** Ends it: it rejects with the signal's reason, and a loop ends. What was sent already may be done. */
  readonly signal?: AbortSignal
}

/** How `run` works. */
export type RunOptions<K = Bytes, V = Bytes> = {
  /** Partitions worked on at a time. Default 1. */
  readonly concurrency?: number
  /** Ends `run` when what is being worked on is finished; it then resolves. */
  readonly signal?: AbortSignal
} & (
  | { readonly each: (message: Message<K, V>, context: WorkContext) => Promise<void> | void }
  | {
      readonly eachBatch: (batch: MessageBatch<K, V>, context: WorkContext) => Promise<void> | void
    }
)

/** Counters since the consumer was made, and what is now. */
export interface ConsumerMetrics {
  /** Handed out. */
  readonly messages: number
  /** Handed out, by `batches` and to `eachBatch`. */
  readonly batches: number
  /** Messages and batches passed over by `onDecodeError`. */
  readonly skipped: number
  /** Answers of brokers. */
  readonly fetches: number
  /** Of records, as stored. */
  readonly fetchedBytes: number
  /** That brokers accepted. */
  readonly commits: number
  /** That were refused, or not answered. */
  readonly failedCommits: number
  /** How often partitions were assigned. */
  readonly rebalances: number
  /** Fetched and not read yet. */
  readonly bufferedBytes: number
  /** Now. */
  readonly assignedPartitions: number
  /** Over all partitions. */
  readonly lag: number
}
