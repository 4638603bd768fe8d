import { array, type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/** ListGroupsRequest. */
export const listGroupsRequest = message(
  'ListGroupsRequest',
  { apiKey: 16, versions: '0-5', flexible: '3+' },
  {
    statesFilter: array(string(), { versions: '4+' }),
    typesFilter: array(string(), { versions: '5+' }),
  },
)
export type ListGroupsRequest = Incoming<typeof listGroupsRequest>

/** ListGroupsResponse. */
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
