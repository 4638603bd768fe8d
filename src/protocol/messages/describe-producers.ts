import {
  array,
  type Incoming,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** Asks for the producers that are active in partitions (KIP-664). */
export const describeProducersRequest = message(
  'DescribeProducersRequest',
  { apiKey: 61, versions: '0', flexible: '0+' },
  {
    topics: array({
      name: string(),
      partitionIndexes: array(int32()),
    }),
  },
)
export type DescribeProducersRequest = Incoming<typeof describeProducersRequest>

/** Producers by partition (KIP-664). */
export const describeProducersResponse = message(
  'DescribeProducersResponse',
  { apiKey: 61, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        activeProducers: array({
          producerId: int64(),
          producerEpoch: int32(),
          lastSequence: int32({ default: -1 }),
          lastTimestamp: int64({ default: -1 }),
          coordinatorEpoch: int32(),
          currentTxnStartOffset: int64({ default: -1 }),
        }),
      }),
    }),
  },
)
export type DescribeProducersResponse = Outgoing<typeof describeProducersResponse>
