/** Offsets as kafkajs writes them: in digits. */
import type { SeekTarget } from '../client/consumer/options.ts'
import { KafkaJSNonRetriableError } from './errors.ts'

export interface PartitionOffset {
  partition: number
  offset: string
}
export interface TopicOffsets {
  topic: string
  partitions: PartitionOffset[]
}
export interface Offsets {
  topics: TopicOffsets[]
}
export type OffsetsByTopicPartition = Offsets

export type TopicPartition = { topic: string; partition: number }
export type TopicPartitionOffset = TopicPartition & { offset: string }
export type TopicPartitionOffsetAndMetadata = TopicPartitionOffset & {
  metadata?: string | null | undefined
}
export type TopicPartitions = { topic: string; partitions: number[] }

const latest = -1
const earliest = -2

/** Throws for what is no offset: a whole number from 0, or −1 the end, or −2 the beginning. */
export function seekTargetOf(offset: string | number): SeekTarget {
  const found = numberIn(offset)
  if (found === latest) return { to: 'end' }
  if (found === earliest) return { to: 'beginning' }
  return { offset: offsetOf(offset) }
}

/** Throws for what is no whole number from 0 to 2⁵³ − 1. */
export function offsetOf(offset: string | number): number {
  const found = numberIn(offset)
  if (found >= 0) return found
  throw new KafkaJSNonRetriableError(`offset ${offset} is below 0`)
}

function numberIn(offset: string | number): number {
  const found = typeof offset === 'string' && offset.trim() === '' ? Number.NaN : Number(offset)
  if (Number.isSafeInteger(found)) return found
  throw new KafkaJSNonRetriableError(`offset ${offset} is no whole number`)
}
