/** What the codecs throw, and how native libraries come in. */
import { requireAddon } from '../../base/addon.ts'
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

/** Loads an addon. Throws UNSUPPORTED_COMPRESSION_TYPE where it is missing. */
export function loadAddon<Module>(name: string): Module {
  try {
    return requireAddon<Module>(name)
  } catch {
    throw new KafkaError(
      'UNSUPPORTED_COMPRESSION_TYPE',
      `${name} is not installed (beside a bundle: npm install ${name}), or has no binary here`,
    )
  }
}
