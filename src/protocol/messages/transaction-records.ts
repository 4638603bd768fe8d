/** Records of __transaction_state (KIP-98). */
import { array, type Incoming, int8, int16, int32, int64, message, string } from '../schema.ts'

/** Key of a transactional id's state, record type 0 of __transaction_state (KIP-98). */
export const transactionLogKey = message(
  'TransactionLogKey',
  { apiKey: 0, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    transactionalId: string(),
  },
)
export type TransactionLogKey = Incoming<typeof transactionLogKey>

/**
 * The state of a transactional id (KIP-98). v1 flexible; producer ids and epochs of the epoch bump
 * (KIP-890).
 */
export const transactionLogValue = message(
  'TransactionLogValue',
  { apiKey: 0, type: 'coordinator-value', versions: '0-1', flexible: '1+' },
  {
    producerId: int64(),
    previousProducerId: int64({ versions: '1+', tag: 0, default: -1 }),
    nextProducerId: int64({ versions: '1+', tag: 1, default: -1 }),
    producerEpoch: int16(),
    nextProducerEpoch: int16({ versions: '1+', tag: 3, default: -1 }),
    transactionTimeoutMs: int32(),
    transactionStatus: int8(),
    transactionPartitions: array(
      {
        topic: string(),
        partitionIds: array(int32()),
      },
      { nullable: '0+' },
    ),
    transactionLastUpdateTimestampMs: int64(),
    transactionStartTimestampMs: int64(),
    clientTransactionVersion: int16({ versions: '1+', tag: 2, default: 0 }),
  },
)
export type TransactionLogValue = Incoming<typeof transactionLogValue>
