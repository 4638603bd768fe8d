/**
 * JoinGroup (key 11), v0–9: answered when the generation begins. A dynamic member that comes
 * without an id is from v4 told one, and joins with it (KIP-394).
 */

import { errorCode } from '../../protocol/errors.ts'
import type { JoinGroupRequest, JoinGroupResponse } from '../../protocol/messages/join-group.ts'
import type { Failure, RequestContext } from '../context.ts'
import { callerOf, rebalanceWaitMs } from '../group-caller.ts'

/** First versions of what changed in it. */
const since = { requiredMemberId: 4, nullProtocol: 7, skippedAssignment: 9 }

export async function joinGroup(
  ctx: RequestContext,
  request: JoinGroupRequest,
): Promise<JoinGroupResponse> {
  const { rebalanceTimeoutMs, sessionTimeoutMs } = request
  const command = {
    ...request,
    // v0 has none: the session is as long.
    rebalanceTimeoutMs: rebalanceTimeoutMs === -1 ? sessionTimeoutMs : rebalanceTimeoutMs,
    requireKnownMemberId: ctx.version >= since.requiredMemberId,
    supportsSkippingAssignment: ctx.version >= since.skippedAssignment,
  }
  const answer = await ctx.domain.groups.joinGroup(command, callerOf(ctx, rebalanceWaitMs))
  if ('memberIdRequired' in answer) {
    return refused(answer.memberIdRequired, errorCode('MEMBER_ID_REQUIRED'), ctx.version)
  }
  return { errorCode: 0, ...answer }
}

function refused(memberId: string, code: number, version: number): JoinGroupResponse {
  return {
    errorCode: code,
    generationId: -1,
    protocolName: version < since.nullProtocol ? '' : null,
    leader: '',
    memberId,
    members: [],
  }
}

export function joinGroupFailure(
  { memberId }: JoinGroupRequest,
  failure: Failure,
  version: number,
): JoinGroupResponse {
  return refused(memberId, failure.errorCode, version)
}
