/**
 * Turns one record batch into messages, some at a time.
 *
 * Nothing is decompressed or checked before the first message is asked for, so what is fetched ahead
 * costs its stored size only. Keys and values are views of the batch (or of what it expands to);
 * nothing reuses that memory.
 */
import { asBuffer } from '../../base/bytes.ts'
import { VarintCursor, VarintError } from '../../base/varint.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { internedAscii, longestInterned } from '../../protocol/interned.ts'
import { type Batch, isCrcValid } from '../../protocol/records/batch.ts'
import { recordBytes } from '../../protocol/records/records.ts'
import { type Bytes, Message, type MessageHeaders } from './message.ts'
import type { TopicPartition } from './options.ts'

export interface BatchLimits {
  /** What a batch may expand to. */
  readonly maxBatchBytes: number
  readonly checkCrcs: boolean
}

const noHeaders: MessageHeaders = Object.freeze(Object.create(null))

export class BatchReader {
  /** Behind the last offset of the batch. */
  readonly endOffset: number
  readonly sizeInBytes: number
  readonly #place: TopicPartition
  readonly #batch: Batch
  readonly #limits: BatchLimits
  readonly #baseOffset: number
  readonly #baseTimestamp: number
  readonly #appendTime: number | undefined
  readonly #leaderEpoch: number
  #left: number
  #cursor: VarintCursor | undefined
  /** The same bytes, for slices that are Buffers. */
  #buffer: Buffer | undefined

  constructor(place: TopicPartition, batch: Batch, limits: BatchLimits) {
    this.#place = place
    this.#batch = batch
    this.#limits = limits
    this.endOffset = batch.lastOffset + 1
    this.sizeInBytes = batch.sizeInBytes
    this.#baseOffset = batch.baseOffset
    this.#baseTimestamp = batch.baseTimestamp
    this.#appendTime = batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : undefined
    this.#leaderEpoch = batch.partitionLeaderEpoch
    this.#left = batch.recordCount
  }

  /** Decompressed; 0 before the first record was asked for. */
  get expandedBytes(): number {
    return this.#cursor?.end ?? 0
  }

  /** Whether every record was read. */
  get isDone(): boolean {
    return this.#left <= 0
  }

  /**
   * The next message; those below `from` are passed over. Undefined at the end. Throws
   * CORRUPT_MESSAGE for a wrong CRC, INVALID_RECORD, MESSAGE_TOO_LARGE beyond `maxBatchBytes`.
   */
  next(from: number): Message | undefined {
    const cursor = this.#cursor ?? this.#open()
    try {
      while (this.#left > 0) {
        this.#left--
        const message = this.#read(cursor, from)
        if (message !== undefined) return message
      }
    } catch (error) {
      if (!(error instanceof VarintError)) throw error
      throw new KafkaError('INVALID_RECORD', `a record does not parse: ${error.message}`)
    }
    if (cursor.position < cursor.end) {
      throw new KafkaError('INVALID_RECORD', 'it has bytes behind its last record')
    }
    return undefined
  }

  #open(): VarintCursor {
    if (this.#limits.checkCrcs && !isCrcValid(this.#batch)) {
      throw new KafkaError('CORRUPT_MESSAGE', 'its checksum is wrong')
    }
    const bytes = recordBytes(this.#batch, this.#limits.maxBatchBytes)
    this.#buffer = asBuffer(bytes)
    return (this.#cursor = new VarintCursor(bytes))
  }

  #read(cursor: VarintCursor, from: number): Message | undefined {
    const length = cursor.varint()
    if (length < 0 || length > cursor.end - cursor.position) {
      throw new VarintError('the bytes end early')
    }
    const end = cursor.position + length
    cursor.byte() // Attributes, unused.
    const timestamp = this.#baseTimestamp + cursor.varlong()
    const offset = this.#baseOffset + cursor.varint()
    if (offset < from) {
      cursor.position = end
      return undefined
    }
    const key = this.#bytes(cursor)
    const value = this.#bytes(cursor)
    const headers = this.#headers(cursor)
    if (cursor.position !== end) throw new VarintError('its length is not that of its fields')
    const { topic, partition } = this.#place
    const when = this.#appendTime ?? timestamp
    return new Message(topic, partition, offset, when, key, value, headers, this.#leaderEpoch)
  }

  #bytes(cursor: VarintCursor): Bytes {
    const length = cursor.varint()
    if (length < 0) return null
    const start = cursor.skip(length)
    return this.#buffer!.subarray(start, start + length)
  }

  #headers(cursor: VarintCursor): MessageHeaders {
    let count = cursor.varint()
    if (count === 0) return noHeaders
    // Each header has two lengths of at least one byte.
    if (count < 0 || count > (cursor.end - cursor.position) / 2) {
      throw new VarintError('its number of headers is wrong')
    }
    const headers: Record<string, Bytes | Bytes[]> = Object.create(null)
    for (; count > 0; count--) {
      const key = this.#headerKey(cursor)
      const value = this.#bytes(cursor)
      const known = headers[key]
      if (known === undefined) headers[key] = value
      else if (Array.isArray(known)) known.push(value)
      else headers[key] = [known, value]
    }
    return headers
  }

  #headerKey(cursor: VarintCursor): string {
    const length = cursor.varint()
    if (length < 0) throw new VarintError('a header has no key')
    const start = cursor.skip(length)
    const short =
      length <= longestInterned ? internedAscii(cursor.bytes, start, start + length) : undefined
    return short ?? this.#buffer!.toString('utf8', start, start + length)
  }
}
