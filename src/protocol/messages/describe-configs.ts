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

/** DescribeConfigsRequest. */
export const describeConfigsRequest = message(
  'DescribeConfigsRequest',
  { apiKey: 32, versions: '1-4', flexible: '4+' },
  {
    resources: array({
      resourceType: int8(),
      resourceName: string(),
      configurationKeys: array(string(), { nullable: '0+' }),
    }),
    includeSynonyms: bool({ default: false }),
    includeDocumentation: bool({ versions: '3+', default: false }),
  },
)
export type DescribeConfigsRequest = Incoming<typeof describeConfigsRequest>

/** DescribeConfigsResponse. */
export const describeConfigsResponse = message(
  'DescribeConfigsResponse',
  { apiKey: 32, versions: '1-4', flexible: '4+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      resourceType: int8(),
      resourceName: string(),
      configs: array({
        name: string(),
        value: string({ nullable: '0+' }),
        readOnly: bool(),
        configSource: int8({ default: -1, ignorable: true }),
        isSensitive: bool(),
        synonyms: array(
          {
            name: string(),
            value: string({ nullable: '0+' }),
            source: int8(),
          },
          { ignorable: true },
        ),
        configType: int8({ versions: '3+', default: 0, ignorable: true }),
        documentation: string({ versions: '3+', nullable: '0+', ignorable: true }),
      }),
    }),
  },
)
export type DescribeConfigsResponse = Outgoing<typeof describeConfigsResponse>
