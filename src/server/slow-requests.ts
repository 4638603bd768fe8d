/** Reports requests that took long, for whoever wonders where the time of a client goes. */
import type { Io } from '../io/io.ts'
import type { Fields, IncomingFields, Message } from '../protocol/schema.ts'
import type { RequestContext } from './context.ts'

const fetchKey = 1
/** JoinGroup and SyncGroup wait for the other members. */
const waitingForOthers: readonly number[] = [11, 14]

/** At most so many lines in so long: when all is slow, the first ones say enough. */
const maxLines = 3
const windowMs = 1000

export class SlowRequests {
  readonly #io: Io
  readonly #thresholdMs: () => number
  #windowStartMs = Number.NEGATIVE_INFINITY
  #lines = 0
  #unreported = 0

  /** `thresholdMs` may change at any time; Infinity reports nothing. */
  constructor(io: Io, thresholdMs: () => number) {
    this.#io = io
    this.#thresholdMs = thresholdMs
  }

  /** Call it when a request has its answer. */
  answered(message: Message, ctx: RequestContext, request: IncomingFields<Fields>): void {
    const nowMs = this.#io.clock.monotonicMs()
    const tookMs = nowMs - ctx.receivedMs
    const thresholdMs = this.#thresholdMs()
    // Nearly all requests end here.
    if (tookMs < thresholdMs) return
    if (tookMs - ownWaitMs(message, request) < thresholdMs || !this.#mayReport(nowMs)) return
    const more = this.#unreported > 0 ? { unreported: this.#unreported } : {}
    this.#unreported = 0
    const { header, connection } = ctx
    this.#io.report.warn(
      {
        api: message.name,
        version: header.apiVersion,
        ms: Math.round(tookMs),
        clientId: header.clientId,
        remoteAddress: connection.remoteAddress,
        ...more,
      },
      'a request was slow',
    )
  }

  #mayReport(nowMs: number): boolean {
    if (nowMs - this.#windowStartMs >= windowMs) {
      this.#windowStartMs = nowMs
      this.#lines = 0
    }
    if (this.#lines >= maxLines) {
      this.#unreported += 1
      return false
    }
    this.#lines += 1
    return true
  }
}

/** What a request may wait because it was asked to: that is not slowness. */
function ownWaitMs({ apiKey }: Message, request: IncomingFields<Fields>): number {
  if (apiKey === fetchKey) return Number((request as { maxWaitMs?: number }).maxWaitMs ?? 0)
  return waitingForOthers.includes(apiKey ?? -1) ? Number.POSITIVE_INFINITY : 0
}
