/**
 * What compaction leaves of one batch. Pure; the rules, and with them the bytes, are Kafka's.
 *
 * Of each key the record with the latest offset stays. A record without a value (a tombstone) stays
 * until the delete horizon of its batch: the first pass that meets it writes the horizon, now plus
 * delete.retention.ms, into the batch (KIP-534: attribute bit 6, and the base timestamp is the
 * horizon), a pass after the horizon drops it. Offsets never change: the batch keeps its base offset
 * and its last offset, and so its last sequence, whatever records it loses. One without records goes,
 * unless its header has to stay: it is the last of an idempotent producer, or the last of a segment.
 */
import { setInt16, setInt32, setInt64 } from '../base/bytes.ts'
import {
  VarintCursor,
  VarintError,
  varlongSize,
  writeVarint,
  writeVarlong,
} from '../base/varint.ts'
import { KafkaError } from '../protocol/errors.ts'
import {
  attributeBits,
  type Batch,
  batchHeaderBytes,
  batchOverheadBytes,
  type Compression,
  fieldAt,
  writeCrc,
} from '../protocol/records/batch.ts'
import { compress } from '../protocol/records/compression.ts'
import { recordBytes } from '../protocol/records/records.ts'

/** What is decided of a batch before its records are looked at. */
export interface BatchFate {
  /** None of its records stays: aborted data, or a marker whose time is over. */
  readonly discards: boolean
  /** Without records its header stays. */
  readonly keepsHeader: boolean
  /** A marker of whose transaction nothing is left: its horizon begins. */
  readonly isIdleMarker: boolean
}

/** What holds for a whole pass. */
export interface FilterRules {
  readonly nowMs: number
  readonly deleteRetentionMs: number
  /** What a batch may expand to. */
  readonly maxExpandedBytes: number
  /** Exclusive: records from here on stay. */
  readonly endOffset: number
  /** The newest offset below `endOffset` of a key; −1 for one that the pass does not know. */
  newestOffset(bytes: Uint8Array, start: number, end: number): number
}

/** What is left of a batch: itself, or other bytes, or nothing. */
export interface Filtered {
  readonly bytes: Uint8Array | undefined
  readonly maxTimestamp: number
}

/** What is left of a batch, its records not compressed yet. */
export interface LooseBatch {
  readonly header: Uint8Array
  readonly records: Uint8Array
  readonly compression: Compression
  readonly maxTimestamp: number
}

const nothing: Filtered = { bytes: undefined, maxTimestamp: -1 }

/**
 * Throws INVALID_RECORD or MESSAGE_TOO_LARGE when the records cannot be read. The CRC is not looked at;
 * it has to be, for what is written has a new one.
 */
export function filterBatch(batch: Batch, fate: BatchFate, rules: FilterRules): Filtered {
  const records = recordBytes(batch, rules.maxExpandedBytes)
  const filtered = looselyFiltered(batch, records, fate, rules)
  if (!('records' in filtered)) return filtered
  return packed(filtered, compress(filtered.compression, filtered.records))
}

/** As `filterBatch`, but that the caller expands and compresses: that takes by far the most time. */
export function looselyFiltered(
  batch: Batch,
  records: Uint8Array,
  fate: BatchFate,
  rules: FilterRules,
): Filtered | LooseBatch {
  if (batch.recordCount === 0) return fate.keepsHeader ? unchanged(batch) : nothing
  if (fate.discards) return fate.keepsHeader ? headerOf(batch) : nothing
  const kept = choose(batch, records, rules)
  if (kept.count === 0) return fate.keepsHeader ? headerOf(batch) : nothing
  const begins = !batch.hasDeleteHorizon && (kept.hasTombstone || fate.isIdleMarker)
  if (kept.count === batch.recordCount && !begins) {
    return unchanged(batch)
  }
  const horizonMs = begins
    ? Math.min(rules.nowMs + rules.deleteRetentionMs, Number.MAX_SAFE_INTEGER)
    : horizonOf(batch)
  return rebuilt(batch, records, kept, horizonMs)
}

function unchanged({ bytes, maxTimestamp }: Batch): Filtered {
  return { bytes, maxTimestamp }
}

function horizonOf(batch: Batch): number | undefined {
  return batch.hasDeleteHorizon ? batch.baseTimestamp : undefined
}

/** Which records stay. */
interface Kept {
  /** By index, 1 for one that stays. */
  readonly marks: Uint8Array
  count: number
  /** With their lengths in front. */
  bytes: number
  hasTombstone: boolean
  firstTimestamp: number
  maxTimestamp: number
}

function choose(batch: Batch, bytes: Uint8Array, rules: FilterRules): Kept {
  const { recordCount, baseOffset, isControl } = batch
  // A record has at least seven bytes: a claimed count takes no memory.
  if (recordCount < 0 || recordCount > bytes.length / 7) throw invalid('its count is not possible')
  const isOver = batch.hasDeleteHorizon && batch.baseTimestamp <= rules.nowMs
  const timestampOf = timestampsOf(batch)
  const kept: Kept = {
    marks: new Uint8Array(recordCount),
    count: 0,
    bytes: 0,
    hasTombstone: false,
    firstTimestamp: -1,
    maxTimestamp: -1,
  }
  walk(bytes, recordCount, (index, record) => {
    const offset = baseOffset + record.offsetDelta
    if (!isControl && offset < rules.endOffset) {
      if (record.keyStart < 0) return
      if (offset < rules.newestOffset(bytes, record.keyStart, record.keyEnd)) return
      if (!record.hasValue && isOver) return
    }
    const timestamp = timestampOf(record.timestampDelta)
    if (kept.count === 0) kept.firstTimestamp = timestamp
    kept.marks[index] = 1
    kept.count++
    kept.bytes += record.end - record.start
    kept.hasTombstone ||= !record.hasValue
    kept.maxTimestamp = Math.max(kept.maxTimestamp, timestamp)
  })
  return kept
}

function timestampsOf(batch: Batch): (delta: number) => number {
  const { baseTimestamp, maxTimestamp } = batch
  if (batch.timestampType === 'LogAppendTime') return () => maxTimestamp
  return delta => baseTimestamp + delta
}

/** Where one record lies, and what of it compaction looks at. */
interface Place {
  /** Of the length in front. */
  start: number
  /** Of the bytes behind attributes and timestamp. */
  restStart: number
  end: number
  timestampDelta: number
  offsetDelta: number
  /** −1 without a key. */
  keyStart: number
  keyEnd: number
  hasValue: boolean
}

/** Shows each record; the place is valid during the call. */
function walk(
  bytes: Uint8Array,
  count: number,
  visit: (index: number, place: Place) => void,
): void {
  const cursor = new VarintCursor(bytes)
  const place: Place = {
    start: 0,
    restStart: 0,
    end: 0,
    timestampDelta: 0,
    offsetDelta: 0,
    keyStart: -1,
    keyEnd: -1,
    hasValue: false,
  }
  try {
    for (let index = 0; index < count; index++) {
      step(cursor, place)
      visit(index, place)
    }
  } catch (error) {
    if (error instanceof VarintError) throw invalid(error.message)
    throw error
  }
}

function step(cursor: VarintCursor, place: Place): void {
  place.start = cursor.position
  const length = cursor.varint()
  place.end = cursor.position + length
  if (length < 0 || place.end > cursor.end) throw new VarintError('the bytes end early')
  cursor.byte() // Attributes, unused.
  place.timestampDelta = cursor.varlong()
  place.restStart = cursor.position
  place.offsetDelta = cursor.varint()
  const keyLength = cursor.varint()
  place.keyStart = keyLength < 0 ? -1 : cursor.skip(keyLength)
  place.keyEnd = cursor.position
  place.hasValue = cursor.varint() >= 0
  if (cursor.position > place.end) throw new VarintError('its length is not that of its fields')
  cursor.position = place.end
}

/** The records that stay, under a header that says what else it said. */
function rebuilt(
  batch: Batch,
  records: Uint8Array,
  kept: Kept,
  horizonMs: number | undefined,
): LooseBatch {
  const baseTimestamp = horizonMs ?? kept.firstTimestamp
  const header = copiedHeader(batch)
  const isAppendTime = batch.timestampType === 'LogAppendTime'
  const maxTimestamp = isAppendTime ? batch.maxTimestamp : kept.maxTimestamp
  const bit = horizonMs === undefined ? 0 : attributeBits.deleteHorizon
  setInt16(header, fieldAt.attributes, batch.attributes | bit)
  setInt64(header, fieldAt.baseTimestamp, baseTimestamp)
  setInt64(header, fieldAt.maxTimestamp, maxTimestamp)
  setInt32(header, fieldAt.recordCount, kept.count)
  const { compression } = batch
  const loose = encoded(batch, records, kept, baseTimestamp)
  return { header, records: loose, compression, maxTimestamp }
}

/** The whole batch; `payload` is its records, compressed. */
export function packed({ header, maxTimestamp }: LooseBatch, payload: Uint8Array): Filtered {
  const bytes = new Uint8Array(batchHeaderBytes + payload.length)
  bytes.set(header)
  bytes.set(payload, batchHeaderBytes)
  setInt32(bytes, fieldAt.length, bytes.length - batchOverheadBytes)
  writeCrc(bytes)
  return { bytes, maxTimestamp }
}

/** The records that stay, their timestamps counted from the new base. */
function encoded(batch: Batch, records: Uint8Array, kept: Kept, baseTimestamp: number): Uint8Array {
  const timestampOf = timestampsOf(batch)
  // Two varints of a record change: by so much they can grow.
  const bytes = new Uint8Array(kept.bytes + kept.count * 12)
  let at = 0
  walk(records, batch.recordCount, (index, { restStart, end, timestampDelta }) => {
    if (kept.marks[index] === 0) return
    const delta = timestampOf(timestampDelta) - baseTimestamp
    at = writeVarint(bytes, at, 1 + varlongSize(delta) + (end - restStart))
    bytes[at++] = 0 // Attributes, unused.
    at = writeVarlong(bytes, at, delta)
    bytes.set(records.subarray(restStart, end), at)
    at += end - restStart
  })
  return bytes.subarray(0, at)
}

/** A batch without records that says which offsets, sequences and times it stood for. */
function headerOf(batch: Batch): Filtered {
  const { maxTimestamp } = batch
  const { compression, deleteHorizon } = attributeBits
  const bytes = copiedHeader(batch)
  setInt32(bytes, fieldAt.length, batchHeaderBytes - batchOverheadBytes)
  setInt16(bytes, fieldAt.attributes, batch.attributes & ~(compression | deleteHorizon))
  setInt64(bytes, fieldAt.baseTimestamp, -1)
  setInt32(bytes, fieldAt.recordCount, 0)
  writeCrc(bytes)
  return { bytes, maxTimestamp }
}

/** The slice of a Buffer would be a view. */
function copiedHeader({ bytes }: Batch): Uint8Array {
  return Uint8Array.prototype.slice.call(bytes, 0, batchHeaderBytes)
}

/** Shows key and offset of each record (`bytes`: expanded) that has a key, until `visit` says false. */
export function eachKey(
  batch: Batch,
  bytes: Uint8Array,
  visit: (bytes: Uint8Array, start: number, end: number, offset: number) => boolean,
): boolean {
  const { baseOffset } = batch
  let goesOn = true
  walk(bytes, batch.recordCount, (_, { keyStart, keyEnd, offsetDelta }) => {
    if (goesOn && keyStart >= 0) goesOn = visit(bytes, keyStart, keyEnd, baseOffset + offsetDelta)
  })
  return goesOn
}

function invalid(what: string): KafkaError {
  return new KafkaError('INVALID_RECORD', `record batch: ${what}`)
}
