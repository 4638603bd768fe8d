import {
  array,
  bool,
  type Incoming,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

const addPartitionsToTxnTopic = {
  name: string(),
  partitions: array(int32()),
}

/**
 * Adds partitions to a transaction (KIP-98). v3 flexible · v4 several, from brokers that verify
 * (KIP-890).
 */
export const addPartitionsToTxnRequest = message(
  'AddPartitionsToTxnRequest',
  { apiKey: 24, versions: '0-5', flexible: '3+' },
  {
    transactions: array(
      {
        transactionalId: string(),
        producerId: int64(),
        producerEpoch: int16(),
        verifyOnly: bool({ default: false }),
        topics: array(addPartitionsToTxnTopic),
      },
      { versions: '4+' },
    ),
    v3AndBelowTransactionalId: string({ versions: '0-3' }),
    v3AndBelowProducerId: int64({ versions: '0-3' }),
    v3AndBelowProducerEpoch: int16({ versions: '0-3' }),
    v3AndBelowTopics: array(addPartitionsToTxnTopic, { versions: '0-3' }),
  },
)
export type AddPartitionsToTxnRequest = Incoming<typeof addPartitionsToTxnRequest>

const addPartitionsToTxnPartitionResult = {
  partitionIndex: int32(),
  partitionErrorCode: int16(),
}
const addPartitionsToTxnTopicResult = {
  name: string(),
  resultsByPartition: array(addPartitionsToTxnPartitionResult),
}

/** Which partitions were added (KIP-98). v3 flexible · v4 several transactions (KIP-890). */
export const addPartitionsToTxnResponse = message(
  'AddPartitionsToTxnResponse',
  { apiKey: 24, versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ versions: '4+', ignorable: true }),
    resultsByTransaction: array(
      {
        transactionalId: string(),
        topicResults: array(addPartitionsToTxnTopicResult),
      },
      { versions: '4+' },
    ),
    resultsByTopicV3AndBelow: array(addPartitionsToTxnTopicResult, { versions: '0-3' }),
  },
)
export type AddPartitionsToTxnResponse = Outgoing<typeof addPartitionsToTxnResponse>
