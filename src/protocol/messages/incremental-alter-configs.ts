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

/** Sets, deletes, appends to and subtracts from single configs (KIP-339). v1 flexible. */
export const incrementalAlterConfigsRequest = message(
  'IncrementalAlterConfigsRequest',
  { apiKey: 44, versions: '0-1', flexible: '1+' },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        configOperation: int8(), // 0 set, 1 delete, 2 append, 3 subtract
        value: string({ nullable: '0+' }),
      }),
    }),
    validateOnly: bool(),
  },
)
export type IncrementalAlterConfigsRequest = Incoming<typeof incrementalAlterConfigsRequest>

/** Whether each resource was changed (KIP-339). v1 flexible. */
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
