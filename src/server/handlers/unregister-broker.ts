/** UnregisterBroker (key 64), v0. Only of a broker that has stopped and is no partition's replica. */
import type {
  UnregisterBrokerRequest,
  UnregisterBrokerResponse,
} from '../../protocol/messages/unregister-broker.ts'
import type { Failure, RequestContext } from '../context.ts'

/** The request names no time. */
const timeoutMs = 30_000

export async function unregisterBroker(
  ctx: RequestContext,
  { brokerId }: UnregisterBrokerRequest,
): Promise<UnregisterBrokerResponse> {
  await ctx.domain.controller.unregisterBroker(brokerId, { deadlineMs: ctx.deadlineMs(timeoutMs) })
  return { errorCode: 0, errorMessage: null }
}

export function unregisterBrokerFailure(
  _request: UnregisterBrokerRequest,
  failure: Failure,
): UnregisterBrokerResponse {
  return failure
}
