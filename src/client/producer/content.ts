/** Records as they are given, made into what is written: serialized and checked. */
import { largestBatchBytes } from '../../protocol/records/batch-writer.ts'
import type { Serializer } from '../serializers.ts'
import { ProducerStateError, SerializationError } from './errors.ts'
import type { HeaderValue, ProducerRecord } from './options.ts'
import type { Content } from './sending.ts'
import type { Settings } from './settings.ts'

/** `wallMs` is now. Throws SerializationError, or ProducerStateError BAD_RECORD or RECORD_TOO_LARGE. */
export function contentOf<K, V>(
  record: ProducerRecord<K, V>,
  settings: Settings<K, V>,
  wallMs: number,
): Content {
  const { topic, partition = -1, headers } = record
  if (typeof topic !== 'string' || topic === '') throw bad('topic', topic, 'a name')
  if (record.partition !== undefined && !(Number.isInteger(partition) && partition >= 0)) {
    throw bad('partition', partition, 'a whole number from 0')
  }
  if (headers !== undefined) checkHeaders(headers)
  const key = serialized(topic, 'key', record.key, settings.key)
  const keyBytes = typeof key === 'string' ? Buffer.from(key) : key
  const value = serialized(topic, 'value', record.value, settings.value)
  const bytes = largestBatchBytes(keyBytes, value, headers)
  if (bytes > settings.maxRequestBytes) {
    throw new ProducerStateError(
      'RECORD_TOO_LARGE',
      `a record for ${topic} has ${bytes} bytes, more than maxRequestBytes, ${settings.maxRequestBytes}`,
    )
  }
  const timestamp = timestampOf(record.timestamp, wallMs)
  return { topic, partition, key: keyBytes, value, headers, timestamp, bytes }
}

function serialized<T>(
  topic: string,
  field: 'key' | 'value',
  given: T | null | undefined,
  serializer: Serializer<T> | undefined,
): Uint8Array | string | null {
  if (given === null || given === undefined) return null
  let made: unknown = given
  try {
    if (serializer !== undefined) made = serializer.serialize(given, topic)
  } catch (error) {
    throw new SerializationError(topic, field, error)
  }
  if (typeof made === 'string' || made instanceof Uint8Array) return made
  const advice = serializer === undefined ? `: give the producer a \`${field}\` serializer` : ''
  throw new SerializationError(
    topic,
    field,
    new TypeError(`it is ${kindOf(made)}, neither text nor bytes${advice}`),
  )
}

function checkHeaders(headers: Readonly<Record<string, HeaderValue>>): void {
  for (const name in headers) {
    const given = headers[name]
    for (const each of Array.isArray(given) ? given : [given]) {
      if (typeof each === 'string' || each instanceof Uint8Array || each === null) continue
      throw bad(`header ${name}`, kindOf(each), 'text, bytes or null')
    }
  }
}

function timestampOf(given: number | Date | undefined, wallMs: number): number {
  if (given === undefined || given === -1) return wallMs
  const timestamp = typeof given === 'number' ? given : given.getTime()
  if (Number.isSafeInteger(timestamp) && timestamp >= 0) return timestamp
  throw bad('timestamp', String(given), 'whole milliseconds since the epoch, or a Date')
}

function kindOf(given: unknown): string {
  return given === null ? 'null' : `a ${typeof given}`
}

function bad(field: string, given: unknown, wanted: string): ProducerStateError {
  return new ProducerStateError('BAD_RECORD', `${field} is ${given}: it has to be ${wanted}`)
}
