/** SyncGroup (key 14), v0–5: answered when the leader has brought the assignments. */
import { KafkaError } from '../../protocol/errors.ts'
import type { SyncGroupRequest, SyncGroupResponse } from '../../protocol/messages/sync-group.ts'
import type { Failure, RequestContext } from '../context.ts'
import { callerOf, rebalanceWaitMs } from '../group-caller.ts'

/** First version that has to say its protocol (KIP-559). */
const firstVersionOfProtocol = 5

export async function syncGroup(
  ctx: RequestContext,
  request: SyncGroupRequest,
): Promise<SyncGroupResponse> {
  const { protocolType, protocolName } = request
  if (ctx.version >= firstVersionOfProtocol && (protocolType === null || protocolName === null)) {
    throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL')
  }
  return {
    errorCode: 0,
    ...(await ctx.domain.groups.syncGroup(request, callerOf(ctx, rebalanceWaitMs))),
  }
}

export function syncGroupFailure(
  _request: SyncGroupRequest,
  { errorCode }: Failure,
): SyncGroupResponse {
  return { errorCode, assignment: new Uint8Array(0) }
}
