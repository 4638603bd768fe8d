import {
  array,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/**
 * Asks which broker coordinates a group, a transactional id or a share partition. v1 key types
 * (KIP-98) · v3 flexible · v4 several keys (KIP-699) · v6 share partitions (KIP-932).
 */
export const findCoordinatorRequest = message(
  'FindCoordinatorRequest',
  { apiKey: 10, versions: '0-6', flexible: '3+' },
  {
    key: string({ versions: '0-3' }),
    keyType: int8({ versions: '1+', default: 0 }), // 0 group, 1 transactional id, 2 share partition
    coordinatorKeys: array(string(), { versions: '4+' }),
  },
)
export type FindCoordinatorRequest = Incoming<typeof findCoordinatorRequest>

/** The coordinating brokers. v3 flexible · v4 several keys (KIP-699). */
export const findCoordinatorResponse = message(
  'FindCoordinatorResponse',
  { apiKey: 10, versions: '0-6', flexible: '3+' },
  {
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16({ versions: '0-3' }),
    errorMessage: string({ versions: '1-3', nullable: '1-3', ignorable: true }),
    nodeId: int32({ versions: '0-3' }),
    host: string({ versions: '0-3' }),
    port: int32({ versions: '0-3' }),
    coordinators: array(
      {
        key: string(),
        nodeId: int32(),
        host: string(),
        port: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '4+', ignorable: true }),
      },
      { versions: '4+' },
    ),
  },
)
export type FindCoordinatorResponse = Outgoing<typeof findCoordinatorResponse>
