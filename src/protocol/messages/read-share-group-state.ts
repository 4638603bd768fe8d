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

/** Reads the state of share partitions (KIP-932). */
export const readShareGroupStateRequest = message(
  'ReadShareGroupStateRequest',
  { apiKey: 84, versions: '0', flexible: '0+' },
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
export type ReadShareGroupStateRequest = Incoming<typeof readShareGroupStateRequest>

/** The state of share partitions (KIP-932). */
export const readShareGroupStateResponse = message(
  'ReadShareGroupStateResponse',
  { apiKey: 84, versions: '0', flexible: '0+' },
  {
    results: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
        stateEpoch: int32(),
        startOffset: int64(),
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
export type ReadShareGroupStateResponse = Outgoing<typeof readShareGroupStateResponse>
