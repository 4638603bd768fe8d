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

/**
 * Asks which offset belongs to a timestamp, −1 latest and −2 earliest. v1 one offset (KIP-79) · v2
 * isolation level (KIP-98) · v4 leader epoch (KIP-320) · v6 flexible · v7 −3 largest timestamp
 * (KIP-734) · v8 −4 earliest on local disk (KIP-405) · v9 −5 latest in tiered storage (KIP-1005) ·
 * v10 timeout (KIP-1075) · v11 −6 earliest not yet uploaded (KIP-1023).
 */
export const listOffsetsRequest = message(
  'ListOffsetsRequest',
  { apiKey: 2, versions: '1-11', flexible: '6+' },
  {
    replicaId: int32(), // -1 a consumer
    isolationLevel: int8({ versions: '2+' }), // 0 read_uncommitted, 1 read_committed
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

/** The offsets found, −1 for none. v4 leader epoch (KIP-320) · v6 flexible. */
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
