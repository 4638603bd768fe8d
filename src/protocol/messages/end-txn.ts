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

/**
 * Commits or aborts a transaction (KIP-98). v3 flexible · v5 raises the producer's epoch
 * (KIP-890).
 */
export const endTxnRequest = message(
  'EndTxnRequest',
  { apiKey: 26, versions: '0-5', flexible: '3+' },
  {
    transactionalId: string(),
    producerId: int64(),
    producerEpoch: int16(),
    committed: bool(), // false aborts
  },
)
export type EndTxnRequest = Incoming<typeof endTxnRequest>

/**
 * Whether it is decided (KIP-98). v3 flexible · v5 the producer id and epoch to go on with
 * (KIP-890).
 */
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
