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

/** Moves the start offsets of a share group (KIP-932). */
export const alterShareGroupOffsetsRequest = message(
  'AlterShareGroupOffsetsRequest',
  { apiKey: 91, versions: '0', flexible: '0+' },
  {
    groupId: string(),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        startOffset: int64(),
      }),
    }),
  },
)
export type AlterShareGroupOffsetsRequest = Incoming<typeof alterShareGroupOffsetsRequest>

/** Whether each was moved (KIP-932). */
export const alterShareGroupOffsetsResponse = message(
  'AlterShareGroupOffsetsResponse',
  { apiKey: 91, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    responses: array({
      topicName: string(),
      topicId: uuid(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+', default: null }),
      }),
    }),
  },
)
export type AlterShareGroupOffsetsResponse = Outgoing<typeof alterShareGroupOffsetsResponse>
