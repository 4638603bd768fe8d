/** Heartbeat (key 12), v0–4. REBALANCE_IN_PROGRESS tells a member to join again. */
import type { HeartbeatRequest, HeartbeatResponse } from '../../protocol/messages/heartbeat.ts'
import type { Failure, RequestContext } from '../context.ts'
import { callerOf } from '../group-caller.ts'

export async function heartbeat(
  ctx: RequestContext,
  request: HeartbeatRequest,
): Promise<HeartbeatResponse> {
  await ctx.domain.groups.heartbeat(request, callerOf(ctx))
  return { errorCode: 0 }
}

export function heartbeatFailure(
  _request: HeartbeatRequest,
  { errorCode }: Failure,
): HeartbeatResponse {
  return { errorCode }
}
