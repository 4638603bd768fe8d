/**
 * From the files of a partition to its log: replication.md §9.
 *
 * After a clean stop nothing is scanned but the few batches behind the newest index entry. After any
 * other end every batch from the segment of the recovery point on is read and checked; what is found
 * rebuilds indexes, producer state and epoch table. What happens at the first bad byte depends on how
 * the last run ended: a killed process leaves at most one cut batch at the very end; a power loss may
 * leave anything above the recovery point; and what was synced must simply be there.
 *
 *                 above the recovery point                                  below
 *     killed      the file ends inside its last batch: cut; else damage     damage
 *     power-loss  cut at the first failure, the rest is kept in `.corrupt`  damage
 *     clean       damage                                                    damage
 *
 * Damage stays: the log opens around it as a hole, remembered in `damaged-ranges`. When nothing valid
 * follows it, it is the `damagedTail`, which only a leader may cut.
 */
import type { DiskFile } from '../io/io.ts'
import { type Expected, findBatch, scanBatches } from './batch-scan.ts'
import {
  formatDamage,
  parseDamage,
  parseEpochs,
  readSmallFile,
  type SegmentDamage,
} from './checkpoint-file.ts'
import {
  corruptSuffix,
  damagedRangesName,
  deletedSuffix,
  leaderEpochsName,
  logSuffix,
  offsetIndexSuffix,
  offsetName,
  offsetOfName,
  snapshotSuffix,
  timeIndexSuffix,
  transactionIndexSuffix,
} from './file-names.ts'
import { IndexBrokenError } from './index-file.ts'
import { LeaderEpochs } from './leader-epochs.ts'
import type { SharedStorage } from './log-host.ts'
import { decodeSnapshot, encodeSnapshot, maxSnapshotBytes } from './producer-snapshot.ts'
import { ProducerState } from './producer-state.ts'
import { isDiskFull, Segment } from './segment.ts'
import { finishSwaps, hasSwaps } from './segment-swap.ts'
import type { AbortedTransaction } from './transaction-marker.ts'

export type LastRun = 'clean' | 'killed' | 'power-loss'

export interface RecoveryOptions {
  readonly folder: string
  readonly indexIntervalBytes: number
  readonly lastRun: LastRun
  /** From the checkpoints; undefined: nothing is known to be synced. */
  readonly recoveryPoint: number | undefined
  readonly logStartOffset: number
  /** Below it compaction may have taken whole segments; 0: nowhere. */
  readonly compactedTo: number
  /** Kafka wrote it last: its cleaner leaves gaps between segments, and may not have noted to where. */
  readonly isAfterKafka?: boolean
  readonly producerIdExpirationMs: number
  /** What is above the recovery point is written once more: a sync of it may have failed. */
  readonly isWrittenAgain?: boolean
  /** For `ottla log verify --repair`: all segments are read, and a copy of all that is cut is kept. */
  readonly isRepair?: boolean
  /** Called, and awaited, before damage is cut or renamed. */
  readonly markLossy: () => Promise<void>
}

/** What a log starts from. */
export interface RecoveredLog {
  readonly segments: Segment[]
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly durableEndOffset: number
  /** The same, unless the scan found epochs that are not written down. */
  readonly recoveryPoint: number
  readonly epochs: LeaderEpochs
  /** Their file says the same. */
  readonly areEpochsSaved: boolean
  readonly producers: ProducerState
  /** Offsets of the snapshots on disk, rising. */
  readonly snapshots: number[]
  /** As in the options, or where the last gap ends that Kafka's cleaner left. */
  readonly compactedTo: number
  /** The last segment's file has unreadable bytes behind its size, and nothing valid follows. */
  readonly hasDamagedTail: boolean
  /** `torn`: a batch whose write was cut short is gone, which nobody was told of. */
  readonly outcome: 'whole' | 'torn' | 'lossy'
}

const indexSuffixes = [offsetIndexSuffix, timeIndexSuffix, transactionIndexSuffix]

/** Window of the scan that checks CRCs. */
const scanWindowBytes = 1024 * 1024

/** Loads or recovers the log in `options.folder`, which exists. */
export function recoverLog(shared: SharedStorage, options: RecoveryOptions): Promise<RecoveredLog> {
  return new Recovery(shared, options).run()
}

class Recovery {
  readonly #shared: SharedStorage
  readonly #options: RecoveryOptions
  #segments: Segment[] = []
  #epochs = new LeaderEpochs()
  #areEpochsSaved = true
  #producers: ProducerState
  #snapshots: number[] = []
  #compactedTo: number
  #hasDamagedTail = false
  #mayBeDamaged = false
  /** Where in the segment under the scan the first batch lies that is not below the recovery point. */
  #unsyncedFrom = Number.POSITIVE_INFINITY
  #outcome: RecoveredLog['outcome'] = 'whole'

  constructor(shared: SharedStorage, options: RecoveryOptions) {
    this.#shared = shared
    this.#options = options
    this.#compactedTo = options.compactedTo
    this.#producers = new ProducerState(options.producerIdExpirationMs)
  }

  async run(): Promise<RecoveredLog> {
    await this.#list()
    const damage = await this.#loadDamage()
    const logEndOffset = await this.#loadSegments()
    if (logEndOffset < (this.#options.recoveryPoint ?? 0)) {
      this.#outcome = 'lossy'
      this.#report(`ends at ${logEndOffset}, below its recovery point`)
    }
    const { folder } = this.#options
    const isDamaged = this.#segments.some(({ holes }) => holes.length > 0)
    if (isDamaged || damage.length > 0) await saveDamage(this.#shared, folder, this.#segments)
    const first = this.#segments[0]!
    const logStartOffset = Math.max(this.#options.logStartOffset, first.baseOffset)
    // A leader that wrote nothing keeps its entry.
    if (this.#epochs.truncateFromEnd(logEndOffset + 1)) this.#areEpochsSaved = false
    if (this.#epochs.truncateFromStart(logStartOffset)) this.#areEpochsSaved = false
    return {
      segments: this.#segments.slice(), // Without the room to grow that most do not need.
      logStartOffset,
      logEndOffset,
      durableEndOffset: logEndOffset,
      recoveryPoint: this.#areEpochsSaved
        ? logEndOffset
        : Math.min(this.#options.recoveryPoint ?? 0, logEndOffset),
      epochs: this.#epochs,
      areEpochsSaved: this.#areEpochsSaved,
      producers: this.#producers,
      snapshots: this.#snapshots,
      compactedTo: this.#compactedTo,
      hasDamagedTail: this.#hasDamagedTail,
      outcome: this.#outcome,
    }
  }

  /** Finds the files, and removes what an earlier run meant to remove. */
  async #list(): Promise<void> {
    const { disk } = this.#shared.io
    const { folder, indexIntervalBytes } = this.#options
    const names = (await disk.list(folder)).map(({ name }) => name)
    if (hasSwaps(names)) {
      await finishSwaps(this.#shared, folder, names, indexIntervalBytes)
      return this.#list()
    }
    for (const name of names) {
      const base = offsetOfName(name, logSuffix)
      const snapshot = offsetOfName(name, snapshotSuffix)
      if (base !== undefined) {
        this.#segments.push(new Segment(this.#shared, folder, base, false))
      } else if (snapshot !== undefined) {
        this.#snapshots.push(snapshot)
      } else if (name === damagedRangesName) {
        this.#mayBeDamaged = true
      } else if (name.endsWith(deletedSuffix) || name.endsWith('.tmp')) {
        await disk.remove(`${folder}/${name}`)
      }
    }
    for (const segment of this.#segments) {
      if (names.includes(offsetName(segment.baseOffset, transactionIndexSuffix))) {
        segment.attachTransactionIndex()
      }
    }
    await this.#removeLoneIndexes(names)
    this.#segments.sort((a, b) => a.baseOffset - b.baseOffset)
    this.#snapshots.sort((a, b) => a - b)
    const entries = await readSmallFile(disk, `${folder}/${leaderEpochsName}`, parseEpochs)
    this.#epochs = new LeaderEpochs(entries)
  }

  /** A power loss may leave the name of an index and not that of its log, or take only that back. */
  async #removeLoneIndexes(names: readonly string[]): Promise<void> {
    const bases = new Set(this.#segments.map(({ baseOffset }) => baseOffset))
    for (const name of names) {
      const base = indexSuffixes
        .map(suffix => offsetOfName(name, suffix))
        .find(offset => offset !== undefined)
      if (base === undefined || bases.has(base)) continue
      await this.#shared.io.disk.remove(`${this.#options.folder}/${name}`)
    }
  }

  /** Loads or scans all segments; answers the log's end offset. */
  async #loadSegments(): Promise<number> {
    const last = this.#segments.at(-1)
    if (last === undefined) return this.#startAt(this.#options.logStartOffset)
    let end: number | undefined
    if (this.#options.lastRun === 'clean' && !this.#options.isRepair) {
      await this.#loadSealed(this.#segments.length - 1)
      end = await last.loadActive(this.#options.indexIntervalBytes)
      if (end !== undefined && end > this.#limitOf(this.#segments.length - 1)) end = undefined
      if (end !== undefined) {
        await this.#mendTransactionIndexes(this.#segments.length)
        await this.#loadProducers(end)
      }
    }
    end ??= await this.#scanFrom(this.#scanStart())
    // Records below the log start are gone for good; without this their offsets would be used again.
    return end < this.#options.logStartOffset ? await this.#goOnAtStart() : end
  }

  async #goOnAtStart(): Promise<number> {
    const last = this.#segments.at(-1)!
    if (last.size === 0) await this.#dropSegmentsAfter(this.#segments.length - 2)
    else {
      await last.seal()
      await last.sync()
    }
    return this.#startAt(this.#options.logStartOffset)
  }

  #startAt(offset: number): number {
    const segment = new Segment(this.#shared, this.#options.folder, offset, true)
    if (this.#producers.size > 0) segment.snapshot = encodeSnapshot(this.#producers)
    this.#segments.push(segment)
    return offset
  }

  async #loadSealed(count: number): Promise<void> {
    for (const segment of this.#segments.slice(0, count)) {
      await segment.loadSize()
      segment.isSealed = true
    }
  }

  /** Of the first `count` segments: those that are damaged are made again from the log. */
  async #mendTransactionIndexes(count: number): Promise<void> {
    for (const [index, segment] of this.#segments.slice(0, count).entries()) {
      if (!segment.hasAborted || (await this.#isTransactionIndexSound(segment, index))) continue
      this.#shared.io.report.warn({ file: segment.transactionIndexPath }, 'made again from the log')
      const producers = await this.#producersBelow(segment.baseOffset)
      const nowMs = this.#shared.io.clock.wallMs()
      const found: AbortedTransaction[] = []
      const isWhole = await segment.eachHeader(segment.baseOffset, header => {
        const aborted = producers.abortedBy(header)
        if (aborted !== undefined) found.push(aborted)
        if (header.producerId >= 0) producers.append(header, nowMs)
      })
      // Else reads that need it are refused.
      if (isWhole) await segment.replaceAborted(found)
    }
  }

  async #isTransactionIndexSound(segment: Segment, index: number): Promise<boolean> {
    const nextBase = this.#segments[index + 1]?.baseOffset ?? Number.POSITIVE_INFINITY
    try {
      const offsets = (await segment.aborted()).map(({ lastOffset }) => lastOffset)
      return offsets.every(offset => offset >= segment.baseOffset && offset < nextBase)
    } catch (error) {
      if (error instanceof IndexBrokenError) return false
      throw error
    }
  }

  /**
   * The segment that holds the recovery point, or the last one after a clean stop. Where the point is
   * the very end of a segment, its records are synced, its indexes perhaps not.
   */
  #scanStart(): number {
    if (this.#options.isRepair) return 0
    if (this.#options.lastRun === 'clean') return this.#segments.length - 1
    const point = this.#options.recoveryPoint ?? 0
    const last = this.#options.lastRun === 'power-loss' ? point - 1 : point
    return Math.max(
      0,
      this.#segments.findLastIndex(({ baseOffset }) => baseOffset <= last),
    )
  }

  async #scanFrom(start: number): Promise<number> {
    const base = this.#segments[start]!.baseOffset
    await this.#loadSealed(start)
    await this.#mendTransactionIndexes(start)
    await this.#loadProducers(base)
    const expected: Expected = { offset: base, epoch: -1 }
    for (let index = start; index < this.#segments.length; index++) {
      const segment = this.#segments[index]!
      if (segment.baseOffset > expected.offset && !(await this.#skipTo(index, expected))) break
      if (index > start) await this.#saveSnapshot(segment.baseOffset)
      this.#unsyncedFrom = Number.POSITIVE_INFINITY
      await this.#scan(segment, index, expected)
      if (this.#options.isWrittenAgain) await this.#writeAgain(segment, this.#unsyncedFrom)
      await this.#shared.files.with(segment.logPath, file => file.sync())
      if (index < this.#segments.length - 1) {
        await segment.seal()
        await segment.sync()
      }
    }
    const last = this.#segments.at(-1)!
    // What followed it may be gone: then it is written on.
    last.isSealed = false
    last.plannedSize = last.size
    await this.#dropSnapshotsAbove(expected.offset)
    // The entries of a scan may be many; they need not wait in memory.
    await last.writeIndexes()
    await this.#shared.io.disk.syncDirectory(this.#options.folder)
    return expected.offset
  }

  /** After a failed sync the kernel may hold for clean what it never wrote: no later sync writes it. */
  async #writeAgain({ logPath, size }: Segment, from: number): Promise<void> {
    if (from >= size) return
    const window = new Uint8Array(Math.min(size - from, scanWindowBytes))
    await this.#shared.files.with(logPath, async file => {
      for (let position = from; position < size; ) {
        const count = await file.read(window.subarray(0, size - position), position)
        if (count === 0) return
        await file.write([window.subarray(0, count)], position)
        position += count
      }
    })
  }

  /**
   * There is a gap before this segment: compaction left it; or after a power loss what
   * follows was not synced and goes; else it is damage. True when the scan goes on.
   */
  async #skipTo(index: number, expected: Expected): Promise<boolean> {
    const { baseOffset } = this.#segments[index]!
    if (baseOffset > this.#compactedTo && this.#options.isAfterKafka) {
      this.#report(`has nothing between offsets ${expected.offset} and ${baseOffset}: compacted`)
      this.#compactedTo = baseOffset
    }
    if (baseOffset <= this.#compactedTo) {
      expected.offset = baseOffset
      return true
    }
    this.#outcome = 'lossy'
    await this.#options.markLossy()
    this.#report(`has nothing between offsets ${expected.offset} and ${baseOffset}`)
    if (this.#options.lastRun === 'power-loss' && !this.#isSynced(expected)) {
      await this.#dropSegmentsAfter(index - 1)
      return false
    }
    expected.offset = baseOffset
    return true
  }

  #isSynced(expected: Expected): boolean {
    return expected.offset < (this.#options.recoveryPoint ?? 0)
  }

  /** Reads one segment from its start, and decides at each failure. */
  async #scan(segment: Segment, index: number, expected: Expected): Promise<void> {
    await segment.loadSize()
    const fileSize = segment.size
    await segment.restart()
    segment.holes = []
    const aborted: AbortedTransaction[] = []
    await this.#scanBatches(segment, index, expected, fileSize, aborted)
    await segment.replaceAborted(aborted)
    segment.markChecked()
  }

  async #scanBatches(
    segment: Segment,
    index: number,
    expected: Expected,
    fileSize: number,
    aborted: AbortedTransaction[],
  ): Promise<void> {
    const nowMs = this.#shared.io.clock.wallMs()
    for (let position = 0; ; ) {
      const from = position
      const end = await this.#withLog(segment, file =>
        scanBatches(file, from, fileSize, {
          checkCrc: true,
          expected,
          limitOffset: this.#limitOf(index),
          windowBytes: scanWindowBytes,
          onBatch: batch => {
            const { header } = batch
            if (header.lastOffset >= (this.#options.recoveryPoint ?? 0)) {
              this.#unsyncedFrom = Math.min(this.#unsyncedFrom, batch.position)
            }
            segment.addScanned(batch, this.#options.indexIntervalBytes)
            const ended = this.#producers.abortedBy(header)
            if (ended !== undefined) aborted.push(ended)
            if (header.producerId >= 0) this.#producers.append(header, nowMs)
            if (this.#epochs.assign(header.partitionLeaderEpoch, header.baseOffset)) {
              this.#areEpochsSaved = false
            }
            return true
          },
        }),
      )
      if (end.reason === 'end') return
      const failure = { position: end.position, fileSize, isShort: end.reason === 'short' }
      const next = await this.#decide(segment, index, expected, failure)
      if (next === undefined) return
      position = next
    }
  }

  /** Offsets that no batch of a segment has: the next one's, or those behind the end of a closed log. */
  #limitOf(index: number): number {
    const next = this.#segments[index + 1]?.baseOffset
    const { lastRun, recoveryPoint } = this.#options
    return next ?? (lastRun === 'clean' && recoveryPoint ? recoveryPoint : Number.POSITIVE_INFINITY)
  }

  /** Cuts, or keeps a hole; answers the position from which the scan goes on. */
  async #decide(
    segment: Segment,
    index: number,
    expected: Expected,
    failure: { position: number; fileSize: number; isShort: boolean },
  ): Promise<number | undefined> {
    const isLast = !(await this.#hasDataAfter(index))
    const isSynced = this.#isSynced(expected)
    const isTorn = failure.isShort && isLast && !isSynced
    switch (isSynced ? 'clean' : this.#options.lastRun) {
      case 'killed':
        if (!isTorn) break
        if (this.#outcome === 'whole') this.#outcome = 'torn'
        this.#report(`cut ${failure.fileSize - failure.position} bytes of an unfinished write`)
        if (this.#options.isRepair) {
          await setAsideFrom(this.#shared, segment, failure.position)
        }
        await this.#cut(segment, index, failure.position)
        return undefined
      case 'power-loss':
        if (!isTorn) {
          this.#outcome = 'lossy'
          await this.#options.markLossy()
        } else if (this.#outcome === 'whole') this.#outcome = 'torn'
        this.#report(`cut at offset ${expected.offset} after a power loss; see ${corruptSuffix}`)
        await setAsideFrom(this.#shared, segment, failure.position)
        await this.#cut(segment, index, failure.position)
        return undefined
      case 'clean':
        break
    }
    return await this.#keepHole(segment, index, expected, failure)
  }

  /** Opens around the damage. */
  async #keepHole(
    segment: Segment,
    index: number,
    expected: Expected,
    { position, fileSize }: { position: number; fileSize: number },
  ): Promise<number | undefined> {
    this.#outcome = 'lossy'
    await this.#options.markLossy()
    const startOffset = expected.offset
    const next = await this.#withLog(segment, file =>
      findBatch(file, position + 1, fileSize, expected, scanWindowBytes),
    )
    if (next === undefined && !(await this.#hasDataAfter(index))) {
      this.#hasDamagedTail = true
      segment.size = position
      await this.#dropSegmentsAfter(index)
      this.#report(`damaged from offset ${startOffset} to its end`)
      return undefined
    }
    const endPosition = next?.position ?? fileSize
    const endOffset = next?.baseOffset ?? this.#segments[index + 1]!.baseOffset
    const hole = { position, endPosition, startOffset, endOffset }
    segment.holes = [...segment.holes, hole]
    this.#report(`damaged between offsets ${startOffset} and ${endOffset}`)
    expected.offset = endOffset
    return endPosition
  }

  async #cut(segment: Segment, index: number, position: number): Promise<void> {
    segment.size = position
    await segment.cutTail()
    await this.#dropSegmentsAfter(index)
  }

  /** Segments behind the cut: empty ones go, others are renamed. */
  async #dropSegmentsAfter(index: number): Promise<void> {
    const { disk } = this.#shared.io
    for (const segment of this.#segments.splice(index + 1)) {
      await segment.release()
      await segment.loadSize()
      if (segment.size > 0) await disk.rename(segment.logPath, segment.logPath + corruptSuffix)
      for (const path of [...segment.paths, segment.transactionIndexPath]) await disk.remove(path)
    }
  }

  async #hasDataAfter(index: number): Promise<boolean> {
    for (const segment of this.#segments.slice(index + 1)) {
      const stat = await this.#shared.io.disk.stat(segment.logPath)
      if ((stat?.size ?? 0) > 0) return true
    }
    return false
  }

  // ── Producer state ─────────────────────────────────────────────────────────

  /** The state below `offset`: the newest usable snapshot, then the batches behind it. */
  async #loadProducers(offset: number): Promise<void> {
    this.#producers = await this.#producersBelow(offset)
  }

  #producersBelow(offset: number): Promise<ProducerState> {
    return loadProducers(this.#shared, {
      folder: this.#options.folder,
      segments: this.#segments,
      snapshots: this.#snapshots,
      offset,
      expirationMs: this.#options.producerIdExpirationMs,
    })
  }

  /** A crash came before it was written; when what lies below is deleted, nothing else knows of it. */
  async #saveSnapshot(offset: number): Promise<void> {
    if (this.#producers.size === 0 || this.#snapshots.includes(offset)) return
    const path = snapshotPath(this.#options.folder, offset)
    try {
      await this.#shared.io.disk.replaceFile(path, encodeSnapshot(this.#producers))
    } catch (error) {
      if (!isDiskFull(error)) throw error
      return
    }
    this.#snapshots = [...this.#snapshots, offset].sort((a, b) => a - b)
  }

  async #dropSnapshotsAbove(offset: number): Promise<void> {
    for (const snapshot of this.#snapshots.filter(taken => taken > offset)) {
      await this.#shared.io.disk.remove(snapshotPath(this.#options.folder, snapshot))
    }
    this.#snapshots = this.#snapshots.filter(taken => taken <= offset)
  }

  // ── Damage ─────────────────────────────────────────────────────────────────

  /** Holes of an earlier start, for the segments that are not scanned now. */
  async #loadDamage(): Promise<readonly SegmentDamage[]> {
    const path = `${this.#options.folder}/${damagedRangesName}`
    if (!this.#mayBeDamaged) return []
    const damage = (await readSmallFile(this.#shared.io.disk, path, parseDamage)) ?? []
    for (const { baseOffset, ...hole } of damage) {
      const segment = this.#segments.find(each => each.baseOffset === baseOffset)
      if (segment !== undefined) segment.holes = [...segment.holes, hole]
    }
    return damage
  }

  #withLog<T>(segment: Segment, run: (file: DiskFile) => Promise<T>): Promise<T> {
    return this.#shared.files.with(segment.logPath, run)
  }

  #report(what: string): void {
    const fields = { folder: this.#options.folder, lastRun: this.#options.lastRun }
    const message = `log ${what}`
    if (this.#outcome === 'lossy') this.#shared.io.report.error(fields, message)
    else this.#shared.io.report.info(fields, message)
  }
}

export function snapshotPath(folder: string, offset: number): string {
  return `${folder}/${offsetName(offset, snapshotSuffix)}`
}

/** Producer state below `offset`, from the newest usable snapshot and the batches that follow it. */
export async function loadProducers(
  shared: SharedStorage,
  from: {
    readonly folder: string
    readonly segments: readonly Segment[]
    readonly snapshots: readonly number[]
    readonly offset: number
    readonly expirationMs: number
  },
): Promise<ProducerState> {
  const { disk, clock } = shared.io
  let producers = new ProducerState(from.expirationMs)
  let replayFrom = 0
  for (const snapshot of from.snapshots.filter(taken => taken <= from.offset).reverse()) {
    const bytes = await disk.readFile(snapshotPath(from.folder, snapshot), maxSnapshotBytes)
    const state = bytes && decodeSnapshot(bytes, from.expirationMs)
    if (state === undefined) continue
    producers = state
    replayFrom = snapshot
    break
  }
  const nowMs = clock.wallMs()
  for (const [index, segment] of from.segments.entries()) {
    const nextBase = from.segments[index + 1]?.baseOffset ?? from.offset
    if (nextBase <= replayFrom || segment.baseOffset >= from.offset) continue
    const isWhole = await segment.eachHeader(replayFrom, header => {
      if (header.producerId >= 0 && header.lastOffset < from.offset) producers.append(header, nowMs)
    })
    if (!isWhole) shared.io.report.error({ file: segment.logPath }, 'log is damaged')
  }
  return producers
}

/** Notes the holes of these segments, for starts that do not scan them. */
export async function saveDamage(
  shared: Pick<SharedStorage, 'io'>,
  folder: string,
  segments: readonly Segment[],
): Promise<void> {
  const damage = segments.flatMap(({ baseOffset, holes }) =>
    holes.map(hole => ({ baseOffset, ...hole })),
  )
  const path = `${folder}/${damagedRangesName}`
  if (damage.length > 0) await shared.io.disk.replaceFile(path, formatDamage(damage))
  else await shared.io.disk.remove(path)
}

/** Copies the bytes from `position` on into `<segment>.log.corrupt`, before they are cut. */
export async function setAsideFrom(
  shared: SharedStorage,
  segment: Segment,
  position: number,
): Promise<void> {
  const { files, io } = shared
  const end = (await io.disk.stat(segment.logPath))?.size ?? 0
  const target = segment.logPath + corruptSuffix
  const copy = await io.disk.open(target, { create: true })
  try {
    await copy.truncate(0)
    for (let at = position; at < end; ) {
      const bytes = new Uint8Array(Math.min(scanWindowBytes, end - at))
      const from = at
      const read = await files.with(segment.logPath, file => file.read(bytes, from))
      if (read === 0) break
      await copy.write([bytes.subarray(0, read)], at - position)
      at += read
    }
    await copy.sync()
  } finally {
    await copy.close()
  }
}
