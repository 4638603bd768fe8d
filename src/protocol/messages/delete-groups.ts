import { array, type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/** Deletes groups without members (KIP-229). v2 flexible. */
export const deleteGroupsRequest = message(
  'DeleteGroupsRequest',
  { apiKey: 42, versions: '0-3', flexible: '2+' },
  {
    groupsNames: array(string()),
  },
)
export type DeleteGroupsRequest = Incoming<typeof deleteGroupsRequest>

/** Whether each was deleted (KIP-229). v2 flexible. */
export const deleteGroupsResponse = message(
  'DeleteGroupsResponse',
  { apiKey: 42, versions: '0-3', flexible: '2+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      groupId: string(),
      errorCode: int16(),
      errorMessage: string({ versions: '3+', nullable: '3+', default: null, ignorable: true }),
    }),
  },
)
export type DeleteGroupsResponse = Outgoing<typeof deleteGroupsResponse>
