import { array, type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/** Asks for the moves under way (KIP-455). */
export const listPartitionReassignmentsRequest = message(
  'ListPartitionReassignmentsRequest',
  { apiKey: 46, versions: '0', flexible: '0+' },
  {
    timeoutMs: int32({ default: 60000 }),
    topics: array(
      {
        name: string(),
        partitionIndexes: array(int32()),
      },
      { nullable: '0+', default: null },
    ),
  },
)
export type ListPartitionReassignmentsRequest = Incoming<typeof listPartitionReassignmentsRequest>

/** The moves under way (KIP-455). */
export const listPartitionReassignmentsResponse = message(
  'ListPartitionReassignmentsResponse',
  { apiKey: 46, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        replicas: array(int32()),
        addingReplicas: array(int32()),
        removingReplicas: array(int32()),
      }),
    }),
  },
)
export type ListPartitionReassignmentsResponse = Outgoing<typeof listPartitionReassignmentsResponse>
