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
 * Asks for a producer id; one with a transactional id fences its predecessor (KIP-98). v2 flexible
 * · v3 keeps the id it has (KIP-360) · v6 two-phase commit (KIP-939).
 */
export const initProducerIdRequest = message(
  'InitProducerIdRequest',
  { apiKey: 22, versions: '0-6', flexible: '2+', latestUnstable: true },
  {
    transactionalId: string({ nullable: '0+' }),
    transactionTimeoutMs: int32(),
    producerId: int64({ versions: '3+', default: -1 }),
    producerEpoch: int16({ versions: '3+', default: -1 }),
    enable2Pc: bool({ versions: '6+', default: false }),
    keepPreparedTxn: bool({ versions: '6+', default: false }),
  },
)
export type InitProducerIdRequest = Incoming<typeof initProducerIdRequest>

/**
 * The producer id and epoch (KIP-98). v2 flexible · v6 the transaction that was left open
 * (KIP-939).
 */
export const initProducerIdResponse = message(
  'InitProducerIdResponse',
  { apiKey: 22, versions: '0-6', flexible: '2+' },
  {
    throttleTimeMs: int32({ ignorable: true }),
    errorCode: int16(),
    producerId: int64({ default: -1 }),
    producerEpoch: int16(),
    ongoingTxnProducerId: int64({ versions: '6+', default: -1 }),
    ongoingTxnProducerEpoch: int16({ versions: '6+', default: -1 }),
  },
)
export type InitProducerIdResponse = Outgoing<typeof initProducerIdResponse>
