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

/** Asks for the names of what has configs. v0 client metrics only · v1 any type (KIP-1142). */
export const listConfigResourcesRequest = message(
  'ListConfigResourcesRequest',
  { apiKey: 74, versions: '0-1', flexible: '0+' },
  {
    resourceTypes: array(int8(), { versions: '1+' }),
  },
)
export type ListConfigResourcesRequest = Incoming<typeof listConfigResourcesRequest>

/** Names of what has configs. v1 their types (KIP-1142). */
export const listConfigResourcesResponse = message(
  'ListConfigResourcesResponse',
  { apiKey: 74, versions: '0-1', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    configResources: array({
      resourceName: string(),
      resourceType: int8({ versions: '1+', default: 16, ignorable: true }),
    }),
  },
)
export type ListConfigResourcesResponse = Outgoing<typeof listConfigResourcesResponse>
