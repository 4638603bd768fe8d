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

/** Asks for the state of streams groups (KIP-1071). */
export const streamsGroupDescribeRequest = message(
  'StreamsGroupDescribeRequest',
  { apiKey: 89, versions: '0-1', flexible: '0+' },
  {
    groupIds: array(string()),
    includeAuthorizedOperations: bool(),
    includeTopologyDescription: bool({ versions: '1+', default: false }),
  },
)
export type StreamsGroupDescribeRequest = Incoming<typeof streamsGroupDescribeRequest>

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
const endpoint = {
  host: string(),
  port: uint16(),
}
const taskOffset = {
  subtopologyId: string(),
  partition: int32(),
  offset: int64(),
}
const taskIds = {
  subtopologyId: string(),
  partitions: array(int32()),
}
const assignment = {
  activeTasks: array(taskIds),
  standbyTasks: array(taskIds),
  warmupTasks: array(taskIds),
}
const topologyDescriptionNode = {
  name: string(),
  nodeType: int8(),
  sourceTopics: array(string()),
  sinkTopic: string({ nullable: '1+', default: null }),
  stores: array(string()),
  successors: array(string()),
}
const topologyDescriptionSubtopology = {
  subtopologyId: string(),
  nodes: array(topologyDescriptionNode),
}
const topologyDescriptionGlobalStore = {
  source: struct(topologyDescriptionNode),
  processor: struct(topologyDescriptionNode),
}
const topologyDescription = {
  subtopologies: array(topologyDescriptionSubtopology),
  globalStores: array(topologyDescriptionGlobalStore),
}

/** Streams groups, their topologies and members (KIP-1071). */
export const streamsGroupDescribeResponse = message(
  'StreamsGroupDescribeResponse',
  { apiKey: 89, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
      groupId: string(),
      groupState: string(),
      groupEpoch: int32(),
      assignmentEpoch: int32(),
      topology: struct(
        {
          epoch: int32(),
          subtopologies: array(
            {
              subtopologyId: string(),
              sourceTopics: array(string()),
              repartitionSinkTopics: array(string()),
              stateChangelogTopics: array(topicInfo),
              repartitionSourceTopics: array(topicInfo),
            },
            { nullable: '0+', default: null },
          ),
        },
        { nullable: '0+', default: null },
      ),
      members: array({
        memberId: string(),
        memberEpoch: int32(),
        instanceId: string({ nullable: '0+', default: null }),
        rackId: string({ nullable: '0+', default: null }),
        clientId: string(),
        clientHost: string(),
        topologyEpoch: int32(),
        processId: string(),
        userEndpoint: struct(endpoint, { nullable: '0+', default: null }),
        clientTags: array(keyValue),
        taskOffsets: array(taskOffset),
        taskEndOffsets: array(taskOffset),
        assignment: struct(assignment),
        targetAssignment: struct(assignment),
        isClassic: bool(),
      }),
      authorizedOperations: int32({ default: -2147483648 }),
      topologyDescription: struct(topologyDescription, {
        versions: '1+',
        nullable: '1+',
        default: null,
      }),
      topologyDescriptionStatus: int8({ versions: '1+', default: 0 }),
      assignorName: string({ versions: '1+', nullable: '1+', default: null, ignorable: true }),
    }),
  },
)
export type StreamsGroupDescribeResponse = Outgoing<typeof streamsGroupDescribeResponse>
