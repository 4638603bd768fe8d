/** The settings of a producer, checked and complete. */
import { type Compression, compressions } from '../../protocol/records/batch.ts'
import { compress } from '../../protocol/records/compression.ts'
import { type Serializer, serializerOf } from '../serializers.ts'
import { ProducerStateError } from './errors.ts'
import type { Partitioner, ProducerInterceptor, ProducerSettings } from './options.ts'

/** All of `ProducerSettings`. `key` and `value` undefined: text and bytes as they are. */
export interface Settings<K, V> extends DeliverySettings {
  readonly key: Serializer<K> | undefined
  readonly value: Serializer<V> | undefined
  readonly interceptors: readonly ProducerInterceptor<K, V>[]
}

/** Those that do not know what records are made of. */
export interface DeliverySettings {
  readonly acks: -1 | 0 | 1
  readonly isIdempotent: boolean
  readonly deliveryTimeoutMs: number
  readonly compression: Compression
  readonly compressionLevel: number | undefined
  readonly lingerMs: number
  readonly batchBytes: number
  readonly maxRequestBytes: number
  readonly bufferBytes: number
  readonly maxInFlight: number
  readonly partitioner: Partitioner | undefined
}

const acksOf = { all: -1, 1: 1, 0: 0 } as const
const mebibyte = 1024 * 1024

/** Throws ProducerStateError BAD_OPTION. */
export function settingsOf<K, V>(options: ProducerSettings<K, V>): Settings<K, V> {
  const { acks = 'all', compression = 'none', compressionLevel } = options
  if (!Object.hasOwn(acksOf, acks)) throw wrong(`acks is ${acks}: it is 'all', 1 or 0`)
  const isIdempotent = options.idempotent ?? acks === 'all'
  if (isIdempotent && acks !== 'all') {
    throw wrong(`idempotent needs acks 'all': with ${acks} what is acknowledged may be lost`)
  }
  checkCompression(compression, compressionLevel)
  const bufferBytes = number('bufferBytes', options.bufferBytes, 32 * mebibyte, 1024)
  const maxRequestBytes = number(
    'maxRequestBytes',
    options.maxRequestBytes,
    Math.min(mebibyte, bufferBytes),
    1024,
  )
  if (maxRequestBytes > bufferBytes) {
    throw wrong(`maxRequestBytes is ${maxRequestBytes}, above bufferBytes, ${bufferBytes}`)
  }
  const deliveryTimeoutMs = number('deliveryTimeoutMs', options.deliveryTimeoutMs, 120_000, 1)
  const batchBytes = number('batchBytes', options.batchBytes, mebibyte / 4, 0)
  return {
    acks: acksOf[acks],
    isIdempotent,
    deliveryTimeoutMs,
    compression,
    compressionLevel,
    lingerMs: Math.min(number('lingerMs', options.lingerMs, 0, 0), deliveryTimeoutMs / 2),
    batchBytes: Math.min(batchBytes, maxRequestBytes),
    maxRequestBytes,
    bufferBytes,
    maxInFlight: number('maxInFlight', options.maxInFlight, 5, 1),
    partitioner: options.partitioner,
    key: options.key === undefined ? undefined : serializerOf(options.key),
    value: options.value === undefined ? undefined : serializerOf(options.value),
    interceptors: options.interceptors ?? [],
  }
}

function number(name: string, given: number | undefined, byDefault: number, least: number): number {
  const value: unknown = given ?? byDefault
  if (typeof value === 'number' && value >= least && value < 2 ** 31) return value
  throw wrong(`${name} is ${value}: it goes from ${least} to 2147483647`)
}

/** A level that the library refuses would fail every batch. */
function checkCompression(compression: Compression, level: number | undefined): void {
  if (!compressions.includes(compression)) {
    throw wrong(`no compression ${compression}: there are ${compressions.join(', ')}`)
  }
  try {
    compress(compression, new Uint8Array(1), level)
  } catch (error) {
    const { message } = error as Error
    const what = level === undefined ? 'does not work here' : `has no compressionLevel ${level}`
    throw wrong(`${compression} ${what}: ${message}`)
  }
}

function wrong(message: string): ProducerStateError {
  return new ProducerStateError('BAD_OPTION', message)
}
