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

/** Makes the state of share partitions (KIP-932). */
export const initializeShareGroupStateRequest = message(
  'InitializeShareGroupStateRequest',
  { apiKey: 83, versions: '0', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
        stateEpoch: int32(),
        startOffset: int64(),
      }),
    }),
  },
)
export type InitializeShareGroupStateRequest = Incoming<typeof initializeShareGroupStateRequest>

/** Whether it is made (KIP-932). */
export const initializeShareGroupStateResponse = message(
  'InitializeShareGroupStateResponse',
  { apiKey: 83, versions: '0', flexible: '0+' },
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
export type InitializeShareGroupStateResponse = Outgoing<typeof initializeShareGroupStateResponse>
