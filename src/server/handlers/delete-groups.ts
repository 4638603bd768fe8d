/** DeleteGroups (key 42), v0–3: groups without members, with their offsets (KIP-229). */
import type {
  DeleteGroupsRequest,
  DeleteGroupsResponse,
} from '../../protocol/messages/delete-groups.ts'
import type { Failure, RequestContext } from '../context.ts'
import { callerOf } from '../group-caller.ts'

export async function deleteGroups(
  ctx: RequestContext,
  request: DeleteGroupsRequest,
): Promise<DeleteGroupsResponse> {
  // A group that is named twice is deleted and answered once.
  const results = [...new Set(request.groupsNames)].map(async groupId => {
    try {
      await ctx.domain.groups.deleteGroup(groupId, callerOf(ctx))
      return { groupId, errorCode: 0 }
    } catch (error) {
      return { groupId, errorCode: ctx.refusal(error).errorCode }
    }
  })
  return { results: await Promise.all(results) }
}

export function deleteGroupsFailure(
  request: DeleteGroupsRequest,
  { errorCode }: Failure,
): DeleteGroupsResponse {
  return { results: request.groupsNames.map(groupId => ({ groupId, errorCode })) }
}
