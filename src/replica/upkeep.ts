/**
 * What goes on by itself with the logs of this broker: checkpoints, retention, compaction, and the
 * search for damage in what is not used.
 */
import type { CleanerConfig } from '../config/cleaner-config.ts'
import type { ScrubberConfig } from '../config/scrubber-config.ts'
import type { Io } from '../io/io.ts'
import { type CleanableLog, Cleaner } from '../log/cleaner.ts'
import type { Log } from '../log/log.ts'
import type { LogDirectory, PartitionHighWatermark } from '../log/log-directory.ts'
import { Scrubber } from '../log/scrubber.ts'
import type { Segment } from '../log/segment.ts'
import type { Partition } from './partition.ts'

/** A replica with its log, and where that lies. */
export interface Hosted {
  readonly partition: Partition
  readonly log: Log
  readonly directory: LogDirectory
}

export interface UpkeepOptions {
  readonly directories: readonly LogDirectory[]
  /** All replicas that are open now. */
  all(): Iterable<Hosted>
  /** log.retention.check.interval.ms */
  readonly retentionCheckMs: number
  /** As it is now. */
  cleaner(): CleanerConfig
  /** As it is now. */
  scrubber(): ScrubberConfig
  /** The scrubber found it. */
  onDamage(log: Log, segment: Segment): void
}

const checkpointMs = 5000

/** Runs until closed. */
export class Upkeep {
  /** A log that is being closed here and opened elsewhere: retention leaves it alone. */
  swapped: Log | undefined
  readonly #io: Io
  readonly #options: UpkeepOptions
  readonly #cancels: (() => void)[] = []
  readonly #cleaner: Cleaner
  /** One for each directory: their disks are different ones. */
  readonly #scrubbers: readonly Scrubber[]
  #retaining: Promise<void> = Promise.resolve()
  #isClosed = false

  constructor(io: Io, options: UpkeepOptions) {
    this.#io = io
    this.#options = options
    this.#every(checkpointMs, () => this.#checkpoint())
    this.#every(options.retentionCheckMs, () => {
      this.#retaining = this.#enforceRetention()
      return this.#retaining
    })
    this.#cleaner = new Cleaner(
      io,
      () => options.cleaner(),
      () => this.#cleanable(),
    )
    const scrubberConfig = () => options.scrubber()
    this.#scrubbers = options.directories.map(
      directory =>
        new Scrubber(
          io,
          scrubberConfig,
          () => this.#logsIn(directory),
          (log, segment) => options.onDamage(log, segment),
        ),
    )
  }

  /** Resolves when no retention is going on. */
  retained(): Promise<void> {
    return this.#retaining
  }

  /** Nothing begins any more; `closed` waits for what goes on. */
  end(): void {
    this.#isClosed = true
    for (const cancel of this.#cancels) cancel()
  }

  async closed(): Promise<void> {
    await this.#cleaner.close()
    await Promise.all(this.#scrubbers.map(scrubber => scrubber.close()))
  }

  *#cleanable(): Iterable<CleanableLog> {
    for (const { partition, log, directory } of this.#options.all()) {
      if (partition.isOffline) continue
      const { lastStableOffset } = partition
      yield { log, lastStableOffset, noted: () => directory.compacted() }
    }
  }

  *#logsIn(directory: LogDirectory): Iterable<Log> {
    for (const { partition, log, directory: of } of this.#options.all()) {
      if (of === directory && !partition.isOffline) yield log
    }
  }

  /** Again and again, `delayMs` after the end of the last time, until closed. */
  #every(delayMs: number, work: () => Promise<void>): void {
    let timer = this.#io.clock.timer(delayMs, run)
    this.#cancels.push(() => timer.cancel())
    const again = () => {
      if (!this.#isClosed) timer = this.#io.clock.timer(delayMs, run)
    }
    function run(): void {
      void work().finally(again)
    }
  }

  async #checkpoint(): Promise<void> {
    for (const directory of this.#options.directories) {
      if (directory.offline !== undefined) continue
      if (!this.#hasMoved(directory)) continue
      await directory
        .checkpoint(watermarksIn(directory, this.#options.all()))
        .catch(error => this.#io.report.error({ error }, 'could not write the checkpoint'))
    }
  }

  #hasMoved(directory: LogDirectory): boolean {
    for (const { partition, log, directory: of } of this.#options.all()) {
      if (of === directory && log.checkpointedHighWatermark !== partition.highWatermark) return true
    }
    return false
  }

  async #enforceRetention(): Promise<void> {
    for (const { partition, log } of [...this.#options.all()]) {
      if (this.#isClosed) return
      if (partition.isOffline || log === this.swapped) continue
      await log
        .enforceRetention(partition.highWatermark, this.#io.clock.wallMs())
        .catch(error => this.#io.report.error({ topic: log.topic, error }, 'retention failed'))
    }
  }
}

/** The high watermarks of what lies in a directory. */
export function watermarksIn(
  directory: LogDirectory,
  all: Iterable<Hosted>,
): PartitionHighWatermark[] {
  return [...all]
    .filter(hosted => hosted.directory === directory)
    .map(({ partition: { topic, index, highWatermark } }) => ({
      topic,
      partition: index,
      highWatermark,
    }))
}
