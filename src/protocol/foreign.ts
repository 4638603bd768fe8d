/**
 * Other protocols by their first bytes. Where a Kafka frame should begin, their text reads as an
 * absurd size; who sees that can say what really came.
 */

export type ForeignProtocol = 'TLS' | 'HTTP' | 'SSH'

const verbs = ['HTTP', 'GET ', 'HEAD', 'POST', 'PUT ', 'DELE', 'OPTI', 'PATC', 'CONN', 'PRI ']

/** What begins with these bytes, of which the first four are looked at; undefined when unknown. */
export function foreignProtocol(first: Uint8Array): ForeignProtocol | undefined {
  const [type = 0, major = 0, minor = 255] = first
  // A record of TLS 1.x: alert or handshake, then a version from 3.0 on.
  if ((type === 0x15 || type === 0x16) && major === 3 && minor <= 4) return 'TLS'
  const text = String.fromCharCode(...first.subarray(0, 4))
  if (verbs.includes(text)) return 'HTTP'
  return text === 'SSH-' ? 'SSH' : undefined
}
