/** What the logs of one data directory share, and what they need of it. */
import type { Slabs } from '../base/slabs.ts'
import type { Io } from '../io/io.ts'
import type { DiskRoom } from './disk-room.ts'
import type { IndexCache } from './index-file.ts'
import type { OpenFiles } from './open-files.ts'
import type { TailCache } from './tail-cache.ts'

export interface SharedStorage {
  readonly io: Io
  readonly files: OpenFiles
  readonly indexes: IndexCache
  readonly tails: TailCache
  /** For what is read from files. */
  readonly reads: Slabs
}

export interface LogHost extends SharedStorage {
  readonly room: DiskRoom
  readonly producerIdExpirationMs: number
  /** The disk failed: everything in the directory goes offline. */
  fail(error: Error): void
  /** The folder outlives a power loss: awaited before the first record is written. */
  settleFolder(folder: string): Promise<void>
  /** Awaited before damage is cut or renamed. */
  markLossy(): Promise<void>
  /** Awaited before a log acknowledges what is not synced. Never rejects. */
  loosenPolicy(): Promise<void>
  /** Removes files after a delay, or at the next start. */
  removeLater(paths: readonly string[], delayMs: number): void
  /** Makes the log's new start durable. */
  logStartMoved(): Promise<void>
  /** Makes the log's recovery point, high watermark and start durable, which may have been lowered. */
  logEndFell(): Promise<void>
}
