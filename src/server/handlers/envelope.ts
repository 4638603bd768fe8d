/**
 * Envelope (key 58), v0 (KIP-590): a request that another broker took from a client and that only the
 * controller can carry out, with the name and the address of that client. The answer is the one that
 * the client gets; NOT_CONTROLLER when this broker is it no more.
 *
 * Who sends an envelope says in whose name: it is served on the listener for brokers alone. Nobody
 * authenticates yet, so a name gives no rights. With authentication it takes the right
 * CLUSTER_ACTION, as in Kafka.
 */
import { ipText } from '../../base/ip.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { EnvelopeRequest, EnvelopeResponse } from '../../protocol/messages/kraft.ts'
import { DecodeError } from '../../protocol/reader.ts'
import { anonymous, decodePrincipal } from '../../security/principal.ts'
import type { ConnectionFacts, Failure, RequestContext } from '../context.ts'
import { maxForwardedBytes } from '../forwarder.ts'

export async function envelope(
  ctx: RequestContext,
  request: EnvelopeRequest,
): Promise<EnvelopeResponse> {
  const { requestData } = request
  if (requestData.length > maxForwardedBytes) {
    throw new KafkaError('INVALID_REQUEST', 'the request in the envelope is too large')
  }
  const chunks = await ctx.server.carryOut(requestData, clientOf(ctx, request))
  return { errorCode: 0, responseData: Buffer.concat(chunks).subarray(4) }
}

/** Throws INVALID_REQUEST. */
function clientOf(
  { connection }: RequestContext,
  { requestPrincipal, clientHostAddress }: EnvelopeRequest,
): ConnectionFacts {
  try {
    return {
      ...connection,
      remoteAddress: ipText(clientHostAddress),
      principal: requestPrincipal === null ? anonymous : decodePrincipal(requestPrincipal),
    }
  } catch (error) {
    const isMalformed = error instanceof DecodeError || error instanceof RangeError
    if (!isMalformed) throw error
    throw new KafkaError('INVALID_REQUEST', `the envelope is malformed: ${error.message}`)
  }
}

export function envelopeFailure(
  _request: EnvelopeRequest,
  { errorCode }: Failure,
): EnvelopeResponse {
  return { errorCode, responseData: null }
}
