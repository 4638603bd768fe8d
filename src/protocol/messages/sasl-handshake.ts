import { array, type Incoming, int16, message, type Outgoing, string } from '../schema.ts'

/** SaslHandshakeRequest. */
export const saslHandshakeRequest = message(
  'SaslHandshakeRequest',
  { apiKey: 17, versions: '0-1', flexible: 'none' },
  {
    mechanism: string(),
  },
)
export type SaslHandshakeRequest = Incoming<typeof saslHandshakeRequest>

/** SaslHandshakeResponse. */
export const saslHandshakeResponse = message(
  'SaslHandshakeResponse',
  { apiKey: 17, versions: '0-1', flexible: 'none' },
  {
    errorCode: int16(),
    mechanisms: array(string()),
  },
)
export type SaslHandshakeResponse = Outgoing<typeof saslHandshakeResponse>
