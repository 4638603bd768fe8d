/**
 * Keys and values between what a program works with and the bytes that are stored, both ways.
 *
 *     new Producer({ bootstrap, key: serializers.string, value: serializers.json<Order>() })
 *     new Consumer({ bootstrap, topics: 'orders', value: serializers.json<Order>().deserialize })
 *
 * A serializer never sees null nor undefined: they are stored as null (a tombstone, for a value), and
 * come back as null. With a validator of the Standard Schema (Zod, Valibot, ArkType …; accepted by its
 * shape, standardschema.dev) a value is validated before it is sent, and after it was read; what
 * the schema makes of it is what is sent, or handed out.
 */

/** What can be sent without a serializer; text is stored as UTF-8. */
export type Payload = string | Uint8Array | null | undefined

/** Makes bytes of a value; text that it returns is stored as UTF-8. What it throws rejects the send. */
export interface Serializer<in T> {
  /** Must not wait. */
  serialize(value: T, topic: string): Uint8Array | string
}

/** Makes a value of bytes; throws to refuse them. Needs no `this`. */
export interface Deserializer<out T> {
  /** `bytes` is a view that stays valid as long as it is held; null is a key or value that is not there. */
  deserialize(this: void, bytes: Uint8Array | null): T | null
}

/** Both directions. */
export interface Serde<T> extends Serializer<T>, Deserializer<T> {}

/** The part of the Standard Schema, version 1, that is used here. */
export interface StandardSchema<Input = unknown, Output = Input> {
  /** What a schema library puts there. */
  readonly '~standard': {
    readonly version: 1
    readonly vendor: string
    readonly validate: (value: unknown) => SchemaResult<Output> | Promise<SchemaResult<Output>>
    readonly types?: { readonly input: Input; readonly output: Output } | undefined
  }
}

/** What a validator answers: a value, or what is wrong. */
export type SchemaResult<Output> =
  | { readonly value: Output; readonly issues?: undefined }
  | { readonly issues: readonly SchemaIssue[] }

/** One thing that is wrong with a value. */
export interface SchemaIssue {
  /** What is wrong. */
  readonly message: string
  /** Where in the value. */
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined
}

/** A value is not what its schema says. */
export class ValidationError extends Error {
  override readonly name = 'ValidationError'
  readonly code = 'VALIDATION'
  readonly retriable = false
  /** All that is wrong. */
  readonly issues: readonly SchemaIssue[]

  constructor(issues: readonly SchemaIssue[]) {
    super(issues.map(described).join('; '))
    this.issues = issues
  }
}

/** Text as UTF-8; bytes that are not UTF-8 are read with replacement characters. */
const string: Serde<string> = {
  serialize: value => value,
  deserialize: bytes => (bytes === null ? null : decoder.decode(bytes)),
}

/** Bytes as they are. */
const bytes: Serde<Uint8Array> = {
  serialize: value => value,
  deserialize: stored => stored,
}

/**
 * JSON. `schema` validates before sending and after reading; without one `T` is a promise of the
 * caller. Serializing throws TypeError for what JSON has no form for (a function, a cycle, a bigint).
 */
function json<Input, Output>(schema: StandardSchema<Input, Output>): SchemaSerde<Input, Output>
function json<T>(schema: StandardSchema<unknown, T>): Serde<T>
function json<T = unknown>(): Serde<T>
function json(schema?: StandardSchema): SchemaSerde<unknown, unknown> {
  return {
    serialize(value) {
      const text = JSON.stringify(schema === undefined ? value : validated(schema, value))
      if (text === undefined) throw new TypeError(`JSON has no form for a ${typeof value}`)
      return text
    },
    deserialize(stored) {
      if (stored === null) return null
      const value: unknown = JSON.parse(decoder.decode(stored))
      return schema === undefined ? value : validated(schema, value)
    },
  }
}

/** What is sent may differ from what is read: a schema can fill in, drop and convert. */
export interface SchemaSerde<Input, Output> extends Serializer<Input>, Deserializer<Output> {}

/** The serializers that come with the client. */
export const serializers = { string, bytes, json } as const

/** A serializer of what an option may be; a schema alone stands for JSON of it. */
export function serializerOf<T>(given: Serializer<T> | StandardSchema<T, unknown>): Serializer<T> {
  return '~standard' in given ? json(given) : given
}

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })

function validated<Output>(schema: StandardSchema<unknown, Output>, value: unknown): Output {
  const result = schema['~standard'].validate(value)
  if (result instanceof Promise) {
    result.catch(() => {})
    throw new TypeError('the schema validates asynchronously: validate before you send')
  }
  if (result.issues !== undefined) throw new ValidationError(result.issues)
  return result.value
}

function described({ message, path }: SchemaIssue): string {
  if (path === undefined || path.length === 0) return message
  const keys = path.map(each => String(typeof each === 'object' ? each.key : each))
  return `${keys.join('.')}: ${message}`
}
