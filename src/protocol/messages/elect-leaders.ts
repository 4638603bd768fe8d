import {
  array,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** Elects the preferred leaders (KIP-183). v1 or unclean ones (KIP-460) · v2 flexible. */
export const electLeadersRequest = message(
  'ElectLeadersRequest',
  { apiKey: 43, versions: '0-2', flexible: '2+' },
  {
    electionType: int8({ versions: '1+' }),
    topicPartitions: array(
      {
        topic: string(),
        partitions: array(int32()),
      },
      { nullable: '0+' },
    ),
    timeoutMs: int32({ default: 60000 }),
  },
)
export type ElectLeadersRequest = Incoming<typeof electLeadersRequest>

/** How each election went (KIP-183). v2 flexible. */
export const electLeadersResponse = message(
  'ElectLeadersResponse',
  { apiKey: 43, versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16({ versions: '1+' }),
    replicaElectionResults: array({
      topic: string(),
      partitionResult: array({
        partitionId: int32(),
        errorCode: int16(),
        errorMessage: string({ nullable: '0+' }),
      }),
    }),
  },
)
export type ElectLeadersResponse = Outgoing<typeof electLeadersResponse>
