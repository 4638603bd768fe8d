import { array, type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/**
 * Takes members out of a classic group. v3 several, static ones too (KIP-345) · v4 flexible · v5
 * reason (KIP-800).
 */
export const leaveGroupRequest = message(
  'LeaveGroupRequest',
  { apiKey: 13, versions: '0-5', flexible: '4+' },
  {
    groupId: string(),
    memberId: string({ versions: '0-2' }),
    members: array(
      {
        memberId: string(),
        groupInstanceId: string({ nullable: '3+', default: null }),
        reason: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
      },
      { versions: '3+' },
    ),
  },
)
export type LeaveGroupRequest = Incoming<typeof leaveGroupRequest>

/** Which members have left. v3 one answer each (KIP-345) · v4 flexible. */
export const leaveGroupResponse = message(
  'LeaveGroupResponse',
  { apiKey: 13, versions: '0-5', flexible: '4+' },
  {
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16(),
    members: array(
      {
        memberId: string(),
        groupInstanceId: string({ nullable: '3+' }),
        errorCode: int16(),
      },
      { versions: '3+' },
    ),
  },
)
export type LeaveGroupResponse = Outgoing<typeof leaveGroupResponse>
