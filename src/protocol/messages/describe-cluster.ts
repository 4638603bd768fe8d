import {
  array,
  bool,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/**
 * Asks for the brokers and the cluster id (KIP-700). v1 or the controllers (KIP-919) · v2 fenced
 * brokers too (KIP-1073).
 */
export const describeClusterRequest = message(
  'DescribeClusterRequest',
  { apiKey: 60, versions: '0-2', flexible: '0+' },
  {
    includeClusterAuthorizedOperations: bool(),
    endpointType: int8({ versions: '1+', default: 1 }),
    includeFencedBrokers: bool({ versions: '2+' }),
  },
)
export type DescribeClusterRequest = Incoming<typeof describeClusterRequest>

/**
 * Brokers, controller and cluster id (KIP-700). v1 type of endpoint (KIP-919) · v2 fenced brokers
 * (KIP-1073).
 */
export const describeClusterResponse = message(
  'DescribeClusterResponse',
  { apiKey: 60, versions: '0-2', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    endpointType: int8({ versions: '1+', default: 1 }),
    clusterId: string(),
    controllerId: int32({ default: -1 }),
    brokers: array({
      brokerId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: '0+', default: null }),
      isFenced: bool({ versions: '2+' }),
    }),
    clusterAuthorizedOperations: int32({ default: -2147483648 }),
  },
)
export type DescribeClusterResponse = Outgoing<typeof describeClusterResponse>
