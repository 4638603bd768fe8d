/** What the codecs throw, and how native libraries come in. */
import { createRequire } from 'node:module'
import { KafkaError } from '../errors.ts'

/** The compressed bytes are malformed. */
export class CodecError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'CodecError'
  }
}

/** The compressed bytes expand beyond the bound. */
export class ExpansionError extends Error {
  constructor(maxBytes: number) {
    super(`it expands to more than ${maxBytes} bytes`)
    this.name = 'ExpansionError'
  }
}

/** Loads an addon. Throws UNSUPPORTED_COMPRESSION_TYPE where it has no binary for the platform. */
export function loadAddon<Module>(name: string): Module {
  try {
    return createRequire(import.meta.url)(name) as Module
  } catch {
    throw new KafkaError('UNSUPPORTED_COMPRESSION_TYPE', `${name} has no binary for this platform`)
  }
}
