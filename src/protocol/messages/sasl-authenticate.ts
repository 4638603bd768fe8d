import { bytes, type Incoming, int16, int64, message, type Outgoing, string } from '../schema.ts'

/** SaslAuthenticateRequest. */
export const saslAuthenticateRequest = message(
  'SaslAuthenticateRequest',
  { apiKey: 36, versions: '0-2', flexible: '2+' },
  {
    authBytes: bytes(),
  },
)
export type SaslAuthenticateRequest = Incoming<typeof saslAuthenticateRequest>

/** SaslAuthenticateResponse. */
export const saslAuthenticateResponse = message(
  'SaslAuthenticateResponse',
  { apiKey: 36, versions: '0-2', flexible: '2+' },
  {
    errorCode: int16(),
    errorMessage: string({ nullable: '0+' }),
    authBytes: bytes(),
    sessionLifetimeMs: int64({ versions: '1+', default: 0, ignorable: true }),
  },
)
export type SaslAuthenticateResponse = Outgoing<typeof saslAuthenticateResponse>
