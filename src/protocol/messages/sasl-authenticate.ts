import { bytes, type Incoming, int16, int64, message, type Outgoing, string } from '../schema.ts'

/** One token of the SASL exchange (KIP-152). v2 flexible. */
export const saslAuthenticateRequest = message(
  'SaslAuthenticateRequest',
  { apiKey: 36, versions: '0-2', flexible: '2+' },
  {
    authBytes: bytes(),
  },
)
export type SaslAuthenticateRequest = Incoming<typeof saslAuthenticateRequest>

/** The token to answer with (KIP-152). v1 when to authenticate again (KIP-368) · v2 flexible. */
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
