import {
  array,
  type Incoming,
  int8,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
  uuid,
} from '../schema.ts'

/** Changes the state of share partitions (KIP-932). v1 how many deliveries are complete. */
export const writeShareGroupStateRequest = message(
  'WriteShareGroupStateRequest',
  { apiKey: 85, versions: '0-1', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        stateEpoch: int32(),
        leaderEpoch: int32(),
        startOffset: int64(),
        deliveryCompleteCount: int32({ versions: '1+', default: -1, ignorable: true }),
        stateBatches: array({
          firstOffset: int64(),
          lastOffset: int64(),
          deliveryState: int8(),
          deliveryCount: int16(),
        }),
      }),
    }),
  },
)
export type WriteShareGroupStateRequest = Incoming<typeof writeShareGroupStateRequest>

/** Whether it is changed (KIP-932). */
export const writeShareGroupStateResponse = message(
  'WriteShareGroupStateResponse',
  { apiKey: 85, versions: '0-1', flexible: '0+' },
  {
    results: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
      }),
    }),
  },
)
export type WriteShareGroupStateResponse = Outgoing<typeof writeShareGroupStateResponse>
