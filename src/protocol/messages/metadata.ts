import {
  array,
  bool,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
  uuid,
} from '../schema.ts'

/**
 * Asks for brokers, topics and leaders. v0 and v1 differ in what asks for all: empty, null · v4
 * whether topics may be created · v8 authorized operations (KIP-430) · v9 flexible · v10 topic
 * ids, v12 asks by them (KIP-516).
 */
export const metadataRequest = message(
  'MetadataRequest',
  { apiKey: 3, versions: '0-13', flexible: '9+' },
  {
    topics: array(
      {
        topicId: uuid({ versions: '10+', ignorable: true }),
        name: string({ nullable: '10+' }),
      },
      { nullable: '1+' },
    ),
    allowAutoTopicCreation: bool({ versions: '4+', default: true }),
    includeClusterAuthorizedOperations: bool({ versions: '8-10' }),
    includeTopicAuthorizedOperations: bool({ versions: '8+' }),
  },
)
export type MetadataRequest = Incoming<typeof metadataRequest>

/**
 * Brokers, topics and leaders. v5 offline replicas (KIP-112) · v7 leader epoch (KIP-320) · v8
 * authorized operations (KIP-430) · v9 flexible · v10 topic ids (KIP-516) · v13 an error that
 * makes the client start anew (KIP-1102).
 */
export const metadataResponse = message(
  'MetadataResponse',
  { apiKey: 3, versions: '0-13', flexible: '9+' },
  {
    throttleTimeMs: int32({ versions: '3+', ignorable: true }),
    brokers: array({
      nodeId: int32(),
      host: string(),
      port: int32(),
      rack: string({ versions: '1+', nullable: '1+', default: null, ignorable: true }),
    }),
    clusterId: string({ versions: '2+', nullable: '2+', default: null, ignorable: true }),
    controllerId: int32({ versions: '1+', default: -1, ignorable: true }),
    topics: array({
      errorCode: int16(),
      name: string({ nullable: '12+' }),
      topicId: uuid({ versions: '10+', ignorable: true }),
      isInternal: bool({ versions: '1+', default: false, ignorable: true }),
      partitions: array({
        errorCode: int16(),
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32({ versions: '7+', default: -1, ignorable: true }),
        replicaNodes: array(int32()),
        isrNodes: array(int32()),
        offlineReplicas: array(int32(), { versions: '5+', ignorable: true }),
      }),
      topicAuthorizedOperations: int32({ versions: '8+', default: -2147483648 }),
    }),
    clusterAuthorizedOperations: int32({ versions: '8-10', default: -2147483648 }),
    errorCode: int16({ versions: '13+', ignorable: true }),
  },
)
export type MetadataResponse = Outgoing<typeof metadataResponse>
