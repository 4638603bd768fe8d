/** Records of __consumer_offsets that streams groups are kept in (KIP-1071). */
import {
  array,
  type Incoming,
  int8,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
  uint16,
} from '../schema.ts'

/** Key of the tasks a member of a streams group has now, record type 22 (KIP-1071). */
export const streamsGroupCurrentMemberAssignmentKey = message(
  'StreamsGroupCurrentMemberAssignmentKey',
  { apiKey: 22, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    memberId: string(),
  },
)
export type StreamsGroupCurrentMemberAssignmentKey = Incoming<
  typeof streamsGroupCurrentMemberAssignmentKey
>

const taskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
  assignmentEpochs: array(int32(), { nullable: '0+', tag: 0 }),
}

/** The tasks a member of a streams group has, and those it still has to give up (KIP-1071). */
export const streamsGroupCurrentMemberAssignmentValue = message(
  'StreamsGroupCurrentMemberAssignmentValue',
  { apiKey: 22, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    state: int8(),
    activeTasks: array(taskIds),
    standbyTasks: array(taskIds),
    warmupTasks: array(taskIds),
    activeTasksPendingRevocation: array(taskIds),
    standbyTasksPendingRevocation: array(taskIds),
    warmupTasksPendingRevocation: array(taskIds),
  },
)
export type StreamsGroupCurrentMemberAssignmentValue = Incoming<
  typeof streamsGroupCurrentMemberAssignmentValue
>

/** Key of a member of a streams group, record type 19 (KIP-1071). */
export const streamsGroupMemberMetadataKey = message(
  'StreamsGroupMemberMetadataKey',
  { apiKey: 19, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    memberId: string(),
  },
)
export type StreamsGroupMemberMetadataKey = Incoming<typeof streamsGroupMemberMetadataKey>

const endpoint = {
  host: string(),
  port: uint16(),
}
const keyValue = {
  key: string(),
  value: string(),
}

/** A member of a streams group and what it runs on (KIP-1071). */
export const streamsGroupMemberMetadataValue = message(
  'StreamsGroupMemberMetadataValue',
  { apiKey: 19, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    instanceId: string({ nullable: '0+' }),
    rackId: string({ nullable: '0+' }),
    clientId: string(),
    clientHost: string(),
    rebalanceTimeoutMs: int32({ default: -1 }),
    topologyEpoch: int32(),
    processId: string(),
    userEndpoint: struct(endpoint, { nullable: '0+', default: null }),
    clientTags: array(keyValue),
  },
)
export type StreamsGroupMemberMetadataValue = Incoming<typeof streamsGroupMemberMetadataValue>

/** Key of a streams group's epoch, record type 17 (KIP-1071). */
export const streamsGroupMetadataKey = message(
  'StreamsGroupMetadataKey',
  { apiKey: 17, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
  },
)
export type StreamsGroupMetadataKey = Incoming<typeof streamsGroupMetadataKey>

const lastAssignmentConfig = {
  key: string(),
  value: string(),
}

/**
 * The epoch of a streams group, the hash of its topics' metadata and which topology it has checked
 * (KIP-1071).
 */
export const streamsGroupMetadataValue = message(
  'StreamsGroupMetadataValue',
  { apiKey: 17, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    epoch: int32(),
    metadataHash: int64({ exact: true }),
    validatedTopologyEpoch: int32({ tag: 0, default: -1 }),
    lastAssignmentConfigs: array(lastAssignmentConfig, { nullable: '0+', tag: 1 }),
    storedDescriptionTopologyEpoch: int32({ tag: 2, default: -1 }),
    failedDescriptionTopologyEpoch: int32({ tag: 3, default: -1 }),
  },
)
export type StreamsGroupMetadataValue = Incoming<typeof streamsGroupMetadataValue>

/** Key of the tasks a member of a streams group is to have, record type 21 (KIP-1071). */
export const streamsGroupTargetAssignmentMemberKey = message(
  'StreamsGroupTargetAssignmentMemberKey',
  { apiKey: 21, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    memberId: string(),
  },
)
export type StreamsGroupTargetAssignmentMemberKey = Incoming<
  typeof streamsGroupTargetAssignmentMemberKey
>

const streamsGroupTargetAssignmentMemberValueTaskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
}

/** The tasks a member of a streams group is to have (KIP-1071). */
export const streamsGroupTargetAssignmentMemberValue = message(
  'StreamsGroupTargetAssignmentMemberValue',
  { apiKey: 21, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    activeTasks: array(streamsGroupTargetAssignmentMemberValueTaskIds),
    standbyTasks: array(streamsGroupTargetAssignmentMemberValueTaskIds),
    warmupTasks: array(streamsGroupTargetAssignmentMemberValueTaskIds),
  },
)
export type StreamsGroupTargetAssignmentMemberValue = Incoming<
  typeof streamsGroupTargetAssignmentMemberValue
>

/** Key of a streams group's target assignment, record type 20 (KIP-1071). */
export const streamsGroupTargetAssignmentMetadataKey = message(
  'StreamsGroupTargetAssignmentMetadataKey',
  { apiKey: 20, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
  },
)
export type StreamsGroupTargetAssignmentMetadataKey = Incoming<
  typeof streamsGroupTargetAssignmentMetadataKey
>

/** The group epoch for which the target assignment was made (KIP-1071). */
export const streamsGroupTargetAssignmentMetadataValue = message(
  'StreamsGroupTargetAssignmentMetadataValue',
  { apiKey: 20, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    assignmentEpoch: int32(),
    assignmentTimestamp: int64({ tag: 0, default: 0, ignorable: true }),
  },
)
export type StreamsGroupTargetAssignmentMetadataValue = Incoming<
  typeof streamsGroupTargetAssignmentMetadataValue
>

/** Key of a streams group's topology, record type 23 (KIP-1071). */
export const streamsGroupTopologyKey = message(
  'StreamsGroupTopologyKey',
  { apiKey: 23, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
  },
)
export type StreamsGroupTopologyKey = Incoming<typeof streamsGroupTopologyKey>

const topicConfig = {
  key: string(),
  value: string(),
}
const topicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(topicConfig),
}

/** The topology of a streams group: subtopologies and the topics around them (KIP-1071). */
export const streamsGroupTopologyValue = message(
  'StreamsGroupTopologyValue',
  { apiKey: 23, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    epoch: int32(),
    subtopologies: array({
      subtopologyId: string(),
      sourceTopics: array(string()),
      sourceTopicRegex: array(string()),
      stateChangelogTopics: array(topicInfo),
      repartitionSinkTopics: array(string()),
      repartitionSourceTopics: array(topicInfo),
      copartitionGroups: array({
        sourceTopics: array(int16()),
        sourceTopicRegex: array(int16()),
        repartitionSourceTopics: array(int16()),
      }),
    }),
  },
)
export type StreamsGroupTopologyValue = Incoming<typeof streamsGroupTopologyValue>
