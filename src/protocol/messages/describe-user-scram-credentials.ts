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

/** Asks which SCRAM credentials users have (KIP-554). */
export const describeUserScramCredentialsRequest = message(
  'DescribeUserScramCredentialsRequest',
  { apiKey: 50, versions: '0', flexible: '0+' },
  {
    users: array(
      {
        name: string(),
      },
      { nullable: '0+' },
    ),
  },
)
export type DescribeUserScramCredentialsRequest = Incoming<
  typeof describeUserScramCredentialsRequest
>

/** Mechanisms and iterations by user, never the secret (KIP-554). */
export const describeUserScramCredentialsResponse = message(
  'DescribeUserScramCredentialsResponse',
  { apiKey: 50, versions: '0', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    results: array({
      user: string(),
      errorCode: int16(),
      errorMessage: string({ nullable: '0+' }),
      credentialInfos: array({
        mechanism: int8(),
        iterations: int32(),
      }),
    }),
  },
)
export type DescribeUserScramCredentialsResponse = Outgoing<
  typeof describeUserScramCredentialsResponse
>
