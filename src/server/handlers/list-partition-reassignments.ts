/** ListPartitionReassignments (key 46), v0. What does not move, or does not exist, is left out. */
import { movingPartitions } from '../../cluster/reassignments.ts'
import type {
  ListPartitionReassignmentsRequest,
  ListPartitionReassignmentsResponse,
} from '../../protocol/messages/list-partition-reassignments.ts'
import type { Failure, RequestContext } from '../context.ts'
import { byTopic } from '../topic-lists.ts'

export async function listPartitionReassignments(
  ctx: RequestContext,
  request: ListPartitionReassignmentsRequest,
): Promise<ListPartitionReassignmentsResponse> {
  const asked = request.topics?.flatMap(({ name, partitionIndexes }) =>
    [...new Set(partitionIndexes)].map(index => ({ topic: name, index })),
  )
  const topics = byTopic(movingPartitions(ctx.image, asked)).map(([name, ofTopic]) => ({
    name,
    partitions: ofTopic.map(({ index, state: { replicas, adding, removing } }) => ({
      partitionIndex: index,
      replicas,
      addingReplicas: adding,
      removingReplicas: removing,
    })),
  }))
  return { errorCode: 0, errorMessage: null, topics }
}

export function listPartitionReassignmentsFailure(
  _request: ListPartitionReassignmentsRequest,
  failure: Failure,
): ListPartitionReassignmentsResponse {
  return { ...failure, topics: [] }
}
