/** From stored bytes to what the user asked for: deserializers, interceptors, and who decides on failures. */
import { type StandardSchema, serializers } from '../serializers.ts'
import { type DamagedBatchError, DecodeError } from './errors.ts'
import { type Bytes, Message, type MessageHeaders } from './message.ts'
import type { ConsumerInterceptor, OnDecodeError } from './options.ts'

/** Where the bytes were, for deserializers. */
export interface DecodeContext {
  readonly topic: string
  readonly headers: MessageHeaders
}

/** Makes a key or a value of stored bytes; throws to refuse them. */
export type Decode<T> = (bytes: Bytes, context: DecodeContext) => T

/**
 * How keys or values are read: a function, an object that deserializes (such as those of `serializers`),
 * or a Standard Schema (Zod, Valibot, ArkType …), which stands for JSON that it validates. What is
 * stored as null is null to each of them: let a schema allow it where there may be none.
 */
export type Decoder<T> =
  | Decode<T>
  | { deserialize(this: void, bytes: Bytes): T }
  | StandardSchema<unknown, T>

const storedNull = Buffer.from('null')

/** The function that a decoder stands for. */
export function decodeOf<T>(decoder: Decoder<T>): Decode<T> {
  // A schema may be a function too (ArkType's are).
  if ('~standard' in decoder) {
    const { deserialize } = serializers.json(decoder)
    return bytes => deserialize(bytes ?? storedNull) as T
  }
  return typeof decoder === 'function' ? decoder : decoder.deserialize
}

export interface DecodingOptions<K, V> {
  readonly key: Decoder<K> | undefined
  readonly value: Decoder<V> | undefined
  readonly interceptors: readonly ConsumerInterceptor<K, V>[]
  readonly onDecodeError: OnDecodeError
  /** Told of each message or batch that is skipped. */
  readonly onSkipped: (error: DecodeError | DamagedBatchError) => void
}

export class Decoding<K, V> {
  readonly #options: DecodingOptions<K, V>
  readonly #key: Decode<K> | undefined
  readonly #value: Decode<V> | undefined
  readonly #isPlain: boolean

  constructor(options: DecodingOptions<K, V>) {
    this.#options = options
    const { key, value, interceptors } = options
    this.#key = key && decodeOf(key)
    this.#value = value && decodeOf(value)
    this.#isPlain = key === undefined && value === undefined && interceptors.length === 0
  }

  /** Undefined: it is skipped. Throws DecodeError, or what an interceptor throws. */
  decode(stored: Message): Message<unknown, unknown> | undefined {
    if (this.#isPlain) return stored
    const { interceptors } = this.#options
    const key = this.#key
    const value = this.#value
    let message: Message<unknown, unknown>
    try {
      message = new Message<unknown, unknown>(
        stored.topic,
        stored.partition,
        stored.offset,
        stored.timestamp,
        key === undefined ? stored.key : decoded(stored, 'key', key),
        value === undefined ? stored.value : decoded(stored, 'value', value),
        stored.headers,
        stored.leaderEpoch,
      )
    } catch (error) {
      if (error instanceof DecodeError && this.skips(error)) return undefined
      throw error
    }
    for (const interceptor of interceptors) {
      message = interceptor.onMessage?.(message as Message<K, V>) ?? message
    }
    return message
  }

  /** Asks the user; true: go on behind it. */
  skips(error: DecodeError | DamagedBatchError): boolean {
    const { onDecodeError, onSkipped } = this.#options
    const answer = typeof onDecodeError === 'function' ? onDecodeError(error) : onDecodeError
    if (answer === 'skip') onSkipped(error)
    return answer === 'skip'
  }
}

function decoded<T>(stored: Message, field: 'key' | 'value', decode: Decode<T>): T {
  try {
    return decode(stored[field], stored)
  } catch (cause) {
    throw new DecodeError(stored, field, stored, cause)
  }
}
