/**
 * Makes the names in one directory durable. One sync runs at a time, and whoever comes while it runs
 * shares the next one: a thousand new folders take few.
 */
import type { Disk } from '../io/io.ts'

export class DirectorySync {
  readonly #disk: Disk
  readonly #path: string
  #running: Promise<void> = Promise.resolve()
  #next: Promise<void> | undefined

  constructor(disk: Disk, path: string) {
    this.#disk = disk
    this.#path = path
  }

  /** Names that are there now are on the disk when this resolves. Throws DiskError. */
  sync(): Promise<void> {
    if (this.#next === undefined) {
      this.#next = this.#running
        .catch(() => {}) // It was told to those who shared it.
        .then(() => {
          this.#next = undefined
          return this.#disk.syncDirectory(this.#path)
        })
      this.#running = this.#next
    }
    return this.#next
  }
}
