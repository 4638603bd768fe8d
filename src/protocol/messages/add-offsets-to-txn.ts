import { type Incoming, int16, int32, int64, message, type Outgoing, string } from '../schema.ts'

/** Adds a group's offsets to a transaction (KIP-98). v3 flexible. */
export const addOffsetsToTxnRequest = message(
  'AddOffsetsToTxnRequest',
  { apiKey: 25, versions: '0-4', flexible: '3+' },
  {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    groupId: string(),
  },
)
export type AddOffsetsToTxnRequest = Incoming<typeof addOffsetsToTxnRequest>

/** Whether they were added (KIP-98). v3 flexible. */
export const addOffsetsToTxnResponse = message(
  'AddOffsetsToTxnResponse',
  { apiKey: 25, versions: '0-4', flexible: '3+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
  },
)
export type AddOffsetsToTxnResponse = Outgoing<typeof addOffsetsToTxnResponse>
