/**
 * The open files of one data directory: few, whatever the number of logs. A file is opened when it
 * is used and stays open until newer ones push it out, or it was idle for long; while somebody uses it, it is not closed. When
 * all that may be open are in use, who wants another one waits: nobody may do so while he uses one.
 */
import type { Disk, DiskFile } from '../io/io.ts'

interface OpenFile {
  readonly file: Promise<DiskFile>
  users: number
  /** The last round in which somebody used it. */
  round: number
  /** Out of the table: the last user closes it. */
  isLeaving: boolean
  closed: (() => void) | undefined
}

/** A bounded table of open files, least recently used out first. */
export class OpenFiles {
  readonly #disk: Disk
  readonly #maxOpen: number
  readonly #files = new Map<string, OpenFile>()
  /** Used last. */
  #newest: OpenFile | undefined
  /** Files that somebody uses; those on their way out too. */
  #inUse = 0
  readonly #waiting: (() => void)[] = []
  #round = 0

  constructor(disk: Disk, maxOpen: number) {
    this.#disk = disk
    this.#maxOpen = maxOpen
  }

  /** Files held open now. */
  get count(): number {
    return this.#files.size
  }

  /** Runs with the file open for reading and writing. Throws what opening or `run` throws. */
  async with<T>(
    path: string,
    run: (file: DiskFile) => Promise<T>,
    options: { create?: boolean } = {},
  ): Promise<T> {
    while (this.#inUse >= this.#maxOpen && !this.#files.has(path)) {
      await new Promise<void>(resolve => this.#waiting.push(resolve))
    }
    const entry = this.#take(path, options)
    try {
      return await run(await entry.file)
    } finally {
      if (--entry.users === 0) {
        this.#inUse--
        if (entry.isLeaving) await this.#close(entry)
        this.#waiting.shift()?.()
      }
    }
  }

  /** Closes the file, after its present users; the next use opens it anew. */
  async close(path: string): Promise<void> {
    const entry = this.#files.get(path)
    if (entry === undefined) return
    this.#files.delete(path)
    entry.isLeaving = true
    if (entry.users === 0) return this.#close(entry)
    await new Promise<void>(resolve => {
      entry.closed = resolve
    })
  }

  /** Closes what was not used since the last call. */
  closeIdle(): void {
    for (const [path, entry] of this.#files) {
      if (entry.round === this.#round) break
      if (entry.users === 0) this.#drop(path, entry)
    }
    this.#round++
  }

  /** Closes all files below a folder. */
  async closeBelow(folder: string): Promise<void> {
    const below = [...this.#files.keys()].filter(path => path.startsWith(folder))
    await Promise.all(below.map(path => this.close(path)))
  }

  /** The open file, counted as used once more. */
  #take(path: string, options: { create?: boolean }): OpenFile {
    const known = this.#files.get(path)
    if (known !== undefined) {
      known.round = this.#round
      if (known !== this.#newest) {
        this.#files.delete(path)
        this.#files.set(path, known) // The table is in order of last use.
        this.#newest = known
      }
      if (known.users++ === 0) this.#inUse++
      return known
    }
    const entry: OpenFile = {
      file: this.#disk.open(path, options),
      users: 1,
      round: this.#round,
      isLeaving: false,
      closed: undefined,
    }
    entry.file.catch(() => {
      if (this.#files.get(path) === entry) this.#files.delete(path)
    })
    this.#files.set(path, entry)
    this.#newest = entry
    this.#inUse++
    this.#makeRoom()
    return entry
  }

  #makeRoom(): void {
    for (const [path, entry] of this.#files) {
      if (this.#files.size <= this.#maxOpen) return
      if (entry.users === 0) this.#drop(path, entry)
    }
  }

  #drop(path: string, entry: OpenFile): void {
    this.#files.delete(path)
    entry.isLeaving = true
    void this.#close(entry)
  }

  async #close(entry: OpenFile): Promise<void> {
    try {
      await (await entry.file).close()
    } catch {
      // What was written and not synced is still the kernel's: the sync that has to come reports it.
    }
    entry.closed?.()
  }
}
