/**
 * FindCoordinator (key 10), v0–6: the broker that coordinates a group; from v4 for several keys at
 * once. The first question makes `__consumer_offsets`, and is answered when that can be written.
 *
 * Transactional ids and share partitions have no coordinator here yet. The Java client gives up on
 * INVALID_REQUEST at once and shows our message; librdkafka, which speaks up to v2, does so only for
 * TRANSACTIONAL_ID_AUTHORIZATION_FAILED. For all else they ask again, for minutes.
 */
import { KafkaError } from '../../protocol/errors.ts'
import type {
  FindCoordinatorRequest,
  FindCoordinatorResponse,
} from '../../protocol/messages/find-coordinator.ts'
import { addressOf } from '../advertised.ts'
import type { Failure, RequestContext } from '../context.ts'

type Coordinator = NonNullable<FindCoordinatorResponse['coordinators']>[number]

/** First version that asks for several keys (KIP-699). */
const firstBatchedVersion = 4

const lastOfLibrdkafka = 2

/** By then the topic of the groups can be written, or the client asks again. */
const creationTimeoutMs = 15_000

const nowhere = { nodeId: -1, host: '', port: -1 }

export async function findCoordinator(
  ctx: RequestContext,
  request: FindCoordinatorRequest,
): Promise<FindCoordinatorResponse> {
  if (ctx.version >= firstBatchedVersion) {
    const keys = request.coordinatorKeys.map(key => find(ctx, request.keyType, key))
    return { coordinators: await Promise.all(keys) }
  }
  const { key: _, ...found } = await find(ctx, request.keyType, request.key)
  return found
}

async function find(ctx: RequestContext, keyType: number, key: string): Promise<Coordinator> {
  try {
    checkKeyType(keyType, ctx.version)
    const brokerId = await ctx.domain.groups.coordinatorOf(key, ctx.deadlineMs(creationTimeoutMs))
    const broker = ctx.image.broker(brokerId)
    const address = broker && addressOf(ctx, broker)
    if (address === undefined) throw new KafkaError('COORDINATOR_NOT_AVAILABLE')
    const { host, port } = address
    return { key, nodeId: brokerId, host, port, errorCode: 0, errorMessage: '' }
  } catch (error) {
    return { key, ...nowhere, ...ctx.refusal(error) }
  }
}

/** Throws INVALID_REQUEST, TRANSACTIONAL_ID_AUTHORIZATION_FAILED unless it is a group. */
function checkKeyType(keyType: number, version: number): void {
  switch (keyType) {
    case 0:
      return
    case 1:
      throw new KafkaError(
        version > lastOfLibrdkafka ? 'INVALID_REQUEST' : 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
        'transactions are not supported by this broker yet: produce without a transactional.id',
      )
    case 2:
      throw new KafkaError('INVALID_REQUEST', 'share groups are not supported by this broker yet')
    default:
      throw new KafkaError('INVALID_REQUEST', `there is no coordinator of key type ${keyType}`)
  }
}

export function findCoordinatorFailure(
  request: FindCoordinatorRequest,
  failure: Failure,
  version: number,
): FindCoordinatorResponse {
  if (version < firstBatchedVersion) return { ...nowhere, ...failure }
  return {
    coordinators: request.coordinatorKeys.map(key => ({ key, ...nowhere, ...failure })),
  }
}
