/**
 * ListGroups (key 16), v0–5: the groups that this broker coordinates. v4 filters by state (KIP-518),
 * v5 by type (KIP-848): words in any case; an unknown one matches nothing.
 */
import type { ListGroupsRequest, ListGroupsResponse } from '../../protocol/messages/list-groups.ts'
import type { Failure, RequestContext } from '../context.ts'
import { callerOf } from '../group-caller.ts'

export async function listGroups(
  ctx: RequestContext,
  { statesFilter, typesFilter }: ListGroupsRequest,
): Promise<ListGroupsResponse> {
  const command = { phases: statesFilter, types: typesFilter }
  const groups = await ctx.domain.groups.listGroups(command, callerOf(ctx))
  return {
    errorCode: 0,
    groups: groups.map(({ groupId, protocolType, phase, groupType }) => ({
      groupId,
      protocolType,
      groupState: phase,
      groupType,
    })),
  }
}

export function listGroupsFailure(
  _request: ListGroupsRequest,
  { errorCode }: Failure,
): ListGroupsResponse {
  return { errorCode, groups: [] }
}
