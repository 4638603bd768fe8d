/** Where a client begins: addresses as people write them. */
import type { Address } from './cluster.ts'

/** An option of a client that cannot be used; the message says what would do. */
export class OptionError extends Error {
  override readonly name = 'OptionError'
  readonly code = 'BAD_OPTION'
  readonly retriable = false
  /** As it is called in the options. */
  readonly option: string

  constructor(option: string, message: string) {
    super(`${option}: ${message}`)
    this.option = option
  }
}

const defaultPort = 9092

/**
 * The addresses of `'a:9092,b'`, `['a:9092', '[::1]:9093']`; without a port 9092. Throws OptionError
 * for what is none, and for an empty list.
 */
export function bootstrapAddresses(bootstrap: string | readonly string[]): readonly Address[] {
  const texts = typeof bootstrap === 'string' ? bootstrap.split(',') : bootstrap
  if (!Array.isArray(texts) || texts.length === 0) {
    throw new OptionError('bootstrap', `give at least one broker, as 'localhost:${defaultPort}'`)
  }
  return texts.map(addressOf)
}

function addressOf(given: unknown): Address {
  const text = typeof given === 'string' ? given.trim() : ''
  const match = /^(?:\[([0-9a-f:.%\w]+)\]|([^\s:/[\]]+))(?::(\d{1,5}))?$/iu.exec(text)
  const port = Number(match?.[3] ?? defaultPort)
  if (match !== null && port >= 1 && port <= 65_535) {
    return { host: match[1] ?? match[2]!, port }
  }
  throw new OptionError('bootstrap', `'${given}' is no address: ${adviceFor(text)}`)
}

function adviceFor(text: string): string {
  if (text === '') return 'there is nothing where one should be'
  if (text.includes('://'))
    return `write HOST:PORT, without ${text.slice(0, text.indexOf('://') + 3)}`
  if (/^[0-9a-f:.]*:[0-9a-f:.]*:/iu.test(text)) return 'write an IPv6 address as [ADDRESS]:PORT'
  return 'write HOST:PORT, with a port from 1 to 65535'
}
