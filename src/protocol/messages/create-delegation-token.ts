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

/** Asks for a delegation token (KIP-48). v2 flexible · v3 for somebody else (KIP-373). */
export const createDelegationTokenRequest = message(
  'CreateDelegationTokenRequest',
  { apiKey: 38, versions: '1-3', flexible: '2+' },
  {
    ownerPrincipalType: string({ versions: '3+', nullable: '3+' }),
    ownerPrincipalName: string({ versions: '3+', nullable: '3+' }),
    renewers: array({
      principalType: string(),
      principalName: string(),
    }),
    maxLifetimeMs: int64({ clamped: true }),
  },
)
export type CreateDelegationTokenRequest = Incoming<typeof createDelegationTokenRequest>

/** The token and its secret (KIP-48). v2 flexible · v3 who asked (KIP-373). */
export const createDelegationTokenResponse = message(
  'CreateDelegationTokenResponse',
  { apiKey: 38, versions: '1-3', flexible: '2+' },
  {
    errorCode: int16(),
    principalType: string(),
    principalName: string(),
    tokenRequesterPrincipalType: string({ versions: '3+' }),
    tokenRequesterPrincipalName: string({ versions: '3+' }),
    issueTimestampMs: int64(),
    expiryTimestampMs: int64(),
    maxTimestampMs: int64(),
    tokenId: string(),
    hmac: bytes(),
    throttleTimeMs: int32({ default: 0 }),
  },
)
export type CreateDelegationTokenResponse = Outgoing<typeof createDelegationTokenResponse>
