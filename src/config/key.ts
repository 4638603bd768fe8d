/**
 * What a configuration key is: its type, default and valid values, and what it means here.
 *
 * Names, types and defaults are Kafka's. `meaning` is ours, and the promise behind it is that no
 * key is silently ignored: a key that is accepted either acts, or a notice says that it does not.
 */

export type ConfigType =
  | 'BOOLEAN'
  | 'STRING'
  | 'INT'
  | 'SHORT'
  | 'LONG'
  | 'DOUBLE'
  | 'LIST'
  | 'CLASS'
  | 'PASSWORD'

/**
 * - `acts`: this broker obeys it.
 * - `later`: it belongs to a feature that is not here yet; kept, and a notice names it.
 * - `no-meaning`: nothing here corresponds to it (JVM, KRaft, threads); a notice names it.
 * - `refused`: any value but the default, for security or durability would silently differ.
 */
export type Meaning = 'acts' | 'later' | 'no-meaning' | 'refused'

/** Inclusive bounds of a number, and single values outside them that are valid too. */
export interface Range {
  readonly min?: number
  readonly max?: number
  readonly also?: number
}

export interface ConfigKey {
  readonly name: string
  readonly type: ConfigType
  /** Kafka's text form (a list is joined by commas); null: there is none. */
  readonly defaultValue: string | null
  /** A range of numbers, or the words allowed (in a list: for each element). */
  readonly valid: Range | readonly string[] | undefined
  readonly importance: 'HIGH' | 'MEDIUM' | 'LOW'
  readonly meaning: Meaning
  /** One sentence: what it does, or why it does not act, or why it is refused. */
  readonly doc: string
  /** Whether IncrementalAlterConfigs on a broker may change it while it runs. */
  readonly dynamic: boolean
}

/** A parsed value: LIST → string[], STRING, CLASS, PASSWORD → string, BOOLEAN → boolean, else number. */
export type ConfigValue = boolean | number | string | readonly string[]

/** A value that a key does not allow; the message names the key, the value and what is valid. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const integerBounds: Record<'INT' | 'SHORT', [number, number]> = {
  INT: [-2147483648, 2147483647],
  SHORT: [-32768, 32767],
}

/**
 * Parses and checks one value. A LONG beyond 2⁵³−1 becomes the nearest safe integer ("no bound" in
 * Kafka is 2⁶³−1). Throws ConfigError.
 */
export function parseValue(key: ConfigKey, text: string): ConfigValue {
  const trimmed = text.trim()
  switch (key.type) {
    case 'BOOLEAN':
      if (/^true$/i.test(trimmed)) return true
      if (/^false$/i.test(trimmed)) return false
      throw invalid(key, text, 'say true or false')
    case 'INT':
    case 'SHORT':
    case 'LONG':
      return checkRange(key, text, parseInteger(key, key.type, trimmed))
    case 'DOUBLE': {
      const value = trimmed === '' ? Number.NaN : Number(trimmed)
      if (Number.isNaN(value)) throw invalid(key, text, 'say a number')
      return checkRange(key, text, value)
    }
    case 'LIST': {
      const list = trimmed === '' ? [] : trimmed.split(',').map(word => word.trim())
      for (const word of list) checkWord(key, text, word)
      return list
    }
    case 'STRING':
      checkWord(key, text, trimmed)
      return trimmed
    case 'CLASS':
    case 'PASSWORD':
      return text
  }
}

/** The parsed default; null when the key has none. */
export function defaultOf(key: ConfigKey): ConfigValue | null {
  return key.defaultValue === null ? null : parseValue(key, key.defaultValue)
}

/** What is valid, in Kafka's notation; '' when anything of the type is. */
export function describeValid(key: ConfigKey): string {
  const { valid } = key
  if (valid === undefined) return ''
  if (isWords(valid)) return `[${valid.join(', ')}]`
  const bounds = `[${valid.min},...${valid.max === undefined ? '' : `,${valid.max}`}]`
  return valid.also === undefined ? bounds : `${bounds} or ${valid.also}`
}

function parseInteger(key: ConfigKey, type: 'INT' | 'SHORT' | 'LONG', text: string): number {
  if (!/^[+-]?\d{1,19}$/.test(text)) throw invalid(key, text, 'say a whole number')
  const exact = BigInt(text.replace('+', ''))
  if (type === 'LONG') {
    if (exact > 2n ** 63n - 1n || exact < -(2n ** 63n)) throw invalid(key, text, 'it is too large')
    const safe = BigInt(Number.MAX_SAFE_INTEGER)
    return Number(exact > safe ? safe : exact < -safe ? -safe : exact)
  }
  const [min, max] = integerBounds[type]
  if (exact < min || exact > max) throw invalid(key, text, `it must be from ${min} to ${max}`)
  return Number(exact)
}

function checkRange(key: ConfigKey, text: string, value: number): number {
  if (key.valid === undefined || isWords(key.valid)) return value
  const { min = -Infinity, max = Infinity, also } = key.valid
  if ((value < min || value > max) && value !== also) {
    const upper = max === Infinity ? 'or more' : `to ${max}`
    const other = also === undefined ? '' : `, or ${also}`
    throw invalid(key, text, `it must be ${min} ${upper}${other}`)
  }
  return value
}

function checkWord(key: ConfigKey, text: string, word: string): void {
  if (key.valid === undefined || !isWords(key.valid) || key.valid.includes(word)) return
  throw invalid(key, text, `say ${key.type === 'LIST' ? 'some' : 'one'} of ${key.valid.join(', ')}`)
}

function isWords(valid: Range | readonly string[]): valid is readonly string[] {
  return Array.isArray(valid)
}

function invalid(key: ConfigKey, text: string, advice: string): ConfigError {
  const shown = key.type === 'PASSWORD' ? '[hidden]' : `'${text.slice(0, 200)}'`
  return new ConfigError(`invalid value ${shown} for ${key.name}: ${advice}`)
}
