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

/** Creates ACLs (KIP-140). v1 prefixed names (KIP-290) · v2 flexible. */
export const createAclsRequest = message(
  'CreateAclsRequest',
  { apiKey: 30, versions: '1-3', flexible: '2+' },
  {
    creations: array({
      resourceType: int8(),
      resourceName: string(),
      resourcePatternType: int8({ default: 3 }),
      principal: string(),
      host: string(),
      operation: int8(),
      permissionType: int8(),
    }),
  },
)
export type CreateAclsRequest = Incoming<typeof createAclsRequest>

/** Whether each was created (KIP-140). v2 flexible. */
export const createAclsResponse = message(
  'CreateAclsResponse',
  { apiKey: 30, versions: '1-3', flexible: '2+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
    }),
  },
)
export type CreateAclsResponse = Outgoing<typeof createAclsResponse>
