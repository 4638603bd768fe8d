import {
  bool,
  type Incoming,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** EndTxnRequest. */
export const endTxnRequest = message(
  'EndTxnRequest',
  { apiKey: 26, versions: '0-5', flexible: '3+' },
  {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    committed: bool(),
  },
)
export type EndTxnRequest = Incoming<typeof endTxnRequest>

/** EndTxnResponse. */
export const endTxnResponse = message(
  'EndTxnResponse',
  { apiKey: 26, versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    producerId: int64({ versions: '5+', default: -1, ignorable: true }),
    producerEpoch: int16({ versions: '5+', default: -1, ignorable: true }),
  },
)
export type EndTxnResponse = Outgoing<typeof endTxnResponse>
