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
} from '../schema.ts'

/**
 * The transaction coordinator ends transactions in partitions (KIP-98). v1 flexible · v2 version
 * of the transaction protocol.
 */
export const writeTxnMarkersRequest = message(
  'WriteTxnMarkersRequest',
  { apiKey: 27, versions: '1-2', flexible: '1+' },
  {
    markers: array({
      producerId: int64(),
      producerEpoch: int16(),
      transactionResult: bool(),
      topics: array({
        name: string(),
        partitionIndexes: array(int32()),
      }),
      coordinatorEpoch: int32(),
      transactionVersion: int8({ versions: '2+', default: 0, ignorable: true }),
    }),
  },
)
export type WriteTxnMarkersRequest = Incoming<typeof writeTxnMarkersRequest>

/** Which markers were written (KIP-98). v1 flexible. */
export const writeTxnMarkersResponse = message(
  'WriteTxnMarkersResponse',
  { apiKey: 27, versions: '1-2', flexible: '1+' },
  {
    markers: array({
      producerId: int64(),
      topics: array({
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          errorCode: int16(),
        }),
      }),
    }),
  },
)
export type WriteTxnMarkersResponse = Outgoing<typeof writeTxnMarkersResponse>
