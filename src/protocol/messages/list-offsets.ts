import {
  array,
  type Incoming,
  int8,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** ListOffsetsRequest. */
export const listOffsetsRequest = message(
  'ListOffsetsRequest',
  { apiKey: 2, versions: '1-11', flexible: '6+' },
  {
    replicaId: int32(),
    isolationLevel: int8({ versions: '2+' }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        currentLeaderEpoch: int32({ versions: '4+', default: -1, ignorable: true }),
        timestamp: int64({ clamped: true }),
      }),
    }),
    timeoutMs: int32({ versions: '10+', ignorable: true }),
  },
)
export type ListOffsetsRequest = Incoming<typeof listOffsetsRequest>

/** ListOffsetsResponse. */
export const listOffsetsResponse = message(
  'ListOffsetsResponse',
  { apiKey: 2, versions: '1-11', flexible: '6+' },
  {
    throttleTimeMs: int32({ versions: '2+', ignorable: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        timestamp: int64({ default: -1 }),
        offset: int64({ default: -1 }),
        leaderEpoch: int32({ versions: '4+', default: -1 }),
      }),
    }),
  },
)
export type ListOffsetsResponse = Outgoing<typeof listOffsetsResponse>
