import type { Random } from '../io/io.ts'

/** A topic, cluster or incarnation id: 128 random bits as 22 characters, never a reserved id (KIP-516). */
export function randomId(random: Random): string {
  const bytes = Buffer.from(random.bytes(16))
  // The first character is a letter then: a '-' in front looks like an option to command lines.
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.toString('base64url')
}
