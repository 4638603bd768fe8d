import { array, type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/** Deletes committed offsets of a group (KIP-496). */
export const offsetDeleteRequest = message(
  'OffsetDeleteRequest',
  { apiKey: 47, versions: '0', flexible: 'none' },
  {
    groupId: string(),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
      }),
    }),
  },
)
export type OffsetDeleteRequest = Incoming<typeof offsetDeleteRequest>

/** Whether each was deleted (KIP-496). */
export const offsetDeleteResponse = message(
  'OffsetDeleteResponse',
  { apiKey: 47, versions: '0', flexible: 'none' },
  {
    errorCode: int16(),
    throttleTimeMs: int32({ ignorable: true }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)
export type OffsetDeleteResponse = Outgoing<typeof offsetDeleteResponse>
