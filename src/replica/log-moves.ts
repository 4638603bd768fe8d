/**
 * Moves of replicas from one log directory of this broker to another (KIP-113), one after the other.
 *
 * A copy is made while the replica is used. When little is missing, the replica takes no more records
 * for a moment (producers are told to ask again): its log is closed, the rest is copied and synced,
 * the copy is renamed to the partition's name, and only then the old folder is renamed away; the log is
 * opened where it is now. So a kill at any point leaves the old folder or the new one, or both and the
 * same in them, which the mark of the copy tells the next start. A move that a stop cuts short has
 * to be asked for again.
 */
import type { Io } from '../io/io.ts'
import type { Log } from '../log/log.ts'
import { LogCopy } from '../log/log-copy.ts'
import type { LogDirectory } from '../log/log-directory.ts'
import { Pace } from '../log/pace.ts'
import { Gate } from './gate.ts'

/** One move, from when it was asked for. */
export interface LogMove {
  readonly log: Log
  readonly from: LogDirectory
  readonly to: LogDirectory
  readonly copy: LogCopy
}

/** A copy that is being made, for DescribeLogDirs. */
export interface FutureReplica {
  readonly topic: string
  readonly index: number
  readonly sizeBytes: number
  readonly offsetLag: number
}

export class LogMoves {
  readonly #io: Io
  readonly #pace: Pace
  readonly #swap: (move: LogMove) => Promise<void>
  readonly #gate = new Gate(1)
  readonly #moves = new Map<Log, LogMove>()
  /** Also those that were given up and have not ended. */
  readonly #running = new Set<Promise<void>>()
  #isClosed = false

  /**
   * `swap` puts the copy, which has nearly all, in the place of the log; else nothing has changed. All
   * copies together move no more than `bytesPerSecond`, as it is now.
   */
  constructor(io: Io, bytesPerSecond: () => number, swap: (move: LogMove) => Promise<void>) {
    this.#io = io
    this.#pace = new Pace(io.clock, bytesPerSecond)
    this.#swap = swap
  }

  /** Begins to move the log; a move of it to another directory is given up. */
  begin(log: Log, from: LogDirectory, to: LogDirectory): void {
    const known = this.#moves.get(log)
    if (known?.to === to) return
    known?.copy.end()
    this.#moves.delete(log)
    if (from === to || this.#isClosed) return
    const { topic, partition } = log
    const folder = to.futureFolder(topic, partition)
    const copy = new LogCopy(this.#io, log, folder, from.directoryId, this.#pace)
    const move = { log, from, to, copy }
    this.#moves.set(log, move)
    const running = this.#gate
      .run(() => this.#run(move))
      .finally(() => {
        this.#running.delete(running)
        if (this.#moves.get(log) === move) this.#moves.delete(log)
      })
    this.#running.add(running)
  }

  /** Copies that are made in a directory. */
  into(directory: LogDirectory): FutureReplica[] {
    return [...this.#moves.values()]
      .filter(({ to }) => to === directory)
      .map(({ log, copy }) => ({
        topic: log.topic,
        index: log.partition,
        sizeBytes: copy.sizeBytes,
        offsetLag: copy.offsetLag,
      }))
  }

  /** Gives up all of them, and waits for their end. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const { copy } of this.#moves.values()) copy.end()
    await Promise.all(this.#running)
  }

  async #run(move: LogMove): Promise<void> {
    const { log, from, to, copy } = move
    const fields = { topic: log.topic, partition: log.partition, from: from.path, to: to.path }
    // A pass would replace what was copied.
    const letGo = await log.compaction.hold()
    try {
      await copy.catchUp()
      await this.#swap(move)
      this.#io.report.info(fields, 'the replica lies in its new directory')
    } catch (error) {
      const { message } = error as Error
      this.#io.report.warn(fields, `the replica was not moved: ${message}`)
      await copy.remove().catch(() => {}) // A start does it.
    } finally {
      letGo()
    }
  }
}
