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

/** Asks for the state of share groups (KIP-932). */
export const shareGroupDescribeRequest = message(
  'ShareGroupDescribeRequest',
  { apiKey: 77, versions: '1', flexible: '0+' },
  {
    groupIds: array(string()),
    includeAuthorizedOperations: bool(),
  },
)
export type ShareGroupDescribeRequest = Incoming<typeof shareGroupDescribeRequest>

const topicPartitions = {
  topicId: uuid(),
  topicName: string(),
  partitions: array(int32()),
}
const assignment = {
  topicPartitions: array(topicPartitions),
}

/** Share groups and their members (KIP-932). */
export const shareGroupDescribeResponse = message(
  'ShareGroupDescribeResponse',
  { apiKey: 77, versions: '1', flexible: '0+' },
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
        rackId: string({ nullable: '0+', default: null }),
        memberEpoch: int32(),
        clientId: string(),
        clientHost: string(),
        subscribedTopicNames: array(string()),
        assignment: struct(assignment),
      }),
      authorizedOperations: int32({ default: -2147483648 }),
    }),
  },
)
export type ShareGroupDescribeResponse = Outgoing<typeof shareGroupDescribeResponse>
