/**
 * Golden record batches: reading equals the JSON; building equals the bytes, or for compressed ones,
 * where every library writes its own bytes, reads back to the same.
 */
import { Buffer } from 'node:buffer'
import { isDeepStrictEqual } from 'node:util'
import { type Batch, batches, isCrcValid, readBatch } from '../../src/protocol/records/batch.ts'
import { buildBatch, type NewRecord } from '../../src/protocol/records/build.ts'
import { recordBytes, recordsOf, walkRecords } from '../../src/protocol/records/records.ts'

/** One line of a file of record batch vectors. */
export interface BatchVector {
  readonly name: string
  readonly batches: readonly Record<string, unknown>[]
  readonly hex: string
}

const maxRecordBytes = 64 * 1024 * 1024

/** What disagrees, as a text for people; undefined when all agrees. */
export function checkBatchVector(vector: BatchVector): string | undefined {
  const bytes = new Uint8Array(Buffer.from(vector.hex, 'hex'))
  const read = [...batches(bytes)]
  const decoded = read.map(toJson)
  if (!isDeepStrictEqual(decoded, vector.batches)) {
    return `reading gives\n  ${JSON.stringify(decoded)}\nand should give\n  ${JSON.stringify(vector.batches)}`
  }
  for (const batch of read) {
    if (!isCrcValid(batch)) return `the CRC of the batch at offset ${batch.baseOffset} is refused`
    const problem = checkBuilding(batch)
    if (problem !== undefined) return problem
  }
  return undefined
}

function checkBuilding(batch: Batch): string | undefined {
  const built = readBatch(rebuilt(batch))
  if (batch.compression === 'none') {
    const [ours, theirs] = [hex(built.bytes), hex(batch.bytes)]
    return ours === theirs ? undefined : `building gives\n  ${ours}\nand should give\n  ${theirs}`
  }
  // Size and CRC follow from the compressed bytes.
  const ours = { ...toJson(built), sizeInBytes: 0, crc32c: 0 }
  const theirs = { ...toJson(batch), sizeInBytes: 0, crc32c: 0 }
  if (isCrcValid(built) && isDeepStrictEqual(ours, theirs)) return undefined
  return `what was built reads as\n  ${JSON.stringify(ours)}\nand should read as\n  ${JSON.stringify(theirs)}`
}

function rebuilt(batch: Batch): Uint8Array {
  const timestamps: number[] = []
  walkRecords(recordBytes(batch, maxRecordBytes), batch.recordCount, (_index, _offset, delta) => {
    timestamps.push(batch.baseTimestamp + delta)
  })
  const records: NewRecord[] = [...recordsOf(batch, maxRecordBytes)].map((record, index) => ({
    timestamp: timestamps[index] ?? -1,
    offsetDelta: record.offset - batch.baseOffset,
    key: record.key,
    value: record.value,
    headers: record.headers,
  }))
  return buildBatch(
    {
      baseOffset: batch.baseOffset,
      leaderEpoch: batch.partitionLeaderEpoch,
      compression: batch.compression,
      timestampType: batch.timestampType,
      baseTimestamp: batch.baseTimestamp,
      maxTimestamp: batch.maxTimestamp,
      producerId: batch.producerId,
      producerEpoch: batch.producerEpoch,
      baseSequence: batch.baseSequence,
      transactional: batch.isTransactional,
      control: batch.isControl,
    },
    records,
  )
}

function toJson(batch: Batch): Record<string, unknown> {
  return {
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    partitionLeaderEpoch: batch.partitionLeaderEpoch,
    magic: 2,
    compression: batch.compression,
    timestampType: batch.timestampType,
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: batch.maxTimestamp,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    isTransactional: batch.isTransactional,
    isControlBatch: batch.isControl,
    crc32c: batch.crc,
    sizeInBytes: batch.sizeInBytes,
    records: [...recordsOf(batch, maxRecordBytes)].map(record => ({
      offset: record.offset,
      timestamp: record.timestamp,
      key: base64(record.key),
      value: base64(record.value),
      headers: record.headers.map(header => [header.key, base64(header.value)]),
    })),
  }
}

function base64(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString('base64')
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex')
}
