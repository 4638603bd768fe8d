/** Messages to send, and what came of them, between kafkajs and Ottla's producer. */
import type {
  HeaderValue,
  RecordMetadata as OttlaMetadata,
  ProducerRecord as OttlaRecord,
} from '../client/producer/options.ts'
import type { IHeaders, Message, RecordMetadata } from './producer-types.ts'

/** Text and bytes as they are; what else programs give, as text. */
export function bytesOf(value: unknown): Uint8Array | string | null {
  if (value === undefined || value === null) return null
  return value instanceof Uint8Array || typeof value === 'string' ? value : String(value)
}

/** A message for Ottla's producer. */
export function recordOf(
  topic: string,
  { key, value, headers, timestamp }: Message,
  partition: number,
  nowMs: number,
): OttlaRecord<Uint8Array | string, Uint8Array | string> {
  const time = timestamp === undefined || timestamp === null ? nowMs : Number(timestamp)
  const record = { topic, partition, key: bytesOf(key), value: bytesOf(value), timestamp: time }
  return headers ? { ...record, headers: headersOf(headers) } : record
}

function headersOf(headers: IHeaders): Record<string, HeaderValue> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.map(bytesOf) : bytesOf(value),
    ]),
  )
}

/** One for each partition, in the order in which they occur. */
export function metadataOf(
  records: readonly OttlaRecord[],
  sent: readonly OttlaMetadata[],
): RecordMetadata[] {
  const found = new Map<string, RecordMetadata>()
  for (const [index, { topic, partition, offset, timestamp }] of sent.entries()) {
    const key = `${topic}/${partition}`
    if (found.has(key)) continue
    const isOwnTime = records[index]!.timestamp === timestamp
    found.set(key, {
      topicName: topic,
      partition,
      errorCode: 0,
      baseOffset: String(offset),
      logAppendTime: isOwnTime ? '-1' : String(timestamp),
    })
  }
  return [...found.values()]
}
