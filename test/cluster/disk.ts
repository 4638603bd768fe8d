/**
 * The disk of one broker: a small file system in memory where this process may mount one, so that it
 * can be full; else a folder, which cannot.
 */
import { spawnSync } from 'node:child_process'
import { closeSync, mkdirSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'

const chunk = Buffer.alloc(1024 * 1024)

export class BrokerDisk {
  readonly directory: string
  readonly isMounted: boolean
  readonly #ballast: string

  constructor(directory: string, bytes: number) {
    mkdirSync(directory, { recursive: true })
    this.directory = directory
    this.#ballast = join(directory, 'ballast')
    const words = ['-t', 'tmpfs', '-o', `size=${bytes}`, 'ottla-cluster', directory]
    this.isMounted = spawnSync('mount', words).status === 0
    process.on('exit', this.#unmount)
  }

  /** Takes all that is free. */
  fill(): void {
    const file = openSync(this.#ballast, 'w')
    try {
      for (let size = chunk.length; size >= 4096; ) {
        try {
          if (writeSync(file, chunk, 0, size) < size) size /= 2
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
          size /= 2
        }
      }
    } finally {
      closeSync(file)
    }
  }

  free(): void {
    rmSync(this.#ballast, { force: true })
  }

  remove(): void {
    this.#unmount()
    rmSync(this.directory, { recursive: true, force: true })
  }

  readonly #unmount = (): void => {
    process.off('exit', this.#unmount)
    if (this.isMounted) spawnSync('umount', ['--lazy', this.directory])
  }
}
