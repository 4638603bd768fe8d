import {
  array,
  bool,
  type Incoming,
  int8,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
  struct,
  uint16,
} from '../schema.ts'

const keyValue = {
  key: string(),
  value: string(),
}
const topicInfo = {
  name: string(),
  partitions: int32(),
  replicationFactor: int16(),
  topicConfigs: array(keyValue),
}
const taskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
}
const endpoint = {
  host: string(),
  port: uint16(),
}
const taskOffset = {
  subtopologyId: string(),
  partition: int32(),
  offset: int64(),
}

/** Joins, stays in and leaves a streams group, and says which tasks are owned (KIP-1071). */
export const streamsGroupHeartbeatRequest = message(
  'StreamsGroupHeartbeatRequest',
  { apiKey: 88, versions: '0-1', flexible: '0+' },
  {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    endpointInformationEpoch: int32(),
    instanceId: string({ nullable: '0+', default: null }),
    rackId: string({ nullable: '0+', default: null }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    topology: struct(
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
      { nullable: '0+', default: null },
    ),
    activeTasks: array(taskIds, { nullable: '0+', default: null }),
    standbyTasks: array(taskIds, { nullable: '0+', default: null }),
    warmupTasks: array(taskIds, { nullable: '0+', default: null }),
    processId: string({ nullable: '0+', default: null }),
    userEndpoint: struct(endpoint, { nullable: '0+', default: null }),
    clientTags: array(keyValue, { nullable: '0+', default: null }),
    taskOffsets: array(taskOffset, { nullable: '0+', default: null }),
    taskEndOffsets: array(taskOffset, { nullable: '0+', default: null }),
    shutdownApplication: bool({ default: false }),
  },
)
export type StreamsGroupHeartbeatRequest = Incoming<typeof streamsGroupHeartbeatRequest>

const status = {
  statusCode: int8(),
  statusDetail: string(),
}
const topicPartition = {
  topic: string(),
  partitions: array(int32()),
}

/** The member's epoch, and its tasks when they have changed (KIP-1071). */
export const streamsGroupHeartbeatResponse = message(
  'StreamsGroupHeartbeatResponse',
  { apiKey: 88, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    memberId: string(),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    acceptableRecoveryLagLegacy: int32({ versions: '0' }),
    taskOffsetIntervalMs: int32(),
    acceptableRecoveryLag: int64({ versions: '1+', default: -1, ignorable: true }),
    status: array(status, { nullable: '0+' }),
    activeTasks: array(taskIds, { nullable: '0+', default: null }),
    standbyTasks: array(taskIds, { nullable: '0+', default: null }),
    warmupTasks: array(taskIds, { nullable: '0+', default: null }),
    topologyDescriptionRequired: bool({ versions: '1+', default: false }),
    endpointInformationEpoch: int32(),
    partitionsByUserEndpoint: array(
      {
        userEndpoint: struct(endpoint),
        activePartitions: array(topicPartition),
        standbyPartitions: array(topicPartition),
      },
      { nullable: '0+', default: null },
    ),
  },
)
export type StreamsGroupHeartbeatResponse = Outgoing<typeof streamsGroupHeartbeatResponse>
