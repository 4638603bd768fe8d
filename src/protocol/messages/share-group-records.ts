/** Records of __consumer_offsets that share groups are kept in (KIP-932). */
import { array, type Incoming, int8, int32, int64, message, string, uuid } from '../schema.ts'

/** Key of what a member of a share group owns now, record type 14 (KIP-932). */
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

/** What a member of a share group owns (KIP-932). */
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

/** Key of a member of a share group, record type 10 (KIP-932). */
export const shareGroupMemberMetadataKey = message(
  'ShareGroupMemberMetadataKey',
  { apiKey: 10, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    memberId: string(),
  },
)
export type ShareGroupMemberMetadataKey = Incoming<typeof shareGroupMemberMetadataKey>

/** A member of a share group and its subscription (KIP-932). */
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

/** Key of a share group's epoch, record type 11 (KIP-932). */
export const shareGroupMetadataKey = message(
  'ShareGroupMetadataKey',
  { apiKey: 11, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
  },
)
export type ShareGroupMetadataKey = Incoming<typeof shareGroupMetadataKey>

/** The epoch of a share group and the hash of its topics' metadata (KIP-932). */
export const shareGroupMetadataValue = message(
  'ShareGroupMetadataValue',
  { apiKey: 11, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    epoch: int32(),
    metadataHash: int64({ exact: true }),
  },
)
export type ShareGroupMetadataValue = Incoming<typeof shareGroupMetadataValue>

/** Key of the share partitions of a group, record type 15 (KIP-932). */
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

/** The share partitions whose state is being made, is there, or is being deleted (KIP-932). */
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

/** Key of what a member of a share group is to own, record type 13 (KIP-932). */
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

/** What a member of a share group is to own (KIP-932). */
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

/** Key of a share group's target assignment, record type 12 (KIP-932). */
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

/** The group epoch for which the target assignment was made (KIP-932). */
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
