import { Slabs } from '../base/slabs.ts'
import type { LogConfig } from '../config/log-config.ts'
import { DiskError, type Io, type Timer } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import {
  formatOffsets,
  formatProperties,
  type PartitionOffsets,
  partitionKey,
  readSmallFile,
} from './checkpoint-file.ts'
import { DirectorySync } from './directory-sync.ts'
import { DiskRoom, NoRoomError } from './disk-room.ts'
import {
  cleanShutdownName,
  compactionName,
  folderName,
  highWatermarksName,
  logStartsName,
  metaPropertiesName,
  movedFromName,
  recoveryPointsName,
  retiredFolderName,
} from './file-names.ts'
import { makeFolder, settleFolder, unmakeFolder } from './folder.ts'
import {
  type FoundDirectory,
  findAll,
  isLosslessSoFar,
  type LogFolder,
  makeDurably,
  mayLackPages,
} from './found-directory.ts'
import { inParallel } from './in-parallel.ts'
import { IndexCache } from './index-file.ts'
import { Log } from './log.ts'
import type { LogHost } from './log-host.ts'
import { OpenFiles } from './open-files.ts'
import { type LastRun, recoverLog } from './recovery.ts'
import { isDiskFull } from './segment.ts'
import { formatSession, type Session, sessionFileName } from './session-file.ts'
import { slabBytesFor, TailCache } from './tail-cache.ts'

export interface LogDirectoryOptions {
  /** producer.id.expiration.ms; 24 h by default. */
  readonly producerIdExpirationMs?: number
  /** Memory for the newest batches of all logs; 64 MiB by default. */
  readonly tailCacheBytes?: number
  /** Memory for indexes that are read; 32 MiB by default. */
  readonly indexCacheBytes?: number
  /** 512 by default. */
  readonly maxOpenFiles?: number
  /** log.dir.min.free.bytes, as it is now; 0, no bound, by default. */
  minFreeBytes?(): number
}

export interface SessionIdentity {
  readonly clusterId: string
  readonly brokerId: number
  readonly brokerEpoch: bigint
  /** All directories of this broker, itself included; by default only itself. */
  readonly directoryIds?: readonly string[]
  /** Directories of earlier runs that partitions may lie in, and that are not here. */
  readonly missingIds?: readonly string[]
}

export interface PartitionHighWatermark {
  readonly topic: string
  readonly partition: number
  readonly highWatermark: number
}

export interface OpenLogOptions {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly config: LogConfig
}

/** What is not used for so long is given back, at the latest after twice as long. */
const idleMs = 10_000

/** One data directory. */
export class LogDirectory {
  readonly path: string
  readonly directoryId: string
  readonly lastRun: LastRun
  /** Called once, when the disk failed. */
  onOffline: (error: Error) => void = () => {}

  readonly #io: Io
  /** The names of the folders. */
  readonly #names: DirectorySync
  readonly #host: LogHost
  readonly #found: FoundDirectory
  /** Those whose logs are not open. */
  readonly #folders: Map<string, LogFolder>
  /** Folders of the last run that were not loaded yet: their logs end as it ended. */
  readonly #unloaded: Set<string>
  /** Folders whose logs were closed in order in this run: the checkpoints know them. */
  readonly #left = new Set<string>()
  readonly #logs = new Map<string, Log>()
  readonly #opening = new Map<string, Promise<Log>>()
  readonly #removals = new Set<Timer>()
  #idleTimer: Timer
  readonly #written = new Map<string, string>()
  #session: Session | undefined
  #saving: Promise<void> = Promise.resolve()
  #isLossless: boolean
  #hasBegun = false
  #offline: Error | undefined

  /**
   * Locks and reads the directory, which is made if it is absent. Throws DirectoryLockedError, or a
   * DiskError when it cannot be used.
   */
  static async open(
    io: Io,
    path: string,
    options: LogDirectoryOptions = {},
  ): Promise<LogDirectory> {
    await makeDurably(io, path)
    const lock = await io.disk.lock(path)
    try {
      return new LogDirectory(io, path, options, await findAll(io, path, lock))
    } catch (error) {
      await lock.release()
      throw error
    }
  }

  private constructor(io: Io, path: string, options: LogDirectoryOptions, found: FoundDirectory) {
    this.path = path
    this.directoryId = found.meta.get('directory.id') ?? newDirectoryId(io)
    this.lastRun = found.lastRun
    this.#io = io
    this.#names = new DirectorySync(io.disk, path)
    this.#found = found
    this.#folders = new Map(found.folders.map(folder => [folder.name, folder]))
    this.#unloaded = new Set(this.#folders.keys())
    this.#session = found.session
    this.#isLossless = isLosslessSoFar(found, io.disk.bootId())
    const { tailCacheBytes = 64 * 1024 * 1024 } = options
    this.#host = {
      io,
      files: new OpenFiles(io.disk, options.maxOpenFiles ?? 512),
      indexes: new IndexCache(options.indexCacheBytes ?? 32 * 1024 * 1024),
      tails: new TailCache(tailCacheBytes),
      reads: new Slabs(slabBytesFor(tailCacheBytes), 8 * slabBytesFor(tailCacheBytes)),
      room: new DiskRoom(io, path, () => options.minFreeBytes?.() ?? 0),
      producerIdExpirationMs: options.producerIdExpirationMs ?? 86_400_000,
      fail: error => this.takeOffline(error),
      settleFolder: folder => settleFolder(io.disk, folder, this.#names),
      markLossy: () => this.#changeSession({ lossy: true }),
      loosenPolicy: () => this.#loosenPolicy(),
      removeLater: (paths, delayMs) => this.#removeLater(paths, delayMs),
      logStartMoved: () => this.#saveLogStarts(),
      logEndFell: async () => {
        await this.#saveCompaction()
        await this.#saveRecoveryPoints()
        await this.#saveHighWatermarks()
        await this.#saveLogStarts()
      },
    }
    this.#idleTimer = this.#giveBackLater()
  }

  /** A log that is not used any more holds no file open and no batch in memory after a while. */
  #giveBackLater(): Timer {
    return this.#io.clock.timer(idleMs, () => {
      this.#host.tails.dropOld()
      this.#host.reads.trim()
      this.#host.files.closeIdle()
      this.#idleTimer = this.#giveBackLater()
    })
  }

  get clusterId(): string | undefined {
    return this.#found.meta.get('cluster.id')
  }

  get brokerId(): number | undefined {
    const id = this.#found.meta.get('node.id')
    return id !== undefined && /^\d{1,10}$/.test(id) ? Number(id) : undefined
  }

  /** The broker epoch of the last run. */
  get previousEpoch(): bigint | undefined {
    return this.#found.session?.brokerEpoch
  }

  /** The directories that the last run had; empty when there was none. */
  get previousDirectoryIds(): readonly string[] {
    return this.#found.session?.directoryIds ?? []
  }

  /** Those that were missing in the last run already, while partitions were not found. */
  get previousMissingIds(): readonly string[] {
    return this.#found.session?.missingIds ?? []
  }

  /** Nothing was ever in it, as far as its files tell: a new disk, or one that is not mounted. */
  get isNew(): boolean {
    return this.#found.meta.size === 0 && this.#folders.size === 0
  }

  /** A disk of the last run failed, or damage was found in it. */
  get isMarkedLossy(): boolean {
    return this.#found.session?.lossy ?? false
  }

  /** Nothing that the last run acknowledged is missing here (§5). Final after `settle`. */
  get lossless(): boolean {
    return this.#isLossless
  }

  get offline(): Error | undefined {
    return this.#offline
  }

  /** Bytes of all segment files that are open here. */
  get sizeBytes(): number {
    return [...this.#logs.values()].reduce((sum, log) => sum + log.sizeBytes, 0)
  }

  folders(): LogFolder[] {
    return [...this.#folders.values(), ...[...this.#logs.values()].map(folderOf)]
  }

  /** From the checkpoint; 0 when unknown. */
  highWatermark(topic: string, partition: number): number {
    const log = this.#logs.get(folderName(topic, partition))
    if (log !== undefined) return log.checkpointedHighWatermark
    return this.#found.highWatermarks.get(partitionKey(topic, partition)) ?? 0
  }

  // ── Start ──────────────────────────────────────────────────────────────────

  /** After an unclean end: recovers every folder with `config`; `openLog` then only configures. */
  async settle(config: LogConfig): Promise<void> {
    if (this.lastRun === 'clean') return
    const known = this.folders().filter(folder => folder.topicId !== undefined)
    await inParallel(known, async ({ topic, partition, topicId }) => {
      try {
        await this.openLog({ topic, partition, topicId: topicId!, config })
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        this.#isLossless = false // It was reported; its partition will fail, the others go on.
      }
    })
  }

  /** The broker is registered: notes it, before the first append. Again at every re-registration. */
  async begin(identity: SessionIdentity): Promise<void> {
    const { clusterId, brokerId, brokerEpoch } = identity
    await this.#io.disk.remove(`${this.path}/${cleanShutdownName}`)
    this.#written.delete(cleanShutdownName)
    const meta = [
      ['version', '1'],
      ['cluster.id', clusterId],
      ['node.id', String(brokerId)],
      ['directory.id', this.directoryId],
    ] as const
    await this.#save(metaPropertiesName, () => formatProperties(meta, '='))
    // What recovery came to must outlive the session that says who came before.
    await this.#saveCompaction()
    await this.#saveRecoveryPoints()
    const logs = [...this.#logs.values()]
    this.#session = {
      directoryId: this.directoryId,
      directoryIds: identity.directoryIds ?? [this.directoryId],
      missingIds: identity.missingIds ?? [],
      lockInode: this.#found.lock.inode,
      brokerEpoch,
      bootId: this.#io.disk.bootId(),
      clean: false,
      allSync: logs.every(log => log.syncsEachWrite),
      lossy: this.#offline !== undefined,
    }
    await this.#host.room.look()
    this.#hasBegun = true
    await this.#changeSession({})
  }

  /** Before `begin` the file still speaks of the last run; then `begin` looks at all logs. */
  async #loosenPolicy(): Promise<void> {
    if (this.#hasBegun) await this.#changeSession({ allSync: false }).catch(() => {})
  }

  /** Another directory of this broker failed: the run proves nothing any more, here neither (§9). */
  async markLossy(): Promise<void> {
    this.#isLossless = false
    await this.#changeSession({ lossy: true })
  }

  /** Changes the session file, one write after the other; nothing when no session was ever begun. */
  async #changeSession(change: Partial<Session>): Promise<void> {
    const before = this.#session
    if (before === undefined) return
    this.#session = { ...before, ...change }
    await this.#save(sessionFileName, () => formatSession(this.#session!))
  }

  // ── Logs ───────────────────────────────────────────────────────────────────

  /**
   * The log of a partition: made, loaded, recovered, or the one that is open. Throws
   * INCONSISTENT_TOPIC_ID when the folder belongs to another topic id, KAFKA_STORAGE_ERROR.
   */
  async openLog(options: OpenLogOptions): Promise<Log> {
    this.#refuseIfOffline()
    const name = folderName(options.topic, options.partition)
    const log = this.#logs.get(name) ?? (await this.#loading(name, options))
    if (log.topicId !== options.topicId) throw inconsistentTopicId(name, log.topicId)
    log.configure(options.config)
    return log
  }

  #loading(name: string, options: OpenLogOptions): Promise<Log> {
    let loading = this.#opening.get(name)
    if (loading === undefined) {
      loading = this.#load(name, options).finally(() => this.#opening.delete(name))
      this.#opening.set(name, loading)
    }
    return loading
  }

  #refuseIfOffline(): void {
    if (this.#offline === undefined) return
    throw new KafkaError('KAFKA_STORAGE_ERROR', `${this.path} is offline: ${this.#offline.message}`)
  }

  async #load(name: string, options: OpenLogOptions): Promise<Log> {
    const { topic, partition, topicId, config } = options
    const known = this.#folders.get(name)
    if (known?.topicId !== undefined && known.topicId !== topicId) {
      throw inconsistentTopicId(name, known.topicId)
    }
    const folder = `${this.path}/${name}`
    try {
      if (config.flushMessages > 1) await this.#host.loosenPolicy()
      if (known?.topicId === undefined) await this.#makeFolder(name, topicId)
      this.#folders.set(name, { name, topic, partition, topicId })
      const key = partitionKey(topic, partition)
      const isOld = this.#unloaded.has(name)
      const isKnown = isOld || this.#left.delete(name)
      const recovered = await recoverLog(this.#host, {
        folder,
        indexIntervalBytes: config.indexIntervalBytes,
        lastRun: isOld ? this.lastRun : 'clean',
        recoveryPoint: isKnown ? this.#found.recoveryPoints.get(key) : undefined,
        logStartOffset: isKnown ? (this.#found.logStarts.get(key) ?? 0) : 0,
        compactedTo: this.#found.compactedTo.get(key) ?? 0,
        isAfterKafka: isOld && this.#found.isAfterKafka,
        isWrittenAgain: isOld && mayLackPages(this.#found),
        producerIdExpirationMs: this.#host.producerIdExpirationMs,
        markLossy: this.#host.markLossy,
      })
      this.#unloaded.delete(name)
      if (recovered.compactedTo > 0) this.#found.compactedTo.set(key, recovered.compactedTo)
      const isLoss =
        recovered.outcome === 'lossy' ||
        (recovered.outcome === 'torn' && this.lastRun !== 'killed' && !this.#found.session?.allSync)
      if (isLoss) this.#isLossless = false
      const log = new Log(this.#host, { topic, partition, topicId, folder }, config, recovered)
      const compactedTo = isKnown ? this.#found.compactedTo.get(key) : undefined
      if (compactedTo !== undefined) log.compaction.cleanedEndOffset = compactedTo
      this.#nowOpen(name, log)
      return log
    } catch (error) {
      if (!isDiskFull(error)) throw this.#storageError(name, error)
      // It is tried again, and must find it as it was.
      if (known?.topicId === undefined && (await unmakeFolder(this.#io.disk, folder))) {
        this.#folders.delete(name)
      }
      throw new NoRoomError((error as Error).message)
    }
  }

  /** From here on the log itself says what the tables said of it. */
  #nowOpen(name: string, log: Log): void {
    log.checkpointedHighWatermark = this.highWatermark(log.topic, log.partition)
    this.#logs.set(name, log)
    this.#folders.delete(name)
    const key = partitionKey(log.topic, log.partition)
    this.#found.recoveryPoints.delete(key)
    this.#found.highWatermarks.delete(key)
  }

  /** A folder that cannot be opened is that partition's failure; the rest goes on. */
  #storageError(name: string, error: unknown): unknown {
    if (!(error instanceof DiskError)) return error
    this.#io.report.error(
      { folder: `${this.path}/${name}` },
      `log cannot be opened: ${error.message}`,
    )
    return new KafkaError('KAFKA_STORAGE_ERROR', error.message)
  }

  async #makeFolder(name: string, topicId: string): Promise<void> {
    const folder = `${this.path}/${name}`
    const known = this.#folders.get(name)
    if (known === undefined || known.isBlank) return makeFolder(this.#io.disk, folder, topicId)
    throw new KafkaError('KAFKA_STORAGE_ERROR', `${folder} has records but no topic id`)
  }

  /** The folder is renamed when this answers; its content goes later. */
  async deleteLog(log: Log): Promise<void> {
    const name = folderName(log.topic, log.partition)
    await log.abandon()
    this.#forget(name)
    const retired = await this.#retire(name, 'delete')
    this.#removeLater([retired], log.config.fileDeleteDelayMs)
  }

  // ── Moves from one directory to another: replica/log-moves.ts ────────────────

  /** Where a copy of the partition may be made. */
  futureFolder(topic: string, partition: number): string {
    const unique = Buffer.from(this.#io.random.bytes(16)).toString('hex')
    return `${this.path}/${retiredFolderName(folderName(topic, partition), unique, 'future')}`
  }

  /** As at a clean stop; `openLog` opens it again. Throws KAFKA_STORAGE_ERROR, and it stays open. */
  async closeLog(log: Log, highWatermark: number): Promise<void> {
    const { topic, partition } = log
    const name = folderName(topic, partition)
    await log.close()
    await this.checkpoint([{ topic, partition, highWatermark }])
    await this.compacted()
    const key = partitionKey(topic, partition)
    this.#found.recoveryPoints.set(key, log.recoveryPoint)
    this.#found.highWatermarks.set(key, highWatermark)
    this.#folders.set(name, folderOf(log))
    this.#logs.delete(name)
    this.#left.add(name)
  }

  /**
   * Gives a copy that is whole and synced the place of the log, which `from` has closed. Throws
   * DiskError and nothing has changed, or SwapUnknownError.
   */
  async takeOver(copy: string, log: Log, from: LogDirectory): Promise<void> {
    this.#refuseIfOffline()
    const { topic, partition, topicId } = log
    const name = folderName(topic, partition)
    const path = `${this.path}/${name}`
    if ((await this.#io.disk.stat(path)) !== undefined) {
      throw new DiskError('EEXIST', `${path} is there already: move it out of the data directory`)
    }
    const key = partitionKey(topic, partition)
    for (const table of ['recoveryPoints', 'highWatermarks', 'logStarts', 'compactedTo'] as const) {
      const offset = from.#found[table].get(key)
      if (offset !== undefined) this.#found[table].set(key, offset)
    }
    await this.#saveLogStarts()
    await this.#saveCompaction()
    await this.#saveRecoveryPoints()
    await this.#saveHighWatermarks()
    try {
      await this.#io.disk.rename(copy, path)
      await this.#names.sync()
    } catch (error) {
      this.takeOffline(error as Error)
      throw new SwapUnknownError(`${path} may be there or not: ${(error as Error).message}`)
    }
    this.#folders.set(name, { name, topic, partition, topicId })
    this.#left.add(name)
  }

  /** The id of the directory that the folder was moved from, while the copy there may still be. */
  async movedFrom({ name }: LogFolder): Promise<string | undefined> {
    const path = `${this.path}/${name}/${movedFromName}`
    return await readSmallFile(this.#io.disk, path, bytes => Buffer.from(bytes).toString())
  }

  /** The copy that the folder was moved from is gone. */
  async forgetMove(name: string): Promise<void> {
    await this.#io.disk.remove(`${this.path}/${name}/${movedFromName}`)
  }

  /** Removes a folder that was moved to another directory, before any log was opened. */
  async discard({ name }: LogFolder): Promise<void> {
    this.#forget(name)
    this.#removeLater([await this.#retire(name, 'delete')], 0)
  }

  /** Renames a folder that belongs to no partition of this broker; it is kept. */
  async setAside(folder: LogFolder): Promise<void> {
    await this.#logs.get(folder.name)?.abandon()
    this.#forget(folder.name)
    const retired = await this.#retire(folder.name, 'stray')
    this.#io.report.warn(
      { folder: retired },
      `${folder.name} is no partition of this broker; it is kept`,
    )
  }

  #forget(name: string): void {
    const folder = this.#folders.get(name) ?? this.#logs.get(name)
    this.#logs.delete(name)
    this.#folders.delete(name)
    this.#unloaded.delete(name)
    this.#left.delete(name)
    if (folder === undefined) return
    const key = partitionKey(folder.topic, folder.partition)
    this.#found.recoveryPoints.delete(key)
    this.#found.highWatermarks.delete(key)
    this.#found.logStarts.delete(key)
    this.#found.compactedTo.delete(key)
  }

  async #retire(name: string, suffix: 'delete' | 'stray'): Promise<string> {
    const unique = Buffer.from(this.#io.random.bytes(16)).toString('hex')
    const retired = `${this.path}/${retiredFolderName(name, unique, suffix)}`
    try {
      await this.#host.files.closeBelow(`${this.path}/${name}/`)
      await this.#io.disk.rename(`${this.path}/${name}`, retired)
      await this.#names.sync()
    } catch (error) {
      this.takeOffline(error as Error)
      throw new KafkaError('KAFKA_STORAGE_ERROR', (error as Error).message)
    }
    return retired
  }

  #removeLater(paths: readonly string[], delayMs: number): void {
    if (paths.length === 0) return
    const timer = this.#io.clock.timer(delayMs, () => {
      this.#removals.delete(timer)
      void this.#remove(paths)
    })
    this.#removals.add(timer)
  }

  async #remove(paths: readonly string[]): Promise<void> {
    for (const path of paths) {
      try {
        await this.#io.disk.remove(path)
      } catch (error) {
        this.#io.report.warn({ path }, `cannot be removed: ${(error as Error).message}`)
      }
    }
  }

  // ── Checkpoints and the end ────────────────────────────────────────────────

  /** Writes recovery points, high watermarks and log starts, each file only when it changed. */
  async checkpoint(highWatermarks: Iterable<PartitionHighWatermark>): Promise<void> {
    if (this.#offline !== undefined) return
    for (const { topic, partition, highWatermark } of highWatermarks) {
      const log = this.#logs.get(folderName(topic, partition))
      if (log !== undefined) log.checkpointedHighWatermark = highWatermark
      else this.#found.highWatermarks.set(partitionKey(topic, partition), highWatermark)
    }
    try {
      await this.#saveLogStarts()
      await this.#saveRecoveryPoints()
      await this.#saveHighWatermarks()
    } catch (error) {
      this.#checkpointFailed(error as Error)
    }
  }

  /** Old checkpoints are no harm: the next start reads more. A full disk is no reason to stop. */
  #checkpointFailed(error: Error): void {
    this.#io.report.warn({ directory: this.path }, `checkpoint not written: ${error.message}`)
    if (!isDiskFull(error)) this.takeOffline(error)
  }

  /** A pass of compaction came to its end: notes to where, for the next start. */
  async compacted(): Promise<void> {
    if (this.#offline === undefined) {
      await this.#saveCompaction().catch(error => this.#checkpointFailed(error))
    }
  }

  async #saveCompaction(): Promise<void> {
    const ends = this.#found.compactedTo
    for (const { topic, partition, cleanedEndOffset } of this.#logs.values()) {
      if (cleanedEndOffset !== undefined) ends.set(partitionKey(topic, partition), cleanedEndOffset)
    }
    if (ends.size > 0) await this.#save(compactionName, () => formatOffsets(ends))
  }

  async #saveRecoveryPoints(): Promise<void> {
    await this.#saveOffsets(
      recoveryPointsName,
      this.#found.recoveryPoints,
      log => log.recoveryPoint,
    )
  }

  async #saveHighWatermarks(): Promise<void> {
    const others = this.#found.highWatermarks
    await this.#saveOffsets(highWatermarksName, others, log => log.checkpointedHighWatermark)
  }

  /** Of all open logs, and of `others`, which are not open. */
  async #saveOffsets(
    name: string,
    others: PartitionOffsets,
    of: (log: Log) => number,
  ): Promise<void> {
    await this.#save(name, () => {
      const offsets = new Map(others)
      for (const log of this.#logs.values()) {
        offsets.set(partitionKey(log.topic, log.partition), of(log))
      }
      return formatOffsets(offsets)
    })
  }

  async #saveLogStarts(): Promise<void> {
    const starts = this.#found.logStarts
    for (const { topic, partition, logStartOffset } of this.#logs.values()) {
      const key = partitionKey(topic, partition)
      if (logStartOffset > 0) starts.set(key, logStartOffset)
      else starts.delete(key)
    }
    await this.#save(logStartsName, () => formatOffsets(starts))
  }

  /** Small files are written one after the other, and not when they would say the same. */
  #save(name: string, content: () => Uint8Array): Promise<void> {
    const saved = this.#saving.then(async () => {
      const bytes = content()
      const text = Buffer.from(bytes).toString('latin1')
      if (this.#written.get(name) === text) return
      this.#written.delete(name)
      await this.#io.disk.replaceFile(`${this.path}/${name}`, bytes)
      this.#written.set(name, text)
    })
    this.#saving = saved.catch(() => {})
    return saved
  }

  /** Syncs all logs, writes snapshots and checkpoints, says `clean` last, and lets the lock go. */
  async close(highWatermarks: Iterable<PartitionHighWatermark>): Promise<void> {
    for (const timer of this.#removals) timer.cancel()
    this.#removals.clear()
    this.#idleTimer.cancel()
    try {
      await Promise.allSettled(this.#opening.values())
      await inParallel([...this.#logs.values()], log => log.close())
      await this.checkpoint(highWatermarks)
      if (this.#offline === undefined && this.#hasBegun) await this.#markClean()
    } finally {
      await this.#host.files.closeBelow(this.path)
      await this.#found.lock.release()
    }
  }

  async #markClean(): Promise<void> {
    const epoch = Number(this.#session!.brokerEpoch)
    const marker = JSON.stringify({ version: 0, brokerEpoch: epoch })
    await this.#save(cleanShutdownName, () => new TextEncoder().encode(marker))
    await this.#changeSession({ clean: true })
  }

  /** The disk failed: for good, until the next start. */
  takeOffline(error: Error): void {
    if (this.#offline !== undefined) return
    this.#offline = error
    this.#isLossless = false
    this.#io.report.error({ directory: this.path }, `data directory is offline: ${error.message}`)
    void this.#changeSession({ lossy: true }).catch(() => {})
    for (const log of this.#logs.values()) log.goOffline(error)
    this.onOffline(error)
  }
}

/** After a failure while names changed, only a start can tell in which directory the log is. */
export class SwapUnknownError extends Error {
  override readonly name = 'SwapUnknownError'
}

/** Kafka's form of an id: 16 bytes, base64url, never beginning with a dash. */
function newDirectoryId(io: Io): string {
  for (;;) {
    const bytes = io.random.bytes(16)
    bytes[6] = (bytes[6]! & 0x0f) | 0x40
    bytes[8] = (bytes[8]! & 0x3f) | 0x80
    const id = Buffer.from(bytes).toString('base64url')
    if (!id.startsWith('-')) return id
  }
}

function folderOf({ topic, partition, topicId }: Log): LogFolder {
  return { name: folderName(topic, partition), topic, partition, topicId }
}

function inconsistentTopicId(name: string, topicId: string): KafkaError {
  return new KafkaError('INCONSISTENT_TOPIC_ID', `folder ${name} belongs to topic id ${topicId}`)
}
