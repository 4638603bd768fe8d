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

/** Moves the start of logs forward, −1 to the high watermark (KIP-107). v2 flexible. */
export const deleteRecordsRequest = message(
  'DeleteRecordsRequest',
  { apiKey: 21, versions: '0-2', flexible: '2+' },
  {
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        offset: int64(), // exclusive; -1 the high watermark
      }),
    }),
    timeoutMs: int32(),
  },
)
export type DeleteRecordsRequest = Incoming<typeof deleteRecordsRequest>

/** Where the logs start now (KIP-107). v2 flexible. */
export const deleteRecordsResponse = message(
  'DeleteRecordsResponse',
  { apiKey: 21, versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        lowWatermark: int64(),
        errorCode: int16(),
      }),
    }),
  },
)
export type DeleteRecordsResponse = Outgoing<typeof deleteRecordsResponse>
