/** Partitions that are on their way to other brokers. */
import { KafkaError } from '../protocol/errors.ts'
import {
  listPartitionReassignmentsRequest,
  listPartitionReassignmentsResponse,
} from '../protocol/messages/list-partition-reassignments.ts'
import type { Incoming } from '../protocol/schema.ts'
import type { PartitionMove } from './admin/options.ts'
import type { Caller } from './cluster.ts'

/** All moves under way (KIP-455); undefined where the brokers do not tell. */
export async function movesUnderWay(cluster: Caller): Promise<PartitionMove[] | undefined> {
  try {
    const { topics } = await cluster.call(
      listPartitionReassignmentsRequest,
      listPartitionReassignmentsResponse,
      { topics: null },
      ({ errorCode }) => errorCode,
    )
    return movesOf(topics)
  } catch (error) {
    if (error instanceof KafkaError && error.error === 'UNSUPPORTED_VERSION') return undefined
    throw error
  }
}

/** What an answer says of moves, in its order. */
export function movesOf(
  topics: Incoming<typeof listPartitionReassignmentsResponse>['topics'],
): PartitionMove[] {
  return topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, replicas, addingReplicas, removingReplicas }) => ({
      topic: name,
      partition: partitionIndex,
      replicas,
      adding: addingReplicas,
      removing: removingReplicas,
    })),
  )
}
