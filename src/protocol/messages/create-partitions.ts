import {
  array,
  bool,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** Adds partitions to topics (KIP-195). v2 flexible. */
export const createPartitionsRequest = message(
  'CreatePartitionsRequest',
  { apiKey: 37, versions: '0-3', flexible: '2+' },
  {
    topics: array({
      name: string(),
      count: int32(),
      assignments: array(
        {
          brokerIds: array(int32()),
        },
        { nullable: '0+' },
      ),
    }),
    timeoutMs: int32(),
    validateOnly: bool(),
  },
)
export type CreatePartitionsRequest = Incoming<typeof createPartitionsRequest>

/** Whether each topic has them (KIP-195). v2 flexible · v3 quota (KIP-599). */
export const createPartitionsResponse = message(
  'CreatePartitionsResponse',
  { apiKey: 37, versions: '0-3', flexible: '2+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      name: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', default: null }),
    }),
  },
)
export type CreatePartitionsResponse = Outgoing<typeof createPartitionsResponse>
