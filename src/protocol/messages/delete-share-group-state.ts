import {
  array,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
  uuid,
} from '../schema.ts'

/** Deletes the state of share partitions (KIP-932). */
export const deleteShareGroupStateRequest = message(
  'DeleteShareGroupStateRequest',
  { apiKey: 86, versions: '0', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicId: uuid(),
      partitions: array({
        partition: int32(),
      }),
    }),
  },
)
export type DeleteShareGroupStateRequest = Incoming<typeof deleteShareGroupStateRequest>

/** Whether it is deleted (KIP-932). */
export const deleteShareGroupStateResponse = message(
  'DeleteShareGroupStateResponse',
  { apiKey: 86, versions: '0', flexible: '0+' },
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
export type DeleteShareGroupStateResponse = Outgoing<typeof deleteShareGroupStateResponse>
