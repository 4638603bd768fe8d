/** Messages as kafkajs hands them out. */
import type { Message } from '../client/consumer/message.ts'
import type { TopicPartition } from '../client/consumer/options.ts'
import type { Batch, KafkaMessage } from './consumer-types.ts'
import type { IBatchProcessEvent } from './events.ts'
import type { IHeaders } from './producer-types.ts'

export function kafkaMessage(message: Message): KafkaMessage {
  const { key, value, timestamp, offset, headers } = message
  return {
    key,
    value,
    timestamp: String(timestamp),
    attributes: 0,
    offset: String(offset),
    headers: { ...headers } as IHeaders,
  }
}

/** `messages`: at least one. */
export function batchOf(
  { topic, partition }: TopicPartition,
  messages: readonly Message[],
  highWatermark: number,
): Batch {
  const first = messages[0]!.offset
  const last = messages.at(-1)!.offset
  return {
    topic,
    partition,
    highWatermark: String(highWatermark),
    messages: messages.map(kafkaMessage),
    isEmpty: () => false,
    firstOffset: () => String(first),
    lastOffset: () => String(last),
    offsetLag: () => String(highWatermark - 1 - last),
    offsetLagLow: () => String(highWatermark - 1 - first),
  }
}

export function batchEvent(batch: Batch): IBatchProcessEvent {
  const { topic, partition, highWatermark, messages } = batch
  return {
    topic,
    partition,
    highWatermark,
    offsetLag: batch.offsetLag(),
    offsetLagLow: batch.offsetLagLow(),
    batchSize: messages.length,
    firstOffset: batch.firstOffset(),
    lastOffset: batch.lastOffset(),
  }
}
