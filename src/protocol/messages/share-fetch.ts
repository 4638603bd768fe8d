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
  records,
  string,
  struct,
  uuid,
} from '../schema.ts'

/**
 * Acquires records for a member of a share group, and acknowledges others (KIP-932). v2 renewals
 * (KIP-1222).
 */
export const shareFetchRequest = message(
  'ShareFetchRequest',
  { apiKey: 78, versions: '1-2', flexible: '0+' },
  {
    groupId: string({ nullable: '0+', default: null }),
    memberId: string({ nullable: '0+' }),
    shareSessionEpoch: int32(),
    maxWaitMs: int32(),
    minBytes: int32(),
    maxBytes: int32({ default: 0x7fffffff }),
    maxRecords: int32(),
    batchSize: int32(),
    shareAcquireMode: int8({ versions: '2+', default: 0, ignorable: true }),
    isRenewAck: bool({ versions: '2+', default: false }),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        partitionMaxBytes: int32({ versions: '0' }),
        acknowledgementBatches: array({
          firstOffset: int64(),
          lastOffset: int64(),
          acknowledgeTypes: array(int8()),
        }),
      }),
    }),
    forgottenTopicsData: array({
      topicId: uuid(),
      partitions: array(int32()),
    }),
  },
)
export type ShareFetchRequest = Incoming<typeof shareFetchRequest>

/** The records acquired (KIP-932). v2 until when (KIP-1222). */
export const shareFetchResponse = message(
  'ShareFetchResponse',
  { apiKey: 78, versions: '1-2', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    acquisitionLockTimeoutMs: int32(),
    responses: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        acknowledgeErrorCode: int16(),
        acknowledgeErrorMessage: string({ nullable: '0+', default: null }),
        currentLeader: struct({
          leaderId: int32(),
          leaderEpoch: int32(),
        }),
        records: records({ nullable: '0' }),
        acquiredRecords: array({
          firstOffset: int64(),
          lastOffset: int64(),
          deliveryCount: int16(),
        }),
      }),
    }),
    nodeEndpoints: array({
      nodeId: int32(),
      host: string(),
      port: int32(),
      rack: string({ nullable: '0+', default: null }),
    }),
  },
)
export type ShareFetchResponse = Outgoing<typeof shareFetchResponse>
