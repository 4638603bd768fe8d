import {
  array,
  bool,
  bytes,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/**
 * Joins a classic group, or rejoins. v1 rebalance timeout (KIP-62) · v4 the id comes first
 * (KIP-394) · v5 static members (KIP-345) · v6 flexible · v8 reason (KIP-800).
 */
export const joinGroupRequest = message(
  'JoinGroupRequest',
  { apiKey: 11, versions: '0-9', flexible: '6+' },
  {
    groupId: string(),
    sessionTimeoutMs: int32(),
    rebalanceTimeoutMs: int32({ versions: '1+', default: -1, ignorable: true }),
    memberId: string(),
    groupInstanceId: string({ versions: '5+', nullable: '5+', default: null }),
    protocolType: string(),
    protocols: array({
      name: string(),
      metadata: bytes(),
    }),
    reason: string({ versions: '8+', nullable: '8+', default: null, ignorable: true }),
  },
)
export type JoinGroupRequest = Incoming<typeof joinGroupRequest>

/**
 * The generation, and for its leader the members. v5 static members (KIP-345) · v6 flexible · v7
 * protocol type (KIP-559) · v9 the leader may be told to assign nothing (KIP-814).
 */
export const joinGroupResponse = message(
  'JoinGroupResponse',
  { apiKey: 11, versions: '0-9', flexible: '6+' },
  {
    throttleTimeMs: int32({ versions: '2+', ignorable: true }),
    errorCode: int16(),
    generationId: int32({ default: -1 }),
    protocolType: string({ versions: '7+', nullable: '7+', default: null, ignorable: true }),
    protocolName: string({ nullable: '7+' }),
    leader: string(),
    skipAssignment: bool({ versions: '9+', default: false }),
    memberId: string(),
    members: array({
      memberId: string(),
      groupInstanceId: string({ versions: '5+', nullable: '5+', default: null, ignorable: true }),
      metadata: bytes(),
    }),
  },
)
export type JoinGroupResponse = Outgoing<typeof joinGroupResponse>
