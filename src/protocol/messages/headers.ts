import { type Incoming, int16, int32, message, string } from '../schema.ts'

/**
 * What every request starts with. v2 adds tagged fields; the client id keeps its old form
 * (KIP-482).
 */
export const requestHeader = message(
  'RequestHeader',
  { type: 'header', versions: '1-2', flexible: '2+' },
  {
    requestApiKey: int16(),
    requestApiVersion: int16(),
    correlationId: int32(),
    clientId: string({ nullable: '1+', flexible: 'none' }),
  },
)
export type RequestHeader = Incoming<typeof requestHeader>

/** What every response starts with. v1 adds tagged fields (KIP-482); ApiVersions always has v0. */
export const responseHeader = message(
  'ResponseHeader',
  { type: 'header', versions: '0-1', flexible: '1+' },
  {
    correlationId: int32(),
  },
)
export type ResponseHeader = Incoming<typeof responseHeader>
