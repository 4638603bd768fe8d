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

/** Deletes the offsets of a share group by topic (KIP-932). */
export const deleteShareGroupOffsetsRequest = message(
  'DeleteShareGroupOffsetsRequest',
  { apiKey: 92, versions: '0', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicName: string(),
    }),
  },
)
export type DeleteShareGroupOffsetsRequest = Incoming<typeof deleteShareGroupOffsetsRequest>

/** Whether each topic's were deleted (KIP-932). */
export const deleteShareGroupOffsetsResponse = message(
  'DeleteShareGroupOffsetsResponse',
  { apiKey: 92, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    responses: array({
      topicName: string(),
      topicId: uuid(),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
    }),
  },
)
export type DeleteShareGroupOffsetsResponse = Outgoing<typeof deleteShareGroupOffsetsResponse>
