import {
  array,
  bool,
  float64,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** Asks for the quotas of users, client ids and addresses (KIP-546). v1 flexible. */
export const describeClientQuotasRequest = message(
  'DescribeClientQuotasRequest',
  { apiKey: 48, versions: '0-1', flexible: '1+' },
  {
    components: array({
      entityType: string(),
      matchType: int8(),
      match: string({ nullable: '0+' }),
    }),
    strict: bool(),
  },
)
export type DescribeClientQuotasRequest = Incoming<typeof describeClientQuotasRequest>

/** Quotas by entity (KIP-546). v1 flexible. */
export const describeClientQuotasResponse = message(
  'DescribeClientQuotasResponse',
  { apiKey: 48, versions: '0-1', flexible: '1+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    entries: array(
      {
        entity: array({
          entityType: string(),
          entityName: string({ nullable: '0+' }),
        }),
        values: array({
          key: string(),
          value: float64(),
        }),
      },
      { nullable: '0+' },
    ),
  },
)
export type DescribeClientQuotasResponse = Outgoing<typeof describeClientQuotasResponse>
