import type { Fields, IncomingFields, Message, OutgoingFields } from './schema.ts'

export { DecodeError } from './reader.ts'
export { EncodeError } from './writer.ts'

export interface DecodeOptions {
  /** Every int64 is a bigint, whatever its declaration says. */
  readonly exact?: boolean
}

/** Decodes `bytes` from `offset` to their end. Throws DecodeError, also on trailing bytes. */
export function decode<F extends Fields>(
  message: Message<F>,
  version: number,
  bytes: Uint8Array,
  offset = 0,
  options: DecodeOptions = {},
): IncomingFields<F> {
  throw new Error(`not yet ${message.name} ${version} ${bytes} ${offset} ${options}`)
}

/**
 * Encodes to a list of chunks to be sent one after the other; large bytes and records are
 * referenced, not copied. Throws EncodeError.
 */
export function encode<F extends Fields>(
  message: Message<F>,
  version: number,
  value: OutgoingFields<F>,
): Uint8Array[] {
  throw new Error(`not yet ${message.name} ${version} ${value}`)
}
