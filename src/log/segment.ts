/**
 * One segment of a log: a `.log` file with its two sparse indexes.
 *
 * `size` counts what is written; `planned` also what has its place already and waits for the writer.
 * Everything here is called by the log's writer alone, but for the reads, which look only below
 * `size` and never depend on an index being right: one that leads astray is built again.
 */

import type { SlabPart } from '../base/slabs.ts'
import { DiskError } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import { Batch, batchHeaderBytes, batchSizeAt, isCrcValid } from '../protocol/records/batch.ts'
import { type ScannedBatch, scanBatches } from './batch-scan.ts'
import {
  lastOffsetOf,
  NoBatchError,
  type Selection,
  type Stretch,
  selectBatches,
  type WantedBatches,
} from './batch-select.ts'
import {
  deletedSuffix,
  logSuffix,
  offsetIndexSuffix,
  offsetName,
  timeIndexSuffix,
  transactionIndexSuffix,
} from './file-names.ts'
import { IndexBrokenError, IndexFile } from './index-file.ts'
import type { SharedStorage } from './log-host.ts'
import { OffsetIndex, type OffsetStretch, offsetEntryBytes } from './offset-index.ts'
import { ReadCursors } from './read-cursors.ts'
import type { StoredBatch } from './tail-cache.ts'
import { type TimeEntry, TimeIndex, timeEntryBytes } from './time-index.ts'
import { TransactionIndex, transactionEntryBytes } from './transaction-index.ts'
import type { AbortedTransaction } from './transaction-marker.ts'

/** Damage that recovery found: bytes and offsets (both ends exclusive) that cannot be read. */
export interface Hole {
  readonly position: number
  readonly endPosition: number
  readonly startOffset: number
  readonly endOffset: number
}

/** Its files are deleted, or others took their place: what was read may be of either. */
export class SegmentRetiredError extends Error {
  override readonly name = 'SegmentRetiredError'
}

/** Bytes read besides those asked for, to reach the first batch from an index entry. */
const readAheadBytes = 8 * 1024

/** The most that one read takes from a file, whatever was asked for; a larger batch comes alone. */
const maxReadBytes = 16 * 1024 * 1024

/** Window of scans that look at headers only. */
const headerWindowBytes = 16 * 1024

/** Taken with one read, as far as the index says that the batch looked for lies there. */
const maxStretchBytes = 2 * 1024 * 1024

/** Without an index: from the first byte on, in small reads. */
const wholeStretch: OffsetStretch = {
  position: 0,
  lastOffset: undefined,
  endPosition: headerWindowBytes,
}

const noHoles: readonly Hole[] = []

/** One segment. Its paths are put together when they are used: most segments are idle. */
export class Segment {
  readonly baseOffset: number
  /**
   * Wall time from which segment.ms and retention.ms count when records have no timestamps: it was made
   * then, or last written before the start.
   */
  createdMs: number
  /** So much earlier than segment.ms it is rolled (segment.jitter.ms). */
  rollJitterMs = 0
  readonly #shared: SharedStorage
  readonly #folder: string
  readonly #suffix: string
  /** Made when they are used; none while they have no entries. */
  #offsetIndex: OffsetIndex | undefined
  #timeIndex: TimeIndex | undefined
  /** Undefined: no transaction was aborted here, and there is no file. */
  #transactionIndex: TransactionIndex | undefined
  size = 0
  /** Made by the first read. */
  #cursors: ReadCursors | undefined
  isCreated: boolean
  /** Another segment follows, and the indexes are complete. */
  isSealed = false
  /** Besides its last records, files or indexes have to be synced. */
  needsSync = false
  /** The folder does not yet name it for sure. */
  needsFolderSync = false
  /** Producer state at the base offset, to be written with the next sync. */
  snapshot: Uint8Array | undefined
  holes: readonly Hole[] = noHoles
  /** Bytes that no CRC was looked at of since the start: [from, to). */
  #uncheckedFrom = 0
  #uncheckedTo = 0
  /** With what waits to be written: for the decision to roll. */
  plannedSize = 0
  /** The largest of the first batch, which may wait to be written. */
  plannedFirstTimestamp = -1
  /** The batch with the largest timestamp, once known. */
  #largest: TimeEntry | undefined
  #bytesSinceEntry = 0
  #mending: Promise<void> | undefined
  #isRetired = false
  /** The indexes are what the log says, whatever they say. */
  #isRebuilt = false
  /** Since they were last complete and synced the indexes got, or lost, entries. */
  #areIndexesNew = false

  /** `suffix` is that of files which have not taken their places yet. */
  constructor(
    shared: SharedStorage,
    folder: string,
    baseOffset: number,
    isNew: boolean,
    { suffix = '', createdMs }: { suffix?: string; createdMs?: number } = {},
  ) {
    this.#shared = shared
    this.#folder = folder
    this.#suffix = suffix
    this.baseOffset = baseOffset
    this.createdMs = createdMs ?? shared.io.clock.wallMs()
    this.isCreated = !isNew
  }

  get logPath(): string {
    return this.#path(logSuffix)
  }

  get paths(): string[] {
    return [this.logPath, this.#path(offsetIndexSuffix), this.#path(timeIndexSuffix)]
  }

  get offsetIndex(): OffsetIndex {
    this.#offsetIndex ??= new OffsetIndex(
      this.#indexFile(offsetIndexSuffix, offsetEntryBytes),
      this.baseOffset,
    )
    return this.#offsetIndex
  }

  get timeIndex(): TimeIndex {
    this.#timeIndex ??= new TimeIndex(
      this.#indexFile(timeIndexSuffix, timeEntryBytes),
      this.baseOffset,
    )
    return this.#timeIndex
  }

  #path(ending: string): string {
    return `${this.#folder}/${offsetName(this.baseOffset, ending)}${this.#suffix}`
  }

  #indexFile(ending: string, entryBytes: number): IndexFile {
    const { files, indexes } = this.#shared
    return new IndexFile(files, indexes, this.#path(ending), entryBytes, !this.isCreated)
  }

  #forgetEmptyIndexes(): void {
    if (this.#offsetIndex?.file.entries === 0) this.#offsetIndex = undefined
    if (this.#timeIndex?.file.entries === 0) this.#timeIndex = undefined
  }

  get transactionIndexPath(): string {
    return this.#path(transactionIndexSuffix)
  }

  /** A start found the file. */
  attachTransactionIndex(): void {
    this.#transactionIndex = this.#newTransactionIndex(false)
  }

  #newTransactionIndex(isNew: boolean): TransactionIndex {
    const { files, indexes } = this.#shared
    const path = this.transactionIndexPath
    return new TransactionIndex(new IndexFile(files, indexes, path, transactionEntryBytes, isNew))
  }

  get hasAborted(): boolean {
    return this.#transactionIndex !== undefined
  }

  /** By last offset. Throws IndexBrokenError, SegmentRetiredError. */
  async aborted(): Promise<readonly AbortedTransaction[]> {
    return await this.#whileHere(async () => (await this.#transactionIndex?.entries()) ?? [])
  }

  /** Their markers were written. On a full disk the entries wait for the next sync. */
  async addAborted(aborted: readonly AbortedTransaction[]): Promise<void> {
    if (aborted.length === 0) return
    if (this.#transactionIndex === undefined) this.needsFolderSync = true
    this.#transactionIndex ??= this.#newTransactionIndex(true)
    for (const each of aborted) this.#transactionIndex.append(each)
    this.needsSync = true
    await unlessFull(() => this.#transactionIndex!.file.write())
  }

  /** What a scan of the whole segment found, in place of what is there; the folder has to be synced. */
  async replaceAborted(aborted: readonly AbortedTransaction[]): Promise<void> {
    await this.#dropTransactionIndex()
    if (aborted.length === 0) return
    const index = this.#newTransactionIndex(true)
    for (const each of aborted) index.append(each)
    await index.file.write()
    await index.file.sync()
    this.#transactionIndex = index
  }

  async #dropTransactionIndex(): Promise<void> {
    if (this.#transactionIndex === undefined) return
    this.#transactionIndex.file.unload()
    this.#transactionIndex = undefined
    await this.#shared.files.close(this.transactionIndexPath)
    await this.#shared.io.disk.remove(this.transactionIndexPath)
  }

  /** Makes the file; the folder still has to be synced. */
  async create(): Promise<void> {
    if (this.isCreated) return
    // A leftover of a write that failed here must not shine through.
    for (const path of this.paths) {
      await this.#shared.files.with(path, file => file.truncate(0), { create: true })
    }
    this.isCreated = true
    this.needsSync = true
    this.needsFolderSync = true
  }

  // ── Writing ────────────────────────────────────────────────────────────────

  /** Appends batches that have their offsets. After an error the file may be longer than `size`. */
  async write(batches: readonly StoredBatch[], indexIntervalBytes: number): Promise<void> {
    const position = this.size
    this.#areIndexesNew = true
    await this.#shared.files.with(this.logPath, file =>
      file.write(
        batches.map(batch => batch.bytes),
        position,
      ),
    )
    for (const { bytes, endOffset, maxTimestamp } of batches) {
      this.#note(this.size, endOffset - 1, maxTimestamp, bytes.length, indexIntervalBytes)
      this.size += bytes.length
    }
    await this.#writeSomeIndex()
  }

  /** A full disk costs no index entry: they wait until there is room. */
  async #writeSomeIndex(): Promise<void> {
    await unlessFull(async () => {
      if (this.#offsetIndex?.file.needsWrite) await this.#offsetIndex.file.write()
      if (this.#timeIndex?.file.needsWrite) await this.#timeIndex.file.write()
    })
  }

  /** Makes index entries for one more batch, when enough bytes lie behind the last ones. */
  #note(
    position: number,
    lastOffset: number,
    maxTimestamp: number,
    bytes: number,
    indexIntervalBytes: number,
  ): void {
    if (this.#largest === undefined || maxTimestamp > this.#largest.timestamp) {
      this.#largest = { timestamp: maxTimestamp, offset: lastOffset }
    }
    if (this.#bytesSinceEntry > indexIntervalBytes) {
      this.offsetIndex.append(lastOffset, position)
      this.#noteTime()
      this.#bytesSinceEntry = 0
    }
    this.#bytesSinceEntry += bytes
  }

  #noteTime(): void {
    if (this.#largest !== undefined && this.#largest.timestamp >= 0) {
      this.timeIndex.append(this.#largest)
    }
  }

  /** The last batch is written: the indexes become complete. */
  async seal(): Promise<void> {
    if (this.isSealed) return
    await this.writeIndexes()
    this.isSealed = true
    this.needsSync = true
  }

  async writeIndexes(): Promise<void> {
    this.#noteTime()
    await this.offsetIndex.file.write()
    await this.timeIndex.file.write()
    await this.#transactionIndex?.file.write()
    this.#forgetEmptyIndexes()
  }

  /** At a clean stop, for a start that reads only what lies behind the newest entry. */
  async completeIndexes(): Promise<void> {
    if (!this.#areIndexesNew) return
    await this.writeIndexes()
    await this.offsetIndex.file.sync()
    await this.timeIndex.file.sync()
    await this.#transactionIndex?.file.sync()
    this.#areIndexesNew = false
  }

  /** Log first, then indexes, if they are complete. False: one of them found no room on the disk. */
  async sync(): Promise<boolean> {
    this.needsSync = false
    await this.#shared.files.with(this.logPath, file => file.sync())
    const transactions = this.#transactionIndex?.file
    if (transactions !== undefined) {
      if (!(await unlessFull(() => transactions.write()))) this.needsSync = true
      else await transactions.sync()
    }
    if (this.isSealed) {
      await this.offsetIndex.file.sync()
      await this.timeIndex.file.sync()
    }
    return !this.needsSync
  }

  /** Cuts what lies behind `size` in the file. */
  async cutTail(): Promise<void> {
    await this.#shared.files.with(this.logPath, file => file.truncate(this.size))
  }

  /** Cuts the segment at a batch's position, the end from now on, and builds the indexes again. */
  async truncate(position: number, endOffset: number, indexIntervalBytes: number): Promise<void> {
    this.size = position
    if (await this.#transactionIndex?.truncate(endOffset)) await this.#dropTransactionIndex()
    this.holes = this.holes.filter(hole => hole.endPosition <= position)
    await this.cutTail()
    this.isSealed = false
    await this.rebuildIndexes(indexIntervalBytes)
  }

  // ── Loading ────────────────────────────────────────────────────────────────

  /** Empties the indexes, for a scan that calls `addScanned` for each batch from the first. */
  async restart(): Promise<void> {
    this.#areIndexesNew = true
    this.#cursors?.clear()
    await this.offsetIndex.file.truncate(0)
    await this.timeIndex.file.truncate(0)
    this.offsetIndex.restart()
    this.timeIndex.restart(undefined)
    this.#largest = undefined
    this.#bytesSinceEntry = 0
  }

  /** Counts a batch that lies in the file already. */
  addScanned({ header, position, size }: ScannedBatch, indexIntervalBytes: number): void {
    if (position === 0) this.plannedFirstTimestamp = header.maxTimestamp
    this.#note(position, header.lastOffset, header.maxTimestamp, size, indexIntervalBytes)
  }

  /** Builds both indexes from the log, whose good part ends at `size`. */
  async rebuildIndexes(indexIntervalBytes: number): Promise<void> {
    await this.restart()
    await this.#scan(0, this.size, batch => {
      this.addScanned(batch, indexIntervalBytes)
      return true
    })
    this.#isRebuilt = true
    if (this.isSealed) await this.writeIndexes()
  }

  /**
   * After a clean stop: the log's end offset, found from the newest index entry on. Undefined when
   * the file is damaged behind it.
   */
  async loadActive(indexIntervalBytes: number): Promise<number | undefined> {
    await this.loadSize()
    try {
      const end = await this.#loadActiveFrom(await this.#newestEntries(), indexIntervalBytes)
      this.#forgetEmptyIndexes()
      return end
    } catch (error) {
      if (!(error instanceof IndexBrokenError)) throw error
    }
    await this.restart()
    try {
      return await this.#loadActiveFrom(0, indexIntervalBytes)
    } catch (error) {
      if (!(error instanceof IndexBrokenError)) throw error
      return undefined
    }
  }

  async #newestEntries(): Promise<number> {
    await this.timeIndex.file.attach()
    const position = await this.offsetIndex.lastPosition()
    this.#largest = await this.timeIndex.newest()
    if (position < 0 || (position > 0 && position >= this.size)) {
      throw new IndexBrokenError(`${this.logPath}: its index points to ${position}`)
    }
    return position
  }

  async #loadActiveFrom(from: number, indexIntervalBytes: number): Promise<number> {
    let endOffset = this.baseOffset
    if (from > 0) {
      await this.#scan(0, this.size, batch => {
        this.plannedFirstTimestamp = batch.header.maxTimestamp
        return false
      })
    }
    this.#bytesSinceEntry = 0
    await this.#scan(from, this.size, batch => {
      // The entry at `from` exists already: the interval begins with its batch.
      this.addScanned(batch, indexIntervalBytes)
      endOffset = batch.header.lastOffset + 1
      return true
    })
    return endOffset
  }

  /** The size from the file. */
  async loadSize(): Promise<void> {
    const stat = await this.#shared.io.disk.stat(this.logPath)
    this.size = stat?.size ?? 0
    this.createdMs = stat?.modifiedMs ?? this.createdMs
    this.plannedSize = this.size
    this.#cursors = undefined
    this.#uncheckedFrom = 0
    this.#uncheckedTo = this.size
  }

  /** A scan has looked at the CRC of every batch. */
  markChecked(): void {
    this.#uncheckedFrom = 0
    this.#uncheckedTo = 0
  }

  /** Largest timestamp and the last offset of its batch; undefined when no record has a timestamp. */
  async largest(indexIntervalBytes: number): Promise<TimeEntry | undefined> {
    if (this.#largest === undefined && this.size > 0) {
      this.#largest = await this.#mended(indexIntervalBytes, async () => {
        const newest = await this.timeIndex.newest()
        // Sealing leaves an entry, unless no record has a timestamp; then one look at all is enough.
        if (newest !== undefined || !this.isSealed || this.#isRebuilt) return newest
        throw new IndexBrokenError(`${this.timeIndex.file.path} is empty`)
      })
    }
    return this.#largest === undefined || this.#largest.timestamp < 0 ? undefined : this.#largest
  }

  // ── Reading ────────────────────────────────────────────────────────────────

  /**
   * Whole batches from the one that holds `offset`, or the first behind it, all below `end`, together
   * at most `maxBytes` (the first one also when it is larger, if `atLeastOneBatch`). Undefined when
   * the segment ends before `offset`. Their slab is held for the caller. Throws CORRUPT_MESSAGE.
   */
  async read(
    offset: number,
    end: number,
    maxBytes: number,
    atLeastOneBatch: boolean,
    indexIntervalBytes: number,
  ): Promise<SlabPart | undefined> {
    const size = this.size
    const wanted = { offset, end, maxBytes: Math.min(maxBytes, maxReadBytes), atLeastOneBatch }
    return await this.#mended(indexIntervalBytes, async isIndexGood => {
      if (!isIndexGood) return await this.#readFrom(wholeStretch, size, wanted)
      const from = this.#cursors?.find(offset, size) ?? (await this.offsetIndex.stretch(offset))
      return await this.#readFrom(from, size, wanted)
    })
  }

  /** A bound on the indexes: whether one of them has no room for another entry. */
  isIndexFull(segmentIndexBytes: number): boolean {
    const offsets = this.#offsetIndex?.file.entries ?? 0
    const times = this.#timeIndex?.file.entries ?? 0
    return (
      (offsets + 1) * offsetEntryBytes > segmentIndexBytes ||
      (times + 2) * timeEntryBytes > segmentIndexBytes // One more when it is sealed.
    )
  }

  /** The first offset at or behind which a record of `timestamp` or later may lie. */
  async offsetBefore(timestamp: number, indexIntervalBytes: number): Promise<number> {
    return await this.#mended(indexIntervalBytes, isIndexGood =>
      isIndexGood ? this.timeIndex.floor(timestamp) : Promise.resolve(this.baseOffset),
    )
  }

  /**
   * Runs what uses the indexes. When they were wrong they are built again, and it runs once more; in
   * the segment that is being written it runs without them, for the writer appends to them.
   */
  async #mended<T>(
    indexIntervalBytes: number,
    run: (isIndexGood: boolean) => Promise<T>,
  ): Promise<T> {
    await this.#mending
    try {
      return await this.#whileHere(() => run(true))
    } catch (error) {
      if (!(error instanceof IndexBrokenError)) throw error
      this.#shared.io.report.warn({ file: this.logPath }, `index not usable: ${error.message}`)
    }
    try {
      if (this.isSealed) {
        this.#mending ??= this.rebuildIndexes(indexIntervalBytes).finally(() => {
          this.#mending = undefined
        })
        await this.#mending
      }
      return await this.#whileHere(() => run(this.isSealed))
    } catch (error) {
      if (!(error instanceof IndexBrokenError)) throw error
      throw new KafkaError('CORRUPT_MESSAGE', error.message)
    }
  }

  /** Whatever comes of a read during which the files went, it counts for nothing. */
  async #whileHere<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } finally {
      this.#refuseIfRetired()
    }
  }

  #refuseIfRetired(): void {
    if (this.#isRetired) throw new SegmentRetiredError(`${this.logPath} is not in use any more`)
  }

  async #readFrom(
    from: OffsetStretch,
    size: number,
    wanted: WantedBatches,
  ): Promise<SlabPart | undefined> {
    this.#cursors ??= new ReadCursors()
    const { generation } = this.#cursors
    let { position } = from
    let baseOffset = from.baseOffset ?? this.baseOffset
    const leadBytes = Math.min(from.leadBytes ?? 0, maxStretchBytes)
    let length = Math.max(wanted.maxBytes + leadBytes + readAheadBytes, windowFor(from))
    for (;;) {
      const hole = this.holes.find(({ endPosition }) => endPosition > position)
      if (hole !== undefined && position >= hole.position) {
        if (wanted.offset < hole.endOffset) throw corruptAt(this.logPath, hole.position)
        position = hole.endPosition
        baseOffset = hole.endOffset
        continue
      }
      const stop = hole?.position ?? size
      if (position >= stop) {
        if (position > stop) throw noBatchAt(this.logPath, stop)
        return undefined
      }
      const { slab, bytes: into } = this.#shared.reads.take(Math.min(length, stop - position))
      const bytes = into.subarray(0, await this.#readInto(into, position))
      const { lastOffset } = from
      if (lastOffset !== undefined && position === from.position) {
        if (lastOffsetOf(bytes) !== lastOffset) throw noBatchAt(this.logPath, position)
      }
      const stretch = { bytes, baseOffset, isEnd: position + bytes.length >= stop }
      const found = this.#select(stretch, position, wanted)
      if (found.start >= 0) {
        const sound = this.#sound(bytes.subarray(found.start, found.end), position + found.start)
        if (sound.length === found.end - found.start) {
          this.#cursors.note(found.nextOffset, position + found.end, generation)
        }
        return { bytes: sound, slab }
      }
      slab.release()
      position += found.skipped
      baseOffset = found.nextOffset
      const isStuck = found.skipped === 0 && found.firstSize === 0
      if (isStuck || found.firstSize > stop - position) throw noBatchAt(this.logPath, position)
      // The first batch was cut by the buffer: once more, from its first byte to the next one's header.
      length = Math.max(wanted.maxBytes, found.firstSize + batchHeaderBytes, readAheadBytes)
    }
  }

  #select(stretch: Stretch, position: number, wanted: WantedBatches): Selection {
    try {
      return selectBatches(stretch, wanted)
    } catch (error) {
      if (!(error instanceof NoBatchError)) throw error
      throw noBatchAt(this.logPath, position + error.at)
    }
  }

  /**
   * Bytes that lay in the file at the start are given out once their CRCs are known to be right; of
   * those that are not, the batches before the first bad one. Throws CORRUPT_MESSAGE.
   */
  #sound(bytes: Uint8Array, position: number): Uint8Array {
    const from = this.#uncheckedFrom
    const to = this.#uncheckedTo
    const endPosition = position + bytes.length
    if (endPosition <= from || position >= to) return bytes
    let sound = 0
    while (sound < bytes.length) {
      const size = batchSizeAt(bytes, sound)!
      if (!isCrcValid(new Batch(bytes.subarray(sound, sound + size)))) break
      sound += size
    }
    if (sound === 0 && bytes.length > 0) throw corruptAt(this.logPath, position)
    const soundEnd = position + sound
    if (position <= from) this.#uncheckedFrom = Math.max(from, soundEnd)
    else if (soundEnd >= to) this.#uncheckedTo = position
    return bytes.subarray(0, sound)
  }

  #readInto(into: Uint8Array, position: number): Promise<number> {
    return this.#shared.files.with(this.logPath, file => file.read(into, position))
  }

  /**
   * The first batch from `fromOffset` on for which `isWanted`, whole; `undefined` without one.
   * Throws CORRUPT_MESSAGE.
   */
  async find(
    fromOffset: number,
    indexIntervalBytes: number,
    isWanted: (header: Batch) => boolean,
  ): Promise<Batch | undefined> {
    const size = this.size
    return await this.#mended(indexIntervalBytes, async isIndexGood => {
      const from = isIndexGood ? await this.offsetIndex.stretch(fromOffset) : wholeStretch
      let found: { position: number; size: number } | undefined
      await this.#scan(
        from.position,
        size,
        ({ header, position, size: bytes }) => {
          if (header.lastOffset < fromOffset || !isWanted(header)) return true
          found = { position, size: bytes }
          return false
        },
        windowFor(from),
      )
      if (found === undefined) return undefined
      const bytes = Buffer.allocUnsafeSlow(found.size)
      return new Batch(bytes.subarray(0, await this.#readInto(bytes, found.position)))
    })
  }

  /** Fills `into` from `position`; answers how many bytes there were. */
  readInto(into: Uint8Array, position: number): Promise<number> {
    return this.#whileHere(() => this.#readInto(into, position))
  }

  /** The largest timestamp of the first batch; −1 when there is none. */
  async firstTimestamp(): Promise<number> {
    const header = new Uint8Array(batchHeaderBytes)
    if ((await this.readInto(header, 0)) < header.length) return -1
    return new Batch(header).maxTimestamp
  }

  /** Where the batch that holds `offset` begins; undefined when the segment ends before it. */
  async locate(
    offset: number,
    indexIntervalBytes: number,
  ): Promise<{ position: number; baseOffset: number } | undefined> {
    const size = this.size
    return await this.#mended(indexIntervalBytes, async isIndexGood => {
      const from = isIndexGood ? await this.offsetIndex.stretch(offset) : wholeStretch
      let found: { position: number; baseOffset: number } | undefined
      await this.#scan(from.position, size, ({ header, position }) => {
        if (header.lastOffset < offset) return true
        found = { position, baseOffset: header.baseOffset }
        return false
      })
      return found
    })
  }

  /** Shows the header of every batch from the one that holds `fromOffset`; false: damage ended it. */
  async eachHeader(fromOffset: number, show: (header: Batch) => void): Promise<boolean> {
    try {
      await this.#whileHere(() =>
        this.#scan(0, this.size, ({ header }) => {
          if (header.lastOffset >= fromOffset) show(header)
          return true
        }),
      )
      return true
    } catch (error) {
      if (error instanceof IndexBrokenError) return false
      throw error
    }
  }

  /** Headers between two positions, around the holes. Throws IndexBrokenError where there is no batch. */
  async #scan(
    from: number,
    to: number,
    onBatch: (batch: ScannedBatch) => boolean,
    windowBytes = headerWindowBytes,
  ): Promise<'end' | 'stopped'> {
    let position = from
    while (position < to) {
      const hole = this.holes.find(({ endPosition }) => endPosition > position)
      if (hole !== undefined && position >= hole.position) {
        position = hole.endPosition
        continue
      }
      const stop = Math.min(hole?.position ?? to, to)
      const at = position
      const scanned = await this.#shared.files.with(this.logPath, file =>
        scanBatches(file, at, stop, {
          checkCrc: false,
          expected: { offset: this.baseOffset, epoch: -1 },
          windowBytes,
          onBatch,
        }),
      )
      if (scanned.reason === 'stopped') return 'stopped'
      if (scanned.reason !== 'end') {
        throw noBatchAt(this.logPath, scanned.position)
      }
      position = stop
    }
    return 'end'
  }

  // ── Leaving ────────────────────────────────────────────────────────────────

  /** Gives memory and open files back; they come again with the next use. */
  async release(): Promise<void> {
    this.#offsetIndex?.file.unload()
    this.#timeIndex?.file.unload()
    this.#transactionIndex?.file.unload()
    for (const path of [...this.paths, this.transactionIndexPath]) {
      await this.#shared.files.close(path)
    }
  }

  /** Nothing is read here any more: who is reading gets a SegmentRetiredError. */
  async leave(): Promise<void> {
    this.#isRetired = true
    await this.#mending?.catch(() => {})
    await this.release()
  }

  /** Renames the files to `.deleted`; answers the new names. */
  async retire(): Promise<string[]> {
    await this.leave()
    const retired: string[] = []
    for (const path of [...this.paths, this.transactionIndexPath]) {
      if ((await this.#shared.io.disk.stat(path)) === undefined) continue
      await this.#shared.io.disk.rename(path, path + deletedSuffix)
      retired.push(path + deletedSuffix)
    }
    return retired
  }
}

/** One read takes what the index points to, unless that is very much. */
function windowFor({ position, endPosition }: OffsetStretch): number {
  return Math.max(headerWindowBytes, Math.min(endPosition - position, maxStretchBytes))
}

/** False when the disk was. */
async function unlessFull(write: () => Promise<void>): Promise<boolean> {
  try {
    await write()
    return true
  } catch (error) {
    if (!isDiskFull(error)) throw error
    return false
  }
}

/** ENOSPC, or the same by quota. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof DiskError && (error.code === 'ENOSPC' || error.code === 'EDQUOT')
}

function corruptAt(path: string, position: number): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', `${path} is damaged at ${position}`)
}

/** Blames the index first; when it was built again and this remains, the log is damaged. */
function noBatchAt(path: string, position: number): IndexBrokenError {
  return new IndexBrokenError(`${path}: no batch where one should be, near ${position}`)
}
