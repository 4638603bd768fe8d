import {
  array,
  bool,
  type Incoming,
  int8,
  int16,
  int32,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/**
 * Replaces all configs of a resource (KIP-133); IncrementalAlterConfigs is the better one. v2
 * flexible.
 */
export const alterConfigsRequest = message(
  'AlterConfigsRequest',
  { apiKey: 33, versions: '0-2', flexible: '2+' },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        value: string({ nullable: '0+' }),
      }),
    }),
    validateOnly: bool(),
  },
)
export type AlterConfigsRequest = Incoming<typeof alterConfigsRequest>

/** Whether each resource was changed (KIP-133). v2 flexible. */
export const alterConfigsResponse = message(
  'AlterConfigsResponse',
  { apiKey: 33, versions: '0-2', flexible: '2+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    responses: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      resourceType: int8(),
      resourceName: string(),
    }),
  },
)
export type AlterConfigsResponse = Outgoing<typeof alterConfigsResponse>
