/**
 * The file below an offset or time index: entries of equal size, rising, appended to.
 *
 * New entries wait in memory and reach the file in blocks: an index that a crash cut short is built
 * again from the log, so nothing depends on it. The whole file is read when it is first searched and
 * kept in a cache that all logs of a directory share.
 */
import { DiskError, type DiskFile } from '../io/io.ts'
import type { OpenFiles } from './open-files.ts'

/** Entries that may wait in memory. */
const maxPendingEntries = 512

/** No index can be larger: segment.index.bytes is an int32, and a file this long is not ours. */
const maxIndexFileBytes = 1 << 30

const noEntries = new Uint8Array(0)

/** The index is missing or makes no sense: it has to be built again. */
export class IndexBrokenError extends Error {
  override readonly name = 'IndexBrokenError'
}

/** The loaded indexes of a directory, within one budget of bytes, least recently used out first. */
export class IndexCache {
  readonly #maxBytes: number
  #bytes = 0
  readonly #held = new Map<IndexFile, number>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  get bytes(): number {
    return this.#bytes
  }

  /** `index` was used and holds `bytes` now. */
  touch(index: IndexFile, bytes: number): void {
    this.forget(index)
    this.#held.set(index, bytes)
    this.#bytes += bytes
    for (const oldest of this.#held.keys()) {
      if (this.#bytes <= this.#maxBytes || oldest === index) return
      oldest.unload()
    }
  }

  forget(index: IndexFile): void {
    this.#bytes -= this.#held.get(index) ?? 0
    this.#held.delete(index)
  }
}

/** One index file. Only its log's writer appends. */
export class IndexFile {
  readonly path: string
  readonly entryBytes: number
  readonly #files: OpenFiles
  readonly #cache: IndexCache
  /** Entries in the file; undefined: as many as it has, not yet looked at. */
  #fileEntries: number | undefined
  #pending = noEntries
  #pendingEntries = 0
  #loaded: Uint8Array<ArrayBuffer> | undefined

  constructor(
    files: OpenFiles,
    cache: IndexCache,
    path: string,
    entryBytes: number,
    isNew: boolean,
  ) {
    this.#files = files
    this.#cache = cache
    this.path = path
    this.entryBytes = entryBytes
    this.#fileEntries = isNew ? 0 : undefined
  }

  /** Entries known of: all, once `attach` or `load` was called on an old file. */
  get entries(): number {
    return (this.#fileEntries ?? 0) + this.#pendingEntries
  }

  get needsWrite(): boolean {
    return this.#pendingEntries >= maxPendingEntries
  }

  append(entry: Uint8Array): void {
    if (this.#loaded !== undefined) {
      this.#loaded = withRoom(this.#loaded, (this.entries + 1) * this.entryBytes)
      this.#loaded.set(entry, this.entries * this.entryBytes)
      this.#cache.touch(this, this.#loaded.length)
    }
    const used = this.#pendingEntries * this.entryBytes
    this.#pending = withRoom(this.#pending, used + this.entryBytes)
    this.#pending.set(entry, used)
    this.#pendingEntries++
  }

  /** Looks how many entries the file has. Throws IndexBrokenError when it is missing or ragged. */
  async attach(): Promise<void> {
    if (this.#fileEntries !== undefined) return
    const size = await this.#withFile(file => file.size())
    if (size % this.entryBytes !== 0) throw new IndexBrokenError(`${this.path} is cut short`)
    if (size > maxIndexFileBytes) throw new IndexBrokenError(`${this.path} is too large`)
    this.#fileEntries ??= size / this.entryBytes
  }

  /** The last entry; undefined when there is none. */
  async last(): Promise<Uint8Array | undefined> {
    await this.attach()
    if (this.entries === 0) return undefined
    if (this.#pendingEntries > 0) return this.#waiting().slice(-this.entryBytes)
    const entry = new Uint8Array(this.entryBytes)
    const position = (this.entries - 1) * this.entryBytes
    const read = await this.#withFile(file => file.read(entry, position))
    if (read < entry.length) throw new IndexBrokenError(`${this.path} is cut short`)
    return entry
  }

  /** All entries, one behind the other; valid until the next await. */
  async load(): Promise<Uint8Array> {
    await this.attach()
    while (this.#loaded === undefined) {
      const entries = this.#fileEntries!
      const bytes = new Uint8Array(entries * this.entryBytes)
      if (entries > 0) {
        const read = await this.#withFile(file => file.read(bytes, 0))
        if (read < bytes.length) throw new IndexBrokenError(`${this.path} is cut short`)
      }
      // Entries may have gone to the file meanwhile: then what was read lacks them.
      if (this.#fileEntries === entries) this.#loaded = this.#withPending(bytes)
    }
    this.#cache.touch(this, this.#loaded.length)
    return this.#loaded.subarray(0, this.entries * this.entryBytes)
  }

  #withPending(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    const all = new Uint8Array(bytes.length + this.#pendingEntries * this.entryBytes)
    all.set(bytes)
    all.set(this.#waiting(), bytes.length)
    return all
  }

  #waiting(): Uint8Array {
    return this.#pending.subarray(0, this.#pendingEntries * this.entryBytes)
  }

  /** Writes waiting entries; makes the file if there is none. */
  async write(): Promise<void> {
    await this.attach()
    const waiting = this.#waiting().slice()
    const position = this.#fileEntries! * this.entryBytes
    await this.#files.with(
      this.path,
      async file => {
        if (waiting.length > 0) await file.write([waiting], position)
      },
      { create: true },
    )
    const written = waiting.length / this.entryBytes
    this.#pendingEntries -= written
    this.#pending = this.#pendingEntries > 0 ? this.#pending.slice(waiting.length) : noEntries
    this.#fileEntries! += written
  }

  async sync(): Promise<void> {
    await this.#files.with(this.path, file => file.sync(), { create: true })
  }

  /** Cuts the file to its first entries, 0 to build it anew. */
  async truncate(entries: number): Promise<void> {
    await this.#files.with(this.path, file => file.truncate(entries * this.entryBytes), {
      create: true,
    })
    this.#fileEntries = entries
    this.#pending = noEntries
    this.#pendingEntries = 0
    this.unload()
  }

  /** Gives the memory back. */
  unload(): void {
    this.#loaded = undefined
    this.#cache.forget(this)
  }

  async #withFile<T>(run: (file: DiskFile) => Promise<T>): Promise<T> {
    try {
      return await this.#files.with(this.path, run)
    } catch (error) {
      if (error instanceof DiskError && error.code === 'ENOENT') {
        throw new IndexBrokenError(`${this.path} is missing`)
      }
      throw error
    }
  }
}

/** The same bytes with room for `length`, at least doubled when it has to grow. */
function withRoom(bytes: Uint8Array<ArrayBuffer>, length: number): Uint8Array<ArrayBuffer> {
  if (bytes.length >= length) return bytes
  const larger = new Uint8Array(Math.max(length, 2 * bytes.length, 256))
  larger.set(bytes)
  return larger
}
