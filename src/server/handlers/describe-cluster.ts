/** DescribeCluster (key 60), v0–2. Fenced brokers are not known: a broker that is gone is gone. */
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
    brokers: reachableBrokers(ctx).map(({ nodeId, host, port, rack }) => ({
      brokerId: nodeId,
      host,
      port,
      rack,
    })),
    ...(request.includeClusterAuthorizedOperations && {
      clusterAuthorizedOperations: clusterOperations,
    }),
  }
}

export function describeClusterFailure(
  _request: DescribeClusterRequest,
  failure: Failure,
): DescribeClusterResponse {
  return { ...failure, clusterId: '', brokers: [] }
}
