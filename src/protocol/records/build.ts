/**
 * Builds record batches: the broker's own records, clients, tests.
 */
import { setInt16, setInt32, setInt64 } from '../../base/bytes.ts'
import { varintSize, varlongSize, writeVarint, writeVarlong } from '../../base/varint.ts'
import {
  attributeBits,
  Batch,
  batchHeaderBytes,
  batchOverheadBytes,
  type Compression,
  compressions,
  fieldAt,
  type TimestampType,
  writeCrc,
} from './batch.ts'
import { compress } from './compression.ts'
import type { RecordHeader } from './records.ts'

/** A record to write. Strings are encoded as UTF-8. */
export interface NewRecord {
  /** Milliseconds since the epoch; −1, the default, without one. */
  readonly timestamp?: number
  readonly key?: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly headers?: readonly { readonly key: string; readonly value: RecordHeader['value'] }[]
  /** Distance from the batch's base offset: its index by default, else rising. */
  readonly offsetDelta?: number
}

export interface BuildOptions {
  /** 0 by default, as a producer must send it. */
  readonly baseOffset?: number
  /** −1 by default. */
  readonly leaderEpoch?: number
  readonly compression?: Compression
  /** Of gzip and zstd; by default the library's own. */
  readonly level?: number
  readonly timestampType?: TimestampType
  /** By default the first record's timestamp. */
  readonly baseTimestamp?: number
  /** By default the largest timestamp of the records. The append time for LogAppendTime. */
  readonly maxTimestamp?: number
  /** −1 by default: not idempotent. */
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly transactional?: boolean
  readonly control?: boolean
}

/** One whole batch with its CRC. No records make an empty batch of one offset. */
export function buildBatch(options: BuildOptions, records: readonly NewRecord[]): Uint8Array {
  const timestamps = records.map(record => record.timestamp ?? -1)
  const baseTimestamp = options.baseTimestamp ?? timestamps[0] ?? -1
  const maxTimestamp =
    options.maxTimestamp ?? timestamps.reduce((max, timestamp) => Math.max(max, timestamp), -1)
  const last = records.at(-1)
  const compression = options.compression ?? 'none'
  const payload = compress(compression, encodeRecords(records, baseTimestamp), options.level)
  const bytes = new Uint8Array(batchHeaderBytes + payload.length)
  bytes.set(payload, batchHeaderBytes)
  setInt64(bytes, fieldAt.baseOffset, options.baseOffset ?? 0)
  setInt32(bytes, fieldAt.length, bytes.length - batchOverheadBytes)
  setInt32(bytes, fieldAt.leaderEpoch, options.leaderEpoch ?? -1)
  bytes[fieldAt.magic] = 2
  setInt16(bytes, fieldAt.attributes, attributesOf(options, compression))
  setInt32(bytes, fieldAt.lastOffsetDelta, last ? (last.offsetDelta ?? records.length - 1) : 0)
  setInt64(bytes, fieldAt.baseTimestamp, baseTimestamp)
  setInt64(bytes, fieldAt.maxTimestamp, maxTimestamp)
  setInt64(bytes, fieldAt.producerId, options.producerId ?? -1)
  setInt16(bytes, fieldAt.producerEpoch, options.producerEpoch ?? -1)
  setInt32(bytes, fieldAt.baseSequence, options.baseSequence ?? -1)
  setInt32(bytes, fieldAt.recordCount, records.length)
  writeCrc(bytes)
  return bytes
}

/**
 * The same batch with its records compressed otherwise: header fields stay, but for the codec's
 * bits, length and CRC. `recordBytes` is what the records decompress to.
 */
export function recompressed(
  batch: Batch,
  recordBytes: Uint8Array,
  compression: Compression,
  level?: number,
): Batch {
  const payload = compress(compression, recordBytes, level)
  const bytes = new Uint8Array(batchHeaderBytes + payload.length)
  bytes.set(batch.bytes.subarray(0, batchHeaderBytes))
  bytes.set(payload, batchHeaderBytes)
  setInt32(bytes, fieldAt.length, bytes.length - batchOverheadBytes)
  const codec = compressions.indexOf(compression)
  setInt16(bytes, fieldAt.attributes, (batch.attributes & ~attributeBits.compression) | codec)
  writeCrc(bytes)
  return new Batch(bytes)
}

function attributesOf(options: BuildOptions, compression: Compression): number {
  return (
    compressions.indexOf(compression) |
    (options.timestampType === 'LogAppendTime' ? attributeBits.logAppendTime : 0) |
    (options.transactional ? attributeBits.transactional : 0) |
    (options.control ? attributeBits.control : 0)
  )
}

interface EncodedRecord {
  readonly timestampDelta: number
  readonly offsetDelta: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly { readonly key: Uint8Array; readonly value: Uint8Array | null }[]
  /** Bytes behind the length in front. */
  readonly size: number
}

/** Measures all records, then writes them into one array. */
function encodeRecords(records: readonly NewRecord[], baseTimestamp: number): Uint8Array {
  const encoded = records.map((record, index) => measured(record, index, baseTimestamp))
  const total = encoded.reduce((sum, { size }) => sum + varintSize(size) + size, 0)
  const bytes = new Uint8Array(total)
  let at = 0
  for (const record of encoded) at = writeRecord(bytes, at, record)
  return bytes
}

function measured(record: NewRecord, index: number, baseTimestamp: number): EncodedRecord {
  const timestampDelta = (record.timestamp ?? -1) - baseTimestamp
  const offsetDelta = record.offsetDelta ?? index
  const key = encodedBytes(record.key ?? null)
  const value = encodedBytes(record.value)
  const headers = (record.headers ?? []).map(header => ({
    key: utf8.encode(header.key),
    value: header.value,
  }))
  let size = 1 + varlongSize(timestampDelta) + varintSize(offsetDelta)
  size += bytesSize(key) + bytesSize(value) + varintSize(headers.length)
  for (const header of headers) size += bytesSize(header.key) + bytesSize(header.value)
  return { timestampDelta, offsetDelta, key, value, headers, size }
}

function writeRecord(bytes: Uint8Array, start: number, record: EncodedRecord): number {
  let at = writeVarint(bytes, start, record.size)
  bytes[at++] = 0 // Attributes, unused.
  at = writeVarlong(bytes, at, record.timestampDelta)
  at = writeVarint(bytes, at, record.offsetDelta)
  at = writeBytes(bytes, at, record.key)
  at = writeBytes(bytes, at, record.value)
  at = writeVarint(bytes, at, record.headers.length)
  for (const header of record.headers) {
    at = writeBytes(bytes, at, header.key)
    at = writeBytes(bytes, at, header.value)
  }
  return at
}

const utf8 = new TextEncoder()

function encodedBytes(value: Uint8Array | string | null): Uint8Array | null {
  return typeof value === 'string' ? utf8.encode(value) : value
}

function bytesSize(value: Uint8Array | null): number {
  return value === null ? 1 : varintSize(value.length) + value.length
}

function writeBytes(bytes: Uint8Array, start: number, value: Uint8Array | null): number {
  if (value === null) return writeVarint(bytes, start, -1)
  const at = writeVarint(bytes, start, value.length)
  bytes.set(value, at)
  return at + value.length
}
