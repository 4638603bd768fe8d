/**
 * Damage that is met while a log is in use: a read or the scrubber found bytes that are no batch.
 *
 * The whole segment is looked at, and what is bad becomes a hole as if a start had found it: reads of
 * it are refused, it is noted in `damaged-ranges`, and a follower can cut it and fetch it again
 * (replication.md §9).
 */
import { DiskError, type Io } from '../io/io.ts'
import { findBatch, scanBatches } from './batch-scan.ts'
import type { Log } from './log.ts'
import { saveDamage } from './recovery.ts'
import type { Hole, Segment } from './segment.ts'

const windowBytes = 128 * 1024

/**
 * Notes the damage in a segment of the log; false: there is none that was not known, or the log
 * changed meanwhile. Damage at the end of the segment that is being written is left to recovery.
 */
export async function noteDamage(io: Io, log: Log, segment: Segment): Promise<boolean> {
  const { cuts } = log
  try {
    const holes = await holesIn(io, log, segment)
    const isSame = log.cuts === cuts && log.segments.includes(segment)
    if (!isSame || holes.length <= segment.holes.length) return false
    segment.holes = holes
    await saveDamage({ io }, log.folder, log.segments)
    return true
  } catch (error) {
    if (!(error instanceof DiskError)) throw error
    return false // Who met it tells of the disk.
  }
}

async function holesIn({ disk }: Io, log: Log, segment: Segment): Promise<Hole[]> {
  const { size } = segment
  const holes: Hole[] = []
  const expected = { offset: segment.baseOffset, epoch: -1 }
  const file = await disk.open(segment.logPath, { readOnly: true })
  try {
    for (let position = 0; position < size; ) {
      const end = await scanBatches(file, position, size, {
        checkCrc: true,
        expected,
        windowBytes,
        onBatch: () => true,
      })
      if (end.reason === 'end') break
      const next = await findBatch(file, end.position + 1, size, expected, windowBytes)
      const following = log.segments[log.segments.indexOf(segment) + 1]
      const endOffset = next?.baseOffset ?? following?.baseOffset
      if (endOffset === undefined) break
      const startOffset = expected.offset
      position = next?.position ?? size
      holes.push({ position: end.position, endPosition: position, startOffset, endOffset })
      expected.offset = endOffset
    }
  } finally {
    await file.close()
  }
  return holes
}
