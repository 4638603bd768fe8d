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
 * Asks for the state of classic groups. v3 authorized operations (KIP-430) · v5 flexible · v6 an
 * absent group is an error (KIP-1043).
 */
export const describeGroupsRequest = message(
  'DescribeGroupsRequest',
  { apiKey: 15, versions: '0-6', flexible: '5+' },
  {
    groups: array(string()),
    includeAuthorizedOperations: bool({ versions: '3+' }),
  },
)
export type DescribeGroupsRequest = Incoming<typeof describeGroupsRequest>

/**
 * Classic groups and their members. v3 authorized operations (KIP-430) · v4 static members
 * (KIP-345) · v5 flexible · v6 error message (KIP-1043).
 */
export const describeGroupsResponse = message(
  'DescribeGroupsResponse',
  { apiKey: 15, versions: '0-6', flexible: '5+' },
  {
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    groups: array({
      errorCode: int16(),
      errorMessage: string({ versions: '6+', nullable: '6+', default: null }),
      groupId: string(),
      groupState: string(),
      protocolType: string(),
      protocolData: string(),
      members: array({
        memberId: string(),
        groupInstanceId: string({ versions: '4+', nullable: '4+', default: null, ignorable: true }),
        clientId: string(),
        clientHost: string(),
        memberMetadata: bytes(),
        memberAssignment: bytes(),
      }),
      authorizedOperations: int32({ versions: '3+', default: -2147483648 }),
    }),
  },
)
export type DescribeGroupsResponse = Outgoing<typeof describeGroupsResponse>
