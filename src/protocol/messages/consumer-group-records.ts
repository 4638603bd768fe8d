/** Records of __consumer_offsets that consumer groups are kept in (KIP-848). */
import {
  array,
  bytes,
  type Incoming,
  int8,
  int32,
  int64,
  message,
  string,
  struct,
  uuid,
} from '../schema.ts'

/** Key of what a member owns now, record type 8 (KIP-848). */
export const consumerGroupCurrentMemberAssignmentKey = message(
  'ConsumerGroupCurrentMemberAssignmentKey',
  { apiKey: 8, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    memberId: string(),
  },
)
export type ConsumerGroupCurrentMemberAssignmentKey = Incoming<
  typeof consumerGroupCurrentMemberAssignmentKey
>

const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
  assignmentEpochs: array(int32(), { nullable: '0+', tag: 0 }),
}

/** What a member owns, and what it still has to give up (KIP-848). */
export const consumerGroupCurrentMemberAssignmentValue = message(
  'ConsumerGroupCurrentMemberAssignmentValue',
  { apiKey: 8, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    assignedPartitions: array(topicPartitions),
    partitionsPendingRevocation: array(topicPartitions),
  },
)
export type ConsumerGroupCurrentMemberAssignmentValue = Incoming<
  typeof consumerGroupCurrentMemberAssignmentValue
>

/** Key of a member and its subscription, record type 5 (KIP-848). */
export const consumerGroupMemberMetadataKey = message(
  'ConsumerGroupMemberMetadataKey',
  { apiKey: 5, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    memberId: string(),
  },
)
export type ConsumerGroupMemberMetadataKey = Incoming<typeof consumerGroupMemberMetadataKey>

/** A member, its subscription, and what it sent if it joined by the classic protocol (KIP-848). */
export const consumerGroupMemberMetadataValue = message(
  'ConsumerGroupMemberMetadataValue',
  { apiKey: 5, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    instanceId: string({ nullable: '0+' }),
    rackId: string({ nullable: '0+' }),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string()),
    subscribedTopicRegex: string({ nullable: '0+' }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    serverAssignor: string({ nullable: '0+' }),
    classicMemberMetadata: struct(
      {
        sessionTimeoutMs: int32(),
        supportedProtocols: array({
          name: string(),
          metadata: bytes(),
        }),
      },
      { nullable: '0+', tag: 0, default: null },
    ),
  },
)
export type ConsumerGroupMemberMetadataValue = Incoming<typeof consumerGroupMemberMetadataValue>

/** Key of a group's epoch, record type 3 (KIP-848). */
export const consumerGroupMetadataKey = message(
  'ConsumerGroupMetadataKey',
  { apiKey: 3, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
  },
)
export type ConsumerGroupMetadataKey = Incoming<typeof consumerGroupMetadataKey>

/** The epoch of a group and the hash of its topics' metadata (KIP-848). */
export const consumerGroupMetadataValue = message(
  'ConsumerGroupMetadataValue',
  { apiKey: 3, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    epoch: int32(),
    metadataHash: int64({ tag: 0, default: 0, exact: true }),
  },
)
export type ConsumerGroupMetadataValue = Incoming<typeof consumerGroupMetadataValue>

/** Key of the topics of a group, record type 4; the hash has replaced it (KIP-848). */
export const consumerGroupPartitionMetadataKey = message(
  'ConsumerGroupPartitionMetadataKey',
  { apiKey: 4, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
  },
)
export type ConsumerGroupPartitionMetadataKey = Incoming<typeof consumerGroupPartitionMetadataKey>

/**
 * The topics that a group is subscribed to and their partitions; the hash has replaced it
 * (KIP-848).
 */
export const consumerGroupPartitionMetadataValue = message(
  'ConsumerGroupPartitionMetadataValue',
  { apiKey: 4, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    topics: array({
      topicId: uuid(),
      topicName: string(),
      numPartitions: int32(),
      partitionMetadata: array({
        partition: int32(),
        racks: array(string()),
      }),
    }),
  },
)
export type ConsumerGroupPartitionMetadataValue = Incoming<
  typeof consumerGroupPartitionMetadataValue
>

/** Key of a regular expression that members subscribe with, record type 16 (KIP-848). */
export const consumerGroupRegularExpressionKey = message(
  'ConsumerGroupRegularExpressionKey',
  { apiKey: 16, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    regularExpression: string(),
  },
)
export type ConsumerGroupRegularExpressionKey = Incoming<typeof consumerGroupRegularExpressionKey>

/** The topics that a regular expression stands for, and as of when (KIP-848). */
export const consumerGroupRegularExpressionValue = message(
  'ConsumerGroupRegularExpressionValue',
  { apiKey: 16, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    topics: array(string()),
    version: int64(),
    timestamp: int64(),
  },
)
export type ConsumerGroupRegularExpressionValue = Incoming<
  typeof consumerGroupRegularExpressionValue
>

/** Key of what a member is to own, record type 7 (KIP-848). */
export const consumerGroupTargetAssignmentMemberKey = message(
  'ConsumerGroupTargetAssignmentMemberKey',
  { apiKey: 7, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    memberId: string(),
  },
)
export type ConsumerGroupTargetAssignmentMemberKey = Incoming<
  typeof consumerGroupTargetAssignmentMemberKey
>

/** What a member is to own once the others have given it up (KIP-848). */
export const consumerGroupTargetAssignmentMemberValue = message(
  'ConsumerGroupTargetAssignmentMemberValue',
  { apiKey: 7, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    topicPartitions: array({
      topicId: uuid(),
      partitions: array(int32()),
    }),
  },
)
export type ConsumerGroupTargetAssignmentMemberValue = Incoming<
  typeof consumerGroupTargetAssignmentMemberValue
>

/** Key of a group's target assignment, record type 6 (KIP-848). */
export const consumerGroupTargetAssignmentMetadataKey = message(
  'ConsumerGroupTargetAssignmentMetadataKey',
  { apiKey: 6, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
  },
)
export type ConsumerGroupTargetAssignmentMetadataKey = Incoming<
  typeof consumerGroupTargetAssignmentMetadataKey
>

/** The group epoch for which the target assignment was made (KIP-848). */
export const consumerGroupTargetAssignmentMetadataValue = message(
  'ConsumerGroupTargetAssignmentMetadataValue',
  { apiKey: 6, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    assignmentEpoch: int32(),
    assignmentTimestamp: int64({ tag: 0, default: 0, ignorable: true }),
  },
)
export type ConsumerGroupTargetAssignmentMetadataValue = Incoming<
  typeof consumerGroupTargetAssignmentMetadataValue
>
