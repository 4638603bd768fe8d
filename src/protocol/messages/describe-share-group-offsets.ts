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

/** Asks where share groups stand (KIP-932). */
export const describeShareGroupOffsetsRequest = message(
  'DescribeShareGroupOffsetsRequest',
  { apiKey: 90, versions: '0-1', flexible: '0+' },
  {
    groups: array({
      groupId: string(),
      topics: array(
        {
          topicName: string(),
          partitions: array(int32()),
        },
        { nullable: '0+' },
      ),
    }),
  },
)
export type DescribeShareGroupOffsetsRequest = Incoming<typeof describeShareGroupOffsetsRequest>

/** The start offsets of share partitions (KIP-932). v1 lag. */
export const describeShareGroupOffsetsResponse = message(
  'DescribeShareGroupOffsetsResponse',
  { apiKey: 90, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    groups: array({
      groupId: string(),
      topics: array({
        topicName: string(),
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          startOffset: int64(),
          leaderEpoch: int32(),
          lag: int64({ versions: '1+', default: -1, ignorable: true }),
          errorCode: int16(),
          errorMessage: string({ nullable: '0+', default: null }),
        }),
      }),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
    }),
  },
)
export type DescribeShareGroupOffsetsResponse = Outgoing<typeof describeShareGroupOffsetsResponse>
