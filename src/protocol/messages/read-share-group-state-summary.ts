import {
  array,
  type Incoming,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
  uuid,
} from '../schema.ts'

/** Reads the state of share partitions without their batches (KIP-932). */
export const readShareGroupStateSummaryRequest = message(
  'ReadShareGroupStateSummaryRequest',
  { apiKey: 87, versions: '0-1', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        leaderEpoch: int32(),
      }),
    }),
  },
)
export type ReadShareGroupStateSummaryRequest = Incoming<typeof readShareGroupStateSummaryRequest>

/**
 * The state of share partitions without their batches (KIP-932). v1 how many deliveries are
 * complete.
 */
export const readShareGroupStateSummaryResponse = message(
  'ReadShareGroupStateSummaryResponse',
  { apiKey: 87, versions: '0-1', flexible: '0+' },
  {
    results: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        stateEpoch: int32(),
        leaderEpoch: int32(),
        startOffset: int64(),
        deliveryCompleteCount: int32({ versions: '1+', default: -1, ignorable: true }),
      }),
    }),
  },
)
export type ReadShareGroupStateSummaryResponse = Outgoing<typeof readShareGroupStateSummaryResponse>
