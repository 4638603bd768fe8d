/** DescribeCluster (key 60), v0–2. Fenced (KIP-1073) is a broker that has gone and may come back. */
import { KafkaError } from '../../protocol/errors.ts'
import type {
  DescribeClusterRequest,
  DescribeClusterResponse,
} from '../../protocol/messages/describe-cluster.ts'
import { reachableBrokers } from '../advertised.ts'
import { clusterOperations } from '../authorized-operations.ts'
import type { Failure, RequestContext } from '../context.ts'

/** Endpoint types: 1 brokers, 2 controllers. */
const brokers = 1

export async function describeCluster(
  ctx: RequestContext,
  request: DescribeClusterRequest,
): Promise<DescribeClusterResponse> {
  const { endpointType } = request
  if (endpointType !== brokers) {
    throw new KafkaError(
      endpointType === 2 ? 'MISMATCHED_ENDPOINT_TYPE' : 'UNSUPPORTED_ENDPOINT_TYPE',
      `this listener serves brokers, not endpoint type ${endpointType}`,
    )
  }
  return {
    errorCode: 0,
    endpointType,
    clusterId: ctx.image.clusterId ?? '',
    controllerId: ctx.image.controllerId ?? -1,
    brokers: [
      ...reachableBrokers(ctx).map(({ nodeId, host, port, rack }) => ({
        brokerId: nodeId,
        host,
        port,
        rack,
      })),
      ...(request.includeFencedBrokers ? fencedBrokers(ctx) : []),
    ],
    ...(request.includeClusterAuthorizedOperations && {
      clusterAuthorizedOperations: clusterOperations,
    }),
  }
}

/** With where they were last; '' and −1 for one that was never there by the client's listener. */
function fencedBrokers({ image, connection }: RequestContext) {
  return [...image.knownBrokers()]
    .filter(brokerId => image.broker(brokerId) === undefined)
    .map(brokerId => {
      const { listeners = [], rack = null } = image.admitted(brokerId)?.value ?? {}
      const place = listeners.find(({ name }) => name === connection.listener)
      const { host = '', port = -1 } = place ?? {}
      return { brokerId, host, port, rack, isFenced: true }
    })
}

export function describeClusterFailure(
  _request: DescribeClusterRequest,
  failure: Failure,
): DescribeClusterResponse {
  return { ...failure, clusterId: '', brokers: [] }
}
