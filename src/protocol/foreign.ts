/**
 * Other protocols by their first bytes. Where a Kafka frame should begin, their text reads as an
 * absurd size; who sees that can say what really came.
 */

export type ForeignProtocol = 'TLS' | 'HTTP' | 'SSH'

const beginnings: readonly (readonly [ForeignProtocol, RegExp])[] = [
  // A record of TLS 1.x: alert or handshake, then the version 3.1 to 3.4.
  ['TLS', /^[\x15\x16]\x03[\x00-\x04]/],
  ['HTTP', /^(?:HTTP|GET |HEAD|POST|PUT |DELE|OPTI|PATC|CONN|PRI )/],
  ['SSH', /^SSH-/],
]

/** What begins with these bytes, of which the first four are looked at; undefined when unknown. */
export function foreignProtocol(first: Uint8Array): ForeignProtocol | undefined {
  const text = String.fromCharCode(...first.subarray(0, 4))
  return beginnings.find(([, pattern]) => pattern.test(text))?.[0]
}
