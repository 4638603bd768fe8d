import { type Incoming, int16, int32, message, type Outgoing, string, uuid } from '../schema.ts'

/** Removes a voter from the KRaft quorum (KIP-853). */
export const removeRaftVoterRequest = message(
  'RemoveRaftVoterRequest',
  { apiKey: 81, versions: '0', flexible: '0+' },
  {
    clusterId: string({ nullable: '0+' }),
    voterId: int32(),
    voterDirectoryId: uuid(),
  },
)
export type RemoveRaftVoterRequest = Incoming<typeof removeRaftVoterRequest>

/** Whether it is removed (KIP-853). */
export const removeRaftVoterResponse = message(
  'RemoveRaftVoterResponse',
  { apiKey: 81, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', ignorable: true }),
  },
)
export type RemoveRaftVoterResponse = Outgoing<typeof removeRaftVoterResponse>
