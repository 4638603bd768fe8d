/** What a consumer needs of a cluster. */
import type { Fields, IncomingFields, Message } from '../../protocol/schema.ts'
import type { ClientError, OffsetFound } from '../cluster.ts'
import type { Body, Connection } from '../connection.ts'
import type { TopicPartition } from './options.ts'

/** The part of `Cluster` that reading uses. */
export interface Brokers {
  /** From the cache where that has it. Rejects with ClientError. */
  partitions(topic: string): Promise<
    readonly {
      readonly partition: number
      readonly leaderId: number
      readonly leaderEpoch: number
    }[]
  >
  topicId(topic: string): string | undefined
  invalidate(topic?: string): void
  onMetadata(listener: () => void): () => void
  connection(brokerId: number, lane?: string, deadlineMs?: number): Promise<Connection>
  nextBackoffMs(attempt: number): number
  callBroker<Q extends Fields, S extends Fields>(
    brokerId: number,
    request: Message<Q>,
    response: Message<S>,
    body: Body<Q>,
  ): Promise<IncomingFields<S>>
  listOffsets(
    queries: readonly (TopicPartition & { readonly timestamp: number })[],
    options?: { readonly readCommitted?: boolean },
  ): Promise<(OffsetFound | ClientError)[]>
}
