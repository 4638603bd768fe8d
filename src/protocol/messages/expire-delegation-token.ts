import { bytes, type Incoming, int16, int32, int64, message, type Outgoing } from '../schema.ts'

/** Ends a delegation token, now or at a time (KIP-48). v2 flexible. */
export const expireDelegationTokenRequest = message(
  'ExpireDelegationTokenRequest',
  { apiKey: 40, versions: '1-2', flexible: '2+' },
  {
    hmac: bytes(),
    expiryTimePeriodMs: int64({ clamped: true }),
  },
)
export type ExpireDelegationTokenRequest = Incoming<typeof expireDelegationTokenRequest>

/** Until when it lives now (KIP-48). v2 flexible. */
export const expireDelegationTokenResponse = message(
  'ExpireDelegationTokenResponse',
  { apiKey: 40, versions: '1-2', flexible: '2+' },
  {
    errorCode: int16(),
    expiryTimestampMs: int64(),
    throttleTimeMs: int32({ default: 0 }),
  },
)
export type ExpireDelegationTokenResponse = Outgoing<typeof expireDelegationTokenResponse>
