/**
 * `ottla log dump FILE`: what a file of a partition holds. It reads from the beginning, in order, and
 * trusts nothing: the first bytes that are no batch end the dump, with where they are and exit code 1.
 */
import { type FileHandle, open } from 'node:fs/promises'
import { basename } from 'node:path'
import { int32At, int64At } from '../base/bytes.ts'
import { decodeSnapshot, maxSnapshotBytes } from '../log/producer-snapshot.ts'
import { decodeAborted, transactionEntryBytes } from '../log/transaction-index.ts'
import { type Batch, batchSizeAt, isCrcValid, readBatch } from '../protocol/records/batch.ts'
import { type LogRecord, recordsOf } from '../protocol/records/records.ts'
import { Failure, fileProblem } from './failure.ts'
import { recordFormat } from './format.ts'
import { recordJson } from './ndjson.ts'
import { bytesText, Progress, print, printJson, timeText } from './output.ts'

interface DumpOptions {
  readonly records?: true
  readonly max?: number
  readonly json?: true
}

/** Larger than any batch that a broker takes by default; a larger one gets its own memory. */
const windowBytes = 4 * 1024 * 1024
const maxExpandedBytes = 512 * 1024 * 1024

export async function dump(path: string, options: DumpOptions): Promise<void> {
  const file = await openFile(path)
  try {
    const { size } = await file.stat()
    if (path.endsWith('.log')) await dumpSegment(file, size, options)
    else if (path.endsWith('.index')) await dumpIndex(file, size, path, 8, options)
    else if (path.endsWith('.timeindex')) await dumpIndex(file, size, path, 12, options)
    else if (path.endsWith('.snapshot')) await dumpSnapshot(file, size, options)
    else if (path.endsWith('.txnindex')) await dumpTransactionIndex(file, size, options)
    else throw new Failure(`${path}: give a .log, .index, .timeindex, .txnindex or .snapshot file`)
  } finally {
    await file.close()
  }
}

async function openFile(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r')
  } catch (cause) {
    throw new Failure(`cannot read ${path}: ${fileProblem(cause)}`, { cause })
  }
}

async function dumpSegment(file: FileHandle, size: number, options: DumpOptions): Promise<void> {
  const progress = new Progress()
  const total = { batches: 0, records: 0, damaged: 0 }
  let position = 0
  let damage: string | undefined
  const max = options.max ?? Number.POSITIVE_INFINITY
  try {
    for await (const batch of batchesOf(file, size)) {
      if (total.batches >= max) break
      const crcValid = isCrcValid(batch)
      total.batches += 1
      total.records += batch.recordCount
      if (!crcValid) total.damaged += 1
      await printBatch(batch, position, crcValid, options)
      position += batch.sizeInBytes
      const done = position / size
      if (!process.stdout.isTTY) {
        progress.show(() => `${bytesText(position)} of ${bytesText(size)}, ${percent(done)}`)
      }
    }
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'KafkaError') throw error
    damage = error.message
  }
  progress.clear()
  const summary = `${total.batches} batches, ${total.records} records, ${bytesText(position)}`
  if (damage !== undefined) {
    const rest = bytesText(size - position)
    throw new Failure(`${summary}; what begins at byte ${position} (${rest}) is damaged: ${damage}`)
  }
  if (total.damaged > 0) throw new Failure(`${summary}; CRC wrong in ${total.damaged} batches`)
  if (!options.json) await print(`${summary}: sound\n`)
}

/** Throws CORRUPT_MESSAGE at the first bytes that are no whole batch. */
async function* batchesOf(file: FileHandle, size: number): AsyncIterable<Batch> {
  let window: Buffer = Buffer.alloc(0)
  for (let position = 0, at = 0; position < size; ) {
    const rest = size - position
    const length = batchSizeAt(window, at)
    if (length === undefined || at + length > window.length) {
      window = await readAt(file, position, Math.min(windowBytes, rest))
      at = 0
      // No more memory than the file holds, whatever the length claims.
      const whole = Math.min(batchSizeAt(window, 0) ?? 0, rest)
      if (whole > window.length) window = await readAt(file, position, whole)
    }
    const batch = readBatch(window, at)
    yield batch
    at += batch.sizeInBytes
    position += batch.sizeInBytes
  }
}

async function readAt(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const { buffer, bytesRead } = await file.read(Buffer.alloc(length), 0, length, position)
  return buffer.subarray(0, bytesRead)
}

async function printBatch(
  batch: Batch,
  position: number,
  crcValid: boolean,
  options: DumpOptions,
): Promise<void> {
  const records = options.records && crcValid ? [...recordsOf(batch, maxExpandedBytes)] : []
  if (options.json) {
    await printJson({ ...batchJson(batch, position, crcValid), ...recordsJson(options, records) })
    return
  }
  await print(`${batchText(batch, position, crcValid)}\n`)
  for (const record of records) await print(recordLine('', 0, record))
}

function batchJson(batch: Batch, position: number, crcValid: boolean) {
  return {
    position,
    sizeInBytes: batch.sizeInBytes,
    baseOffset: batch.baseOffset,
    lastOffset: batch.lastOffset,
    recordCount: batch.recordCount,
    compression: batch.compression,
    timestampType: batch.timestampType,
    baseTimestamp: batch.baseTimestamp,
    maxTimestamp: batch.maxTimestamp,
    leaderEpoch: batch.partitionLeaderEpoch,
    producerId: batch.producerId,
    producerEpoch: batch.producerEpoch,
    baseSequence: batch.baseSequence,
    isTransactional: batch.isTransactional,
    isControl: batch.isControl,
    crc: batch.crc,
    crcValid,
  }
}

function recordsJson({ records: wanted }: DumpOptions, records: readonly LogRecord[]) {
  if (!wanted) return {}
  return {
    records: records.map(record => {
      const { topic: _topic, partition: _partition, ...rest } = recordJson('', 0, record)
      return rest
    }),
  }
}

function batchText(batch: Batch, position: number, crcValid: boolean): string {
  const { baseOffset, lastOffset, recordCount, producerId } = batch
  const parts = [
    `offsets ${baseOffset}–${lastOffset}`,
    `at byte ${position}`,
    `${bytesText(batch.sizeInBytes)}`,
    `${recordCount} records`,
    batch.compression === 'none' ? 'uncompressed' : batch.compression,
    `epoch ${batch.partitionLeaderEpoch}`,
    `${batch.timestampType} ${timeText(batch.maxTimestamp)}`,
  ]
  if (producerId !== -1) {
    const sequences = `${batch.baseSequence}–${batch.lastSequence}`
    parts.push(`producer ${producerId}/${batch.producerEpoch} sequences ${sequences}`)
  }
  if (batch.isTransactional) parts.push('transactional')
  if (batch.isControl) parts.push('control')
  parts.push(crcValid ? 'CRC good' : 'CRC WRONG')
  return parts.join('  ')
}

const recordLine = recordFormat('    %o  %d  key=%k  value=%s  %h\n')

/**
 * Index entries: the distance from the base offset (which is the file's name) and the byte position;
 * of a time index the timestamp stands in front of the distance. Kafka allocates an index in advance,
 * so zeros may follow the last entry.
 */
async function dumpIndex(
  file: FileHandle,
  size: number,
  path: string,
  entryBytes: 8 | 12,
  options: DumpOptions,
): Promise<void> {
  const base = Number(/^(\d+)\./u.exec(basename(path))?.[1] ?? Number.NaN)
  if (!Number.isSafeInteger(base)) {
    throw new Failure(`${path}: the name of an index must begin with its base offset`)
  }
  const entriesPerRead = Math.floor(windowBytes / entryBytes)
  let shown = 0
  let previous = -1
  for (let at = 0; at + entryBytes <= size; at += entriesPerRead * entryBytes) {
    const bytes = await readAt(file, at, Math.min(entriesPerRead * entryBytes, size - at))
    for (let entry = 0; entry + entryBytes <= bytes.length; entry += entryBytes) {
      if (shown === options.max) return
      const offset = base + int32At(bytes, entry + entryBytes - (entryBytes === 8 ? 8 : 4))
      const isFiller = offset <= previous && bytes.subarray(entry).every(byte => byte === 0)
      if (isFiller) return
      const json =
        entryBytes === 8
          ? { offset, position: int32At(bytes, entry + 4) }
          : { timestamp: int64At(bytes, entry), offset }
      if (options.json) await printJson(json)
      else await print(`${indexText(json)}\n`)
      previous = offset
      shown += 1
    }
  }
}

function indexText(entry: { offset: number; position?: number; timestamp?: number }): string {
  return entry.position === undefined
    ? `offset ${entry.offset}  ${timeText(entry.timestamp!)}`
    : `offset ${entry.offset}  at byte ${entry.position}`
}

async function dumpTransactionIndex(
  file: FileHandle,
  size: number,
  options: DumpOptions,
): Promise<void> {
  const bytesPerRead = Math.floor(windowBytes / transactionEntryBytes) * transactionEntryBytes
  let shown = 0
  for (let at = 0; at < size; at += bytesPerRead) {
    const entries = decodeAborted(await readAt(file, at, Math.min(bytesPerRead, size - at)))
    if ('what' in entries) throw new Failure(`${entries.what} at byte ${at + entries.position}`)
    for (const entry of entries) {
      if (shown++ === options.max) return
      const { producerId, firstOffset, lastOffset, lastStableOffset } = entry
      if (options.json) await printJson(entry)
      else {
        const stable = `last stable offset ${lastStableOffset}`
        await print(`producer ${producerId}  offsets ${firstOffset}–${lastOffset}  ${stable}\n`)
      }
    }
  }
}

async function dumpSnapshot(file: FileHandle, size: number, options: DumpOptions): Promise<void> {
  if (size > maxSnapshotBytes) throw new Failure(`a snapshot of ${bytesText(size)} is none`)
  const state = decodeSnapshot(await readAt(file, 0, size), Number.POSITIVE_INFINITY)
  if (state === undefined) throw new Failure('not a sound producer snapshot: version or CRC wrong')
  let shown = 0
  for (const entry of state.entries()) {
    if (shown++ === options.max) return
    const last = entry.batches.at(-1)
    if (options.json) await printJson(entry)
    else {
      await print(
        `producer ${entry.producerId}/${entry.producerEpoch}  last sequence ${last?.lastSequence ?? 'none'}` +
          `  last offset ${last?.lastOffset ?? 'none'}  ${timeText(entry.lastTimestamp)}\n`,
      )
    }
  }
  if (shown === 0 && !options.json) await print('no producers\n')
}

function percent(part: number): string {
  return `${Math.floor(part * 100)} %`
}
