import {
  array,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
  uuid,
} from '../schema.ts'

/** Deletes topics. v4 flexible · v6 by topic id (KIP-516). */
export const deleteTopicsRequest = message(
  'DeleteTopicsRequest',
  { apiKey: 20, versions: '1-6', flexible: '4+' },
  {
    topics: array(
      {
        name: string({ nullable: '6+', default: null }),
        topicId: uuid(),
      },
      { versions: '6+' },
    ),
    topicNames: array(string(), { versions: '0-5', ignorable: true }),
    timeoutMs: int32(),
  },
)
export type DeleteTopicsRequest = Incoming<typeof deleteTopicsRequest>

/**
 * Which topics were deleted. v4 flexible · v5 error message, quota (KIP-599) · v6 topic ids
 * (KIP-516).
 */
export const deleteTopicsResponse = message(
  'DeleteTopicsResponse',
  { apiKey: 20, versions: '1-6', flexible: '4+' },
  {
    throttleTimeMs: int32({ ignorable: true }),
    responses: array({
      name: string({ nullable: '6+' }),
      topicId: uuid({ versions: '6+', ignorable: true }),
      errorCode: int16(),
      errorMessage: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    }),
  },
)
export type DeleteTopicsResponse = Outgoing<typeof deleteTopicsResponse>
