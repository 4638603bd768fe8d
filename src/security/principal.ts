/** In whose name requests are made. */
import { decode, encode } from '../protocol/compile.ts'
import { defaultPrincipalData } from '../protocol/messages/principal-data.ts'

/** Who a client proved to be. */
export interface Principal {
  readonly type: string
  readonly name: string
}

/** Whoever came without authentication. */
export const anonymous: Principal = { type: 'User', name: 'ANONYMOUS' }

/** Of the serialized form: it begins with it. */
const version = 0

/** As Kafka's default principals are serialized for a forwarded request (KIP-590). */
export function encodePrincipal(principal: Principal): Uint8Array {
  const fields = { ...principal, tokenAuthenticated: false }
  return Buffer.concat([
    Uint8Array.of(0, version),
    ...encode(defaultPrincipalData, version, fields),
  ])
}

/** Throws DecodeError, and RangeError for another version. */
export function decodePrincipal(bytes: Uint8Array): Principal {
  const found = ((bytes[0] ?? 0) << 8) | (bytes[1] ?? 0)
  if (found !== version) throw new RangeError(`a principal of version ${found}`)
  const { type, name } = decode(defaultPrincipalData, version, bytes, 2)
  return { type, name }
}
