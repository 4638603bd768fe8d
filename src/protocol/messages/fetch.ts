import {
  array,
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
  uuid,
} from '../schema.ts'

/**
 * Reads record batches; consumers and followers alike. v4 isolation level (KIP-98) · v5 log start
 * offset (KIP-107) · v7 sessions (KIP-227) · v9 leader epoch (KIP-320) · v11 rack (KIP-392) · v12
 * flexible, last fetched epoch (KIP-595) · v13 topic ids (KIP-516) · v15 replica state (KIP-903) ·
 * v17 directory ids (KIP-853) · v18 high watermark (KIP-1166).
 */
export const fetchRequest = message(
  'FetchRequest',
  { apiKey: 1, versions: '4-18', flexible: '12+' },
  {
    clusterId: string({ versions: '12+', nullable: '12+', tag: 0, default: null, ignorable: true }),
    replicaId: int32({ versions: '0-14', default: -1 }), // -1 a consumer
    replicaState: struct(
      {
        replicaId: int32({ default: -1 }),
        replicaEpoch: int64({ default: -1 }),
      },
      { versions: '15+', tag: 1 },
    ),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ default: 0x7fffffff, ignorable: true }),
    isolationLevel: int8({ default: 0, ignorable: true }), // 0 read_uncommitted, 1 read_committed
    sessionId: int32({ versions: '7+', default: 0, ignorable: true }),
    sessionEpoch: int32({ versions: '7+', default: -1, ignorable: true }),
    topics: array({
      topic: string({ versions: '0-12', ignorable: true }),
      topicId: uuid({ versions: '13+', ignorable: true }),
      partitions: array({
        partition: int32(),
        currentLeaderEpoch: int32({ versions: '9+', default: -1, ignorable: true }),
        fetchOffset: int64(),
        lastFetchedEpoch: int32({ versions: '12+', default: -1 }),
        logStartOffset: int64({ versions: '5+', default: -1, ignorable: true }),
        partitionMaxBytes: int32(),
        replicaDirectoryId: uuid({ versions: '17+', tag: 0, ignorable: true }),
        highWatermark: int64({
          versions: '18+',
          tag: 1,
          default: 9223372036854775807n,
          ignorable: true,
          clamped: true,
        }),
      }),
    }),
    forgottenTopicsData: array(
      {
        topic: string({ versions: '7-12', ignorable: true }),
        topicId: uuid({ versions: '13+', ignorable: true }),
        partitions: array(int32()),
      },
      { versions: '7+' },
    ),
    rackId: string({ versions: '11+', default: '', ignorable: true }),
  },
)
export type FetchRequest = Incoming<typeof fetchRequest>

/**
 * The batches read. v4 last stable offset, aborted transactions (KIP-98) · v5 log start offset
 * (KIP-107) · v7 sessions (KIP-227) · v11 preferred read replica (KIP-392) · v12 flexible,
 * diverging epoch (KIP-595) · v13 topic ids (KIP-516) · v16 endpoints of new leaders (KIP-951).
 */
export const fetchResponse = message(
  'FetchResponse',
  { apiKey: 1, versions: '4-18', flexible: '12+' },
  {
    throttleTimeMs: int32({ ignorable: true }),
    errorCode: int16({ versions: '7+', ignorable: true }),
    sessionId: int32({ versions: '7+', default: 0 }),
    responses: array({
      topic: string({ versions: '0-12', ignorable: true }),
      topicId: uuid({ versions: '13+', ignorable: true }),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        highWatermark: int64(),
        lastStableOffset: int64({ default: -1, ignorable: true }),
        logStartOffset: int64({ versions: '5+', default: -1, ignorable: true }),
        divergingEpoch: struct(
          {
            epoch: int32({ default: -1 }),
            endOffset: int64({ default: -1 }),
          },
          { versions: '12+', tag: 0 },
        ),
        currentLeader: struct(
          {
            leaderId: int32({ default: -1 }),
            leaderEpoch: int32({ default: -1 }),
          },
          { versions: '12+', tag: 1 },
        ),
        snapshotId: struct(
          {
            endOffset: int64({ default: -1 }),
            epoch: int32({ default: -1 }),
          },
          { versions: '12+', tag: 2 },
        ),
        abortedTransactions: array(
          {
            producerId: int64(),
            firstOffset: int64(),
          },
          { nullable: '4+', ignorable: true },
        ),
        preferredReadReplica: int32({ versions: '11+', default: -1 }),
        records: records({ nullable: '0+' }),
      }),
    }),
    nodeEndpoints: array(
      {
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: '16+', default: null }),
      },
      { versions: '16+', tag: 0 },
    ),
  },
)
export type FetchResponse = Outgoing<typeof fetchResponse>
