/** Who asks the group coordinator, taken from a request. */
import type { Caller } from '../coordinator/group/group-coordinator.ts'
import { plainAddress } from './advertised.ts'
import type { RequestContext } from './context.ts'

/** A member waits for the others until the slowest has to be there; no longer than any request. */
export const rebalanceWaitMs = 600_000

/** For what the coordinator answers as soon as it is replicated. */
const answerWaitMs = 30_000

/** The caller, who waits at most `waitMs`. */
export function callerOf(ctx: RequestContext, waitMs = answerWaitMs): Caller {
  return {
    connection: ctx.connection.id,
    deadlineMs: ctx.deadlineMs(waitMs),
    clientId: ctx.header.clientId ?? '',
    clientHost: `/${plainAddress(ctx.connection.remoteAddress)}`,
  }
}
