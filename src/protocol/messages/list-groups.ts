import { array, type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/**
 * Asks for the groups that a broker coordinates. v3 flexible · v4 by state (KIP-518) · v5 by type
 * (KIP-848).
 */
export const listGroupsRequest = message(
  'ListGroupsRequest',
  { apiKey: 16, versions: '0-5', flexible: '3+' },
  {
    statesFilter: array(string(), { versions: '4+' }),
    typesFilter: array(string(), { versions: '5+' }),
  },
)
export type ListGroupsRequest = Incoming<typeof listGroupsRequest>

/** Groups by id. v3 flexible · v4 state (KIP-518) · v5 type (KIP-848). */
export const listGroupsResponse = message(
  'ListGroupsResponse',
  { apiKey: 16, versions: '0-5', flexible: '3+' },
  {
    throttleTimeMs: int32({ versions: '1+', ignorable: true }),
    errorCode: int16(),
    groups: array({
      groupId: string(),
      protocolType: string(),
      groupState: string({ versions: '4+', ignorable: true }),
      groupType: string({ versions: '5+', ignorable: true }),
    }),
  },
)
export type ListGroupsResponse = Outgoing<typeof listGroupsResponse>
