/**
 * `repair`: what a recovery does, of every segment and at once, and what is made from the log anew.
 *
 * An unfinished write is cut, indexes, epoch table and producer snapshot are made again from the
 * batches, and damage is noted in `damaged-ranges`, around which the log opens. What is cut or cannot
 * be read is kept beside it as `.corrupt`. The session is marked lossy before any record goes, so
 * that the next start claims nothing for them.
 */

import { basename, dirname } from 'node:path'
import { Slabs } from '../base/slabs.ts'
import type { Io } from '../io/io.ts'
import {
  formatEpochs,
  formatOffsets,
  formatProperties,
  type PartitionOffsets,
  partitionKey,
} from './checkpoint-file.ts'
import { type DirectoryFacts, lastRunOf, readDirectoryFacts } from './directory-facts.ts'
import {
  corruptSuffix,
  highWatermarksName,
  leaderEpochsName,
  logSuffix,
  metaPropertiesName,
  offsetOfName,
  partitionMetadataName,
  partitionOfFolder,
  recoveryPointsName,
  snapshotSuffix,
  transactionIndexSuffix,
} from './file-names.ts'
import { IndexCache } from './index-file.ts'
import type { SharedStorage } from './log-host.ts'
import { OpenFiles } from './open-files.ts'
import { encodeSnapshot } from './producer-snapshot.ts'
import {
  type LastRun,
  type RecoveredLog,
  recoverLog,
  setAsideFrom,
  snapshotPath,
} from './recovery.ts'
import { formatSession, sessionFileName } from './session-file.ts'
import { slabBytesFor, TailCache } from './tail-cache.ts'
import { kindOfFolder, type VerifiedFolder, verify } from './verify.ts'

/** Kafka's default; a log that has another one gets it with its next index. */
const indexIntervalBytes = 4096

/**
 * Mends a data directory, or the folder of one partition, whose lock the caller holds. Answers a
 * sentence for each thing that was done. Throws DiskError.
 */
export async function repair(io: Io, path: string): Promise<string[]> {
  const isDirectory = (await kindOfFolder(io.disk, path)) === 'directory'
  const root = isDirectory ? path : dirname(path)
  const state = await readDirectoryFacts(io.disk, root)
  const { findings, folders } = await verify(io.disk, path)
  const wrong = findings.filter(({ kind }) => kind !== 'note').map(each => each.path)
  return await new Repair(io, root, state, isDirectory, folders, new Set(wrong)).run()
}

class Repair {
  readonly #io: Io
  readonly #root: string
  readonly #state: DirectoryFacts
  readonly #isDirectory: boolean
  readonly #folders: readonly VerifiedFolder[]
  /** Paths of what is wrong. */
  readonly #wrong: ReadonlySet<string>
  readonly #shared: SharedStorage
  readonly #done: string[] = []
  #lastRun: LastRun = 'killed'
  #isLossy = false

  constructor(
    io: Io,
    root: string,
    state: DirectoryFacts,
    isDirectory: boolean,
    folders: readonly VerifiedFolder[],
    wrong: ReadonlySet<string>,
  ) {
    this.#io = io
    this.#root = root
    this.#state = state
    this.#isDirectory = isDirectory
    this.#folders = folders
    this.#wrong = wrong
    this.#shared = {
      // What recovery reports is said by what is done.
      io: { ...io, report: { info: this.#say, warn: this.#say, error: this.#say } },
      files: new OpenFiles(io.disk, 64),
      indexes: new IndexCache(64 * 1024 * 1024),
      tails: new TailCache(0),
      reads: new Slabs(slabBytesFor(0), 0),
    }
  }

  async run(): Promise<string[]> {
    await this.#findLastRun()
    try {
      for (const { name } of this.#folders) if (this.#isWrong(name)) await this.#folder(name)
    } finally {
      await this.#shared.files.closeBelow(this.#root)
    }
    if (this.#isDirectory) {
      for (const { path } of this.#state.problems) {
        if (!path.endsWith(metaPropertiesName)) await this.#setAside(path)
      }
    }
    return this.#done
  }

  readonly #say = (fields: Readonly<Record<string, unknown>>, message: string): void => {
    const place = fields['folder'] ?? fields['file'] ?? ''
    this.#done.push(`${basename(String(place))}: ${message}`)
  }

  async #findLastRun(): Promise<void> {
    const lock = await this.#io.disk.stat(`${this.#root}/.lock`)
    if (lock === undefined || !(this.#isDirectory || this.#state.session)) return
    const { session, hasMarker } = this.#state
    this.#lastRun = lastRunOf(session, hasMarker, lock.inode, this.#io.disk.bootId())
  }

  async #folder(name: string): Promise<void> {
    const folder = `${this.#root}/${name}`
    await this.#identity(folder, name)
    await this.#dropBadFiles(folder)
    const partition = partitionOfFolder(name)
    const key = partition && partitionKey(partition.topic, partition.partition)
    const of = (offsets: PartitionOffsets) => (key === undefined ? undefined : offsets.get(key))
    const files = await this.#io.disk.list(folder)
    if (!files.some(file => offsetOfName(file.name, logSuffix) !== undefined)) return
    const log = await recoverLog(this.#shared, {
      folder,
      indexIntervalBytes,
      lastRun: this.#lastRun,
      recoveryPoint: of(this.#state.recoveryPoints),
      logStartOffset: of(this.#state.logStarts) ?? 0,
      compactedTo: of(this.#state.compactedTo) ?? 0,
      isAfterKafka: this.#state.isAfterKafka,
      producerIdExpirationMs: Number.POSITIVE_INFINITY,
      isRepair: true,
      markLossy: () => this.#markLossy(),
    })
    await this.#cutDamagedTail(folder, log)
    await this.#save(folder, log)
    if (key !== undefined) await this.#lowerCheckpoints(key, log.logEndOffset)
    this.#done.push(`${name}: indexes, epochs and snapshot are those of the log`)
  }

  /** As a leader does that is elected after a loss. */
  async #cutDamagedTail(folder: string, log: RecoveredLog): Promise<void> {
    const segment = log.segments.at(-1)!
    const size = (await this.#io.disk.stat(segment.logPath))?.size ?? 0
    if (!log.hasDamagedTail || size <= segment.size) return
    await setAsideFrom(this.#shared, segment, segment.size)
    await segment.cutTail()
    await segment.sync()
    const what = `cut ${size - segment.size} bytes that are no batch; see ${corruptSuffix}`
    this.#done.push(`${basename(folder)}: ${what}`)
  }

  async #save(folder: string, log: RecoveredLog): Promise<void> {
    const { disk } = this.#io
    const newest = log.segments.at(-1)!
    if (newest.isCreated) {
      await newest.offsetIndex.file.sync()
      await newest.timeIndex.file.sync()
    }
    const epochs = `${folder}/${leaderEpochsName}`
    await disk.replaceFile(epochs, formatEpochs(log.epochs.entries))
    const snapshot = snapshotPath(folder, log.logEndOffset)
    await disk.replaceFile(snapshot, encodeSnapshot(log.producers))
    for (const segment of log.segments) await segment.release()
  }

  #isWrong(name: string): boolean {
    const folder = `${this.#root}/${name}`
    return [...this.#wrong].some(path => path === folder || path.startsWith(`${folder}/`))
  }

  /** The topic's id as its other partitions have it. */
  async #identity(folder: string, name: string): Promise<void> {
    const path = `${folder}/${partitionMetadataName}`
    if (!this.#wrong.has(path)) return
    const topic = partitionOfFolder(name)?.topic
    const ids = this.#folders
      .filter(other => other.name !== name && partitionOfFolder(other.name)?.topic === topic)
      .map(({ topicId }) => topicId)
    const [id] = ids
    if (id === undefined || ids.some(other => other !== id)) return
    await this.#setAside(path)
    const content = formatProperties(Object.entries({ version: '0', topic_id: id }), ': ')
    await this.#io.disk.replaceFile(path, content)
    this.#done.push(`${name}: has the topic id ${id} of the topic's other partitions`)
  }

  /** What is made from the log, and would stand in the way or only be passed over. */
  async #dropBadFiles(folder: string): Promise<void> {
    for (const { name } of await this.#io.disk.list(folder)) {
      const isDerived =
        name.endsWith(snapshotSuffix) ||
        name.endsWith(transactionIndexSuffix) ||
        name === leaderEpochsName
      const path = `${folder}/${name}`
      if (isDerived && this.#wrong.has(path)) await this.#setAside(path)
    }
  }

  async #setAside(path: string): Promise<void> {
    if ((await this.#io.disk.stat(path)) === undefined) return
    await this.#io.disk.rename(path, path + corruptSuffix)
    await this.#io.disk.syncDirectory(dirname(path))
    this.#done.push(`${path.slice(this.#root.length + 1)}: set aside as ${corruptSuffix}`)
  }

  /** They promised more than there is; that it is gone, the session says. */
  async #lowerCheckpoints(key: string, endOffset: number): Promise<void> {
    const { recoveryPoints, highWatermarks } = this.#state
    const files = [
      [recoveryPointsName, recoveryPoints],
      [highWatermarksName, highWatermarks],
    ] as const
    for (const [name, offsets] of files) {
      if ((offsets.get(key) ?? 0) <= endOffset) continue
      await this.#markLossy()
      offsets.set(key, endOffset)
      await this.#io.disk.replaceFile(`${this.#root}/${name}`, formatOffsets(offsets))
      this.#done.push(`${name}: lowered to ${endOffset} for ${key.replace(' ', '-')}`)
    }
  }

  async #markLossy(): Promise<void> {
    const { session } = this.#state
    if (this.#isLossy || session === undefined) return
    this.#isLossy = true
    const bytes = formatSession({ ...session, lossy: true })
    await this.#io.disk.replaceFile(`${this.#root}/${sessionFileName}`, bytes)
  }
}
