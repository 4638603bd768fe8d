import {
  array,
  bool,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/**
 * Starts or cancels the move of partitions to other replicas (KIP-455). v1 whether their number
 * may change (KIP-860).
 */
export const alterPartitionReassignmentsRequest = message(
  'AlterPartitionReassignmentsRequest',
  { apiKey: 45, versions: '0-1', flexible: '0+' },
  {
    timeoutMs: int32({ default: 60000 }),
    allowReplicationFactorChange: bool({ versions: '1+', default: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        replicas: array(int32(), { nullable: '0+', default: null }),
      }),
    }),
  },
)
export type AlterPartitionReassignmentsRequest = Incoming<typeof alterPartitionReassignmentsRequest>

/** Whether each has begun (KIP-455). */
export const alterPartitionReassignmentsResponse = message(
  'AlterPartitionReassignmentsResponse',
  { apiKey: 45, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    allowReplicationFactorChange: bool({ versions: '1+', default: true, ignorable: true }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    responses: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+' }),
      }),
    }),
  },
)
export type AlterPartitionReassignmentsResponse = Outgoing<
  typeof alterPartitionReassignmentsResponse
>
