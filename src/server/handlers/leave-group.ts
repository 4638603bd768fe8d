/** LeaveGroup (key 13), v0–5: before v3 one member, then several, static ones too (KIP-345). */
import { errorCode } from '../../protocol/errors.ts'
import type { LeaveGroupRequest, LeaveGroupResponse } from '../../protocol/messages/leave-group.ts'
import type { Failure, RequestContext } from '../context.ts'
import { callerOf } from '../group-caller.ts'

/** First version with several members. */
const firstBatchedVersion = 3

export async function leaveGroup(
  ctx: RequestContext,
  request: LeaveGroupRequest,
): Promise<LeaveGroupResponse> {
  const { groupId, memberId } = request
  const isBatched = ctx.version >= firstBatchedVersion
  const alone = { memberId, groupInstanceId: null, reason: null }
  const members = isBatched ? request.members : [alone]
  const left = await ctx.domain.groups.leaveGroup({ groupId, members }, callerOf(ctx))
  const answers = left.members.map(({ error, ...member }) => ({
    ...member,
    errorCode: errorCode(error),
  }))
  if (isBatched) return { errorCode: 0, members: answers }
  return { errorCode: answers[0]?.errorCode ?? 0 }
}

/** In a group that is absent, or has no members, each is told that it is unknown. */
export function leaveGroupFailure(
  { members }: LeaveGroupRequest,
  { errorCode }: Failure,
  version: number,
): LeaveGroupResponse {
  if (version < firstBatchedVersion || errorCode !== unknownMember)
    return { errorCode, members: [] }
  const answers = members.map(({ memberId, groupInstanceId }) => ({
    memberId,
    groupInstanceId,
    errorCode,
  }))
  return { errorCode: 0, members: answers }
}

const unknownMember = errorCode('UNKNOWN_MEMBER_ID')
