/** What can go wrong in a consumer beyond the refusals of brokers. */

import type { KafkaError } from '../../protocol/errors.ts'
import type { ConnectionError } from '../connection.ts'

/** Where in the log something is. */
export interface RecordPlace {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** The consumer cannot do this now; the message says what to do. */
export class ConsumerStateError extends Error {
  override readonly name = 'ConsumerStateError'
  /**
   * CLOSED: `close` was called, or the loop was left. BUSY: it is being iterated already.
   * NO_GROUP: needs a `groupId`. NOT_ASSIGNED: the partition is not this consumer's.
   * NOTHING_TO_READ: neither topics nor an assignment were given.
   */
  readonly code: 'CLOSED' | 'BUSY' | 'NO_GROUP' | 'NOT_ASSIGNED' | 'NOTHING_TO_READ' | 'BAD_OPTION'
  readonly retriable = false

  constructor(code: ConsumerStateError['code'], message: string) {
    super(message)
    this.code = code
  }
}

/** A position lies outside the log, and `offsetReset` is 'none': seek, or set `offsetReset`. */
export class OffsetOutOfRangeError extends Error implements RecordPlace {
  override readonly name = 'OffsetOutOfRangeError'
  readonly code = 'OFFSET_OUT_OF_RANGE'
  readonly retriable = false
  readonly topic: string
  readonly partition: number
  /** −1: the group has no committed offset. */
  readonly offset: number

  constructor({ topic, partition, offset }: RecordPlace) {
    const what = offset < 0 ? 'has no committed offset' : `has no offset ${offset} any more`
    super(`${topic}-${partition} ${what}, and offsetReset is 'none': seek, or set offsetReset`)
    this.topic = topic
    this.partition = partition
    this.offset = offset
  }
}

/**
 * A new leader's log parts from what was read before: messages from `divergentOffset` on were lost
 * after this consumer had them (KIP-320). Thrown with `offsetReset: 'none'`; else it goes on there.
 */
export class LogTruncationError extends Error implements RecordPlace {
  override readonly name = 'LogTruncationError'
  readonly code = 'LOG_TRUNCATION'
  readonly retriable = false
  readonly topic: string
  readonly partition: number
  /** Where this consumer would have read on. */
  readonly offset: number
  /** The first offset that is not what was read; undefined when the leader cannot tell. */
  readonly divergentOffset: number | undefined

  constructor(place: RecordPlace, divergentOffset: number | undefined) {
    const { topic, partition, offset } = place
    const from = divergentOffset === undefined ? 'an unknown offset' : `offset ${divergentOffset}`
    super(
      `${topic}-${partition}: what was read from ${from} up to ${offset} is gone from the log: seek, or set offsetReset`,
    )
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.divergentOffset = divergentOffset
  }
}

/** A deserializer refused a message. `onDecodeError` decides whether it is skipped. */
export class DecodeError extends Error implements RecordPlace {
  override readonly name = 'DecodeError'
  readonly code = 'DECODE'
  readonly retriable = false
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** What was refused. */
  readonly field: 'key' | 'value'
  /** As stored. */
  readonly rawKey: Uint8Array | null
  /** As stored. */
  readonly rawValue: Uint8Array | null

  constructor(
    place: RecordPlace,
    field: 'key' | 'value',
    raw: { readonly key: Uint8Array | null; readonly value: Uint8Array | null },
    cause: unknown,
  ) {
    const { topic, partition, offset } = place
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`the ${field} of ${topic}-${partition} at offset ${offset} does not decode: ${why}`, {
      cause,
    })
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.field = field
    this.rawKey = raw.key
    this.rawValue = raw.value
  }
}

/**
 * A batch of the log cannot be read: its CRC is wrong, it does not decompress, it expands beyond
 * `maxBatchBytes`, or a record in it does not parse. `onDecodeError` decides whether it is skipped.
 */
export class DamagedBatchError extends Error implements RecordPlace {
  override readonly name = 'DamagedBatchError'
  readonly code = 'DAMAGED_BATCH'
  readonly retriable = false
  readonly topic: string
  readonly partition: number
  /** The first offset that cannot be read. */
  readonly offset: number
  /** Where reading can go on: behind the batch; undefined when not even its size is known. */
  readonly nextOffset: number | undefined

  constructor(place: RecordPlace, nextOffset: number | undefined, cause: unknown) {
    const { topic, partition, offset } = place
    const why = cause instanceof Error ? cause.message : String(cause)
    super(`the batch of ${topic}-${partition} at offset ${offset} is damaged: ${why}`, { cause })
    this.topic = topic
    this.partition = partition
    this.offset = offset
    this.nextOffset = nextOffset
  }
}

/** Everything that iterating, or `run`, may fail with, beside what user code throws. */
export type ConsumerError =
  | ConsumerStateError
  | OffsetOutOfRangeError
  | LogTruncationError
  | DecodeError
  | DamagedBatchError
  | KafkaError
  | ConnectionError
