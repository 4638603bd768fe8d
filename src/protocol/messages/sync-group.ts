import {
  array,
  bytes,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/**
 * The leader brings the assignments, the others ask for theirs. v3 static members (KIP-345) · v4
 * flexible · v5 protocol (KIP-559).
 */
export const syncGroupRequest = message(
  'SyncGroupRequest',
  { apiKey: 14, versions: '0-5', flexible: '4+' },
  {
    groupId: string(),
    generationId: int32(),
    memberId: string(),
    groupInstanceId: string({ versions: '3+', nullable: '3+', default: null }),
    protocolType: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    protocolName: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    assignments: array({
      memberId: string(),
      assignment: bytes(),
    }),
  },
)
export type SyncGroupRequest = Incoming<typeof syncGroupRequest>

/** What the member is assigned. v4 flexible · v5 protocol (KIP-559). */
export const syncGroupResponse = message(
  'SyncGroupResponse',
  { apiKey: 14, versions: '0-5', flexible: '4+' },
  {
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16(),
    protocolType: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    protocolName: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
    assignment: bytes(),
  },
)
export type SyncGroupResponse = Outgoing<typeof syncGroupResponse>
