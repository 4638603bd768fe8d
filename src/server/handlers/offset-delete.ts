/** OffsetDelete (key 47), v0: of topics to which no member subscribes (KIP-496). */
import type {
  OffsetDeleteRequest,
  OffsetDeleteResponse,
} from '../../protocol/messages/offset-delete.ts'
import type { Failure, RequestContext } from '../context.ts'
import { askOfExisting } from '../existing-partitions.ts'
import { callerOf } from '../group-caller.ts'

export async function offsetDelete(
  ctx: RequestContext,
  { groupId, topics }: OffsetDeleteRequest,
): Promise<OffsetDeleteResponse> {
  const answers = await askOfExisting(ctx, topics, false, existing => {
    const wanted = existing.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => partitionIndex),
    }))
    return ctx.domain.groups.deleteOffsets({ groupId, topics: wanted }, callerOf(ctx))
  })
  return { errorCode: 0, topics: answers }
}

export function offsetDeleteFailure(
  _request: OffsetDeleteRequest,
  { errorCode }: Failure,
): OffsetDeleteResponse {
  return { errorCode, topics: [] }
}
