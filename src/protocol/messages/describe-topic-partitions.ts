import {
  array,
  bool,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
  struct,
  uuid,
} from '../schema.ts'

/** Asks for the partitions of topics page by page, with their eligible leaders (KIP-966). */
export const describeTopicPartitionsRequest = message(
  'DescribeTopicPartitionsRequest',
  { apiKey: 75, versions: '0', flexible: '0+' },
  {
    topics: array({
      name: string(),
    }),
    responsePartitionLimit: int32({ default: 2000 }),
    cursor: struct(
      {
        topicName: string(),
        partitionIndex: int32(),
      },
      { nullable: '0+', default: null },
    ),
  },
)
export type DescribeTopicPartitionsRequest = Incoming<typeof describeTopicPartitionsRequest>

/** A page of partitions, and where the next one starts (KIP-966). */
export const describeTopicPartitionsResponse = message(
  'DescribeTopicPartitionsResponse',
  { apiKey: 75, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ ignorable: true }),
    topics: array({
      errorCode: int16(),
      name: string({ nullable: '0+' }),
      topicId: uuid({ ignorable: true }),
      isInternal: bool({ default: false, ignorable: true }),
      partitions: array({
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32({ default: -1, ignorable: true }),
        replicaNodes: array(int32()),
        isrNodes: array(int32()),
        eligibleLeaderReplicas: array(int32(), { nullable: '0+', default: null }),
        lastKnownElr: array(int32(), { nullable: '0+', default: null }),
        offlineReplicas: array(int32(), { ignorable: true }),
      }),
      topicAuthorizedOperations: int32({ default: -2147483648 }),
    }),
    nextCursor: struct(
      {
        topicName: string(),
        partitionIndex: int32(),
      },
      { nullable: '0+', default: null },
    ),
  },
)
export type DescribeTopicPartitionsResponse = Outgoing<typeof describeTopicPartitionsResponse>
