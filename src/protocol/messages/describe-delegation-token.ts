import {
  array,
  bytes,
  type Incoming,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
} from '../schema.ts'

/** Asks for the delegation tokens of owners (KIP-48). v2 flexible. */
export const describeDelegationTokenRequest = message(
  'DescribeDelegationTokenRequest',
  { apiKey: 41, versions: '1-3', flexible: '2+' },
  {
    owners: array(
      {
        principalType: string(),
        principalName: string(),
      },
      { nullable: '0+' },
    ),
  },
)
export type DescribeDelegationTokenRequest = Incoming<typeof describeDelegationTokenRequest>

/** Delegation tokens (KIP-48). v2 flexible · v3 who asked for them (KIP-373). */
export const describeDelegationTokenResponse = message(
  'DescribeDelegationTokenResponse',
  { apiKey: 41, versions: '1-3', flexible: '2+' },
  {
    errorCode: int16(),
    tokens: array({
      principalType: string(),
      principalName: string(),
      tokenRequesterPrincipalType: string({ versions: '3+' }),
      tokenRequesterPrincipalName: string({ versions: '3+' }),
      issueTimestamp: int64(),
      expiryTimestamp: int64(),
      maxTimestamp: int64(),
      tokenId: string(),
      hmac: bytes(),
      renewers: array({
        principalType: string(),
        principalName: string(),
      }),
    }),
    throttleTimeMs: int32({ default: 0 }),
  },
)
export type DescribeDelegationTokenResponse = Outgoing<typeof describeDelegationTokenResponse>
