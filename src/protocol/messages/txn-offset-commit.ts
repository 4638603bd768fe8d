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
 * Commits offsets of a group as part of a transaction (KIP-98). v2 leader epoch (KIP-320) · v3
 * flexible, the member behind it (KIP-447) · v6 topic ids.
 */
export const txnOffsetCommitRequest = message(
  'TxnOffsetCommitRequest',
  { apiKey: 28, versions: '0-6', flexible: '3+' },
  {
    transactionalId: string(),
    groupId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    generationIdOrMemberEpoch: int32({ versions: '3+', default: -1 }),
    memberId: string({ versions: '3+', default: '' }),
    groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
    topics: array({
      name: string({ versions: '0-5', ignorable: true }),
      topicId: uuid({ versions: '6+', ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32({ versions: '2+', default: -1, ignorable: true }),
        committedMetadata: string({ nullable: '0+' }),
      }),
    }),
  },
)
export type TxnOffsetCommitRequest = Incoming<typeof txnOffsetCommitRequest>

/** Which offsets were accepted (KIP-98). v3 flexible · v6 topic ids. */
export const txnOffsetCommitResponse = message(
  'TxnOffsetCommitResponse',
  { apiKey: 28, versions: '0-6', flexible: '3+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    topics: array({
      name: string({ versions: '0-5', ignorable: true }),
      topicId: uuid({ versions: '6+', ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)
export type TxnOffsetCommitResponse = Outgoing<typeof txnOffsetCommitResponse>
