/** The real file system: `Disk` over `node:fs`, positioned and asynchronous. */

import { execFileSync } from 'node:child_process'
import * as fs from 'node:fs'
import { dirname } from 'node:path'
import { type HeldLocks, lockDirectory } from './directory-lock.ts'
import { type DirectoryLock, type Disk, DiskError, type DiskFile } from './io.ts'

/** Chunks in one `writev`; the kernel refuses more (IOV_MAX). */
const maxChunksPerWrite = 1024

/** Bytes in one `writev`; Linux writes at most 2 GiB − 4 KiB at once. */
const maxBytesPerWrite = 1 << 30

/**
 * What is written goes to the page cache, in microseconds: less than the way to another thread and back.
 * So a small write is made here. When the kernel holds one up, for the disk does not keep up, the next
 * ones are made in other threads for a while.
 */
const directBytes = 256 * 1024
const heldUpMs = 2
const indirectMs = 500

/** The disk of this machine. */
export function nodeDisk(): Disk {
  return new NodeDisk()
}

class NodeDisk implements Disk {
  readonly #locks: HeldLocks = new Set()
  readonly #pace: Pace = { indirectUntilMs: 0 }
  #bootId: string | undefined | null = null

  async lock(directory: string): Promise<DirectoryLock> {
    return lockDirectory(directory, this.#locks)
  }

  bootId(): string | undefined {
    if (this.#bootId === null) this.#bootId = readBootId()
    return this.#bootId
  }

  async open(
    path: string,
    options: { create?: boolean; readOnly?: boolean } = {},
  ): Promise<DiskFile> {
    const { O_RDONLY, O_RDWR, O_CREAT } = fs.constants
    const access = options.readOnly === true ? O_RDONLY : O_RDWR
    return new NodeFile(
      await openFile(path, access | (options.create === true ? O_CREAT : 0)),
      path,
      this.#pace,
    )
  }

  async readFile(path: string, maxBytes: number): Promise<Uint8Array | undefined> {
    let fd: number
    try {
      fd = await openFile(path, fs.constants.O_RDONLY)
    } catch (error) {
      if ((error as DiskError).code === 'ENOENT') return undefined
      throw error
    }
    const file = new NodeFile(fd, path, this.#pace)
    try {
      const size = await file.size()
      if (size > maxBytes) {
        throw new DiskError('EFBIG', `${path} has ${size} bytes, more than ${maxBytes}`)
      }
      const content = new Uint8Array(size)
      return content.subarray(0, await file.read(content, 0))
    } finally {
      await file.close()
    }
  }

  async replaceFile(path: string, content: Uint8Array): Promise<void> {
    const { O_RDWR, O_CREAT, O_TRUNC } = fs.constants
    const temporary = `${path}.tmp`
    const fd = await openFile(temporary, O_RDWR | O_CREAT | O_TRUNC)
    const file = new NodeFile(fd, temporary, this.#pace)
    try {
      await file.write([content], 0)
      await file.sync()
    } finally {
      await file.close()
    }
    await this.rename(temporary, path)
    await this.syncDirectory(dirname(path))
  }

  async stat(path: string) {
    try {
      const stats = await attempt('stat', path, fs.promises.stat(path))
      const { size, ino: inode } = stats
      const modifiedMs = Math.floor(stats.mtimeMs)
      return { size, directory: stats.isDirectory(), inode, modifiedMs }
    } catch (error) {
      if ((error as DiskError).code === 'ENOENT') return undefined
      throw error
    }
  }

  async list(directory: string) {
    const entries = await attempt(
      'list',
      directory,
      fs.promises.readdir(directory, { withFileTypes: true }),
    )
    return entries
      .map(entry => ({ name: entry.name, directory: entry.isDirectory() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1))
  }

  async makeDirectory(path: string): Promise<void> {
    await attempt('create folder', path, makeFolder(path))
  }

  async rename(from: string, to: string): Promise<void> {
    await attempt('rename', from, fs.promises.rename(from, to))
  }

  async remove(path: string): Promise<void> {
    await attempt('remove', path, fs.promises.rm(path, { recursive: true, force: true }))
  }

  async syncDirectory(path: string): Promise<void> {
    if (process.platform === 'win32') return
    const fd = await openFile(path, fs.constants.O_RDONLY)
    try {
      await call<void>('sync', path, done => fs.fsync(fd, done))
    } finally {
      await call<void>('close', path, done => fs.close(fd, done))
    }
  }

  async space(path: string) {
    const stats = await attempt('read free space of', path, fs.promises.statfs(path))
    return {
      totalBytes: stats.blocks * stats.bsize,
      availableBytes: stats.bavail * stats.bsize,
    }
  }
}

/** How writes are made now, for all files. */
interface Pace {
  indirectUntilMs: number
}

class NodeFile implements DiskFile {
  readonly #path: string
  readonly #pace: Pace
  #fd: number

  constructor(fd: number, path: string, pace: Pace) {
    this.#fd = fd
    this.#path = path
    this.#pace = pace
  }

  async write(chunks: readonly Uint8Array[], position: number): Promise<void> {
    let rest: Uint8Array[] = chunks.filter(chunk => chunk.length > 0)
    let at = position
    while (rest.length > 0) {
      const some = firstPart(rest)
      const bytes = some.reduce((sum, { length }) => sum + length, 0)
      const written =
        bytes <= directBytes && performance.now() >= this.#pace.indirectUntilMs
          ? this.#writeDirectly(some, at)
          : await call<number>('write', this.#path, done =>
              some.length === 1
                ? fs.write(this.#open(), some[0]!, 0, bytes, at, done)
                : fs.writev(this.#open(), some, at, done),
            )
      at += written
      if (written === bytes && some.length === rest.length) return
      rest = withoutFirst(rest, written)
    }
  }

  #writeDirectly(chunks: Uint8Array[], position: number): number {
    const beganMs = performance.now()
    try {
      return chunks.length === 1
        ? fs.writeSync(this.#open(), chunks[0]!, 0, chunks[0]!.length, position)
        : fs.writevSync(this.#open(), chunks, position)
    } catch (error) {
      if (error instanceof DiskError) throw error
      throw diskError('write', this.#path, error as NodeJS.ErrnoException)
    } finally {
      const endedMs = performance.now()
      if (endedMs - beganMs > heldUpMs) this.#pace.indirectUntilMs = endedMs + indirectMs
    }
  }

  async read(into: Uint8Array, position: number): Promise<number> {
    let filled = 0
    while (filled < into.length) {
      const length = Math.min(into.length - filled, maxBytesPerWrite)
      const count = await call<number>('read', this.#path, done =>
        fs.read(this.#open(), into, filled, length, position + filled, done),
      )
      if (count === 0) break
      filled += count
    }
    return filled
  }

  async sync(): Promise<void> {
    await call<void>('sync', this.#path, done => fs.fdatasync(this.#open(), done))
  }

  async truncate(size: number): Promise<void> {
    await call<void>('truncate', this.#path, done => fs.ftruncate(this.#open(), size, done))
  }

  async size(): Promise<number> {
    const stats = await call<fs.Stats>('stat', this.#path, done => fs.fstat(this.#open(), done))
    return stats.size
  }

  async close(): Promise<void> {
    if (this.#fd < 0) return
    const fd = this.#fd
    this.#fd = -1
    await call<void>('close', this.#path, done => fs.close(fd, done))
  }

  /** The kernel gives a closed number to the next file: using it again would hit a stranger. */
  #open(): number {
    if (this.#fd < 0) throw new DiskError('EBADF', `${this.#path} is closed`)
    return this.#fd
  }
}

/** As many chunks as one call takes; a chunk larger than a call is cut. */
function firstPart(chunks: readonly Uint8Array[]): Uint8Array[] {
  const part: Uint8Array[] = []
  let bytes = 0
  for (const chunk of chunks) {
    if (part.length === maxChunksPerWrite || bytes === maxBytesPerWrite) break
    const taken = chunk.subarray(0, maxBytesPerWrite - bytes)
    part.push(taken)
    bytes += taken.length
  }
  return part
}

function withoutFirst(chunks: Uint8Array[], written: number): Uint8Array[] {
  let left = written
  for (const [index, chunk] of chunks.entries()) {
    if (left < chunk.length) return [chunk.subarray(left), ...chunks.slice(index + 1)]
    left -= chunk.length
  }
  return []
}

function openFile(path: string, flags: number): Promise<number> {
  return call<number>('open', path, done => fs.open(path, flags, 0o644, done))
}

/** One callback of `node:fs` as a promise, its failure as a DiskError. */
function call<T>(
  verb: string,
  path: string,
  start: (done: (error: NodeJS.ErrnoException | null, value?: T) => void) => void,
): Promise<T> {
  return new Promise((resolve, reject) => {
    start((error, value) =>
      error === null || error === undefined
        ? resolve(value as T)
        : reject(diskError(verb, path, error)),
    )
  })
}

/**
 * As `mkdir` with `recursive`, which never returns where the kernel says ENOENT although the parent
 * is there (below /proc, for one).
 */
async function makeFolder(path: string, parentIsThere = false): Promise<void> {
  try {
    await fs.promises.mkdir(path)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    const parent = dirname(path)
    if (code === 'ENOENT' && parent !== path && !parentIsThere) {
      await makeFolder(parent)
      return makeFolder(path, true)
    }
    const isFolder = (await fs.promises.stat(path).catch(() => undefined))?.isDirectory()
    if (!isFolder) throw error
  }
}

async function attempt<T>(verb: string, path: string, running: Promise<T>): Promise<T> {
  try {
    return await running
  } catch (error) {
    throw diskError(verb, path, error as NodeJS.ErrnoException)
  }
}

function diskError(verb: string, path: string, cause: NodeJS.ErrnoException): DiskError {
  const code = cause.code ?? 'EIO'
  return new DiskError(code, `cannot ${verb} ${path}: ${cause.message}`, { cause })
}

function readBootId(): string | undefined {
  try {
    if (process.platform === 'linux') {
      return fs.readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    }
    if (process.platform === 'darwin') {
      return execFileSync('sysctl', ['-n', 'kern.bootsessionuuid'], { encoding: 'utf8' }).trim()
    }
  } catch {
    // Without one, only a clean stop or sync-always proves that nothing was lost (replication.md §5).
  }
  return undefined
}
