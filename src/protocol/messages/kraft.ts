/**
 * What KRaft brokers and controllers say to each other. Ottla keeps its metadata elsewhere and
 * serves none of it; the declarations are for tools that read captured traffic.
 */
import {
  array,
  bool,
  bytes,
  type Incoming,
  int8,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  records,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.ts'

/**
 * A KRaft candidate asks for a vote (KIP-595). v1 directory ids (KIP-853) · v2 pre-vote (KIP-996).
 */
export const voteRequest = message(
  'VoteRequest',
  { apiKey: 52, versions: '0-2', flexible: '0+' },
  {
    clusterId: string({ nullable: '0+', default: null }),
    voterId: int32({ versions: '1+', default: -1, ignorable: true }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        replicaEpoch: int32(),
        replicaId: int32(),
        replicaDirectoryId: uuid({ versions: '1+', ignorable: true }),
        voterDirectoryId: uuid({ versions: '1+', ignorable: true }),
        lastOffsetEpoch: int32(),
        lastOffset: int64(),
        preVote: bool({ versions: '2+' }),
      }),
    }),
  },
)
export type VoteRequest = Incoming<typeof voteRequest>

/** Whether the vote is granted (KIP-595). v1 endpoints (KIP-853). */
export const voteResponse = message(
  'VoteResponse',
  { apiKey: 52, versions: '0-2', flexible: '0+' },
  {
    errorCode: int16(),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        leaderId: int32(),
        leaderEpoch: int32(),
        voteGranted: bool(),
      }),
    }),
    nodeEndpoints: array(
      {
        nodeId: int32(),
        host: string(),
        port: uint16(),
      },
      { versions: '1+', tag: 0 },
    ),
  },
)
export type VoteResponse = Outgoing<typeof voteResponse>

/** A new KRaft leader tells the voters (KIP-595). v1 flexible, directory ids (KIP-853). */
export const beginQuorumEpochRequest = message(
  'BeginQuorumEpochRequest',
  { apiKey: 53, versions: '0-1', flexible: '1+' },
  {
    clusterId: string({ nullable: '0+', default: null }),
    voterId: int32({ versions: '1+', default: -1, ignorable: true }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        voterDirectoryId: uuid({ versions: '1+', ignorable: true }),
        leaderId: int32(),
        leaderEpoch: int32(),
      }),
    }),
    leaderEndpoints: array(
      {
        name: string(),
        host: string(),
        port: uint16(),
      },
      { versions: '1+', ignorable: true },
    ),
  },
)
export type BeginQuorumEpochRequest = Incoming<typeof beginQuorumEpochRequest>

/** Whether the voter follows (KIP-595). v1 flexible, endpoints (KIP-853). */
export const beginQuorumEpochResponse = message(
  'BeginQuorumEpochResponse',
  { apiKey: 53, versions: '0-1', flexible: '1+' },
  {
    errorCode: int16(),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        leaderId: int32(),
        leaderEpoch: int32(),
      }),
    }),
    nodeEndpoints: array(
      {
        nodeId: int32(),
        host: string(),
        port: uint16(),
      },
      { versions: '1+', tag: 0 },
    ),
  },
)
export type BeginQuorumEpochResponse = Outgoing<typeof beginQuorumEpochResponse>

/** A KRaft leader resigns (KIP-595). v1 flexible, directory ids (KIP-853). */
export const endQuorumEpochRequest = message(
  'EndQuorumEpochRequest',
  { apiKey: 54, versions: '0-1', flexible: '1+' },
  {
    clusterId: string({ nullable: '0+', default: null }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        leaderId: int32(),
        leaderEpoch: int32(),
        preferredSuccessors: array(int32(), { versions: '0', ignorable: true }),
        preferredCandidates: array(
          {
            candidateId: int32(),
            candidateDirectoryId: uuid(),
          },
          { versions: '1+', ignorable: true },
        ),
      }),
    }),
    leaderEndpoints: array(
      {
        name: string(),
        host: string(),
        port: uint16(),
      },
      { versions: '1+', ignorable: true },
    ),
  },
)
export type EndQuorumEpochRequest = Incoming<typeof endQuorumEpochRequest>

/** Whether the voter has heard (KIP-595). v1 flexible, endpoints (KIP-853). */
export const endQuorumEpochResponse = message(
  'EndQuorumEpochResponse',
  { apiKey: 54, versions: '0-1', flexible: '1+' },
  {
    errorCode: int16(),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        leaderId: int32(),
        leaderEpoch: int32(),
      }),
    }),
    nodeEndpoints: array(
      {
        nodeId: int32(),
        host: string(),
        port: uint16(),
      },
      { versions: '1+', tag: 0 },
    ),
  },
)
export type EndQuorumEpochResponse = Outgoing<typeof endQuorumEpochResponse>

/**
 * A leader asks the KRaft controller for a new ISR (KIP-497). v2 topic ids (KIP-516) · v3 broker
 * epochs (KIP-903).
 */
export const alterPartitionRequest = message(
  'AlterPartitionRequest',
  { apiKey: 56, versions: '2-3', flexible: '0+' },
  {
    brokerId: int32(),
    brokerEpoch: int64({ default: -1 }),
    topics: array({
      topicId: uuid({ ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        leaderEpoch: int32(),
        newIsr: array(int32(), { versions: '0-2' }),
        newIsrWithEpochs: array(
          {
            brokerId: int32(),
            brokerEpoch: int64({ default: -1 }),
          },
          { versions: '3+' },
        ),
        leaderRecoveryState: int8({ default: 0 }),
        partitionEpoch: int32(),
      }),
    }),
  },
)
export type AlterPartitionRequest = Incoming<typeof alterPartitionRequest>

/** The partition states that resulted (KIP-497). v2 topic ids (KIP-516). */
export const alterPartitionResponse = message(
  'AlterPartitionResponse',
  { apiKey: 56, versions: '2-3', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    topics: array({
      topicId: uuid({ ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        leaderId: int32(),
        leaderEpoch: int32(),
        isr: array(int32()),
        leaderRecoveryState: int8({ default: 0, ignorable: true }),
        partitionEpoch: int32(),
      }),
    }),
  },
)
export type AlterPartitionResponse = Outgoing<typeof alterPartitionResponse>

/** A broker forwards a client's request to the KRaft controller (KIP-590). */
export const envelopeRequest = message(
  'EnvelopeRequest',
  { apiKey: 58, versions: '0', flexible: '0+' },
  {
    requestData: bytes(),
    requestPrincipal: bytes({ nullable: '0+' }),
    clientHostAddress: bytes(),
  },
)
export type EnvelopeRequest = Incoming<typeof envelopeRequest>

/** The controller's answer to the forwarded request (KIP-590). */
export const envelopeResponse = message(
  'EnvelopeResponse',
  { apiKey: 58, versions: '0', flexible: '0+' },
  {
    responseData: bytes({ nullable: '0+', default: null }),
    errorCode: int16(),
  },
)
export type EnvelopeResponse = Outgoing<typeof envelopeResponse>

/** Reads a part of a KRaft snapshot (KIP-630). v1 directory ids (KIP-853). */
export const fetchSnapshotRequest = message(
  'FetchSnapshotRequest',
  { apiKey: 59, versions: '0-1', flexible: '0+' },
  {
    clusterId: string({ nullable: '0+', tag: 0, default: null }),
    replicaId: int32({ default: -1 }),
    maxBytes: int32({ default: 0x7fffffff }),
    topics: array({
      name: string(),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32(),
        snapshotId: struct({
          endOffset: int64(),
          epoch: int32(),
        }),
        position: int64(),
        replicaDirectoryId: uuid({ versions: '1+', tag: 0, ignorable: true }),
      }),
    }),
  },
)
export type FetchSnapshotRequest = Incoming<typeof fetchSnapshotRequest>

/** A part of a KRaft snapshot (KIP-630). v1 endpoints (KIP-853). */
export const fetchSnapshotResponse = message(
  'FetchSnapshotResponse',
  { apiKey: 59, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32({ ignorable: true }),
    errorCode: int16(),
    topics: array({
      name: string(),
      partitions: array({
        index: int32(),
        errorCode: int16(),
        snapshotId: struct({
          endOffset: int64(),
          epoch: int32(),
        }),
        currentLeader: struct(
          {
            leaderId: int32(),
            leaderEpoch: int32(),
          },
          { tag: 0 },
        ),
        size: int64(),
        position: int64(),
        unalignedRecords: records(),
      }),
    }),
    nodeEndpoints: array(
      {
        nodeId: int32(),
        host: string(),
        port: uint16(),
      },
      { versions: '1+', tag: 0 },
    ),
  },
)
export type FetchSnapshotResponse = Outgoing<typeof fetchSnapshotResponse>

/**
 * A broker registers with the KRaft controller (KIP-631). v2 log directories (KIP-858) · v3 the
 * epoch before.
 */
export const brokerRegistrationRequest = message(
  'BrokerRegistrationRequest',
  { apiKey: 62, versions: '0-4', flexible: '0+' },
  {
    brokerId: int32(),
    clusterId: string(),
    incarnationId: uuid(),
    listeners: array({
      name: string(),
      host: string(),
      port: uint16(),
      securityProtocol: int16(),
    }),
    features: array({
      name: string(),
      minSupportedVersion: int16(),
      maxSupportedVersion: int16(),
    }),
    rack: string({ nullable: '0+' }),
    isMigratingZkBroker: bool({ versions: '1+', default: false }),
    logDirs: array(uuid(), { versions: '2+', ignorable: true }),
    previousBrokerEpoch: int64({ versions: '3+', default: -1, ignorable: true }),
  },
)
export type BrokerRegistrationRequest = Incoming<typeof brokerRegistrationRequest>

/** The broker's epoch (KIP-631). */
export const brokerRegistrationResponse = message(
  'BrokerRegistrationResponse',
  { apiKey: 62, versions: '0-4', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    brokerEpoch: int64({ default: -1 }),
  },
)
export type BrokerRegistrationResponse = Outgoing<typeof brokerRegistrationResponse>

/**
 * Keeps a broker registered with the KRaft controller (KIP-631). v1 failed log directories
 * (KIP-858) · v2 cordoned ones (KIP-1066).
 */
export const brokerHeartbeatRequest = message(
  'BrokerHeartbeatRequest',
  { apiKey: 63, versions: '0-2', flexible: '0+' },
  {
    brokerId: int32(),
    brokerEpoch: int64({ default: -1 }),
    currentMetadataOffset: int64(),
    wantFence: bool(),
    wantShutDown: bool(),
    offlineLogDirs: array(uuid(), { versions: '1+', tag: 0 }),
    cordonedLogDirs: array(uuid(), { versions: '2+', nullable: '2+', tag: 1, default: null }),
  },
)
export type BrokerHeartbeatRequest = Incoming<typeof brokerHeartbeatRequest>

/** Whether the broker has caught up, is fenced, and may stop (KIP-631). */
export const brokerHeartbeatResponse = message(
  'BrokerHeartbeatResponse',
  { apiKey: 63, versions: '0-2', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    isCaughtUp: bool({ default: false }),
    isFenced: bool({ default: true }),
    shouldShutDown: bool(),
  },
)
export type BrokerHeartbeatResponse = Outgoing<typeof brokerHeartbeatResponse>

/** A broker asks the KRaft controller for a block of producer ids (KIP-730). */
export const allocateProducerIdsRequest = message(
  'AllocateProducerIdsRequest',
  { apiKey: 67, versions: '0', flexible: '0+' },
  {
    brokerId: int32(),
    brokerEpoch: int64({ default: -1 }),
  },
)
export type AllocateProducerIdsRequest = Incoming<typeof allocateProducerIdsRequest>

/** The block (KIP-730). */
export const allocateProducerIdsResponse = message(
  'AllocateProducerIdsResponse',
  { apiKey: 67, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    producerIdStart: int64(),
    producerIdLen: int32(),
  },
)
export type AllocateProducerIdsResponse = Outgoing<typeof allocateProducerIdsResponse>

/** A KRaft controller registers with the active one (KIP-919). */
export const controllerRegistrationRequest = message(
  'ControllerRegistrationRequest',
  { apiKey: 70, versions: '0', flexible: '0+' },
  {
    controllerId: int32(),
    incarnationId: uuid(),
    zkMigrationReady: bool(),
    listeners: array({
      name: string(),
      host: string(),
      port: uint16(),
      securityProtocol: int16(),
    }),
    features: array({
      name: string(),
      minSupportedVersion: int16(),
      maxSupportedVersion: int16(),
    }),
  },
)
export type ControllerRegistrationRequest = Incoming<typeof controllerRegistrationRequest>

/** Whether it is registered (KIP-919). */
export const controllerRegistrationResponse = message(
  'ControllerRegistrationResponse',
  { apiKey: 70, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
  },
)
export type ControllerRegistrationResponse = Outgoing<typeof controllerRegistrationResponse>

/** A broker tells the KRaft controller in which directories its replicas are (KIP-858). */
export const assignReplicasToDirsRequest = message(
  'AssignReplicasToDirsRequest',
  { apiKey: 73, versions: '0', flexible: '0+' },
  {
    brokerId: int32(),
    brokerEpoch: int64({ default: -1 }),
    directories: array({
      id: uuid(),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
        }),
      }),
    }),
  },
)
export type AssignReplicasToDirsRequest = Incoming<typeof assignReplicasToDirsRequest>

/** Whether each is noted (KIP-858). */
export const assignReplicasToDirsResponse = message(
  'AssignReplicasToDirsResponse',
  { apiKey: 73, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    directories: array({
      id: uuid(),
      topics: array({
        topicId: uuid(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
        }),
      }),
    }),
  },
)
export type AssignReplicasToDirsResponse = Outgoing<typeof assignReplicasToDirsResponse>

/** A KRaft voter tells the leader its endpoints and versions (KIP-853). */
export const updateRaftVoterRequest = message(
  'UpdateRaftVoterRequest',
  { apiKey: 82, versions: '0', flexible: '0+' },
  {
    clusterId: string({ nullable: '0+' }),
    currentLeaderEpoch: int32(),
    voterId: int32(),
    voterDirectoryId: uuid(),
    listeners: array({
      name: string(),
      host: string(),
      port: uint16(),
    }),
    kRaftVersionFeature: struct({
      minSupportedVersion: int16(),
      maxSupportedVersion: int16(),
    }),
  },
)
export type UpdateRaftVoterRequest = Incoming<typeof updateRaftVoterRequest>

/** Whether they are noted, and who leads (KIP-853). */
export const updateRaftVoterResponse = message(
  'UpdateRaftVoterResponse',
  { apiKey: 82, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    currentLeader: struct(
      {
        leaderId: int32({ default: -1 }),
        leaderEpoch: int32({ default: -1 }),
        host: string(),
        port: int32(),
      },
      { tag: 0 },
    ),
  },
)
export type UpdateRaftVoterResponse = Outgoing<typeof updateRaftVoterResponse>
