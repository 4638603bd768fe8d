/**
 * The lock of a data directory: the kernel's, on `<directory>/.lock`, held through SQLite.
 *
 * Node has no flock. An exclusive SQLite transaction takes POSIX locks on its database file, keeps
 * them as long as the connection is open, and the kernel drops them at any death of the process.
 * Kafka's own lock is on the same file and collides with it. The price: closing any other
 * descriptor of the file in this process would drop the lock, so nothing else may open it.
 */

import { readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { type DirectoryLock, DirectoryLockedError, DiskError } from './io.ts'

/** SQLite's result code for a lock that another connection holds. */
const sqliteBusy = 5

/** Locks that are held; they keep their connections from being collected. */
export type HeldLocks = Set<DatabaseSync>

/** Takes the lock, synchronously. Throws DirectoryLockedError, or DiskError when the file is unusable. */
export function lockDirectory(directory: string, held: HeldLocks): DirectoryLock {
  const path = join(directory, '.lock')
  const { DatabaseSync } = loadSqlite()
  let database: DatabaseSync | undefined
  try {
    if (!statSync(directory).isDirectory()) {
      throw Object.assign(new Error(`${directory} is not a folder`), { code: 'ENOTDIR' })
    }
    database = new DatabaseSync(path)
    // Nothing is ever written: a journal in memory leaves no second file beside the lock.
    database.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE')
  } catch (error) {
    database?.close()
    throw lockError(directory, path, error as Error & { code?: string; errcode?: number })
  }
  const connection = database
  held.add(connection)
  const { ino: inode } = statSync(path)
  return {
    inode,
    async release() {
      if (held.delete(connection)) connection.close()
    },
  }
}

function lockError(
  directory: string,
  path: string,
  cause: Error & { code?: string; errcode?: number },
): Error {
  if (cause.errcode === sqliteBusy) {
    return new DirectoryLockedError(directory, { cause, pid: holderOf(path) })
  }
  const code = cause.code === 'ERR_SQLITE_ERROR' ? 'EACCES' : (cause.code ?? 'EIO')
  return new DiskError(code, `cannot lock ${path}: ${cause.message}`, { cause })
}

/** Linux lists the locks of all files with their holders; elsewhere undefined. */
function holderOf(path: string): number | undefined {
  try {
    const { ino } = statSync(path)
    // `1: POSIX  ADVISORY  WRITE 4711 fe:01:131077 0 EOF`
    const line = new RegExp(`^\\d+: +POSIX .* (\\d+) [\\da-f]+:[\\da-f]+:${ino} `, 'mu')
    const pid = Number(line.exec(readFileSync('/proc/locks', 'utf8'))?.[1])
    return pid > 0 ? pid : undefined
  } catch {
    return undefined
  }
}

/** Node 22 calls the module experimental in a warning that means nothing to our users. */
function loadSqlite(): typeof import('node:sqlite') {
  const emitWarning = process.emitWarning
  process.emitWarning = () => {}
  try {
    return process.getBuiltinModule('node:sqlite')
  } finally {
    process.emitWarning = emitWarning
  }
}
