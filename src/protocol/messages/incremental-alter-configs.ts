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

/** IncrementalAlterConfigsRequest. */
export const incrementalAlterConfigsRequest = message(
  'IncrementalAlterConfigsRequest',
  { apiKey: 44, versions: '0-1', flexible: '1+' },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        configOperation: int8(),
        value: string({ nullable: '0+' }),
      }),
    }),
    validateOnly: bool(),
  },
)
export type IncrementalAlterConfigsRequest = Incoming<typeof incrementalAlterConfigsRequest>

/** IncrementalAlterConfigsResponse. */
export const incrementalAlterConfigsResponse = message(
  'IncrementalAlterConfigsResponse',
  { apiKey: 44, versions: '0-1', flexible: '1+' },
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
export type IncrementalAlterConfigsResponse = Outgoing<typeof incrementalAlterConfigsResponse>
