import { type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/** Keeps a member in a classic group. v3 static members (KIP-345) · v4 flexible. */
export const heartbeatRequest = message(
  'HeartbeatRequest',
  { apiKey: 12, versions: '0-4', flexible: '4+' },
  {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
  },
)
export type HeartbeatRequest = Incoming<typeof heartbeatRequest>

/** Whether the member is still in the group or has to join again. v4 flexible. */
export const heartbeatResponse = message(
  'HeartbeatResponse',
  { apiKey: 12, versions: '0-4', flexible: '4+' },
  {
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16(),
  },
)
export type HeartbeatResponse = Outgoing<typeof heartbeatResponse>
