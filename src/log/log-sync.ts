/**
 * Brings a log's files to the disk: one sync at a time, and whoever comes while one runs shares the
 * next. The order is that of replication.md §9: data, then its indexes, the folder that names the
 * file, the snapshot, the epochs; only then do `durableEndOffset` and the recovery point move. A sync that fails
 * is not repeated: the directory goes offline.
 */
import type { Timer } from '../io/io.ts'
import type { LogHost } from './log-host.ts'
import type { RecoveredLog } from './recovery.ts'
import { isDiskFull, type Segment } from './segment.ts'

/** Longest flush.ms that is a timer; above, as by default, the time of writing is the kernel's. */
const maxFlushMs = 2 ** 40

const idle = Promise.resolve()

/** What is synced. */
export interface SyncedLog {
  readonly folder: string
  /** Oldest first. */
  readonly segments: readonly Segment[]
  readonly writtenEndOffset: number
  saveSnapshot(offset: number, bytes: Uint8Array): Promise<void>
  saveNewEpochs(): Promise<void>
}

export class LogSync {
  /** Below it everything is on the disk. */
  durableEndOffset: number
  /** Below it a start scans nothing: what it found that is not written down lies above. */
  recoveryPoint: number
  readonly #host: LogHost
  readonly #log: SyncedLog
  #running: Promise<void> = idle
  #next: Promise<void> | undefined
  #timer: Timer | undefined

  constructor(
    host: LogHost,
    log: SyncedLog,
    { durableEndOffset, recoveryPoint }: Pick<RecoveredLog, 'durableEndOffset' | 'recoveryPoint'>,
  ) {
    this.#host = host
    this.#log = log
    this.durableEndOffset = durableEndOffset
    this.recoveryPoint = recoveryPoint
  }

  /** The log is cut. */
  cut(end: number): void {
    this.durableEndOffset = Math.min(this.durableEndOffset, end)
    this.recoveryPoint = Math.min(this.recoveryPoint, end)
  }

  /** Syncs what is written now. Rejects when the disk failed, after taking the directory offline. */
  sync(): Promise<void> {
    if (this.#next === undefined) {
      const next = this.#running.then(() => {
        this.#next = undefined
        return this.#syncNow()
      })
      this.#next = next
      this.#running = next
      // After a failure none follows. What is over need not be held.
      next.then(
        () => {
          if (this.#running === next) this.#running = idle
        },
        () => {},
      )
    }
    return this.#next
  }

  /** The same without waiting; a failure shows in the directory. */
  syncLater(): void {
    void this.sync().catch(() => {})
  }

  /** At the latest after flush.ms; once per sync. */
  syncWithin(flushMs: number): void {
    if (this.#timer !== undefined || flushMs >= maxFlushMs) return
    this.#timer = this.#host.io.clock.timer(flushMs, () => {
      this.#timer = undefined
      this.syncLater()
    })
  }

  /** No sync starts any more by itself; waits for the one that runs. */
  async stop(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    await this.#running.catch(() => {})
  }

  async #syncNow(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    try {
      for (const { segment, end } of this.#unsynced()) {
        if (!segment.isCreated) break
        if (!(await segment.sync())) return
        if (segment.needsFolderSync) await this.#host.io.disk.syncDirectory(this.#log.folder)
        segment.needsFolderSync = false
        await this.writeSnapshot(segment)
        if (!(await this.#areEpochsSaved())) return
        this.durableEndOffset = Math.max(this.durableEndOffset, end)
      }
      if (this.recoveryPoint < this.durableEndOffset && (await this.#areEpochsSaved())) {
        this.recoveryPoint = this.durableEndOffset
      }
    } catch (error) {
      this.#host.fail(error as Error)
      throw error
    }
  }

  /** On a full disk they are not: the next start reads more, and the next sync tries again. */
  async #areEpochsSaved(): Promise<boolean> {
    try {
      await this.#log.saveNewEpochs()
      return true
    } catch (error) {
      if (!isDiskFull(error)) throw error
      return false
    }
  }

  /** Segments that hold something unsynced, oldest first, and the end of what they hold now. */
  #unsynced(): { segment: Segment; end: number }[] {
    const { segments } = this.#log
    const found = []
    let end = this.#log.writtenEndOffset
    for (const segment of segments.toReversed()) {
      if (end <= this.durableEndOffset && !segment.needsSync) break
      found.push({ segment, end })
      end = Math.min(end, segment.baseOffset)
    }
    return found.reverse()
  }

  /** If it waits for that. On a full disk it goes on waiting: the next sync tries again. */
  async writeSnapshot(segment: Segment): Promise<void> {
    const { snapshot } = segment
    segment.snapshot = undefined
    if (snapshot === undefined) return
    try {
      await this.#log.saveSnapshot(segment.baseOffset, snapshot)
    } catch (error) {
      if (!isDiskFull(error)) throw error
      segment.snapshot = snapshot
    }
  }
}
