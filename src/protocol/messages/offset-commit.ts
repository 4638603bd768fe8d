import {
  array,
  type Incoming,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
  uuid,
} from '../schema.ts'

/**
 * Commits offsets of a group. v5 no retention time (KIP-211) · v6 leader epoch (KIP-320) · v7
 * static members (KIP-345) · v8 flexible · v9 member epochs, v10 topic ids (KIP-848).
 */
export const offsetCommitRequest = message(
  'OffsetCommitRequest',
  { apiKey: 8, versions: '2-10', flexible: '8+' },
  {
    groupId: string(),
    generationIdOrMemberEpoch: int32({ default: -1, ignorable: true }),
    memberId: string({ ignorable: true }),
    groupInstanceId: string({ versions: '7+', nullable: '7+', default: null }),
    retentionTimeMs: int64({ versions: '2-4', default: -1, ignorable: true }),
    topics: array({
      name: string({ versions: '0-9', ignorable: true }),
      topicId: uuid({ versions: '10+', ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32({ versions: '6+', default: -1, ignorable: true }),
        committedMetadata: string({ nullable: '0+' }),
      }),
    }),
  },
)
export type OffsetCommitRequest = Incoming<typeof offsetCommitRequest>

/** Which offsets were committed. v8 flexible · v10 topic ids (KIP-848). */
export const offsetCommitResponse = message(
  'OffsetCommitResponse',
  { apiKey: 8, versions: '2-10', flexible: '8+' },
  {
    throttleTimeMs: int32({ versions: '3+', ignorable: true }),
    topics: array({
      name: string({ versions: '0-9', ignorable: true }),
      topicId: uuid({ versions: '10+', ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)
export type OffsetCommitResponse = Outgoing<typeof offsetCommitResponse>
