import { array, type Incoming, int16, message, type Outgoing, string } from '../schema.ts'

/** Chooses a SASL mechanism. v1: SaslAuthenticate frames follow (KIP-152). */
export const saslHandshakeRequest = message(
  'SaslHandshakeRequest',
  { apiKey: 17, versions: '0-1', flexible: 'none' },
  {
    mechanism: string(),
  },
)
export type SaslHandshakeRequest = Incoming<typeof saslHandshakeRequest>

/** The mechanisms that the listener offers. */
export const saslHandshakeResponse = message(
  'SaslHandshakeResponse',
  { apiKey: 17, versions: '0-1', flexible: 'none' },
  {
    errorCode: int16(),
    mechanisms: array(string()),
  },
)
export type SaslHandshakeResponse = Outgoing<typeof saslHandshakeResponse>
