import {
  array,
  bool,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
  uuid,
} from '../schema.ts'

/** Creates topics. v4 −1 for the broker's defaults (KIP-464) · v5 flexible. */
export const createTopicsRequest = message(
  'CreateTopicsRequest',
  { apiKey: 19, versions: '2-7', flexible: '5+' },
  {
    topics: array({
      name: string(),
      numPartitions: int32(),
      replicationFactor: int16(),
      assignments: array({
        partitionIndex: int32(),
        brokerIds: array(int32()),
      }),
      configs: array({
        name: string(),
        value: string({ nullable: '0+' }),
      }),
    }),
    timeoutMs: int32({ default: 60000 }),
    validateOnly: bool({ default: false }),
  },
)
export type CreateTopicsRequest = Incoming<typeof createTopicsRequest>

/**
 * Which topics were created. v5 flexible, their configs (KIP-525) · v6 quota (KIP-599) · v7 topic
 * ids (KIP-516).
 */
export const createTopicsResponse = message(
  'CreateTopicsResponse',
  { apiKey: 19, versions: '2-7', flexible: '5+' },
  {
    throttleTimeMs: int32({ ignorable: true }),
    topics: array({
      name: string(),
      topicId: uuid({ versions: '7+', ignorable: true }),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+', ignorable: true }),
      topicConfigErrorCode: int16({ versions: '5+', tag: 0, ignorable: true }),
      numPartitions: int32({ versions: '5+', default: -1, ignorable: true }),
      replicationFactor: int16({ versions: '5+', default: -1, ignorable: true }),
      configs: array(
        {
          name: string(),
          value: string({ nullable: '5+' }),
          readOnly: bool(),
          configSource: int8({ default: -1, ignorable: true }),
          isSensitive: bool(),
        },
        { versions: '5+', nullable: '5+', ignorable: true },
      ),
    }),
  },
)
export type CreateTopicsResponse = Outgoing<typeof createTopicsResponse>
