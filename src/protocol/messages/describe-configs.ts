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
 * Asks for the configs of topics, brokers or groups (KIP-133). v1 synonyms (KIP-226) · v3
 * documentation (KIP-569) · v4 flexible.
 */
export const describeConfigsRequest = message(
  'DescribeConfigsRequest',
  { apiKey: 32, versions: '1-4', flexible: '4+' },
  {
    resources: array({
      resourceType: int8(), // 2 topic, 4 broker, 8 broker logger, 16 client metrics, 32 group
      resourceName: string(),
      configurationKeys: array(string(), { nullable: '0+' }),
    }),
    includeSynonyms: bool({ default: false }),
    includeDocumentation: bool({ versions: '3+', default: false }),
  },
)
export type DescribeConfigsRequest = Incoming<typeof describeConfigsRequest>

/**
 * Configs and where they come from (KIP-133). v1 synonyms (KIP-226) · v3 types and documentation
 * (KIP-569) · v4 flexible.
 */
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
