/** Partitions that are on their way to other brokers. */
import { KafkaError } from '../protocol/errors.ts'
import {
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from '../protocol/messages/list-partition-reassignments.ts'
import type { Caller, TopicPartition } from './cluster.ts'

/** One move: it ends when who is added has all records, and who is removed has left. */
export interface PartitionMove extends TopicPartition {
  readonly replicas: readonly number[]
  readonly adding: readonly number[]
  readonly removing: readonly number[]
}

/** All moves under way (KIP-455); undefined where the brokers do not tell. */
export async function movesUnderWay(cluster: Caller): Promise<PartitionMove[] | undefined> {
  try {
    const { topics } = await cluster.call(
      listPartitionReassignmentsRequest,
      listPartitionReassignmentsResponse,
      { topics: null },
      ({ errorCode }) => errorCode,
    )
    return topics.flatMap(({ name, partitions }) =>
      partitions.map(each => ({
        topic: name,
        partition: each.partitionIndex,
        replicas: each.replicas,
        adding: each.addingReplicas,
        removing: each.removingReplicas,
      })),
    )
  } catch (error) {
    if (error instanceof KafkaError && error.error === 'UNSUPPORTED_VERSION') return undefined
    throw error
  }
}
