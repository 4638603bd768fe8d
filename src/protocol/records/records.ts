/**
 * The records inside a batch: each is a length, then attributes, the distances of its timestamp and
 * offset from the batch's, key, value and headers, all lengths as zigzag varints.
 *
 * Two readers: `walkRecords` steps over keys and values and only tells what validation needs;
 * `recordsOf` yields records one by one, their bytes views of the (decompressed) batch.
 */
import { VarintCursor, VarintError } from '../../base/varint.ts'
import { KafkaError } from '../errors.ts'
import { type Batch, batchHeaderBytes } from './batch.ts'
import { decompress } from './compression.ts'

export interface RecordHeader {
  readonly key: string
  readonly value: Uint8Array | null
}

/** One record as read. Bytes are views: copy what outlives the batch. */
export interface LogRecord {
  readonly offset: number
  /** Milliseconds since the epoch; −1 without one. The batch's append time for LogAppendTime. */
  readonly timestamp: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly RecordHeader[]
}

/** The section behind the header, decompressed: a view of the batch when it is not compressed. */
export function recordBytes(batch: Batch, maxBytes: number): Uint8Array {
  return decompress(batch.compression, batch.bytes.subarray(batchHeaderBytes), maxBytes)
}

/**
 * The records of a batch, parsed one at a time. `maxBytes` bounds what it decompresses to: beyond
 * it MESSAGE_TOO_LARGE. Throws INVALID_RECORD when a record does not parse, or when there are more
 * or fewer than the header says; the records before that have been yielded.
 */
export function* recordsOf(batch: Batch, maxBytes: number): Generator<LogRecord, void, undefined> {
  const cursor = new VarintCursor(recordBytes(batch, maxBytes))
  const { baseOffset, baseTimestamp, recordCount } = batch
  const appendTime = batch.timestampType === 'LogAppendTime' ? batch.maxTimestamp : undefined
  for (let index = 0; index < recordCount; index++) {
    yield parsed(index, () => readRecord(cursor, baseOffset, baseTimestamp, appendTime))
  }
  if (cursor.position < cursor.end) throw surplus()
}

/** What `walkRecords` calls for each record. `bytes`: its size without the length in front. */
export type RecordVisitor = (
  index: number,
  offsetDelta: number,
  timestampDelta: number,
  hasKey: boolean,
  bytes: number,
) => void

/**
 * Steps over `count` records in `bytes` (decompressed) and checks that each parses and that they
 * fill the bytes exactly, else INVALID_RECORD. Nothing is allocated.
 */
export function walkRecords(bytes: Uint8Array, count: number, visit: RecordVisitor): void {
  const cursor = new VarintCursor(bytes)
  let index = 0
  try {
    for (; index < count; index++) {
      const end = recordEnd(cursor)
      const start = cursor.position
      cursor.byte() // Attributes, unused.
      const timestampDelta = cursor.varlong()
      const offsetDelta = cursor.varint()
      const keyLength = cursor.varint()
      if (keyLength > 0) cursor.skip(keyLength)
      const valueLength = cursor.varint()
      if (valueLength > 0) cursor.skip(valueLength)
      skipHeaders(cursor)
      if (cursor.position !== end) throw new VarintError('its length is not that of its fields')
      visit(index, offsetDelta, timestampDelta, keyLength >= 0, end - start)
    }
  } catch (error) {
    throw asInvalid(error, index)
  }
  if (cursor.position < cursor.end) throw surplus()
}

function readRecord(
  cursor: VarintCursor,
  baseOffset: number,
  baseTimestamp: number,
  appendTime: number | undefined,
): LogRecord {
  const end = recordEnd(cursor)
  cursor.byte() // Attributes, unused.
  const timestamp = baseTimestamp + cursor.varlong()
  const offset = baseOffset + cursor.varint()
  const key = readBytes(cursor)
  const value = readBytes(cursor)
  const headers: RecordHeader[] = []
  for (let left = headerCount(cursor); left > 0; left--) {
    headers.push({ key: readHeaderKey(cursor), value: readBytes(cursor) })
  }
  if (cursor.position !== end) throw new VarintError('its length is not that of its fields')
  return { offset, timestamp: appendTime ?? timestamp, key, value, headers }
}

/** Reads the length in front of a record; its fields may still claim more, `end` shows it. */
function recordEnd(cursor: VarintCursor): number {
  const length = cursor.varint()
  if (length < 0) throw new VarintError('its length is negative')
  if (length > cursor.end - cursor.position) throw new VarintError('the bytes end early')
  return cursor.position + length
}

function headerCount(cursor: VarintCursor): number {
  const count = cursor.varint()
  if (count < 0) throw new VarintError('its number of headers is negative')
  // Each header has two lengths of at least one byte, so no array outgrows its bytes.
  if (count > (cursor.end - cursor.position) / 2) throw new VarintError('the bytes end early')
  return count
}

function skipHeaders(cursor: VarintCursor): void {
  for (let left = headerCount(cursor); left > 0; left--) {
    cursor.skip(headerKeyLength(cursor))
    const valueLength = cursor.varint()
    if (valueLength > 0) cursor.skip(valueLength)
  }
}

function headerKeyLength(cursor: VarintCursor): number {
  const length = cursor.varint()
  if (length < 0) throw new VarintError('a header has no key')
  return length
}

function readHeaderKey(cursor: VarintCursor): string {
  const length = headerKeyLength(cursor)
  const start = cursor.skip(length)
  return utf8.decode(cursor.bytes.subarray(start, start + length))
}

/** A negative length is null. */
function readBytes(cursor: VarintCursor): Uint8Array | null {
  const length = cursor.varint()
  if (length < 0) return null
  const start = cursor.skip(length)
  return cursor.bytes.subarray(start, start + length)
}

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true })

function parsed<T>(index: number, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw asInvalid(error, index)
  }
}

function asInvalid(error: unknown, index: number): unknown {
  if (!(error instanceof VarintError)) return error
  return new KafkaError('INVALID_RECORD', `record ${index} of a batch: ${error.message}`)
}

function surplus(): KafkaError {
  return new KafkaError('INVALID_RECORD', 'a batch has bytes behind its last record')
}
