/** Reads messages, alone or as a member of a group. */
import { ConsumerStateError } from './consumer/errors.ts'
import type { Bytes, Message } from './consumer/message.ts'
import type {
  GroupOptions,
  HandlingOptions,
  PartitionLag,
  ReadingOptions,
  SeekTarget,
  TopicPartition,
  TopicPartitionOffset,
  WorkContext,
} from './consumer/options.ts'

export interface ConsumerOptions<K = Bytes, V = Bytes>
  extends GroupOptions,
    ReadingOptions,
    HandlingOptions<K, V> {}

/** Messages of one partition, in order. */
export interface MessageBatch<K = Bytes, V = Bytes> {
  readonly topic: string
  readonly partition: number
  readonly messages: readonly Message<K, V>[]
  readonly highWatermark: number
  /** Commits everything up to and with this batch. */
  commit(): Promise<void>
}

export type RunOptions<K, V> = {
  /** Partitions worked on at a time. Default 1. */
  readonly concurrency?: number
  readonly signal?: AbortSignal
} & (
  | { each(message: Message<K, V>, context: WorkContext): Promise<void> | void }
  | { eachBatch(batch: MessageBatch<K, V>, context: WorkContext): Promise<void> | void }
)

/** The surface of a consumer. */
export interface ConsumerSurface<K = Bytes, V = Bytes>
  extends AsyncIterable<Message<K, V>>,
    AsyncDisposable {
  batches(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<MessageBatch<K, V>>
  messages(options?: { readonly signal?: AbortSignal }): AsyncIterableIterator<Message<K, V>>
  run(options: RunOptions<K, V>): Promise<void>
  assignment(): readonly TopicPartition[]
  pause(partitions?: readonly TopicPartition[]): void
  resume(partitions?: readonly TopicPartition[]): void
  paused(): readonly TopicPartition[]
  seek(partition: TopicPartition | readonly TopicPartition[], target: SeekTarget): Promise<void>
  position(partition: TopicPartition): number | undefined
  committed(partitions?: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]>
  commit(
    what?: Message<K, V> | TopicPartitionOffset | readonly TopicPartitionOffset[],
  ): Promise<void>
  offsetsForTimes(
    queries: readonly (TopicPartition & { readonly timestamp: number | Date })[],
  ): Promise<readonly (TopicPartitionOffset & { readonly timestamp: number })[]>
  lag(): readonly PartitionLag[]
  close(): Promise<void>
}

export { ConsumerStateError }
