import {
  array,
  bool,
  float64,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** Sets and removes quotas (KIP-546). v1 flexible. */
export const alterClientQuotasRequest = message(
  'AlterClientQuotasRequest',
  { apiKey: 49, versions: '0-1', flexible: '1+' },
  {
    entries: array({
      entity: array({
        entityType: string(),
        entityName: string({ nullable: '0+' }),
      }),
      ops: array({
        key: string(),
        value: float64(),
        remove: bool(),
      }),
    }),
    validateOnly: bool(),
  },
)
export type AlterClientQuotasRequest = Incoming<typeof alterClientQuotasRequest>

/** Whether each entity was changed (KIP-546). v1 flexible. */
export const alterClientQuotasResponse = message(
  'AlterClientQuotasResponse',
  { apiKey: 49, versions: '0-1', flexible: '1+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    entries: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      entity: array({
        entityType: string(),
        entityName: string({ nullable: '0+' }),
      }),
    }),
  },
)
export type AlterClientQuotasResponse = Outgoing<typeof alterClientQuotasResponse>
