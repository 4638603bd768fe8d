/**
 * `<offset>.snapshot`: the producer state of a log below that offset, in Kafka's form, version 1.
 *
 *     int16 version, uint32 CRC-32C of what follows, int32 count, and for each entry:
 *     int64 producerId, int16 epoch, int32 lastSequence, int64 lastOffset, int32 offsetDelta,
 *     int64 timestamp, int32 coordinatorEpoch, int64 currentTxnFirstOffset
 *
 * Kafka keeps one entry, the newest batch, of each producer. We write one for each remembered batch,
 * oldest first, so that a restart forgets none of the five; Kafka reads such a file and keeps the last.
 */
import { int16At, int32At, int64At, setInt16, setInt32, setInt64, uint32At } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import {
  type ProducerEntry,
  ProducerState,
  rememberedBatches,
  SequenceRange,
} from './producer-state.ts'

const version = 1
const headerBytes = 10
const entryBytes = 46

/** Beyond it a snapshot is not read: five batches of the most producers that a log remembers. */
export const maxSnapshotBytes = 32 * 1024 * 1024

const noBatch = new SequenceRange(-1, -1, 0)

/** The file for this state. */
export function encodeSnapshot(state: ProducerState): Uint8Array {
  const rows: { entry: ProducerEntry; batch: SequenceRange }[] = []
  for (const entry of state.entries()) {
    const batches = entry.batches.length === 0 ? [noBatch] : entry.batches
    for (const batch of batches) rows.push({ entry, batch })
  }
  const bytes = new Uint8Array(headerBytes + rows.length * entryBytes)
  setInt16(bytes, 0, version)
  setInt32(bytes, 6, rows.length)
  for (const [index, row] of rows.entries()) writeRow(bytes, headerBytes + index * entryBytes, row)
  setInt32(bytes, 2, crc32c(bytes.subarray(6)))
  return bytes
}

function writeRow(
  bytes: Uint8Array,
  at: number,
  { entry, batch }: { entry: ProducerEntry; batch: SequenceRange },
): void {
  setInt64(bytes, at, entry.producerId)
  setInt16(bytes, at + 8, entry.producerEpoch)
  setInt32(bytes, at + 10, batch.lastSequence)
  setInt64(bytes, at + 14, batch.lastOffset)
  setInt32(bytes, at + 22, batch.lastOffset - batch.baseOffset)
  setInt64(bytes, at + 26, entry.lastTimestamp)
  setInt32(bytes, at + 34, entry.coordinatorEpoch)
  setInt64(bytes, at + 38, entry.currentTransactionStartOffset)
}

/** The state in a snapshot file; undefined when the file is damaged or of another version. */
export function decodeSnapshot(bytes: Uint8Array, expirationMs: number): ProducerState | undefined {
  if (bytes.length < headerBytes || int16At(bytes, 0) !== version) return undefined
  if (uint32At(bytes, 2) !== crc32c(bytes.subarray(6))) return undefined
  const count = int32At(bytes, 6)
  if (bytes.length !== headerBytes + count * entryBytes) return undefined
  const entries = new Map<number, ProducerEntry>()
  for (let index = 0; index < count; index++) {
    const row = readRow(bytes, headerBytes + index * entryBytes)
    const before = entries.get(row.producerId)
    const continues = before !== undefined && before.producerEpoch === row.producerEpoch
    const batches = continues ? [...before.batches, ...row.batches] : row.batches
    entries.set(row.producerId, { ...row, batches: batches.slice(-rememberedBatches) })
  }
  return new ProducerState(expirationMs, entries.values())
}

function readRow(bytes: Uint8Array, at: number): ProducerEntry {
  const lastSequence = int32At(bytes, at + 10)
  const lastOffset = int64At(bytes, at + 14)
  const batch = new SequenceRange(lastSequence, lastOffset, int32At(bytes, at + 22))
  return {
    producerId: int64At(bytes, at),
    producerEpoch: int16At(bytes, at + 8),
    batches: lastOffset < 0 ? [] : [batch],
    lastTimestamp: int64At(bytes, at + 26),
    coordinatorEpoch: int32At(bytes, at + 34),
    currentTransactionStartOffset: int64At(bytes, at + 38),
  }
}
