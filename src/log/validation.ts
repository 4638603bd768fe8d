/**
 * What a produced batch goes through before it gets offsets.
 *
 * A client sends exactly one batch for a partition. Its header is checked, then each record: a
 * batch whose CRC is right can still hold records that no consumer can read, so compressed ones are
 * expanded and walked too, stepping over keys and values. Kafka does the same, and like it we
 * write the true largest timestamp into the header. Recompression takes the expanded bytes as they
 * are: records are not decoded for it.
 */
import type { LogConfig } from '../config/log-config.ts'
import { KafkaError } from '../protocol/errors.ts'
import {
  type Batch,
  batchSizeAt,
  type Compression,
  fieldAt,
  isCrcValid,
  readBatch,
  stampTimestamps,
} from '../protocol/records/batch.ts'
import { recompressed } from '../protocol/records/build.ts'
import { recordBytes, walkRecords } from '../protocol/records/records.ts'

export interface ValidationOptions {
  readonly config: LogConfig
  /** Wall time. */
  readonly nowMs: number
}

export interface ValidatedBatches {
  /** What is to be appended: the given bytes, changed in place, or new ones if recompressed. */
  readonly bytes: Uint8Array
  /** Views of `bytes`; exactly one today. */
  readonly batches: readonly Batch[]
  readonly recordCount: number
  /** The time stamped on all records; −1 where they keep their own. */
  readonly logAppendTimeMs: number
  /** The largest timestamp of the records as consumers will see it; −1 when they have none. */
  readonly maxTimestamp: number
}

/** One refused record; `batchIndex` is its index in the batch. */
export interface RecordRefusal {
  readonly batchIndex: number
  readonly message: string
}

/** A batch refused for some of its records; at most the first 1,000 of them are listed. */
export class RecordsError extends KafkaError {
  readonly recordErrors: readonly RecordRefusal[]

  constructor(
    error: 'INVALID_RECORD' | 'INVALID_TIMESTAMP',
    detail: string,
    recordErrors: readonly RecordRefusal[],
  ) {
    super(error, detail)
    this.recordErrors = recordErrors
  }
}

/**
 * A batch is expanded in memory to be checked, where Kafka streams it; so a batch of any records
 * may expand to this and no further. max.decompressed.message.bytes bounds each record, as there.
 */
export const maxExpandedBytes = 128 * 1024 * 1024

const maxRecordErrors = 1000

/**
 * Checks what a client wants appended and brings it to the form in which it is stored, in place
 * where it can: `records` must not be used otherwise. Base offset and leader epoch are not set yet.
 *
 * Throws INVALID_RECORD, CORRUPT_MESSAGE for a wrong CRC or framing, MESSAGE_TOO_LARGE beyond
 * max.message.bytes or when it expands too far, RECORD_LIST_TOO_LARGE beyond a segment,
 * UNSUPPORTED_COMPRESSION_TYPE; and a RecordsError, INVALID_RECORD or INVALID_TIMESTAMP, that says
 * which records are at fault.
 */
export function validateForAppend(
  records: Uint8Array,
  { config, nowMs }: ValidationOptions,
): ValidatedBatches {
  const batch = onlyBatch(records)
  if (batch.baseOffset !== 0) throw invalid(`base offset ${batch.baseOffset} instead of 0`)
  checkSize(batch, config)
  if (!isCrcValid(batch)) throw new KafkaError('CORRUPT_MESSAGE', 'record batch: wrong CRC')
  checkHeader(batch)

  const expanded = recordBytes(batch, maxExpandedBytes)
  const ownMaxTimestamp = checkRecords(batch, expanded, config, nowMs)

  const compression = storedCompression(batch, config)
  const stored =
    compression === batch.compression
      ? batch
      : recompressed(batch, expanded, compression, levelOf(compression, config))
  const isStamped = config.timestampType === 'LogAppendTime'
  const maxTimestamp = isStamped ? nowMs : ownMaxTimestamp
  stampTimestamps(stored, config.timestampType, maxTimestamp)
  if (stored !== batch) checkSize(stored, config)
  if (stored.sizeInBytes > config.segmentBytes) {
    throw new KafkaError(
      'RECORD_LIST_TOO_LARGE',
      `a batch of ${stored.sizeInBytes} bytes, a segment takes ${config.segmentBytes}`,
    )
  }
  return {
    bytes: stored.bytes,
    batches: [stored],
    recordCount: stored.recordCount,
    logAppendTimeMs: isStamped ? nowMs : -1,
    maxTimestamp,
  }
}

function onlyBatch(records: Uint8Array): Batch {
  const magic = records[fieldAt.magic]
  if (magic === 0 || magic === 1) throw invalid(`magic ${magic}, only 2 is spoken`)
  const size = batchSizeAt(records, 0)
  if (size === undefined || size > records.length) throw invalid('there is no whole batch')
  const batch = readBatch(records)
  if (size !== records.length) throw invalid('exactly one batch is allowed for a partition')
  return batch
}

function checkSize(batch: Batch, config: LogConfig): void {
  if (batch.sizeInBytes > config.maxMessageBytes) {
    throw new KafkaError(
      'MESSAGE_TOO_LARGE',
      `a batch of ${batch.sizeInBytes} bytes, max.message.bytes is ${config.maxMessageBytes}`,
    )
  }
}

function checkHeader(batch: Batch): void {
  const { recordCount, lastOffsetDelta, producerId } = batch
  if (recordCount <= 0) throw invalid(`it says that it has ${recordCount} records`)
  if (lastOffsetDelta !== recordCount - 1) {
    throw invalid(`${recordCount} records, but the last one's offset delta is ${lastOffsetDelta}`)
  }
  if (batch.isControl) throw invalid('clients may not write control records')
  if (batch.hasDeleteHorizon) throw invalid('clients may not set a delete horizon')
  if (producerId >= 0 && batch.baseSequence < 0) {
    throw invalid(`producer ${producerId} sent sequence ${batch.baseSequence}`)
  }
  if (producerId >= 0 && batch.producerEpoch < 0) {
    throw invalid(`producer ${producerId} sent epoch ${batch.producerEpoch}`)
  }
  if (producerId < 0 && batch.isTransactional) throw invalid('transactional without a producer id')
}

/** Walks the records and returns their largest timestamp. */
function checkRecords(batch: Batch, expanded: Uint8Array, config: LogConfig, nowMs: number) {
  const { baseTimestamp } = batch
  const ownsTimestamps = config.timestampType === 'CreateTime'
  const setsAppendTime = !ownsTimestamps && batch.timestampType === 'LogAppendTime'
  const maxBytes = batch.compression === 'none' ? Infinity : config.maxDecompressedMessageBytes
  const earliest = nowMs - config.timestampBeforeMaxMs
  const latest = Math.min(nowMs + config.timestampAfterMaxMs, Number.MAX_SAFE_INTEGER)
  const refusals: RecordRefusal[] = []
  let error: 'INVALID_RECORD' | 'INVALID_TIMESTAMP' = 'INVALID_RECORD'
  let maxTimestamp = -1
  const refuse = (batchIndex: number, message: string): void => {
    if (refusals.length < maxRecordErrors) refusals.push({ batchIndex, message })
  }
  walkRecords(expanded, batch.recordCount, (index, offsetDelta, timestampDelta, hasKey, bytes) => {
    const timestamp = baseTimestamp + timestampDelta
    if (offsetDelta !== index) {
      refuse(index, `Offset delta ${offsetDelta} where ${index} was expected.`)
    } else if (bytes > maxBytes) {
      refuse(index, `${bytes} bytes, max.decompressed.message.bytes is ${maxBytes}.`)
    } else if (!hasKey && config.cleanupCompact) {
      refuse(index, 'A compacted topic takes no record without a key.')
    } else if (setsAppendTime) {
      error = 'INVALID_TIMESTAMP'
      refuse(index, 'A producer may not set the timestamp type LogAppendTime.')
    } else if (ownsTimestamps && timestamp !== -1 && (timestamp < earliest || timestamp > latest)) {
      error = 'INVALID_TIMESTAMP'
      refuse(index, `Timestamp ${timestamp} is not within [${earliest}, ${latest}].`)
    }
    if (timestamp > maxTimestamp) maxTimestamp = timestamp
  })
  if (refusals.length > 0) {
    throw new RecordsError(error, `record batch: ${refusals[0]!.message}`, refusals)
  }
  return maxTimestamp
}

function storedCompression(batch: Batch, { compressionType }: LogConfig): Compression {
  if (compressionType === 'producer') return batch.compression
  return compressionType === 'uncompressed' ? 'none' : compressionType
}

function levelOf(compression: Compression, config: LogConfig): number | undefined {
  switch (compression) {
    case 'gzip':
      return config.gzipLevel
    case 'zstd':
      return config.zstdLevel
    default:
      return undefined // Snappy has no levels, and our lz4 has one.
  }
}

function invalid(what: string): KafkaError {
  return new KafkaError('INVALID_RECORD', `record batch: ${what}`)
}
