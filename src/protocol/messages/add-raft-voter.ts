import {
  array,
  bool,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
  uint16,
  uuid,
} from '../schema.ts'

/** Adds a voter to the KRaft quorum (KIP-853). */
export const addRaftVoterRequest = message(
  'AddRaftVoterRequest',
  { apiKey: 80, versions: '0-1', flexible: '0+' },
  {
    clusterId: string({ nullable: '0+' }),
    timeoutMs: int32(),
    voterId: int32(),
    voterDirectoryId: uuid(),
    listeners: array({
      name: string(),
      host: string(),
      port: uint16(),
    }),
    ackWhenCommitted: bool({ versions: '1+', default: true }),
  },
)
export type AddRaftVoterRequest = Incoming<typeof addRaftVoterRequest>

/** Whether it is added (KIP-853). */
export const addRaftVoterResponse = message(
  'AddRaftVoterResponse',
  { apiKey: 80, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', ignorable: true }),
  },
)
export type AddRaftVoterResponse = Outgoing<typeof addRaftVoterResponse>
