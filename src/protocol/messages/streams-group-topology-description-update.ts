import {
  array,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
  struct,
} from '../schema.ts'

const topologyDescriptionNode = {
  name: string(),
  nodeType: int8(),
  sourceTopics: array(string()),
  sinkTopic: string({ nullable: '0+', default: null }),
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

/** A member of a streams group tells the broker what its topology looks like, for people. */
export const streamsGroupTopologyDescriptionUpdateRequest = message(
  'StreamsGroupTopologyDescriptionUpdateRequest',
  { apiKey: 93, versions: '0', flexible: '0+' },
  {
    groupId: string(),
    memberId: string(),
    topologyEpoch: int32(),
    topologyDescription: struct(topologyDescription),
  },
)
export type StreamsGroupTopologyDescriptionUpdateRequest = Incoming<
  typeof streamsGroupTopologyDescriptionUpdateRequest
>

/** Whether the description is stored. */
export const streamsGroupTopologyDescriptionUpdateResponse = message(
  'StreamsGroupTopologyDescriptionUpdateResponse',
  { apiKey: 93, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
  },
)
export type StreamsGroupTopologyDescriptionUpdateResponse = Outgoing<
  typeof streamsGroupTopologyDescriptionUpdateResponse
>
