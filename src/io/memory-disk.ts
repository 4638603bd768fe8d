/**
 * A disk in the memory of this process: for brokers that keep nothing.
 *
 * A call has its effect at once and is answered in a microtask; a sync has nothing to do. What was
 * written is gone with the disk, which is bounded: beyond `capacityBytes` it is full like any other.
 */
import { totalmem } from 'node:os'
import {
  type DirectoryLock,
  DirectoryLockedError,
  type Disk,
  DiskError,
  type DiskFile,
} from './io.ts'
import { FileTree, MemoryFile, MemoryFolder } from './memory-files.ts'

/**
 * An empty disk. `capacityBytes`: at most so much in its files, by default half of the memory that
 * this process may have.
 */
export function memoryDisk(capacityBytes = half()): Disk {
  return new MemoryDisk(capacityBytes)
}

/** A container says its limit; without one Node says 0, or more than there is. */
function half(): number {
  const limitBytes = process.constrainedMemory() || Number.POSITIVE_INFINITY
  return Math.floor(Math.min(totalmem(), limitBytes) / 2)
}

type Files = FileTree<MemoryFile, MemoryFolder>

class MemoryDisk implements Disk {
  readonly #capacityBytes: number
  readonly #files: Files = new FileTree({
    file: inode => new MemoryFile(inode),
    folder: inode => new MemoryFolder(inode),
  })
  /** Inodes of lock files that are held. */
  readonly #locks = new Set<number>()
  /** As of the last count, less what was added since: files that went are noticed by the next one. */
  #roomBytes: number

  constructor(capacityBytes: number) {
    this.#capacityBytes = capacityBytes
    this.#roomBytes = capacityBytes
  }

  async lock(directory: string): Promise<DirectoryLock> {
    const { inode } = this.#files.file(`${directory}/.lock`, true)
    if (this.#locks.has(inode)) throw new DirectoryLockedError(directory)
    this.#locks.add(inode)
    let isHeld = true
    return {
      inode,
      release: async () => {
        if (isHeld) this.#locks.delete(inode)
        isHeld = false
      },
    }
  }

  /** None: a machine that stops takes the disk along. */
  bootId(): undefined {
    return undefined
  }

  async open(path: string, options: { create?: boolean } = {}): Promise<DiskFile> {
    return new OpenFile(this, path, this.#files.file(path, options.create === true))
  }

  async readFile(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    return this.#files.content(path, maxBytes)
  }

  async replaceFile(path: string, content: Uint8Array): Promise<void> {
    const temporary = `${path}.tmp`
    const file = this.#files.file(temporary, true)
    file.truncate(0)
    this.write(temporary, file, [content], 0)
    this.#files.rename(temporary, path)
  }

  async stat(path: string) {
    return this.#files.stat(path)
  }

  async list(directory: string) {
    return this.#files.list(directory)
  }

  async makeDirectory(path: string): Promise<void> {
    this.#files.makeFolder(path)
  }

  async rename(from: string, to: string): Promise<void> {
    this.#files.rename(from, to)
  }

  async remove(path: string): Promise<void> {
    this.#files.remove(path)
  }

  async syncDirectory(path: string): Promise<void> {
    this.#files.folder(path)
  }

  async space() {
    this.#count()
    return { totalBytes: this.#capacityBytes, availableBytes: Math.max(0, this.#roomBytes) }
  }

  /** Writes all, or nothing when it does not fit: ENOSPC. */
  write(path: string, file: MemoryFile, chunks: readonly Uint8Array[], position: number): void {
    const bytes = chunks.reduce((sum, chunk) => sum + chunk.length, 0)
    if (bytes === 0) return
    this.#grow(path, file, position + bytes)
    let at = position
    for (const chunk of chunks) {
      file.write(chunk, at)
      at += chunk.length
    }
  }

  truncate(path: string, file: MemoryFile, size: number): void {
    this.#grow(path, file, size)
    file.truncate(size)
  }

  #grow(path: string, file: MemoryFile, size: number): void {
    const growth = size - file.size
    if (growth <= 0) return
    if (growth > this.#roomBytes) this.#count()
    if (growth > this.#roomBytes) {
      const message = `cannot write ${path}: the ${this.#capacityBytes} bytes in memory are full`
      throw new DiskError('ENOSPC', message)
    }
    this.#roomBytes -= growth
  }

  #count(): void {
    let usedBytes = 0
    for (const [, file] of this.#files.files()) usedBytes += file.size
    this.#roomBytes = this.#capacityBytes - usedBytes
  }
}

class OpenFile implements DiskFile {
  readonly #disk: MemoryDisk
  readonly #path: string
  readonly #file: MemoryFile
  #isClosed = false

  constructor(disk: MemoryDisk, path: string, file: MemoryFile) {
    this.#disk = disk
    this.#path = path
    this.#file = file
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    this.#disk.write(this.#path, this.#open(), chunks, position)
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    return this.#open().read(into, position)
  }

  async sync(): Promise<void> {
    this.#open()
  }

  async truncate(size: number): Promise<void> {
    this.#disk.truncate(this.#path, this.#open(), size)
  }

  async size(): Promise<number> {
    return this.#open().size
  }

  async close(): Promise<void> {
    this.#isClosed = true
  }

  #open(): MemoryFile {
    if (this.#isClosed) throw new DiskError('EBADF', `${this.#path} is closed`)
    return this.#file
  }
}
