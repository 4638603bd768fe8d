/** AlterPartitionReassignments (key 45), v0–1. Answered when the moves have begun, or are done. */
import type {
  AlterPartitionReassignmentsRequest,
  AlterPartitionReassignmentsResponse,
} from '../../protocol/messages/alter-partition-reassignments.ts'
import type { Failure, RequestContext } from '../context.ts'
import { byTopic } from '../topic-lists.ts'

export async function alterPartitionReassignments(
  ctx: RequestContext,
  request: AlterPartitionReassignmentsRequest,
): Promise<AlterPartitionReassignmentsResponse> {
  const { allowReplicationFactorChange } = request
  const asked = request.topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, replicas }) => ({
      topic: name,
      index: partitionIndex,
      replicas,
    })),
  )
  const outcomes = await ctx.domain.controller.alterReassignments(asked, {
    deadlineMs: ctx.deadlineMs(request.timeoutMs),
    mayChangeFactor: allowReplicationFactorChange,
  })
  const responses = byTopic(outcomes).map(([name, ofTopic]) => ({
    name,
    partitions: ofTopic.map(({ index, error }) => ({
      partitionIndex: index,
      ...(error === undefined ? { errorCode: 0, errorMessage: null } : ctx.refusal(error)),
    })),
  }))
  return { allowReplicationFactorChange, errorCode: 0, errorMessage: null, responses }
}

export function alterPartitionReassignmentsFailure(
  _request: AlterPartitionReassignmentsRequest,
  failure: Failure,
): AlterPartitionReassignmentsResponse {
  return { ...failure, responses: [] }
}
