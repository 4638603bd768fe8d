import { array, type Incoming, int8, int32, int64, message, string, uuid } from '../schema.ts'

/** ShareGroupCurrentMemberAssignmentKey. */
export const shareGroupCurrentMemberAssignmentKey = message(
  'ShareGroupCurrentMemberAssignmentKey',
  { apiKey: 14, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    memberId: string(),
  },
)
export type ShareGroupCurrentMemberAssignmentKey = Incoming<
  typeof shareGroupCurrentMemberAssignmentKey
>

const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
}

/** ShareGroupCurrentMemberAssignmentValue. */
export const shareGroupCurrentMemberAssignmentValue = message(
  'ShareGroupCurrentMemberAssignmentValue',
  { apiKey: 14, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    assignedPartitions: array(topicPartitions),
  },
)
export type ShareGroupCurrentMemberAssignmentValue = Incoming<
  typeof shareGroupCurrentMemberAssignmentValue
>

/** ShareGroupMemberMetadataKey. */
export const shareGroupMemberMetadataKey = message(
  'ShareGroupMemberMetadataKey',
  { apiKey: 10, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    memberId: string(),
  },
)
export type ShareGroupMemberMetadataKey = Incoming<typeof shareGroupMemberMetadataKey>

/** ShareGroupMemberMetadataValue. */
export const shareGroupMemberMetadataValue = message(
  'ShareGroupMemberMetadataValue',
  { apiKey: 10, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    rackId: string({ nullable: '0+' }),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string()),
  },
)
export type ShareGroupMemberMetadataValue = Incoming<typeof shareGroupMemberMetadataValue>

/** ShareGroupMetadataKey. */
export const shareGroupMetadataKey = message(
  'ShareGroupMetadataKey',
  { apiKey: 11, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
  },
)
export type ShareGroupMetadataKey = Incoming<typeof shareGroupMetadataKey>

/** ShareGroupMetadataValue. */
export const shareGroupMetadataValue = message(
  'ShareGroupMetadataValue',
  { apiKey: 11, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    epoch: int32(),
    metadataHash: int64({ exact: true }),
  },
)
export type ShareGroupMetadataValue = Incoming<typeof shareGroupMetadataValue>

/** ShareGroupStatePartitionMetadataKey. */
export const shareGroupStatePartitionMetadataKey = message(
  'ShareGroupStatePartitionMetadataKey',
  { apiKey: 15, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
  },
)
export type ShareGroupStatePartitionMetadataKey = Incoming<
  typeof shareGroupStatePartitionMetadataKey
>

const topicPartitionsInfo = {
  topicId: uuid(),
  topicName: string(),
  partitions: array(int32()),
}
const topicInfo = {
  topicId: uuid(),
  topicName: string(),
}

/** ShareGroupStatePartitionMetadataValue. */
export const shareGroupStatePartitionMetadataValue = message(
  'ShareGroupStatePartitionMetadataValue',
  { apiKey: 15, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    initializingTopics: array(topicPartitionsInfo),
    initializedTopics: array(topicPartitionsInfo),
    deletingTopics: array(topicInfo),
  },
)
export type ShareGroupStatePartitionMetadataValue = Incoming<
  typeof shareGroupStatePartitionMetadataValue
>

/** ShareGroupTargetAssignmentMemberKey. */
export const shareGroupTargetAssignmentMemberKey = message(
  'ShareGroupTargetAssignmentMemberKey',
  { apiKey: 13, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    memberId: string(),
  },
)
export type ShareGroupTargetAssignmentMemberKey = Incoming<
  typeof shareGroupTargetAssignmentMemberKey
>

/** ShareGroupTargetAssignmentMemberValue. */
export const shareGroupTargetAssignmentMemberValue = message(
  'ShareGroupTargetAssignmentMemberValue',
  { apiKey: 13, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    topicPartitions: array({
      topicId: uuid(),
      partitions: array(int32()),
    }),
  },
)
export type ShareGroupTargetAssignmentMemberValue = Incoming<
  typeof shareGroupTargetAssignmentMemberValue
>

/** ShareGroupTargetAssignmentMetadataKey. */
export const shareGroupTargetAssignmentMetadataKey = message(
  'ShareGroupTargetAssignmentMetadataKey',
  { apiKey: 12, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
  },
)
export type ShareGroupTargetAssignmentMetadataKey = Incoming<
  typeof shareGroupTargetAssignmentMetadataKey
>

/** ShareGroupTargetAssignmentMetadataValue. */
export const shareGroupTargetAssignmentMetadataValue = message(
  'ShareGroupTargetAssignmentMetadataValue',
  { apiKey: 12, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    assignmentEpoch: int32(),
    assignmentTimestamp: int64({ tag: 0, default: 0, ignorable: true }),
  },
)
export type ShareGroupTargetAssignmentMetadataValue = Incoming<
  typeof shareGroupTargetAssignmentMetadataValue
>
