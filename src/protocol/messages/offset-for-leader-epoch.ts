import {
  array,
  type Incoming,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/**
 * Asks where a leader epoch ends, to find where two logs part (KIP-101, KIP-279). v2 the asker's
 * own epoch (KIP-320) · v4 flexible.
 */
export const offsetForLeaderEpochRequest = message(
  'OffsetForLeaderEpochRequest',
  { apiKey: 23, versions: '2-4', flexible: '4+' },
  {
    replicaId: int32({ versions: '3+', default: -2, ignorable: true }),
    topics: array({
      topic: string(),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32({ default: -1, ignorable: true }),
        leaderEpoch: int32(),
      }),
    }),
  },
)
export type OffsetForLeaderEpochRequest = Incoming<typeof offsetForLeaderEpochRequest>

/** The end of the largest epoch at most the one asked for (KIP-279). v4 flexible. */
export const offsetForLeaderEpochResponse = message(
  'OffsetForLeaderEpochResponse',
  { apiKey: 23, versions: '2-4', flexible: '4+' },
  {
    throttleTimeMs: int32({ ignorable: true }),
    topics: array({
      topic: string(),
      partitions: array({
        errorCode: int16(),
        partition: int32(),
        leaderEpoch: int32({ default: -1, ignorable: true }),
        endOffset: int64({ default: -1 }),
      }),
    }),
  },
)
export type OffsetForLeaderEpochResponse = Outgoing<typeof offsetForLeaderEpochResponse>
