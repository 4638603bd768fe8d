/**
 * Writes a record batch record by record, for producers: each is encoded once, straight into the
 * memory that is sent when the batch is not compressed. What only its sending decides (producer id,
 * epoch, sequence) is stamped on it afterwards, with the CRC.
 */
import { setInt16, setInt32, setInt64 } from '../../base/bytes.ts'
import { isList } from '../../base/list.ts'
import { varintSize, varlongSize, writeVarint, writeVarlong } from '../../base/varint.ts'
import {
  batchHeaderBytes,
  batchOverheadBytes,
  type Compression,
  compressions,
  fieldAt,
  writeCrc,
} from './batch.ts'
import { compress } from './compression.ts'
import type { RecordHeader } from './records.ts'

/** A value to write; text as UTF-8. */
export type RecordContent = Uint8Array | string | null

/** Headers by name; of an array the name stands once for each. Or a list, as it was read. */
export type HeadersToWrite =
  | Readonly<Record<string, RecordContent | readonly RecordContent[] | undefined>>
  | readonly RecordHeader[]

/** The most bytes that a record takes beside key, value and headers. */
const mostRecordOverhead = 40
/** The most bytes that a header takes beside its name and value. */
const mostHeaderOverhead = 10

/** How many bytes a record takes at most in a batch of its own, header included. */
export function largestBatchBytes(
  key: Uint8Array | null,
  value: RecordContent,
  headers: HeadersToWrite | undefined,
): number {
  let size = batchHeaderBytes + mostRecordOverhead + (key?.length ?? 0) + contentBytes(value)
  if (headers === undefined) return size
  for (const { nameBytes, valueBytes } of headersOf(headers)) {
    size += mostHeaderOverhead + nameBytes + valueBytes
  }
  return size
}

/** A batch that grows. */
export class BatchWriter {
  #bytes: Buffer
  #end = batchHeaderBytes
  #count = 0
  #baseTimestamp = -1
  #maxTimestamp = -1

  /** Memory for `capacity` bytes is taken at once, more when it is needed. */
  constructor(capacity: number) {
    this.#bytes = Buffer.allocUnsafe(Math.max(capacity, batchHeaderBytes))
  }

  /** Records so far. */
  get count(): number {
    return this.#count
  }

  /** Bytes so far, not compressed, header included. */
  get size(): number {
    return this.#end
  }

  /** The timestamp of the first record; −1 while there is none. */
  get baseTimestamp(): number {
    return this.#baseTimestamp
  }

  /** Timestamps are milliseconds since the epoch. */
  append(
    timestamp: number,
    key: Uint8Array | null,
    value: RecordContent,
    headers: HeadersToWrite | undefined,
  ): void {
    if (this.#count === 0) this.#baseTimestamp = timestamp
    if (timestamp > this.#maxTimestamp) this.#maxTimestamp = timestamp
    const delta = timestamp - this.#baseTimestamp
    const index = this.#count
    const valueBytes = contentBytes(value)
    const list = headers === undefined ? noHeaders : headersOf(headers)
    let size = 1 + varlongSize(delta) + varintSize(index) + varintSize(list.length)
    size += fieldSize(key === null ? -1 : key.length)
    size += fieldSize(value === null ? -1 : valueBytes)
    for (const header of list) {
      size +=
        fieldSize(header.nameBytes) + fieldSize(header.value === null ? -1 : header.valueBytes)
    }
    this.#reserve(varintSize(size) + size)
    const bytes = this.#bytes
    let at = writeVarint(bytes, this.#end, size)
    bytes[at++] = 0 // Attributes, unused.
    at = writeVarlong(bytes, at, delta)
    at = writeVarint(bytes, at, index)
    at = writeContent(bytes, at, key, key === null ? 0 : key.length)
    at = writeContent(bytes, at, value, valueBytes)
    at = writeVarint(bytes, at, list.length)
    for (const header of list) {
      at = writeContent(bytes, at, header.name, header.nameBytes)
      at = writeContent(bytes, at, header.value, header.valueBytes)
    }
    this.#end = at
    this.#count++
  }

  /** The whole batch, without a CRC: `stampProducer` has to follow. Nothing is written after this. */
  finish(compression: Compression, level?: number): Uint8Array {
    let bytes = this.#bytes.subarray(0, this.#end)
    if (compression !== 'none') {
      const payload = compress(compression, bytes.subarray(batchHeaderBytes), level)
      bytes = Buffer.allocUnsafe(batchHeaderBytes + payload.length)
      bytes.set(payload, batchHeaderBytes)
      this.#bytes = bytes
      this.#end = bytes.length
    }
    setInt64(bytes, fieldAt.baseOffset, 0)
    setInt32(bytes, fieldAt.length, bytes.length - batchOverheadBytes)
    setInt32(bytes, fieldAt.leaderEpoch, -1)
    bytes[fieldAt.magic] = 2
    setInt16(bytes, fieldAt.attributes, compressions.indexOf(compression))
    setInt32(bytes, fieldAt.lastOffsetDelta, this.#count - 1)
    setInt64(bytes, fieldAt.baseTimestamp, this.#baseTimestamp)
    setInt64(bytes, fieldAt.maxTimestamp, this.#maxTimestamp)
    setInt32(bytes, fieldAt.recordCount, this.#count)
    return bytes
  }

  #reserve(length: number): void {
    const wanted = this.#end + length
    if (wanted <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(wanted, 2 * this.#bytes.length))
    grown.set(this.#bytes.subarray(0, this.#end))
    this.#bytes = grown
  }
}

/** Writes who produced the batch, −1 for each: nobody in particular, and the CRC. */
export function stampProducer(
  batch: Uint8Array,
  producerId: number,
  producerEpoch: number,
  baseSequence: number,
): void {
  setInt64(batch, fieldAt.producerId, producerId)
  setInt16(batch, fieldAt.producerEpoch, producerEpoch)
  setInt32(batch, fieldAt.baseSequence, baseSequence)
  writeCrc(batch)
}

interface HeaderToWrite {
  readonly name: string
  readonly nameBytes: number
  readonly value: RecordContent
  readonly valueBytes: number
}

const noHeaders: readonly HeaderToWrite[] = []

const { utf8Write } = Buffer.prototype as unknown as {
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number
}

function headersOf(headers: HeadersToWrite): HeaderToWrite[] {
  if (isList(headers)) return headers.map(({ key, value }) => headerOf(key, value))
  const list: HeaderToWrite[] = []
  for (const name in headers) {
    const given = headers[name] ?? null
    if (isList(given)) for (const each of given) list.push(headerOf(name, each))
    else list.push(headerOf(name, given))
  }
  return list
}

function headerOf(name: string, value: RecordContent): HeaderToWrite {
  return { name, nameBytes: Buffer.byteLength(name), value, valueBytes: contentBytes(value) }
}

function contentBytes(content: RecordContent): number {
  if (content === null) return 0
  return typeof content === 'string' ? Buffer.byteLength(content) : content.length
}

/** −1: null. */
function fieldSize(length: number): number {
  return varintSize(length) + (length < 0 ? 0 : length)
}

function writeContent(bytes: Buffer, at: number, content: RecordContent, length: number): number {
  if (content === null) return writeVarint(bytes, at, -1)
  const start = writeVarint(bytes, at, length)
  if (typeof content === 'string') utf8Write.call(bytes, content, start, length)
  else bytes.set(content, start)
  return start + length
}
