/**
 * Looks through one segment: every batch of the log file with its CRC, and in the same pass whether
 * the indexes say the same. Where bytes are no batch, it looks for the next one and goes on.
 */
import type { Disk, DiskFile } from '../io/io.ts'
import { Batch, compressions } from '../protocol/records/batch.ts'
import { recordBytes, walkRecords } from '../protocol/records/records.ts'
import { type Expected, findBatch, type ScannedBatch, scanBatches } from './batch-scan.ts'
import { logSuffix, offsetIndexSuffix, offsetName, timeIndexSuffix } from './file-names.ts'
import type { EpochEntry } from './leader-epochs.ts'
import type { ProducerState } from './producer-state.ts'
import type { AbortedTransaction } from './transaction-marker.ts'
import { OffsetIndexCheck, TimeIndexCheck } from './verify-index.ts'

/**
 * `damage`: records are lost or cannot be read. `torn`: an unfinished write, which nobody was told
 * of. `derived`: a file that is made from the log, and can be again. `note`: nothing wrong.
 */
export type FindingKind = 'damage' | 'torn' | 'derived' | 'note'

/** One thing that was found. */
export interface Finding {
  readonly kind: FindingKind
  readonly path: string
  /** Byte in that file. */
  readonly position?: number
  /** The first record that it concerns. */
  readonly offset?: number
  readonly what: string
}

/** What every check needs. */
export interface Inspection {
  readonly disk: Disk
  /** Records are decompressed and walked, too. */
  readonly isDeep: boolean
  found(finding: Finding): void
  /** So many bytes more were read. */
  read(bytes: number): void
}

/** A segment, and what its folder says of it. */
export interface SegmentToVerify {
  readonly folder: string
  readonly baseOffset: number
  /** No segment with records follows. */
  readonly isLast: boolean
  /** Its indexes are complete: it is not the newest one, or the log was closed. */
  readonly isClosed: boolean
  /** Below it everything was synced. */
  readonly recoveryPoint: number
  /** No batch has offsets from there on: the next segment, or the end of a log that was closed. */
  readonly limitOffset: number
}

/** What a segment was found to hold. */
export interface VerifiedSegment {
  readonly batches: number
  readonly bytes: number
  /** Bytes behind the last good batch: a torn or damaged end. */
  readonly tailBytes: number
  /** Those whose markers it holds. */
  readonly aborted: readonly AbortedTransaction[]
}

/** Bytes that are read at once; memory does not depend on what the file claims. */
const windowBytes = 1024 * 1024

/** A larger index is none; Kafka's are of 10 MiB at most by default. */
const maxIndexBytes = 256 * 1024 * 1024

/** A batch that is larger, or that expands beyond it, is not looked into. */
const maxExpandedBytes = 512 * 1024 * 1024

/** What moves along from segment to segment. */
export interface VerifiedSoFar {
  readonly expected: Expected
  /** Where each epoch was first seen. */
  readonly epochs: EpochEntry[]
  /** Those with transactions. */
  readonly producers: ProducerState
}

/** `soFar` moves along. Throws DiskError. */
export async function verifySegment(
  inspection: Inspection,
  segment: SegmentToVerify,
  soFar: VerifiedSoFar,
): Promise<VerifiedSegment> {
  const path = `${segment.folder}/${offsetName(segment.baseOffset, logSuffix)}`
  const file = await inspection.disk.open(path, { readOnly: true })
  try {
    return await new SegmentScan(inspection, segment, path, file, soFar).run()
  } finally {
    await file.close()
  }
}

class SegmentScan {
  readonly #inspection: Inspection
  readonly #segment: SegmentToVerify
  readonly #path: string
  readonly #file: DiskFile
  readonly #expected: Expected
  readonly #epochs: EpochEntry[]
  readonly #producers: ProducerState
  readonly #aborted: AbortedTransaction[] = []
  #offsets: OffsetIndexCheck | undefined
  #times: TimeIndexCheck | undefined
  #batches = 0
  /** Batches that were scanned and not looked into. */
  #unseen: { position: number; size: number }[] = []
  #unseenBytes = 0

  constructor(
    inspection: Inspection,
    segment: SegmentToVerify,
    path: string,
    file: DiskFile,
    { expected, epochs, producers }: VerifiedSoFar,
  ) {
    this.#inspection = inspection
    this.#segment = segment
    this.#path = path
    this.#file = file
    this.#expected = expected
    this.#epochs = epochs
    this.#producers = producers
  }

  async run(): Promise<VerifiedSegment> {
    const { baseOffset } = this.#segment
    const offsetBytes = await this.#index(offsetIndexSuffix)
    const timeBytes = await this.#index(timeIndexSuffix)
    this.#offsets = offsetBytes && new OffsetIndexCheck(offsetBytes, baseOffset)
    this.#times = timeBytes && new TimeIndexCheck(timeBytes, baseOffset)
    const size = await this.#file.size()
    const tailBytes = await this.#scan(size)
    const { isClosed } = this.#segment
    this.#indexProblem(offsetIndexSuffix, this.#offsets?.end(isClosed))
    this.#indexProblem(timeIndexSuffix, this.#times?.end(isClosed))
    return { batches: this.#batches, bytes: size, tailBytes, aborted: this.#aborted }
  }

  async #index(suffix: string): Promise<Uint8Array | undefined> {
    const path = this.#indexPath(suffix)
    const { disk } = this.#inspection
    const size = (await disk.stat(path))?.size
    if (size === undefined || size > maxIndexBytes) {
      const what = size === undefined ? 'is missing' : `has ${size} bytes: no index is so large`
      this.#inspection.found({ kind: 'derived', path, what })
      return undefined
    }
    this.#inspection.read(size)
    return await disk.readFile(path, maxIndexBytes)
  }

  #indexPath(suffix: string): string {
    return `${this.#segment.folder}/${offsetName(this.#segment.baseOffset, suffix)}`
  }

  #indexProblem(suffix: string, problem: { position: number; what: string } | undefined): void {
    if (problem === undefined) return
    this.#inspection.found({ kind: 'derived', path: this.#indexPath(suffix), ...problem })
  }

  /** Answers how many bytes at the end hold no batch. */
  async #scan(size: number): Promise<number> {
    for (let position = 0; position < size; ) {
      const end = await scanBatches(this.#file, position, size, {
        checkCrc: true,
        expected: this.#expected,
        limitOffset: this.#segment.limitOffset,
        windowBytes,
        onBatch: batch => this.#note(batch),
      })
      await this.#lookInto()
      if (end.reason === 'end') break
      if (end.reason === 'stopped') {
        position = end.position
        continue
      }
      const next = await findBatch(this.#file, end.position + 1, size, this.#expected, windowBytes)
      if (next === undefined) return await this.#tail(end.position, size, end.reason === 'short')
      this.#damaged(end.position, next.position, next.baseOffset)
      position = next.position
    }
    return 0
  }

  /** With `isDeep` the scan stops now and then, for the batches since to be looked into. */
  #note({ header, position, size }: ScannedBatch): boolean {
    if (this.#inspection.isDeep) {
      if (this.#unseenBytes > windowBytes) return false
      this.#unseen.push({ position, size })
      this.#unseenBytes += size
    }
    const { baseOffset, lastOffset, maxTimestamp, partitionLeaderEpoch } = header
    const batch = { position, size, baseOffset, lastOffset, maxTimestamp }
    this.#offsets?.batch(batch)
    this.#times?.batch(batch)
    if (partitionLeaderEpoch > (this.#epochs.at(-1)?.epoch ?? -1)) {
      this.#epochs.push({ epoch: partitionLeaderEpoch, startOffset: baseOffset })
    }
    if (header.isTransactional) this.#transaction(header)
    this.#batches++
    this.#inspection.read(size)
    return true
  }

  #transaction(header: Batch): void {
    const aborted = this.#producers.abortedBy(header)
    if (aborted !== undefined) this.#aborted.push(aborted)
    // Compaction leaves headers of batches whose records it took: there is nothing to leave out.
    if (header.isControl || header.recordCount > 0) this.#producers.append(header, 0)
  }

  async #lookInto(): Promise<void> {
    for (const { position, size } of this.#unseen) {
      if (size > maxExpandedBytes) continue
      const bytes = new Uint8Array(size)
      await this.#file.read(bytes, position)
      const batch = new Batch(bytes)
      const what = recordProblem(batch)
      if (what === undefined) continue
      const { baseOffset: offset } = batch
      this.#inspection.found({ kind: 'damage', path: this.#path, position, offset, what })
    }
    this.#unseen = []
    this.#unseenBytes = 0
  }

  #damaged(position: number, end: number, nextOffset: number): void {
    const { offset } = this.#expected
    const lost = nextOffset > offset ? `offsets ${offset} to ${nextOffset - 1}` : 'no offset'
    const what = `${end - position} bytes are no batch: ${lost} cannot be read`
    this.#inspection.found({ kind: 'damage', path: this.#path, position, offset, what })
    this.#inspection.read(end - position)
    this.#expected.offset = nextOffset
    this.#offsets?.skip(end, nextOffset)
    this.#times?.skip(nextOffset)
  }

  async #tail(position: number, size: number, isShort: boolean): Promise<number> {
    const bytes = size - position
    const { offset } = this.#expected
    const isSynced = offset < this.#segment.recoveryPoint || !this.#segment.isLast
    const isTorn = !isSynced && (isShort || (await this.#isZero(position, size)))
    const what = isTorn
      ? `the last ${bytes} bytes are of a write that was never finished`
      : `the last ${bytes} bytes are no batch: what was from offset ${offset} on cannot be read`
    const kind = isTorn ? 'torn' : 'damage'
    this.#inspection.found({ kind, path: this.#path, position, offset, what })
    this.#inspection.read(bytes)
    this.#offsets?.skip(size, Number.POSITIVE_INFINITY)
    this.#times?.skip(Number.POSITIVE_INFINITY)
    return bytes
  }

  async #isZero(position: number, end: number): Promise<boolean> {
    const window = new Uint8Array(Math.min(windowBytes, end - position))
    for (let at = position; at < end; ) {
      const read = await this.#file.read(window.subarray(0, end - at), at)
      if (read === 0) break
      if (window.subarray(0, read).some(byte => byte !== 0)) return false
      at += read
    }
    return true
  }
}

/** What is wrong with the records of a batch whose CRC is good; undefined: nothing. */
function recordProblem(batch: Batch): string | undefined {
  if (compressions[batch.attributes & 0x07] === undefined) return 'an unknown compression'
  let previous = -1
  let problem: string | undefined
  try {
    walkRecords(recordBytes(batch, maxExpandedBytes), batch.recordCount, (_, offsetDelta) => {
      if (offsetDelta <= previous || offsetDelta > batch.lastOffsetDelta) {
        problem ??= `its records have offsets that do not rise within the batch`
      }
      previous = offsetDelta
    })
  } catch (error) {
    return `its records cannot be read: ${(error as Error).message}`
  }
  return problem
}
