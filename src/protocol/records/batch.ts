/**
 * Record batches of magic 2 (KIP-98), the only kind that a log holds.
 *
 *      0 baseOffset int64              23 lastOffsetDelta int32      53 baseSequence int32
 *      8 length int32, from 12 on      27 baseTimestamp int64        57 recordCount int32
 *     12 partitionLeaderEpoch int32    35 maxTimestamp int64         61 records
 *     16 magic int8                    43 producerId int64
 *     17 crc uint32, from 21 on        51 producerEpoch int16
 *     21 attributes int16: bits 0–2 compression, 3 timestamp type, 4 transactional, 5 control,
 *        6 delete horizon (baseTimestamp is then one, KIP-534)
 *
 * Offset, length and leader epoch stand before the CRC's range: a broker writes them in place and
 * stores the rest as it came. A `Batch` is a view that always says what its bytes say now.
 */
import {
  int16At,
  int32At,
  int64At,
  isSafeInt64At,
  setInt16,
  setInt32,
  setInt64,
  uint32At,
} from '../../base/bytes.ts'
import { crc32c } from '../../base/crc32c.ts'
import { KafkaError } from '../errors.ts'

/** How the records of a batch are compressed, in the order of their numbers on the wire. */
export const compressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const
/** A compression by its name. */
export type Compression = (typeof compressions)[number]
export type TimestampType = 'CreateTime' | 'LogAppendTime'

/** Bytes before the first record. */
export const batchHeaderBytes = 61
/** Bytes from which the size of a batch is known: offset and length. */
export const batchOverheadBytes = 12

export const fieldAt = {
  baseOffset: 0,
  length: 8,
  leaderEpoch: 12,
  magic: 16,
  crc: 17,
  attributes: 21,
  lastOffsetDelta: 23,
  baseTimestamp: 27,
  maxTimestamp: 35,
  producerId: 43,
  producerEpoch: 51,
  baseSequence: 53,
  recordCount: 57,
} as const

export const attributeBits = {
  compression: 0x07,
  logAppendTime: 0x08,
  transactional: 0x10,
  control: 0x20,
  deleteHorizon: 0x40,
} as const

/** One batch: `bytes` is exactly it. Made by `readBatch`, which checked the framing. */
export class Batch {
  readonly bytes: Uint8Array

  constructor(bytes: Uint8Array) {
    this.bytes = bytes
  }

  get sizeInBytes(): number {
    return this.bytes.length
  }
  get baseOffset(): number {
    return int64At(this.bytes, fieldAt.baseOffset)
  }
  get lastOffset(): number {
    return this.baseOffset + this.lastOffsetDelta
  }
  /** lastOffset − baseOffset; a compacted batch keeps it although records are gone. */
  get lastOffsetDelta(): number {
    return int32At(this.bytes, fieldAt.lastOffsetDelta)
  }
  get partitionLeaderEpoch(): number {
    return int32At(this.bytes, fieldAt.leaderEpoch)
  }
  get crc(): number {
    return uint32At(this.bytes, fieldAt.crc)
  }
  get attributes(): number {
    return int16At(this.bytes, fieldAt.attributes)
  }
  get compression(): Compression {
    return compressions[this.attributes & attributeBits.compression]!
  }
  get timestampType(): TimestampType {
    return this.attributes & attributeBits.logAppendTime ? 'LogAppendTime' : 'CreateTime'
  }
  get isTransactional(): boolean {
    return (this.attributes & attributeBits.transactional) !== 0
  }
  get isControl(): boolean {
    return (this.attributes & attributeBits.control) !== 0
  }
  /** Whether baseTimestamp is the time from which compaction may drop tombstones (KIP-534). */
  get hasDeleteHorizon(): boolean {
    return (this.attributes & attributeBits.deleteHorizon) !== 0
  }
  /** What the records' timestamp deltas count from, milliseconds since the epoch. */
  get baseTimestamp(): number {
    return int64At(this.bytes, fieldAt.baseTimestamp)
  }
  /** The largest timestamp of the records, or the append time; −1 when they have none. */
  get maxTimestamp(): number {
    return int64At(this.bytes, fieldAt.maxTimestamp)
  }
  /** −1 without one. */
  get producerId(): number {
    return int64At(this.bytes, fieldAt.producerId)
  }
  get producerEpoch(): number {
    return int16At(this.bytes, fieldAt.producerEpoch)
  }
  /** −1 without one. Sequence numbers wrap from 2³¹−1 to 0. */
  get baseSequence(): number {
    return int32At(this.bytes, fieldAt.baseSequence)
  }
  /** Sequence of the last record: −1 without one. */
  get lastSequence(): number {
    const { baseSequence } = this
    return baseSequence < 0 ? -1 : (baseSequence + this.lastOffsetDelta) % 2 ** 31
  }
  get recordCount(): number {
    return int32At(this.bytes, fieldAt.recordCount)
  }
}

/**
 * The size of the batch that starts at `position`; undefined when fewer than 12 bytes are left.
 * It may end beyond the bytes. Throws CORRUPT_MESSAGE for a size that no batch can have.
 */
export function batchSizeAt(bytes: Uint8Array, position: number): number | undefined {
  if (bytes.length - position < batchOverheadBytes) return undefined
  const size = batchOverheadBytes + int32At(bytes, position + fieldAt.length)
  if (size < batchHeaderBytes) throw corrupt(`its length says ${size} bytes`)
  return size
}

/** The offset behind the last one of whole batches that lie one behind the other; 0 without one. */
export function endOfBatches(bytes: Uint8Array): number {
  let last = -1
  for (let at = 0; at < bytes.length; at += batchSizeAt(bytes, at) ?? bytes.length) last = at
  return last < 0 ? 0 : readBatch(bytes, last).lastOffset + 1
}

/**
 * The batch at `position`, a view. Neither its CRC nor its records are looked at. Throws
 * CORRUPT_MESSAGE when it is cut short, is not magic 2, or has a 64-bit field outside ±(2⁵³−1),
 * UNSUPPORTED_COMPRESSION_TYPE for a codec that does not exist.
 */
export function readBatch(bytes: Uint8Array, position = 0): Batch {
  const size = batchSizeAt(bytes, position)
  if (size === undefined || size > bytes.length - position) throw corrupt('it is cut short')
  const batch = new Batch(bytes.subarray(position, position + size))
  const magic = batch.bytes[fieldAt.magic]
  if (magic !== 2) throw corrupt(`its magic is ${magic}, only 2 is spoken`)
  if (
    !isSafeInt64At(batch.bytes, fieldAt.baseOffset) ||
    !isSafeInt64At(batch.bytes, fieldAt.baseTimestamp) ||
    !isSafeInt64At(batch.bytes, fieldAt.maxTimestamp) ||
    !isSafeInt64At(batch.bytes, fieldAt.producerId)
  ) {
    throw corrupt('a 64-bit field is beyond 2⁵³')
  }
  if ((batch.attributes & attributeBits.compression) >= compressions.length) {
    throw new KafkaError('UNSUPPORTED_COMPRESSION_TYPE', 'record batch: compression beyond zstd')
  }
  return batch
}

/**
 * The batches that lie one behind the other in `bytes`, as views, read as they are asked for.
 * Throws as `readBatch` does. A tail that is no whole batch is CORRUPT_MESSAGE, or with
 * `partialTail: 'ignored'` the end: a fetch answer may be cut there.
 */
export function* batches(
  bytes: Uint8Array,
  { partialTail = 'refused' }: { partialTail?: 'refused' | 'ignored' } = {},
): Generator<Batch, void, undefined> {
  for (let position = 0; position < bytes.length; ) {
    const size = batchSizeAt(bytes, position)
    const isWhole = size !== undefined && size <= bytes.length - position
    if (!isWhole && partialTail === 'ignored') return
    const batch = readBatch(bytes, position)
    yield batch
    position += batch.sizeInBytes
  }
}

/** Whether the stored CRC is that of the bytes. */
export function isCrcValid(batch: Batch): boolean {
  return batch.crc === crc32c(batch.bytes.subarray(fieldAt.attributes))
}

/**
 * Writes what a leader assigns into the batch at `position`, in place. The CRC does not cover it.
 * The last offset follows: it is stored as a distance.
 */
export function stampBatch(
  bytes: Uint8Array,
  position: number,
  baseOffset: number,
  leaderEpoch: number,
): void {
  setInt64(bytes, position + fieldAt.baseOffset, baseOffset)
  setInt32(bytes, position + fieldAt.leaderEpoch, leaderEpoch)
}

/** Writes timestamp type and largest timestamp in place, and the CRC if that changed anything. */
export function stampTimestamps(batch: Batch, type: TimestampType, maxTimestamp: number): void {
  if (batch.timestampType === type && batch.maxTimestamp === maxTimestamp) return
  const bit = type === 'LogAppendTime' ? attributeBits.logAppendTime : 0
  setInt16(batch.bytes, fieldAt.attributes, (batch.attributes & ~attributeBits.logAppendTime) | bit)
  setInt64(batch.bytes, fieldAt.maxTimestamp, maxTimestamp)
  writeCrc(batch.bytes)
}

/** Computes and writes the CRC of one whole batch. */
export function writeCrc(batch: Uint8Array): void {
  setInt32(batch, fieldAt.crc, crc32c(batch.subarray(fieldAt.attributes)))
}

function corrupt(what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', `record batch: ${what}`)
}
