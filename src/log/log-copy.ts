/**
 * A copy of a log in another data directory, made while the log is written: AlterReplicaLogDirs
 * (KIP-113). Files are copied byte by byte, so the copy has what the log has, damage included.
 *
 * `catchUp` copies what is written until little is missing; once the log is closed, `finish` copies
 * the rest and syncs. Until it takes its place, the copy lies in a folder named `…-future`, marked as
 * ours by a file that says where it comes from: a start removes it, for only a whole copy counts.
 */
import { DiskError, type DiskFile, type Io } from '../io/io.ts'
import { deletedSuffix, movedFromName } from './file-names.ts'
import type { Log } from './log.ts'
import type { Pace } from './pace.ts'
import type { Segment } from './segment.ts'

/** Copied at once, and between two pauses. */
const windowBytes = 512 * 1024

/** So little may be missing when the log is closed: some milliseconds of copying. */
const nearBytes = 1024 * 1024

/** Files that are on their way out, or in. */
const passing = [deletedSuffix, '.tmp', '.cleaned', '.swap']

/** The copy was given up. */
export class CopyEndedError extends Error {
  override readonly name = 'CopyEndedError'
}

/** One copy. */
export class LogCopy {
  /** Its folder. */
  readonly folder: string
  readonly #io: Io
  readonly #log: Log
  readonly #movedFrom: string
  readonly #pace: Pace
  /** Bytes that are there, by name of the file. */
  readonly #copied = new Map<string, number>()
  /** Segments that are there, synced, with their indexes. */
  readonly #done = new Set<Segment>()
  /** Of the log, when this began. */
  readonly #cuts: number
  #isEnded = false
  /** Nobody can use the log meanwhile. */
  #isUrgent = false

  /** `movedFrom` is the id of the directory that the log lies in; `pace` is that of all copies. */
  constructor(io: Io, log: Log, folder: string, movedFrom: string, pace: Pace) {
    this.folder = folder
    this.#io = io
    this.#log = log
    this.#cuts = log.cuts
    this.#movedFrom = movedFrom
    this.#pace = pace
  }

  get sizeBytes(): number {
    let bytes = 0
    for (const { logPath } of this.#log.segments) bytes += this.#copied.get(nameOf(logPath)) ?? 0
    return bytes
  }

  /** Records that are missing, counted by whole segments: 0 when all that is written is there. */
  get offsetLag(): number {
    const missing = this.#log.segments.find(segment => this.#missing(segment) > 0)
    return missing === undefined ? 0 : this.#log.writtenEndOffset - missing.baseOffset
  }

  /** It is not wanted any more: what runs ends with a CopyEndedError. */
  end(): void {
    this.#isEnded = true
  }

  /** Makes the folder, and copies until little is missing. Throws DiskError, CopyEndedError. */
  async catchUp(): Promise<void> {
    const { disk } = this.#io
    this.#refuseIfEnded()
    await disk.makeDirectory(this.folder)
    await disk.replaceFile(`${this.folder}/${movedFromName}`, Buffer.from(this.#movedFrom))
    do {
      for (const segment of [...this.#log.segments]) {
        await this.#copySegment(segment).catch(error => {
          // Retention may have taken it meanwhile.
          if (error instanceof CopyEndedError || this.#log.segments.includes(segment)) throw error
        })
      }
    } while (this.#log.segments.reduce((sum, each) => sum + this.#missing(each), 0) > nearBytes)
    this.#refuseIfEnded()
  }

  #refuseIfEnded(): void {
    if (this.#isEnded) throw new CopyEndedError('it was given up')
    if (this.#log.cuts > this.#cuts) throw new CopyEndedError('the log was cut meanwhile')
  }

  #missing({ logPath, size }: Segment): number {
    return size - (this.#copied.get(nameOf(logPath)) ?? 0)
  }

  async #copySegment(segment: Segment): Promise<void> {
    if (!segment.isCreated || this.#done.has(segment)) return
    const isCold = segment.isSealed && !segment.needsSync
    await this.#copy(nameOf(segment.logPath), segment.size, isCold)
    if (!isCold) return
    for (const path of segment.paths.slice(1)) {
      const size = (await this.#io.disk.stat(path))?.size
      if (size !== undefined) await this.#copyWhole(nameOf(path), size)
    }
    this.#done.add(segment)
  }

  /** The log is closed: copies what is missing, and brings all of it to the disk. */
  async finish(): Promise<void> {
    this.#refuseIfEnded()
    this.#isUrgent = true
    const { disk } = this.#io
    const done = new Set([...this.#done].flatMap(({ paths }) => paths.map(nameOf)))
    const wanted = new Set<string>([movedFromName])
    for (const { name, directory } of await disk.list(this.#log.folder)) {
      if (directory || name === movedFromName || passing.some(end => name.endsWith(end))) continue
      wanted.add(name)
      const { size } = (await disk.stat(`${this.#log.folder}/${name}`))!
      if (done.has(name) && this.#copied.get(name) === size) continue
      if (name.endsWith('.log')) await this.#copy(name, size, true)
      else await this.#copyWhole(name, size)
    }
    for (const { name } of await disk.list(this.folder)) {
      if (!wanted.has(name)) await disk.remove(`${this.folder}/${name}`)
    }
    await disk.syncDirectory(this.folder)
  }

  async remove(): Promise<void> {
    await this.#io.disk.remove(this.folder)
  }

  async #copyWhole(name: string, size: number): Promise<void> {
    this.#copied.delete(name)
    await this.#copy(name, size, true)
  }

  /** Copies a file up to `size`, from where it was left. */
  async #copy(name: string, size: number, isToSync: boolean): Promise<void> {
    const { disk } = this.#io
    const source = await disk.open(`${this.#log.folder}/${name}`, { readOnly: true })
    try {
      const target = await disk.open(`${this.folder}/${name}`, { create: true })
      try {
        await this.#copyBytes(name, source, target, size)
        if (isToSync) await target.sync()
      } finally {
        await target.close()
      }
    } finally {
      await source.close()
    }
  }

  async #copyBytes(name: string, source: DiskFile, target: DiskFile, size: number): Promise<void> {
    let position = this.#copied.get(name) ?? 0
    // A file that became shorter was cut: what was copied of it is not known to be the same.
    if (position === 0 || position > size) {
      await target.truncate(0)
      position = 0
    }
    while (position < size) {
      this.#refuseIfEnded()
      // A new one each time: a write that the disk has not taken yet may still read it.
      const window = Buffer.allocUnsafeSlow(Math.min(windowBytes, size - position))
      const read = await source.read(window, position)
      if (read === 0) throw new DiskError('EIO', `${this.#log.folder}/${name} is too short`)
      await target.write([window.subarray(0, read)], position)
      position += read
      this.#copied.set(name, position)
      await this.#pace.pause()
      if (!this.#isUrgent) await this.#pace.moved(read, () => this.#isEnded)
    }
    this.#copied.set(name, size)
  }
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1)
}
