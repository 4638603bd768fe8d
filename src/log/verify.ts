/**
 * `verify`: looks through a data directory, or the folder of one partition, and changes nothing.
 *
 * Each log is read once, batch by batch, and everything else is held against it: indexes, snapshots,
 * the table of epochs, and the checkpoints of the directory. `repair.ts` mends what was found.
 */
import { basename, dirname } from 'node:path'
import { DirectoryLockedError, type Disk, DiskError } from '../io/io.ts'
import type { Expected } from './batch-scan.ts'
import { type PartitionOffsets, partitionKey } from './checkpoint-file.ts'
import { type DirectoryFacts, readDirectoryFacts } from './directory-facts.ts'
import {
  kraftFolderName,
  leaderEpochsName,
  logSuffix,
  offsetIndexSuffix,
  offsetName,
  offsetOfName,
  partitionMetadataName,
  partitionOfFolder,
  snapshotSuffix,
  timeIndexSuffix,
  transactionIndexSuffix,
} from './file-names.ts'
import type { EpochEntry } from './leader-epochs.ts'
import { ProducerState } from './producer-state.ts'
import type { AbortedTransaction } from './transaction-marker.ts'
import {
  type LogBounds,
  readTopicId,
  verifyEpochs,
  verifySnapshot,
  verifyStore,
  verifyTransactionIndex,
} from './verify-files.ts'
import { type Finding, type Inspection, verifySegment } from './verify-segment.ts'

export type { Finding, FindingKind } from './verify-segment.ts'

export interface VerifyOptions {
  /** Records are decompressed and walked, too. */
  readonly deep?: boolean
  /** Called often: bytes read, and bytes there are to read. */
  readonly onProgress?: (doneBytes: number, totalBytes: number) => void
}

/** What one partition's folder was found to hold. */
export interface VerifiedFolder {
  readonly name: string
  readonly segments: number
  readonly batches: number
  readonly bytes: number
  readonly startOffset: number
  /** Exclusive. */
  readonly endOffset: number
  readonly topicId: string | undefined
}

export interface Verification {
  readonly folders: readonly VerifiedFolder[]
  /** In the order of the files; beyond 10,000 they are only counted. */
  readonly findings: readonly Finding[]
  readonly omittedFindings: number
  readonly bytes: number
}

const maxFindings = 10_000

/** What lies at `path`: a data directory, the folder of a partition, or neither. */
export async function kindOfFolder(
  disk: Disk,
  path: string,
): Promise<'directory' | 'partition' | undefined> {
  const entries = await disk.list(path)
  if (entries.some(({ name }) => offsetOfName(name, logSuffix) !== undefined)) return 'partition'
  if (entries.some(({ name }) => name === partitionMetadataName)) return 'partition'
  const isDirectory = entries.some(
    ({ name, directory }) =>
      name === 'meta.properties' || (directory && partitionOfFolder(name) !== undefined),
  )
  return isDirectory ? 'directory' : undefined
}

/**
 * Holds the lock of the data directory that `path` is, or lies in, while `run` runs. Where no broker
 * was ever, there is none to take. Throws DirectoryLockedError.
 */
export async function whileLocked<T>(
  disk: Disk,
  directory: string,
  run: () => Promise<T>,
): Promise<T> {
  if ((await disk.stat(`${directory}/.lock`)) === undefined) return await run()
  let lock: Awaited<ReturnType<Disk['lock']>> | undefined
  try {
    lock = await disk.lock(directory)
  } catch (error) {
    if (error instanceof DirectoryLockedError) throw error
    // A volume that cannot be written has no broker on it.
    if (!(error instanceof DiskError && error.code === 'EACCES')) throw error
  }
  try {
    return await run()
  } finally {
    await lock?.release()
  }
}

/** Looks through all of it. The lock is the caller's. Throws DiskError. */
export async function verify(
  disk: Disk,
  path: string,
  options: VerifyOptions = {},
): Promise<Verification> {
  return await new Verifier(disk, path, options).run()
}

class Verifier implements Inspection {
  readonly disk: Disk
  readonly isDeep: boolean
  readonly #path: string
  readonly #options: VerifyOptions
  readonly #findings: Finding[] = []
  readonly #folders: VerifiedFolder[] = []
  #omitted = 0
  #doneBytes = 0
  #totalBytes = 0

  constructor(disk: Disk, path: string, options: VerifyOptions) {
    this.disk = disk
    this.isDeep = options.deep === true
    this.#path = path
    this.#options = options
  }

  found(finding: Finding): void {
    if (this.#findings.length < maxFindings) this.#findings.push(finding)
    else this.#omitted++
  }

  read(bytes: number): void {
    this.#doneBytes += bytes
    this.#options.onProgress?.(this.#doneBytes, this.#totalBytes)
  }

  async run(): Promise<Verification> {
    const isDirectory = (await kindOfFolder(this.disk, this.#path)) === 'directory'
    const root = isDirectory ? this.#path : dirname(this.#path)
    const state = await readDirectoryFacts(this.disk, root)
    const names = isDirectory ? await this.#folderNames() : [basename(this.#path)]
    this.#totalBytes = await this.#sizeOf(this.#path, names, isDirectory)
    for (const name of names) await this.#folder(root, name, state)
    if (isDirectory) {
      for (const { path, what } of state.problems) this.found({ kind: 'derived', path, what })
      this.#topicIds()
      this.#checkpoints(state)
      await verifyStore(this, this.#path)
    }
    return {
      folders: this.#folders,
      findings: this.#findings,
      omittedFindings: this.#omitted,
      bytes: this.#doneBytes,
    }
  }

  async #folderNames(): Promise<string[]> {
    const names: string[] = []
    for (const { name, directory } of await this.disk.list(this.#path)) {
      if (!directory) continue
      if (partitionOfFolder(name) !== undefined && !isRetired(name)) names.push(name)
      else {
        const what = isRetired(name)
          ? 'was set aside or is being deleted: it is not looked into'
          : 'is no folder of a partition'
        this.found({ kind: 'note', path: `${this.#path}/${name}`, what })
      }
    }
    return names
  }

  async #sizeOf(path: string, names: readonly string[], isDirectory: boolean): Promise<number> {
    let bytes = 0
    for (const name of names) {
      const folder = isDirectory ? `${path}/${name}` : path
      for (const file of await this.disk.list(folder)) {
        bytes += (await this.disk.stat(`${folder}/${file.name}`))?.size ?? 0
      }
    }
    return bytes
  }

  async #folder(root: string, name: string, state: DirectoryFacts): Promise<void> {
    const partition = partitionOfFolder(name)
    const key = partition && partitionKey(partition.topic, partition.partition)
    const of = (offsets: PartitionOffsets) => (key === undefined ? undefined : offsets.get(key))
    const facts = {
      // Kafka's controller does not close its log.
      isClosed: state.isClosed && name !== kraftFolderName,
      isAfterKafka: state.isAfterKafka,
      recoveryPoint: of(state.recoveryPoints) ?? 0,
      highWatermark: of(state.highWatermarks) ?? 0,
      logStart: of(state.logStarts) ?? 0,
      compactedTo: of(state.compactedTo) ?? 0,
    }
    this.#folders.push(await new FolderScan(this, `${root}/${name}`, name, facts).run())
  }

  /** All partitions of a topic have one id. */
  #topicIds(): void {
    const known = new Map<string, string>()
    for (const { name, topicId } of this.#folders) {
      const topic = partitionOfFolder(name)!.topic
      if (topicId === undefined) continue
      const other = known.get(topic) ?? topicId
      known.set(topic, other)
      if (other === topicId) continue
      const what = `has topic id ${topicId}, and another partition of the topic has ${other}`
      this.found({ kind: 'damage', path: `${this.#path}/${name}/${partitionMetadataName}`, what })
    }
  }

  /** Nothing is checkpointed of partitions that are not here. */
  #checkpoints({ recoveryPoints }: DirectoryFacts): void {
    const here = new Set(
      this.#folders.map(({ name }) => {
        const { topic, partition } = partitionOfFolder(name)!
        return partitionKey(topic, partition)
      }),
    )
    for (const [key, offset] of recoveryPoints) {
      if (here.has(key) || offset === 0) continue
      const path = `${this.#path}/${key.replace(' ', '-')}`
      const what = `is missing, and the checkpoints name it with ${offset} synced records`
      this.found({ kind: 'note', path, what })
    }
  }
}

/** `topic-0.<id>-stray`, `-delete`, or `-future`: Kafka's names of folders that are not in use. */
function isRetired(name: string): boolean {
  return /\.[0-9a-zA-Z_-]+-(delete|stray|future)$/.test(name)
}

/** What the directory says of a folder; 0 where it says nothing. */
interface FolderFacts {
  readonly isClosed: boolean
  readonly isAfterKafka: boolean
  readonly recoveryPoint: number
  readonly highWatermark: number
  readonly logStart: number
  readonly compactedTo: number
}

class FolderScan {
  readonly #inspection: Inspection
  readonly #folder: string
  readonly #name: string
  readonly #facts: FolderFacts
  readonly #epochs: EpochEntry[] = []
  /** By base offset of the segment with their markers. */
  readonly #aborted = new Map<number, readonly AbortedTransaction[]>()

  constructor(inspection: Inspection, folder: string, name: string, facts: FolderFacts) {
    this.#inspection = inspection
    this.#folder = folder
    this.#name = name
    this.#facts = facts
  }

  async run(): Promise<VerifiedFolder> {
    const { disk } = this.#inspection
    const names = (await disk.list(this.#folder)).map(({ name }) => name)
    const bases = names
      .map(name => offsetOfName(name, logSuffix))
      .filter(base => base !== undefined)
      .sort((a, b) => a - b)
    const expected: Expected = { offset: bases[0] ?? 0, epoch: -1 }
    const { batches, bytes } = await this.#segments(bases, expected)
    const startOffset = Math.max(this.#facts.logStart, bases[0] ?? 0)
    const endOffset = expected.offset
    const { isClosed, recoveryPoint: durableEndOffset } = this.#facts
    const bounds = { startOffset, endOffset, isClosed, durableEndOffset }
    if (bases.length > 0) this.#bounds(endOffset)
    for (const name of names) await this.#file(name, new Set(bases), bounds)
    await this.#transactionIndexes(names, bases)
    const epochs = `${this.#folder}/${leaderEpochsName}`
    await verifyEpochs(this.#inspection, epochs, this.#epochs, bounds)
    const metadata = `${this.#folder}/${partitionMetadataName}`
    const topicId = await readTopicId(this.#inspection, metadata)
    if (topicId === undefined) {
      this.#inspection.found({ kind: 'damage', path: metadata, what: 'has no topic id' })
    }
    const name = this.#name
    return { name, segments: bases.length, batches, bytes, startOffset, endOffset, topicId }
  }

  async #segments(bases: readonly number[], expected: Expected) {
    const { isClosed, recoveryPoint, compactedTo } = this.#facts
    const lastWithData = await this.#lastWithData(bases)
    const total = { batches: 0, bytes: 0 }
    const producers = new ProducerState(Number.POSITIVE_INFINITY)
    const soFar = { expected, epochs: this.#epochs, producers }
    for (const [index, baseOffset] of bases.entries()) {
      if (baseOffset > expected.offset && baseOffset > compactedTo) {
        this.#gap(expected.offset, baseOffset)
      }
      expected.offset = Math.max(expected.offset, baseOffset)
      const segment = {
        folder: this.#folder,
        baseOffset,
        isLast: index >= lastWithData,
        isClosed: isClosed || index < bases.length - 1,
        recoveryPoint: isClosed ? Number.POSITIVE_INFINITY : recoveryPoint,
        limitOffset:
          bases[index + 1] ??
          (isClosed && recoveryPoint > 0 ? recoveryPoint : Number.POSITIVE_INFINITY),
      }
      const found = await verifySegment(this.#inspection, segment, soFar)
      if (found.aborted.length > 0) this.#aborted.set(baseOffset, found.aborted)
      total.batches += found.batches
      total.bytes += found.bytes
    }
    return total
  }

  /** Index of the last segment that is not empty. */
  async #lastWithData(bases: readonly number[]): Promise<number> {
    for (let index = bases.length - 1; index > 0; index--) {
      const path = `${this.#folder}/${bases[index]!.toString().padStart(20, '0')}${logSuffix}`
      if (((await this.#inspection.disk.stat(path))?.size ?? 0) > 0) return index
    }
    return 0
  }

  #gap(from: number, to: number): void {
    const what = `nothing lies between offsets ${from} and ${to}: a segment is missing, unless the topic is compacted`
    const kind = this.#facts.isAfterKafka ? 'note' : 'damage'
    this.#inspection.found({ kind, path: this.#folder, offset: from, what })
  }

  /** What the checkpoints promise of the end. */
  #bounds(endOffset: number): void {
    const { recoveryPoint, highWatermark } = this.#facts
    const promised = Math.max(recoveryPoint, highWatermark)
    if (promised <= endOffset) return
    const which = promised === recoveryPoint ? 'was synced' : 'was shown to consumers'
    const what = `ends at offset ${endOffset}, and what ${which} ends at ${promised}`
    this.#inspection.found({ kind: 'damage', path: this.#folder, offset: endOffset, what })
  }

  async #transactionIndexes(names: readonly string[], bases: readonly number[]): Promise<void> {
    for (const base of bases) {
      const name = offsetName(base, transactionIndexSuffix)
      const aborted = this.#aborted.get(base) ?? []
      if (aborted.length === 0 && !names.includes(name)) continue
      await verifyTransactionIndex(this.#inspection, `${this.#folder}/${name}`, aborted)
    }
  }

  async #file(name: string, bases: ReadonlySet<number>, bounds: LogBounds): Promise<void> {
    const path = `${this.#folder}/${name}`
    const snapshot = offsetOfName(name, snapshotSuffix)
    if (snapshot !== undefined) {
      return await verifySnapshot(this.#inspection, path, snapshot, bounds)
    }
    const base = offsetOfName(name, offsetIndexSuffix) ?? offsetOfName(name, timeIndexSuffix)
    if (base !== undefined && !bases.has(base)) {
      const what = `has no segment: ${base.toString().padStart(20, '0')}${logSuffix} is missing`
      this.#inspection.found({ kind: 'damage', path, offset: base, what })
    }
  }
}
