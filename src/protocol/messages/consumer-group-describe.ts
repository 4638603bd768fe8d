import {
  array,
  bool,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
  struct,
  uuid,
} from '../schema.ts'

/** Asks for the state of consumer groups (KIP-848). */
export const consumerGroupDescribeRequest = message(
  'ConsumerGroupDescribeRequest',
  { apiKey: 69, versions: '0-1', flexible: '0+' },
  {
    groupIds: array(string()),
    includeAuthorizedOperations: bool(),
  },
)
export type ConsumerGroupDescribeRequest = Incoming<typeof consumerGroupDescribeRequest>

const topicPartitions = {
  topicId: uuid(),
  topicName: string(),
  partitions: array(int32()),
}
const assignment = {
  topicPartitions: array(topicPartitions),
}

/** Consumer groups and their members (KIP-848). v1 type of the member (KIP-1099). */
export const consumerGroupDescribeResponse = message(
  'ConsumerGroupDescribeResponse',
  { apiKey: 69, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
      groupId: string(),
      groupState: string(),
      groupEpoch: int32(),
      assignmentEpoch: int32(),
      assignorName: string(),
      members: array({
        memberId: string(),
        instanceId: string({ nullable: '0+', default: null }),
        rackId: string({ nullable: '0+', default: null }),
        memberEpoch: int32(),
        clientId: string(),
        clientHost: string(),
        subscribedTopicNames: array(string()),
        subscribedTopicRegex: string({ nullable: '0+', default: null }),
        assignment: struct(assignment),
        targetAssignment: struct(assignment),
        memberType: int8({ versions: '1+', default: -1, ignorable: true }),
      }),
      authorizedOperations: int32({ default: -2147483648 }),
    }),
  },
)
export type ConsumerGroupDescribeResponse = Outgoing<typeof consumerGroupDescribeResponse>
