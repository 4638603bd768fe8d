import {
  array,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** Deletes the ACLs that filters match (KIP-140). v1 prefixed names (KIP-290) · v2 flexible. */
export const deleteAclsRequest = message(
  'DeleteAclsRequest',
  { apiKey: 31, versions: '1-3', flexible: '2+' },
  {
    filters: array({
      resourceTypeFilter: int8(),
      resourceNameFilter: string({ nullable: '0+' }),
      patternTypeFilter: int8({ default: 3 }),
      principalFilter: string({ nullable: '0+' }),
      hostFilter: string({ nullable: '0+' }),
      operation: int8(),
      permissionType: int8(),
    }),
  },
)
export type DeleteAclsRequest = Incoming<typeof deleteAclsRequest>

/** The ACLs that were deleted (KIP-140). v1 prefixed names (KIP-290) · v2 flexible. */
export const deleteAclsResponse = message(
  'DeleteAclsResponse',
  { apiKey: 31, versions: '1-3', flexible: '2+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    filterResults: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      matchingAcls: array({
        errorCode: int16(),
        errorMessage: string({ nullable: '0+' }),
        resourceType: int8(),
        resourceName: string(),
        patternType: int8({ default: 3 }),
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
)
export type DeleteAclsResponse = Outgoing<typeof deleteAclsResponse>
