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

/**
 * Asks for the transactions of a coordinator (KIP-664). v1 by age (KIP-994) · v2 by a pattern
 * (KIP-1152).
 */
export const listTransactionsRequest = message(
  'ListTransactionsRequest',
  { apiKey: 66, versions: '0-2', flexible: '0+' },
  {
    stateFilters: array(string()),
    producerIdFilters: array(int64()),
    durationFilter: int64({ versions: '1+', default: -1 }),
    transactionalIdPattern: string({ versions: '2+', nullable: '2+', default: null }),
  },
)
export type ListTransactionsRequest = Incoming<typeof listTransactionsRequest>

/** Transactions by transactional id (KIP-664). */
export const listTransactionsResponse = message(
  'ListTransactionsResponse',
  { apiKey: 66, versions: '0-2', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    unknownStateFilters: array(string()),
    transactionStates: array({
      transactionalId: string(),
      producerId: int64(),
      transactionState: string(),
    }),
  },
)
export type ListTransactionsResponse = Outgoing<typeof listTransactionsResponse>
