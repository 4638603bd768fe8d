import {
  array,
  type Incoming,
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
 * Appends record batches to partitions. v3 batches v2 (KIP-98) · v7 zstd (KIP-110) · v9 flexible ·
 * v11 TRANSACTION_ABORTABLE, v12 writing adds the partition to the transaction (KIP-890) · v13
 * topic ids (KIP-516).
 */
export const produceRequest = message(
  'ProduceRequest',
  { apiKey: 0, versions: '3-13', flexible: '9+' },
  {
    transactionalId: string({ nullable: '3+', default: null }),
    acks: int16(), // -1 all in-sync replicas, 1 the leader only, 0 no response
    timeoutMs: int32(),
    topicData: array({
      name: string({ versions: '0-12', ignorable: true }),
      topicId: uuid({ versions: '13+', ignorable: true }),
      partitionData: array({
        index: int32(),
        records: records({ nullable: '0+' }),
      }),
    }),
  },
)
export type ProduceRequest = Incoming<typeof produceRequest>

/**
 * Where the batches went. v5 log start offset · v8 errors by record (KIP-467) · v9 flexible · v10
 * the new leader beside an error (KIP-951) · v13 topic ids (KIP-516).
 */
export const produceResponse = message(
  'ProduceResponse',
  { apiKey: 0, versions: '3-13', flexible: '9+' },
  {
    responses: array({
      name: string({ versions: '0-12', ignorable: true }),
      topicId: uuid({ versions: '13+', ignorable: true }),
      partitionResponses: array({
        index: int32(),
        errorCode: int16(),
        baseOffset: int64(),
        logAppendTimeMs: int64({ default: -1, ignorable: true }), // -1 unless the topic stamps LogAppendTime
        logStartOffset: int64({ versions: '5+', default: -1, ignorable: true }),
        recordErrors: array(
          {
            batchIndex: int32(),
            batchIndexErrorMessage: string({ nullable: '8+', default: null }),
          },
          { versions: '8+', ignorable: true },
        ),
        errorMessage: string({ versions: '8+', nullable: '8+', default: null, ignorable: true }),
        currentLeader: struct(
          {
            leaderId: int32({ default: -1 }),
            leaderEpoch: int32({ default: -1 }),
          },
          { versions: '10+', tag: 0 },
        ),
      }),
    }),
    throttleTimeMs: int32({ default: 0, ignorable: true }),
    nodeEndpoints: array(
      {
        nodeId: int32(),
        host: string(),
        port: int32(),
        rack: string({ nullable: '10+', default: null }),
      },
      { versions: '10+', tag: 0 },
    ),
  },
)
export type ProduceResponse = Outgoing<typeof produceResponse>
