/**
 * Folders for brokers that keep nothing: below the system's folder for temporary files, and removed
 * at the latest when the process ends. One that was killed leaves its folders behind; the next to
 * make one removes those that are a day old and that nobody holds the lock of.
 */
import { rmSync } from 'node:fs'
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockDirectory } from './directory-lock.ts'
import { DiskError } from './io.ts'

const prefix = 'ottla-temporary-'
const leftOverMs = 24 * 3_600_000

/** Those of this process. */
const ours = new Set<string>()

let isWatchingExit = false

export interface TemporaryDirectory {
  readonly path: string
  /** With all in it. */
  remove(): Promise<void>
}

/** Makes an empty folder that only this user may read. Throws DiskError. */
export async function makeTemporaryDirectory(parent = tmpdir()): Promise<TemporaryDirectory> {
  await removeLeftOvers(parent)
  let path: string
  try {
    path = await mkdtemp(join(parent, prefix))
  } catch (cause) {
    const { code = 'EIO', message } = cause as NodeJS.ErrnoException
    throw new DiskError(code, `cannot make a folder in ${parent}: ${message}`, { cause })
  }
  removeAtExit(path)
  return {
    path,
    async remove() {
      await rm(path, { recursive: true, force: true })
      ours.delete(path)
    },
  }
}

function removeAtExit(path: string): void {
  ours.add(path)
  if (isWatchingExit) return
  isWatchingExit = true
  process.once('exit', () => {
    for (const each of ours) rmSync(each, { recursive: true, force: true })
  })
}

async function removeLeftOvers(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => [])
  for (const name of names) {
    const path = join(parent, name)
    if (name.startsWith(prefix) && !ours.has(path)) await removeLeftOver(path)
  }
}

/** What cannot be removed stays: it may be another user's. */
async function removeLeftOver(path: string): Promise<void> {
  try {
    const stats = await lstat(path)
    const isOurs = process.getuid === undefined || process.getuid() === stats.uid
    if (!isOurs || !stats.isDirectory() || Date.now() - stats.mtimeMs < leftOverMs) return
    const lock = lockDirectory(path, new Set())
    await rm(path, { recursive: true, force: true })
    await lock.release()
  } catch {
    // It is in use, or gone.
  }
}
