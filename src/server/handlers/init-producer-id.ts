/**
 * InitProducerId (key 22), v0–5. For idempotent producers only: a transactional id is answered with
 * INVALID_REQUEST, which clients take as fatal, until transactions are here.
 */
import { KafkaError } from '../../protocol/errors.ts'
import type {
  InitProducerIdRequest,
  InitProducerIdResponse,
} from '../../protocol/messages/init-producer-id.ts'
import type { Failure, RequestContext } from '../context.ts'

export async function initProducerId(
  ctx: RequestContext,
  request: InitProducerIdRequest,
): Promise<InitProducerIdResponse> {
  if (request.transactionalId !== null) {
    throw new KafkaError('INVALID_REQUEST', 'transactions are not supported by this broker yet')
  }
  if ((request.producerId === -1) !== (request.producerEpoch === -1)) {
    throw new KafkaError('INVALID_REQUEST', 'a producer id goes with its epoch')
  }
  // A producer that names its old id gets a new one all the same (KIP-360): nothing ties it to us.
  return { errorCode: 0, producerId: await ctx.domain.producerIds.next(), producerEpoch: 0 }
}

export function initProducerIdFailure(
  _request: InitProducerIdRequest,
  { errorCode }: Failure,
): InitProducerIdResponse {
  return { errorCode, producerId: -1, producerEpoch: -1 }
}
