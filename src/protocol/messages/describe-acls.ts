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

/** Asks for the ACLs that a filter matches (KIP-140). v1 prefixed names (KIP-290) · v2 flexible. */
export const describeAclsRequest = message(
  'DescribeAclsRequest',
  { apiKey: 29, versions: '1-3', flexible: '2+' },
  {
    resourceTypeFilter: int8(),
    resourceNameFilter: string({ nullable: '0+' }),
    patternTypeFilter: int8({ default: 3 }),
    principalFilter: string({ nullable: '0+' }),
    hostFilter: string({ nullable: '0+' }),
    operation: int8(),
    permissionType: int8(),
  },
)
export type DescribeAclsRequest = Incoming<typeof describeAclsRequest>

/** ACLs by resource (KIP-140). v1 prefixed names (KIP-290) · v2 flexible. */
export const describeAclsResponse = message(
  'DescribeAclsResponse',
  { apiKey: 29, versions: '1-3', flexible: '2+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      patternType: int8({ default: 3 }),
      acls: array({
        principal: string(),
        host: string(),
        operation: int8(),
        permissionType: int8(),
      }),
    }),
  },
)
export type DescribeAclsResponse = Outgoing<typeof describeAclsResponse>
