/**
 * The disk of a simulated machine: files in memory, time, and faults on request.
 *
 * A call takes effect at one moment between its start and its answer. A kill in between leaves it
 * done, undone, or half done when it is a write; what was written stays. A power loss also takes
 * what was not synced (disk-files.ts).
 */

import {
  type DirectoryLock,
  DirectoryLockedError,
  type Disk,
  DiskError,
  type DiskFile,
} from '../io/io.ts'
import type { FileTree } from '../io/memory-files.ts'
import { type CrashingFile, type CrashingFolder, crashingTree } from './disk-files.ts'
import type { Prng } from './random.ts'

/** What a fault can hit. */
export type DiskOperation =
  | 'lock'
  | 'open'
  | 'read'
  | 'write'
  | 'sync'
  | 'truncate'
  | 'stat'
  | 'list'
  | 'makeDirectory'
  | 'rename'
  | 'remove'
  | 'syncDirectory'

type Files = FileTree<CrashingFile, CrashingFolder>

/** Lets `run` happen after about `delayMs`, from a task or microtask of its own. */
export type Defer = (delayMs: number, kind: string, run: () => void) => void

/** The disk of one machine, as the test sees it. */
export class SimulatedDisk {
  /** Changes with each power loss; set it to undefined for a platform without one. */
  bootId: string | undefined
  /** Bytes until ENOSPC. */
  capacityBytes = 2 ** 40
  /** Bounds of the time of a call, and of a sync. */
  callMs = { min: 0.02, max: 0.3 }
  syncMs = { min: 0.3, max: 5 }
  /** Answers a code (EIO, ENOSPC …) to make a call fail at its moment of effect. */
  fault: ((operation: DiskOperation, path: string) => string | undefined) | undefined
  /**
   * Told of every change: from which byte on a file is another, or −1 when a file or folder came,
   * went or was renamed; '' stands for all of them.
   */
  onChange: ((path: string, position: number) => void) | undefined
  readonly wallMs: () => number
  readonly #files: Files = crashingTree()
  readonly #random: Prng
  readonly #processes = new Set<ProcessDisk>()
  readonly #locks = new Map<number, ProcessDisk>()

  /** `wallMs`: the machine's clock. */
  constructor(random: Prng, wallMs: () => number) {
    this.#random = random
    this.wallMs = wallMs
    this.bootId = this.#newBootId()
  }

  /** The disk as one process has it; its calls are answered through `defer`. */
  attach(defer: Defer): Disk {
    const process = new ProcessDisk(this, this.#files, this.#locks, this.#random, defer)
    this.#processes.add(process)
    return process
  }

  /** That process is dead: its calls under way end somewhere in between, its locks are free. */
  detach(disk: Disk): void {
    const process = disk as ProcessDisk
    if (this.#processes.delete(process)) process.die()
  }

  /** Everything not synced may go; the machine boots anew. Detaches all processes. */
  powerLoss(): void {
    for (const process of [...this.#processes]) this.detach(process)
    this.#files.root.crash(this.#random)
    this.onChange?.('', -1)
    if (this.bootId !== undefined) this.bootId = this.#newBootId()
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    return [...this.#files.files()].map(([path]) => path).sort()
  }

  /** A copy of a file's content, as a running process sees it; undefined when absent. */
  content(path: string): Uint8Array | undefined {
    return this.#files.content(path, Number.POSITIVE_INFINITY)
  }

  /** From where on a power loss may take back something of a file; infinite when it may not. */
  unsyncedFrom(path: string): number {
    return this.#files.file(path, false).unsyncedFrom
  }

  /** Whether there is such a file or folder. */
  has(path: string): boolean {
    return this.#files.stat(path) !== undefined
  }

  /** The content of a file from a position on. */
  contentFrom(path: string, position: number): Uint8Array {
    const file = this.#files.file(path, false)
    const bytes = new Uint8Array(Math.max(0, file.size - position))
    file.read(bytes, position)
    return bytes
  }

  /** Flips the bits of `mask` in one byte, on the platter too. */
  flip(path: string, position: number, mask = 1): void {
    this.#files.file(path, false).corrupt(position, byte => byte ^ mask)
    this.onChange?.(path, position)
  }

  /** As `flip`, until it is written anew or `unflip`: only who reads it finds out. */
  flipForReaders(path: string, position: number, mask: number): void {
    this.#files.file(path, false).flips.set(position, mask)
  }

  /** Ends `flipForReaders`. */
  unflip(): void {
    for (const [, file] of this.#files.files()) file.flips.clear()
  }

  /** Zeroes bytes, on the platter too. */
  zero(path: string, position: number, length: number): void {
    this.#files.file(path, false).corrupt(position, () => 0, length)
    this.onChange?.(path, position)
  }

  /** Bytes in files. */
  get usedBytes(): number {
    let bytes = 0
    for (const [, file] of this.#files.files()) bytes += file.size
    return bytes
  }

  #newBootId(): string {
    return Buffer.from(this.#random.bytes(8)).toString('hex')
  }
}

/** A call that was started and has not had its effect. */
interface CallUnderWay {
  /** What of it happens when the process dies now. */
  interrupt(): void
}

class ProcessDisk implements Disk {
  readonly #disk: SimulatedDisk
  readonly #files: Files
  readonly #locks: Map<number, ProcessDisk>
  readonly #random: Prng
  readonly #defer: Defer
  readonly #underWay = new Set<CallUnderWay>()
  #dead = false

  constructor(
    disk: SimulatedDisk,
    files: Files,
    locks: Map<number, ProcessDisk>,
    random: Prng,
    defer: Defer,
  ) {
    this.#disk = disk
    this.#files = files
    this.#locks = locks
    this.#random = random
    this.#defer = defer
  }

  die(): void {
    this.#dead = true
    for (const call of this.#underWay) call.interrupt()
    this.#underWay.clear()
    for (const [inode, holder] of this.#locks) if (holder === this) this.#locks.delete(inode)
  }

  lock(directory: string): Promise<DirectoryLock> {
    return this.call('lock', directory, () => {
      const { inode } = this.#files.file(`${directory}/.lock`, true)
      if (this.#locks.has(inode)) throw new DirectoryLockedError(directory)
      this.#locks.set(inode, this)
      return {
        inode,
        release: async () => {
          if (this.#locks.get(inode) === this) this.#locks.delete(inode)
        },
      }
    })
  }

  bootId(): string | undefined {
    return this.#disk.bootId
  }

  open(path: string, options: { create?: boolean } = {}): Promise<DiskFile> {
    return this.call('open', path, () => {
      return new ProcessFile(this, path, this.#files.file(path, options.create === true))
    })
  }

  readFile(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    return this.call('read', path, () => this.#files.content(path, maxBytes))
  }

  async replaceFile(path: string, content: Uint8Array): Promise<void> {
    const file = await this.open(`${path}.tmp`, { create: true })
    try {
      await file.truncate(0)
      await file.write([content], 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.rename(`${path}.tmp`, path)
    await this.syncDirectory(path.slice(0, path.lastIndexOf('/') + 1))
  }

  stat(path: string) {
    return this.call('stat', path, () => this.#files.stat(path))
  }

  list(directory: string) {
    return this.call('list', directory, () => this.#files.list(directory))
  }

  makeDirectory(path: string): Promise<void> {
    return this.call('makeDirectory', path, () => this.#files.makeFolder(path))
  }

  rename(from: string, to: string): Promise<void> {
    return this.call('rename', from, () => {
      this.#files.rename(from, to)
      this.changed(from, -1)
      this.changed(to, -1)
    })
  }

  remove(path: string): Promise<void> {
    return this.call('remove', path, () => {
      this.#files.remove(path)
      this.changed(path, -1)
    })
  }

  syncDirectory(path: string): Promise<void> {
    return this.call('syncDirectory', path, () => this.#files.folder(path).synced())
  }

  space(path: string) {
    return this.call('stat', path, () => {
      const totalBytes = this.#disk.capacityBytes
      return { totalBytes, availableBytes: Math.max(0, totalBytes - this.#disk.usedBytes) }
    })
  }

  changed(path: string, position: number): void {
    this.#disk.onChange?.(path, position)
  }

  /** Starts a call: `effect` at some later moment, unless a fault or a death comes first. */
  call<T>(
    operation: DiskOperation,
    path: string,
    effect: () => T,
    instead: { failed?: () => void; interrupted?: () => void } = {},
  ): Promise<T> {
    return new Promise((resolve, reject) => {
      if (this.#dead) return
      const underWay = {
        interrupt: () => quietly(this.#random.chance(0.5) ? effect : instead.interrupted),
      }
      this.#underWay.add(underWay)
      const { min, max } = operation.startsWith('sync') ? this.#disk.syncMs : this.#disk.callMs
      this.#defer(this.#random.between(min, max), `disk.${operation}`, () => {
        if (!this.#underWay.delete(underWay)) return
        const code = this.#disk.fault?.(operation, path)
        try {
          if (code !== undefined) {
            instead.failed?.()
            throw new DiskError(code, `cannot ${operation} ${path}: simulated ${code}`)
          }
          resolve(effect())
        } catch (error) {
          reject(error)
        }
      })
    })
  }

  /** Writes all, or what fits, or a random part when `torn`. */
  writeNow(
    path: string,
    file: CrashingFile,
    chunks: readonly Uint8Array[],
    at: number,
    torn: boolean,
  ): void {
    const bytes = Buffer.concat(chunks)
    const { capacityBytes } = this.#disk
    const growth = at + bytes.length - file.size
    const room =
      growth > 0 && capacityBytes < 2 ** 40 ? capacityBytes - this.#disk.usedBytes : growth
    const fitting = bytes.length - Math.max(0, growth - Math.max(0, room))
    const length = torn ? this.#random.below(fitting + 1) : fitting
    if (length > 0) {
      file.write(bytes.subarray(0, length), at)
      file.modifiedMs = this.#disk.wallMs()
      this.changed(path, at)
    }
    if (fitting < bytes.length) throw new DiskError('ENOSPC', `cannot write ${path}: disk is full`)
  }
}

class ProcessFile implements DiskFile {
  readonly #disk: ProcessDisk
  readonly #path: string
  readonly #file: CrashingFile
  #closed = false

  constructor(disk: ProcessDisk, path: string, file: CrashingFile) {
    this.#disk = disk
    this.#path = path
    this.#file = file
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    const write = (torn: boolean) =>
      this.#disk.writeNow(this.#path, this.#file, chunks, position, torn)
    const partly = () => write(true)
    await this.#call('write', () => write(false), { failed: partly, interrupted: partly })
  }

  read(into: Uint8Array, position: number): Promise<number> {
    return this.#call('read', () => this.#file.readFlipped(into, position))
  }

  sync(): Promise<void> {
    const { end } = this.#file.beginSync()
    return this.#call('sync', end, { failed: () => this.#file.syncFailed() })
  }

  truncate(size: number): Promise<void> {
    return this.#call('truncate', () => {
      this.#file.truncate(size)
      this.#disk.changed(this.#path, size)
    })
  }

  size(): Promise<number> {
    return this.#call('stat', () => this.#file.size)
  }

  async close(): Promise<void> {
    this.#closed = true
  }

  async #call<T>(
    operation: DiskOperation,
    effect: () => T,
    instead: { failed?: () => void; interrupted?: () => void } = {},
  ): Promise<T> {
    if (this.#closed) throw new DiskError('EBADF', `${this.#path} is closed`)
    return this.#disk.call(operation, this.#path, effect, instead)
  }
}

/** What a dying process's call comes to is nobody's business any more. */
function quietly(effect: (() => unknown) | undefined): void {
  try {
    effect?.()
  } catch {
    // It failed; nobody waits for the answer.
  }
}
