import {
  array,
  bool,
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
 * Asks for the committed offsets of groups. v2 null asks for all · v6 flexible · v7 only stable
 * ones (KIP-447) · v8 several groups (KIP-709) · v9 member epochs, v10 topic ids (KIP-848).
 */
export const offsetFetchRequest = message(
  'OffsetFetchRequest',
  { apiKey: 9, versions: '1-10', flexible: '6+' },
  {
    groupId: string({ versions: '0-7' }),
    topics: array(
      {
        name: string(),
        partitionIndexes: array(int32()),
      },
      { versions: '0-7', nullable: '2-7' },
    ),
    groups: array(
      {
        groupId: string(),
        memberId: string({ versions: '9+', nullable: '9+', default: null, ignorable: true }),
        memberEpoch: int32({ versions: '9+', default: -1, ignorable: true }),
        topics: array(
          {
            name: string({ versions: '8-9', ignorable: true }),
            topicId: uuid({ versions: '10+', ignorable: true }),
            partitionIndexes: array(int32()),
          },
          { nullable: '8+' },
        ),
      },
      { versions: '8+' },
    ),
    requireStable: bool({ versions: '7+', default: false }),
  },
)
export type OffsetFetchRequest = Incoming<typeof offsetFetchRequest>

/**
 * Committed offsets, −1 for none. v5 leader epoch (KIP-320) · v6 flexible · v8 several groups
 * (KIP-709) · v10 topic ids (KIP-848).
 */
export const offsetFetchResponse = message(
  'OffsetFetchResponse',
  { apiKey: 9, versions: '1-10', flexible: '6+' },
  {
    throttleTimeMs: int32({ versions: '3+', ignorable: true }),
    topics: array(
      {
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          committedOffset: int64(),
          committedLeaderEpoch: int32({ versions: '5-7', default: -1, ignorable: true }),
          metadata: string({ nullable: '0-7' }),
          errorCode: int16(),
        }),
      },
      { versions: '0-7' },
    ),
    errorCode: int16({ versions: '2-7', default: 0, ignorable: true }),
    groups: array(
      {
        groupId: string(),
        topics: array({
          name: string({ versions: '8-9', ignorable: true }),
          topicId: uuid({ versions: '10+', ignorable: true }),
          partitions: array({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ default: -1, ignorable: true }),
            metadata: string({ nullable: '8+' }),
            errorCode: int16(),
          }),
        }),
        errorCode: int16({ default: 0 }),
      },
      { versions: '8+' },
    ),
  },
)
export type OffsetFetchResponse = Outgoing<typeof offsetFetchResponse>
