import { bytes, type Incoming, int16, int32, int64, message, type Outgoing } from '../schema.ts'

/** Lets a delegation token live longer (KIP-48). v2 flexible. */
export const renewDelegationTokenRequest = message(
  'RenewDelegationTokenRequest',
  { apiKey: 39, versions: '1-2', flexible: '2+' },
  {
    hmac: bytes(),
    renewPeriodMs: int64({ clamped: true }),
  },
)
export type RenewDelegationTokenRequest = Incoming<typeof renewDelegationTokenRequest>

/** Until when it lives now (KIP-48). v2 flexible. */
export const renewDelegationTokenResponse = message(
  'RenewDelegationTokenResponse',
  { apiKey: 39, versions: '1-2', flexible: '2+' },
  {
    errorCode: int16(),
    expiryTimestampMs: int64(),
    throttleTimeMs: int32({ default: 0 }),
  },
)
export type RenewDelegationTokenResponse = Outgoing<typeof renewDelegationTokenResponse>
