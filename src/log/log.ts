/**
 * One replica's log.
 *
 * `append` is synchronous: it validates, asks the producer state, assigns offsets in place and queues
 * the batches. A single writer per log has one write in flight; what arrives meanwhile goes into the
 * next (group commit), and with flush.messages = 1 one sync follows each write before `onEnd`. So
 *
 *     logStartOffset ≤ durableEndOffset ≤ writtenEndOffset ≤ logEndOffset
 *
 * and reads never pass `writtenEndOffset`. A full disk takes the unwritten back (`onUnwritten`) and
 * refuses appends until a write succeeds; any other failure of a write or sync, which is never tried
 * again, takes the whole directory offline.
 */
import { assert } from '../base/assert.ts'
import type { Slab } from '../base/slabs.ts'
import type { LogConfig } from '../config/log-config.ts'
import { DiskError } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import { Batch, stampBatch } from '../protocol/records/batch.ts'
import { Compaction } from './compaction.ts'
import { fetchedBatches } from './fetched-batches.ts'
import { diskFull, FullDisk } from './full-disk.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import { LeaderEpochsFile, unsaved } from './leader-epochs-file.ts'
import type { LogHost } from './log-host.ts'
import { type LogListener, unheard } from './log-listener.ts'
import { type LogRead, LogReader } from './log-reader.ts'
import { LogSync } from './log-sync.ts'
import { type FoundOffset, findByTimestamp, findMaxTimestamp } from './offset-lookup.ts'
import { encodeSnapshot } from './producer-snapshot.ts'
import { type ActiveProducer, ProducerState } from './producer-state.ts'
import {
  loadProducers,
  type RecoveredLog,
  saveDamage,
  setAsideFrom,
  snapshotPath,
} from './recovery.ts'
import { expiredSegments, segmentFacts } from './retention.ts'
import { isDiskFull, Segment } from './segment.ts'
import { isFullFor } from './segment-roll.ts'
import type { StoredBatch, Tail } from './tail-cache.ts'
import { validateForAppend } from './validation.ts'
import { type Appended, abortedFrom, release, takeGroup, type Waiting } from './write-group.ts'

const nothing: readonly Waiting[] = []
const idle: Promise<void> = Promise.resolve()

/** A log; made by `LogDirectory.openLog`. */
export class Log {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly folder: string
  readonly epochs: LeaderEpochs
  logStartOffset: number
  /** The offset that the next record gets. */
  logEndOffset: number
  writtenEndOffset: number
  /** As the directory's checkpoint has it. */
  checkpointedHighWatermark = 0
  listener: LogListener = unheard
  /** How often it was cut: bytes that were read before are not those at the same place now. */
  cuts = 0

  readonly #host: LogHost
  #tail: Tail | undefined
  readonly #segments: Segment[]
  readonly #sync: LogSync
  #producers: ProducerState
  #snapshots: number[]
  #config: LogConfig
  #nextConfig: LogConfig | undefined
  #hasDamagedTail: boolean
  #waiting: Waiting[] = []
  /** The segment that the writer is at; later ones wait for it. */
  #writing: Segment
  #writer: Promise<void> | undefined
  #group = nothing
  /** Settles when nobody takes segments away. */
  #taking = idle
  /** Called when the group under way is written, or failed. */
  #afterGroup: (() => void)[] | undefined
  #epochsFile: LeaderEpochsFile | undefined
  #savedEpoch: number
  #fullDisk: FullDisk | undefined
  #closed: Error | undefined
  #compaction: Compaction | undefined
  #reader: LogReader | undefined

  constructor(
    host: LogHost,
    identity: { topic: string; partition: number; topicId: string; folder: string },
    config: LogConfig,
    recovered: RecoveredLog,
  ) {
    this.topic = identity.topic
    this.partition = identity.partition
    this.topicId = identity.topicId
    this.folder = identity.folder
    this.epochs = recovered.epochs
    this.logStartOffset = recovered.logStartOffset
    this.logEndOffset = recovered.logEndOffset
    this.writtenEndOffset = recovered.logEndOffset
    this.#host = host
    this.#segments = recovered.segments
    this.#writing = this.#active
    this.#sync = new LogSync(host, this, recovered)
    this.#producers = recovered.producers
    this.#snapshots = recovered.snapshots
    this.#hasDamagedTail = recovered.hasDamagedTail
    this.#savedEpoch = recovered.areEpochsSaved ? recovered.epochs.latest : unsaved
    this.#config = config
  }

  /** Made for those that are compacted: most are not. */
  get compaction(): Compaction {
    this.#compaction ??= new Compaction(this.#host, {
      folder: this.folder,
      segments: this.#segments,
      bounds: () => this,
      config: () => this.#config,
      lastOfProducers: end => this.#producers.lastBatches(end),
      epochs: this.epochs,
      replaced: async (baseOffset, endOffset) => {
        this.#tail?.forgetBelow(endOffset)
        await this.#dropSnapshots(offset => offset > baseOffset && offset < endOffset)
      },
    })
    return this.#compaction
  }

  /** To where compaction came; undefined: nowhere. */
  get cleanedEndOffset(): number | undefined {
    return this.#compaction?.cleanedEndOffset
  }

  /** Whether there may be something to compact; cheap, for it is asked of every log again and again. */
  get isToCompact(): boolean {
    return this.#config.cleanupCompact && this.#segments.length > 1 && this.compaction.isPossible
  }

  /** Below it everything is synced. */
  get durableEndOffset(): number {
    return this.#sync.durableEndOffset
  }

  get recoveryPoint(): number {
    return this.#sync.recoveryPoint
  }

  /** Bytes of the segment files, indexes not counted. */
  get sizeBytes(): number {
    return this.#segments.reduce((sum, { size }) => sum + size, 0)
  }

  /** Throws KAFKA_STORAGE_ERROR when so much more from a producer would leave too little room. */
  refuseWithoutRoom(bytes: number): void {
    this.#host.room.refuseUnlessEnough(bytes)
  }

  get segmentCount(): number {
    return this.#segments.length
  }

  /** Oldest first; the last one is being written. */
  get segments(): readonly Segment[] {
    return this.#segments
  }

  /** Those that are closed and synced, oldest first. */
  get coldSegments(): Segment[] {
    return this.#segments.filter(({ isSealed, needsSync }) => isSealed && !needsSync)
  }

  /** Whether each append is synced before it is acknowledged. */
  get syncsEachWrite(): boolean {
    return this.#config.flushMessages <= 1
  }

  get #active(): Segment {
    return this.#segments.at(-1)!
  }

  /** From now on; a looser flush policy once the directory has noted that it is one. */
  configure(config: LogConfig): void {
    this.#nextConfig = config
    const isLooser = this.syncsEachWrite && config.flushMessages > 1
    if (!isLooser) this.#config = config
    else {
      void this.#host.loosenPolicy().then(() => {
        if (this.#nextConfig === config) this.#config = config
      })
    }
  }

  get config(): LogConfig {
    return this.#config
  }

  activeProducers(): ActiveProducer[] {
    return this.#producers.active()
  }

  // ── Append ─────────────────────────────────────────────────────────────────

  /**
   * Gives the batches their offsets and queues them; changes `records` in place, and keeps a copy. Throws
   * what validation and producer state throw, RECORD_LIST_TOO_LARGE, KAFKA_STORAGE_ERROR.
   */
  append(records: Uint8Array, leaderEpoch: number): Appended {
    this.#refuseUnlessWritable()
    const nowMs = this.#host.io.clock.wallMs()
    const validated = validateForAppend(records, { config: this.#config, nowMs })
    const { batches, logAppendTimeMs } = validated
    if (validated.bytes.length > this.#config.segmentBytes) {
      throw new KafkaError('RECORD_LIST_TOO_LARGE', 'more bytes than a segment may have')
    }
    for (const batch of batches) {
      const repeated = batch.producerId >= 0 ? this.#producers.check(batch, nowMs) : undefined
      if (repeated === undefined) continue
      const { baseOffset, lastOffset } = repeated
      return { baseOffset, endOffset: lastOffset + 1, logAppendTimeMs, duplicate: true }
    }
    const added = batches.reduce((sum, batch) => sum + batch.lastOffsetDelta + 1, 0)
    const lastOffset = this.logEndOffset + added - 1
    this.#makeRoom(validated.bytes.length, validated.maxTimestamp, lastOffset, nowMs)
    const baseOffset = this.logEndOffset
    this.#tail ??= this.#host.tails.tail()
    for (const batch of batches) {
      const { bytes, slab } = this.#host.tails.keep(batch.bytes)
      stampBatch(bytes, 0, this.logEndOffset, leaderEpoch)
      this.#tail.add(this.#queue(new Batch(bytes), nowMs, slab))
    }
    this.#writer ??= this.#write()
    return { baseOffset, endOffset: this.logEndOffset, logAppendTimeMs, duplicate: false }
  }

  #refuseUnlessWritable(): void {
    this.refuseIfClosed()
    if (this.#hasDamagedTail) {
      throw new KafkaError('KAFKA_STORAGE_ERROR', `${this.folder} is damaged at its end`)
    }
    this.#fullDisk?.refuse(this.#host.io.clock, this.folder)
  }

  /** Throws KAFKA_STORAGE_ERROR when it is closed, deleted, or its directory is offline. */
  refuseIfClosed(): void {
    if (this.#closed !== undefined) {
      throw new KafkaError('KAFKA_STORAGE_ERROR', this.#closed.message)
    }
  }

  /**
   * Appends what the leader of `leaderEpoch` sent, as it is: offsets and epochs are kept, producers
   * are not refused. Resolves when it is written, or synced where each append is. One at a time, and
   * not while this broker leads. Throws CORRUPT_MESSAGE, and nothing is appended; KAFKA_STORAGE_ERROR.
   */
  async appendFetched(records: Uint8Array, leaderEpoch: number): Promise<void> {
    this.#refuseUnlessWritable()
    const { logStartOffset, logEndOffset, epochs } = this
    const at = { logStartOffset, logEndOffset, latestEpoch: epochs.latest, leaderEpoch }
    const batches = fetchedBatches(records, at)
    if (batches.length === 0) return
    if (batches[0]!.baseOffset < logEndOffset) await this.restartAt(batches[0]!.baseOffset)
    for (const batch of batches) epochs.assign(batch.partitionLeaderEpoch, batch.baseOffset)
    const nowMs = this.#host.io.clock.wallMs()
    // Seldom read: the memory is for records of leaders.
    this.#tail?.clear()
    for (const batch of batches) {
      const { sizeInBytes, maxTimestamp, lastOffset } = batch
      this.#makeRoom(sizeInBytes, maxTimestamp, lastOffset, nowMs)
      this.#queue(batch, nowMs)
    }
    this.#writer ??= this.#write()
    await this.settledEnd()
    if (this.logEndOffset <= batches.at(-1)!.lastOffset) await this.#unlearnEpochs()
  }

  /** Epochs whose batches found no room would hide where the logs part. */
  async #unlearnEpochs(): Promise<never> {
    if (this.epochs.truncateFromEnd(this.logEndOffset)) await this.#orFail(() => this.#saveEpochs())
    throw diskFull(this.folder)
  }

  /**
   * Where the log ends for sure: all that was appended is written, or taken back, and it is synced where
   * each append is. What a follower tells its leader. Throws KAFKA_STORAGE_ERROR.
   */
  async settledEnd(): Promise<number> {
    await this.#drained()
    this.refuseIfClosed()
    const isSynced = this.durableEndOffset >= this.writtenEndOffset
    if (this.syncsEachWrite && !isSynced) await this.#orFail(() => this.#sync.sync())
    return this.logEndOffset
  }

  /** Of a batch that has its offsets; its slab is released when it is written. */
  #queue(batch: Batch, nowMs: number, slab?: Slab): StoredBatch {
    const segment = this.#active
    const { bytes, baseOffset, maxTimestamp } = batch
    const endOffset = batch.lastOffset + 1
    const stored = { bytes, baseOffset, endOffset, maxTimestamp, slab }
    const aborted = this.#producers.abortedBy(batch)
    const undo = batch.producerId >= 0 ? this.#producers.append(batch, nowMs) : undefined
    if (segment.plannedSize === 0) segment.plannedFirstTimestamp = maxTimestamp
    segment.plannedSize += bytes.length
    this.#waiting.push({ batch: stored, segment, undo, aborted })
    this.logEndOffset = endOffset
    return stored
  }

  #makeRoom(bytes: number, maxTimestamp: number, lastOffset: number, nowMs: number): void {
    const next = { bytes, maxTimestamp, lastOffset }
    if (isFullFor(this.#active, next, this.#config, nowMs)) this.#roll()
    this.#host.room.taken(bytes)
  }

  /** The next batch begins a new segment; its files come when the writer gets there. */
  #roll(): Segment {
    const segment = new Segment(this.#host, this.folder, this.logEndOffset, true)
    const { segmentJitterMs } = this.#config
    if (segmentJitterMs > 0) segment.rollJitterMs = this.#host.io.random.u32() % segmentJitterMs
    segment.snapshot = encodeSnapshot(this.#producers)
    this.#segments.push(segment)
    return segment
  }

  // ── The writer ─────────────────────────────────────────────────────────────

  async #write(): Promise<void> {
    await undefined // What else is appended in this turn joins the first write.
    while (this.#waiting.length > 0 && this.#closed === undefined) {
      const group = takeGroup(this.#waiting)
      this.#group = group
      const failure = await this.#writeGroup(group).catch((error: Error) => error)
      if (failure === undefined) this.listener.onEnd(this.writtenEndOffset)
      else await this.#writeFailed(group, failure)
      release(this.#group)
      this.#group = nothing
      this.#groupEnded()
    }
    this.#writer = undefined
    this.#groupEnded() // What waited may be gone, with the directory.
  }

  #groupEnded(): void {
    const afterGroup = this.#afterGroup
    this.#afterGroup = undefined
    for (const resume of afterGroup ?? []) resume()
  }

  async #writeGroup(group: readonly Waiting[]): Promise<undefined> {
    const { segment } = group[0]!
    if (segment !== this.#writing || !segment.isCreated) await this.#moveTo(segment)
    const batches = group.flatMap(({ batch }) => batch ?? [])
    if (batches.length === 0) return undefined
    assert(batches[0]!.baseOffset >= this.writtenEndOffset, 'batches are written in order')
    await segment.write(batches, this.#config.indexIntervalBytes)
    await segment.addAborted(group.flatMap(({ aborted }) => aborted ?? []))
    if (this.#fullDisk?.over()) {
      this.#host.io.report.info({ folder: this.folder }, 'there is room on the disk again')
    }
    const unsynced = batches.at(-1)!.endOffset - this.durableEndOffset
    this.writtenEndOffset = batches.at(-1)!.endOffset
    if (this.syncsEachWrite) await this.#sync.sync()
    else if (unsynced >= this.#config.flushMessages) this.#sync.syncLater()
    else this.#sync.syncWithin(this.#config.flushMs)
    return undefined
  }

  /** Leaves the written segment for the next one. */
  async #moveTo(segment: Segment): Promise<void> {
    if (segment === this.#writing) await this.#host.settleFolder(this.folder)
    else await this.#writing.seal()
    await segment.create()
    // The old segment is synced in the background; the recovery point moves when that is done.
    if (segment !== this.#writing) this.#sync.syncLater()
    this.#writing = segment
  }

  async #writeFailed(group: readonly Waiting[], error: Error): Promise<void> {
    if (!(error instanceof DiskError)) throw error
    if (!isDiskFull(error)) return this.#host.fail(error)
    if (this.#closed !== undefined) return
    this.#fullDisk ??= new FullDisk()
    if (this.#fullDisk.found(this.#host.io.clock)) {
      this.#host.io.report.error({ folder: this.folder }, `${error.message}: appends are refused`)
    }
    this.#group = [...group, ...this.#waiting.splice(0)]
    const neverBegun = this.#takeBack(this.#group)
    try {
      if (this.#writing.isCreated) await this.#writing.cutTail()
      for (const { paths } of neverBegun) {
        for (const path of paths) {
          await this.#host.files.close(path)
          await this.#host.io.disk.remove(path)
        }
      }
    } catch (cutError) {
      return this.#host.fail(cutError as Error)
    }
    this.listener.onUnwritten(this.writtenEndOffset, diskFull(this.folder))
  }

  /** As if these batches had never come; answers the segments that they would have begun. */
  #takeBack(lost: readonly Waiting[]): Segment[] {
    for (const { undo } of lost.toReversed()) if (undo !== undefined) this.#producers.undo(undo)
    this.logEndOffset = this.writtenEndOffset
    this.#tail?.truncate(this.writtenEndOffset)
    this.#writing.isSealed = false
    this.#writing.plannedSize = this.#writing.size
    return this.#segments.splice(this.#segments.indexOf(this.#writing) + 1)
  }

  /** Waits until all that is queued now is written, or taken back. */
  async #drained(): Promise<void> {
    const last = this.#waiting.at(-1) ?? this.#group.at(-1)
    while (last !== undefined && [...this.#waiting, ...this.#group].includes(last)) {
      await new Promise<void>(resolve => (this.#afterGroup ??= []).push(resolve))
    }
  }

  // ── Sync ───────────────────────────────────────────────────────────────────

  /** Writes and syncs all that was appended so far. */
  async flush(): Promise<void> {
    await this.#drained()
    this.refuseIfClosed()
    await this.#orFail(() => this.#sync.sync())
  }

  /** For LogSync. */
  async saveSnapshot(offset: number, bytes: Uint8Array): Promise<void> {
    await this.#host.io.disk.replaceFile(snapshotPath(this.folder, offset), bytes)
    this.#snapshots = [...this.#snapshots.filter(taken => taken !== offset), offset]
    this.#snapshots.sort((a, b) => a - b)
  }

  // ── Read ───────────────────────────────────────────────────────────────────

  /** Made by the first read that the tail cannot serve: most logs are idle. */
  get #files(): LogReader {
    this.#reader ??= new LogReader(this.#host, this)
    return this.#reader
  }

  /**
   * Whole batches from the one that holds `offset`, all below `end`, at most `maxBytes`; with
   * `atLeastOneBatch` the first one also when it is larger. Throws OFFSET_OUT_OF_RANGE outside
   * [logStartOffset, logEndOffset], CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR.
   */
  async read(
    offset: number,
    end: number,
    maxBytes: number,
    atLeastOneBatch: boolean,
  ): Promise<LogRead> {
    this.refuseIfClosed()
    this.refuseOutside(offset)
    const bound = Math.min(end, this.writtenEndOffset)
    if (offset >= bound) return { chunks: [], bytes: 0 }
    const tail = this.#tail?.read(offset, bound, maxBytes, atLeastOneBatch)
    return tail ?? (await this.#files.read(offset, bound, maxBytes, atLeastOneBatch))
  }

  /** Where the oldest open transaction begins; Infinity without one. */
  get openTransactionOffset(): number {
    if (!this.#producers.hasTransactions) return Number.POSITIVE_INFINITY
    return Math.min(this.#producers.openOffset, abortedFrom([...this.#group, ...this.#waiting]))
  }

  /** As `LogReader` has it. Throws CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR. */
  abortedTransactions(from: number, to: number, segments: readonly Segment[]) {
    return this.#files.abortedTransactions(from, to, segments)
  }

  /** Throws OFFSET_OUT_OF_RANGE outside [logStartOffset, logEndOffset]. */
  refuseOutside(offset: number): void {
    if (offset >= this.logStartOffset && offset <= this.logEndOffset) return
    throw new KafkaError(
      'OFFSET_OUT_OF_RANGE',
      `${offset} is outside ${this.logStartOffset} to ${this.logEndOffset}`,
    )
  }

  /** The first record from the log start on with that timestamp or a later one; none from `end` on. */
  offsetForTimestamp(timestampMs: number, end: number): Promise<FoundOffset | undefined> {
    return this.#files.lookUp(end, lookup => findByTimestamp(timestampMs, lookup))
  }

  /** The record with the largest timestamp, the first of several (KIP-734); none from `end` on. */
  maxTimestampOffset(end: number): Promise<FoundOffset | undefined> {
    return this.#files.lookUp(end, findMaxTimestamp)
  }

  // ── Leadership, start and end ──────────────────────────────────────────────

  /**
   * A new epoch begins at the log's end, before its first append. Damage that nothing valid
   * follows is copied aside and cut: what led here was an election that knows of the loss.
   */
  async becomeLeader(leaderEpoch: number): Promise<void> {
    await this.#drained()
    this.refuseIfClosed()
    await this.#orFail(async () => {
      if (this.#hasDamagedTail) await this.#cutDamagedTail()
      this.epochs.assign(leaderEpoch, this.logEndOffset)
    })
  }

  async #cutDamagedTail(): Promise<void> {
    await setAsideFrom(this.#host, this.#active, this.#active.size)
    await this.#active.cutTail()
    await this.#active.sync()
    this.#hasDamagedTail = false
    this.#tellOfCut('the damaged end of the log is cut; a copy is kept')
  }

  #tellOfCut(what: string): void {
    this.#host.io.report.warn({ folder: this.folder, offset: this.logEndOffset }, what)
  }

  /** A start found damage that is still here. */
  get isDamaged(): boolean {
    return this.#hasDamagedTail || this.#segments.some(({ holes }) => holes.length > 0)
  }

  /** Cuts all from the first damage on; a copy is kept. For who has left ISR and ELR, and fetches it. */
  async cutDamage(): Promise<void> {
    await this.#cutting(async () => {
      const segment = this.#segments.find(({ holes }) => holes.length > 0)
      if (this.#hasDamagedTail) await this.#cutDamagedTail()
      if (segment === undefined) return
      await setAsideFrom(this.#host, segment, segment.holes[0]!.position)
      await this.#cutFrom(segment.holes[0]!.startOffset, segment)
      this.#tellOfCut('the log is cut where it is damaged; a copy is kept')
    })
  }

  /** For LogSync: below the recovery point nothing is scanned again, which would find epochs anew. */
  async saveNewEpochs(): Promise<void> {
    if (this.epochs.epochAt(this.logEndOffset - 1) > this.#savedEpoch) await this.#saveEpochs()
  }

  async #saveEpochs(): Promise<void> {
    this.#epochsFile ??= new LeaderEpochsFile(this.#host.io.disk, this.folder, this.epochs)
    this.#savedEpoch = unsaved
    const newest = await this.#epochsFile.save()
    if (!this.#epochsFile?.isSaved) return
    this.#savedEpoch = newest
    this.#epochsFile = undefined
  }

  /** Runs changes of files; a failure is the directory's, unless the disk is only full. */
  async #orFail<T>(run: () => Promise<T>): Promise<T> {
    try {
      return await run()
    } catch (error) {
      if (!isDiskFull(error)) this.#host.fail(error as Error)
      throw new KafkaError('KAFKA_STORAGE_ERROR', (error as Error).message)
    }
  }

  /** Records below `offset` are deleted (DeleteRecords). Throws OFFSET_OUT_OF_RANGE above the end. */
  async advanceLogStart(offset: number): Promise<void> {
    this.refuseIfClosed()
    if (offset > this.writtenEndOffset) {
      throw new KafkaError('OFFSET_OUT_OF_RANGE', `${offset} is above ${this.writtenEndOffset}`)
    }
    if (offset <= this.logStartOffset) return
    await this.#orFail(async () => {
      // Of what is deleted producers go on after a power loss: it has to be on the disk first.
      if (offset > this.durableEndOffset) await this.#sync.sync()
      if (offset <= this.logStartOffset) return
      this.logStartOffset = offset
      // Deleting comes first: it may make the room that the checkpoint needs.
      const newest = this.#segments.findLastIndex((_, index) => this.#endOf(index) <= offset)
      const segment = this.#segments[newest]
      await this.#alone(() => this.#deleteThrough(segment))
      await this.#host.logStartMoved()
    })
  }

  /** Deletes what cleanup.policy=delete says, never above the high watermark. */
  async enforceRetention(highWatermark: number, nowMs: number): Promise<void> {
    if (this.#closed !== undefined) return
    this.#producers.expire(nowMs)
    await this.#compaction?.moved()
    const segments = [...this.#segments]
    const ends = segments.map((_, index) => this.#endOf(index))
    const facts = await segmentFacts(segments, ends, this.#config.indexIntervalBytes)
    if (this.#closed !== undefined) return
    const bounds = { logStartOffset: this.logStartOffset, highWatermark }
    const count = expiredSegments(facts, this.#config, bounds, nowMs)
    const newest = segments[count - 1]
    await this.#orFail(async () => {
      await this.#alone(async () => {
        if (newest !== undefined && newest === this.#active) await this.#rollNow()
        await this.#deleteThrough(newest)
      })
    })
  }

  /** Who takes segments away waits for who does it now. */
  #alone(run: () => Promise<void>): Promise<void> {
    const taking = this.#taking.then(run)
    this.#taking = taking.catch(() => {})
    return taking
  }

  /** The last one may wait for the writer, which is in one before it. */
  #endOf(index: number): number {
    const { baseOffset } = this.#segments[index]!
    return this.#segments[index + 1]?.baseOffset ?? Math.max(baseOffset, this.writtenEndOffset)
  }

  /** An empty segment at the end, on disk: without it a start would not know the end any more. */
  async #rollNow(): Promise<void> {
    this.#waiting.push({ batch: undefined, segment: this.#roll(), undo: undefined })
    this.#writer ??= this.#write()
    await this.#drained()
  }

  /** Deletes the oldest segments up to `newest`, never one that the writer has not left. */
  async #deleteThrough(newest: Segment | undefined): Promise<void> {
    if (newest === undefined) return
    // A sync under way may be at one of them. What the writer begins meanwhile has no snapshot yet.
    const writing = this.#writing
    await this.#sync.sync()
    await this.#compaction?.moved()
    const written = this.#segments.indexOf(writing)
    const deleted = this.#segments.splice(0, Math.min(this.#segments.indexOf(newest) + 1, written))
    if (deleted.length === 0) return
    const start = this.#segments[0]!.baseOffset
    this.logStartOffset = Math.max(this.logStartOffset, start)
    const retired = []
    for (const segment of deleted) retired.push(...(await segment.retire()))
    this.#host.removeLater(retired, this.#config.fileDeleteDelayMs)
    // A full disk may have kept it waiting, and what it stands for goes now.
    await this.#sync.writeSnapshot(this.#segments[0]!)
    await this.#dropSnapshots(offset => offset < start && offset !== this.#snapshots.at(-1))
    if (this.epochs.truncateFromStart(this.logStartOffset)) await this.#saveEpochs()
  }

  async #dropSnapshots(isUseless: (offset: number) => boolean): Promise<void> {
    for (const offset of this.#snapshots.filter(isUseless)) {
      await this.#host.io.disk.remove(snapshotPath(this.folder, offset))
      this.#snapshots = this.#snapshots.filter(taken => taken !== offset)
    }
  }

  /** Cuts all records from `offset` on (divergence, KIP-101), and the batch that holds it with them. */
  async truncateTo(offset: number): Promise<void> {
    await this.#drained()
    if (offset < this.logEndOffset) return await this.#cutting(() => this.#cutFrom(offset))
    // Of an epoch in which nothing was written.
    const isCut = this.epochs.truncateFromEnd(this.logEndOffset)
    if (isCut) await this.#orFail(() => this.#saveEpochs())
  }

  /** Drops everything and goes on at `offset`, without a record, a producer or an epoch. */
  async restartAt(offset: number): Promise<void> {
    await this.#cutting(async () => {
      await this.#cutFrom(0)
      const [emptied] = this.#segments
      await this.#beginAt(offset)
      if (emptied!.baseOffset !== offset) {
        for (const path of await emptied!.retire()) await this.#host.io.disk.remove(path)
        this.#segments[0] = new Segment(this.#host, this.folder, offset, true)
        this.#writing = this.#segments[0]
      }
      this.#producers = new ProducerState(this.#host.producerIdExpirationMs)
      await this.#dropSnapshots(() => true)
    })
  }

  /** Nobody writes or compacts meanwhile; half cut is neither the old log nor the new one. */
  async #cutting(run: () => Promise<void>): Promise<void> {
    await this.#drained()
    this.refuseIfClosed()
    const letGo = await this.compaction.hold()
    this.cuts++
    try {
      await this.#alone(run)
    } catch (error) {
      this.#host.fail(error as Error)
      throw new KafkaError('KAFKA_STORAGE_ERROR', (error as Error).message)
    } finally {
      letGo()
    }
  }

  /** `damaged`: the segment that begins to be so there. */
  async #cutFrom(offset: number, damaged?: Segment): Promise<void> {
    await this.#sync.stop()
    const { indexIntervalBytes } = this.#config
    const holdsOffset = this.#segments.findLastIndex(({ baseOffset }) => baseOffset <= offset)
    const kept = damaged ? this.#segments.indexOf(damaged) : Math.max(0, holdsOffset)
    const segment = this.#segments[kept]!
    const found = damaged
      ? { position: damaged.holes[0]!.position, baseOffset: offset }
      : await segment.locate(offset, indexIntervalBytes)
    const hadHoles = this.isDamaged
    // Between batches of a compacted log there may be offsets without any.
    const end = Math.max(segment.baseOffset, Math.min(offset, found?.baseOffset ?? offset))
    this.logStartOffset = Math.min(this.logStartOffset, end)
    await this.#movedEnd(end)
    for (const dropped of this.#segments.splice(kept + 1).reverse()) {
      for (const path of await dropped.retire()) await this.#host.io.disk.remove(path)
    }
    if (found !== undefined) await segment.truncate(found.position, end, indexIntervalBytes)
    this.#writing = segment
    segment.isSealed = false
    segment.plannedSize = segment.size
    if (segment.isCreated) await segment.sync()
    if (hadHoles) await saveDamage(this.#host, this.folder, this.#segments)
    await this.#forgetFrom(end)
  }

  /** The log, without a batch, goes on elsewhere; its start says so to whoever finds the old segment. */
  async #beginAt(offset: number): Promise<void> {
    this.logStartOffset = offset
    await this.#movedEnd(offset)
    this.epochs.truncateFromEnd(0)
    await this.#saveEpochs()
  }

  /** Before anything is cut, for a start that finds less than the checkpoints say calls it a loss. */
  async #movedEnd(end: number): Promise<void> {
    this.#tail?.truncate(end)
    this.logEndOffset = end
    this.writtenEndOffset = end
    this.#sync.cut(end)
    this.checkpointedHighWatermark = Math.min(this.checkpointedHighWatermark, end)
    this.#compaction?.cut(end)
    await this.#host.logEndFell()
  }

  async #forgetFrom(end: number): Promise<void> {
    await this.#dropSnapshots(offset => offset > end)
    if (this.epochs.truncateFromEnd(end)) await this.#saveEpochs()
    this.#producers = await loadProducers(this.#host, {
      folder: this.folder,
      segments: this.#segments,
      snapshots: this.#snapshots,
      offset: end,
      expirationMs: this.#host.producerIdExpirationMs,
    })
  }

  // ── The end of its life ────────────────────────────────────────────────────

  /** Writes and syncs everything, with complete indexes and a snapshot, for a start without a scan. */
  async close(): Promise<void> {
    await this.compaction.hold()
    await this.#drained()
    if (this.#closed !== undefined) return
    await this.#sync.sync()
    await this.#orFail(() => this.#complete())
    this.#end(new Error(`${this.folder} is closed`))
    for (const segment of this.#segments) await segment.release()
  }

  async #complete(): Promise<void> {
    const active = this.#active
    if (!active.isCreated) return
    await active.completeIndexes()
    await this.saveNewEpochs()
    if ((this.#snapshots.at(-1) ?? 0) >= this.logEndOffset) return
    await this.saveSnapshot(this.logEndOffset, encodeSnapshot(this.#producers))
    const bases = new Set(this.#segments.map(({ baseOffset }) => baseOffset))
    await this.#dropSnapshots(offset => offset < this.logEndOffset && !bases.has(offset))
  }

  /** Leaves without writing anything more: the folder is going to be deleted. */
  async abandon(): Promise<void> {
    this.#end(new Error(`${this.folder} is deleted`))
    await this.compaction.hold()
    await this.#drained()
    await this.#sync.stop()
    for (const segment of this.#segments) await segment.release()
  }

  /** The directory failed: nothing is written or read any more. */
  goOffline(error: Error): void {
    if (this.#closed !== undefined) return
    this.#end(error)
    this.listener.onOffline(error)
  }

  #end(error: Error): void {
    this.#closed = error
    void this.compaction.hold()
    void this.#sync.stop()
    this.#waiting = []
    this.#tail?.clear()
  }
}
