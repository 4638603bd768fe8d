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
  uuid,
} from '../schema.ts'

/** Accepts, releases or rejects records acquired before (KIP-932). v2 or renews them (KIP-1222). */
export const shareAcknowledgeRequest = message(
  'ShareAcknowledgeRequest',
  { apiKey: 79, versions: '1-2', flexible: '0+' },
  {
    groupId: string({ nullable: '0+', default: null }),
    memberId: string({ nullable: '0+' }),
    shareSessionEpoch: int32(),
    isRenewAck: bool({ versions: '2+', default: false }),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        acknowledgementBatches: array({
          firstOffset: int64(),
          lastOffset: int64(),
          acknowledgeTypes: array(int8()),
        }),
      }),
    }),
  },
)
export type ShareAcknowledgeRequest = Incoming<typeof shareAcknowledgeRequest>

/**
 * Whether each partition's records were acknowledged (KIP-932). v2 until when renewed (KIP-1222).
 */
export const shareAcknowledgeResponse = message(
  'ShareAcknowledgeResponse',
  { apiKey: 79, versions: '1-2', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    acquisitionLockTimeoutMs: int32({ versions: '2+', ignorable: true }),
    responses: array({
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        currentLeader: struct({
          leaderId: int32(),
          leaderEpoch: int32(),
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
export type ShareAcknowledgeResponse = Outgoing<typeof shareAcknowledgeResponse>
