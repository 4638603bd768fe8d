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

/** StreamsGroupCurrentMemberAssignmentKey. */
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

/** StreamsGroupCurrentMemberAssignmentValue. */
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

/** StreamsGroupMemberMetadataKey. */
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

/** StreamsGroupMemberMetadataValue. */
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

/** StreamsGroupMetadataKey. */
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

/** StreamsGroupMetadataValue. */
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

/** StreamsGroupTargetAssignmentMemberKey. */
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

/** StreamsGroupTargetAssignmentMemberValue. */
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

/** StreamsGroupTargetAssignmentMetadataKey. */
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

/** StreamsGroupTargetAssignmentMetadataValue. */
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

/** StreamsGroupTopologyKey. */
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

/** StreamsGroupTopologyValue. */
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
