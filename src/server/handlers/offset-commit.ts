/**
 * OffsetCommit (key 8), v2–10, of topics by name, from v10 by id. Partitions that do not exist are
 * refused one by one; the others are committed together.
 */
import { errorCode } from '../../protocol/errors.ts'
import type {
  OffsetCommitRequest,
  OffsetCommitResponse,
} from '../../protocol/messages/offset-commit.ts'
import type { Failure, RequestContext } from '../context.ts'
import { askOfExisting } from '../existing-partitions.ts'
import { callerOf } from '../group-caller.ts'

/** First versions of what changed in it. */
const since = { absence: 9, topicIds: 10 }

export async function offsetCommit(
  ctx: RequestContext,
  request: OffsetCommitRequest,
): Promise<OffsetCommitResponse> {
  const { groupId, memberId, groupInstanceId, generationIdOrMemberEpoch, retentionTimeMs } = request
  const isById = ctx.version >= since.topicIds
  const topics = await askOfExisting(ctx, request.topics, isById, existing => {
    const command = {
      groupId,
      memberId,
      groupInstanceId,
      generationId: generationIdOrMemberEpoch,
      retentionMs: retentionTimeMs === -1 ? undefined : retentionTimeMs,
      topics: existing.map(({ name, topicId, partitions }) => ({
        name,
        topicId,
        partitions: partitions.map(partition => ({
          partition: partition.partitionIndex,
          offset: partition.committedOffset,
          leaderEpoch: partition.committedLeaderEpoch,
          metadata: partition.committedMetadata ?? '',
        })),
      })),
    }
    return ctx.domain.groups.commitOffsets(command, callerOf(ctx))
  })
  return { topics }
}

/** Clients before v9 know an absent group as one whose generation is another (KIP-848). */
export function offsetCommitFailure(
  { topics }: OffsetCommitRequest,
  failure: Failure,
  version: number,
): OffsetCommitResponse {
  const isTooNew = failure.errorCode === absent && version < since.absence
  const code = isTooNew ? errorCode('ILLEGAL_GENERATION') : failure.errorCode
  return {
    topics: topics.map(({ name, topicId, partitions }) => ({
      name,
      topicId,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode: code })),
    })),
  }
}

const absent = errorCode('GROUP_ID_NOT_FOUND')
