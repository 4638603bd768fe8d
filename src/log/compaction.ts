/**
 * The compaction of one log: how dirty it is, a pass over it, and new segments in old places.
 *
 * Readers are not kept waiting: the list of segments names the new one before the old files go, and
 * who was reading an old one is told by a SegmentRetiredError to look again. The files of the new
 * segment change their names twice (segment-swap.ts), so it enters the list twice. Whoever else
 * changes the list of segments waits for `moved` first; who cuts the log, or ends, calls `hold`.
 */
import type { LogConfig } from '../config/log-config.ts'
import type { LastOfProducer } from './cleaned-transactions.ts'
import {
  type CompactionBounds,
  type Dirtiness,
  dirtinessOf,
  isWorthCleaning,
} from './compaction-choice.ts'
import {
  type CompactionMeans,
  CompactionPass,
  type PassResult,
  type SegmentOfPass,
} from './compaction-pass.ts'
import type { LeaderEpochs } from './leader-epochs.ts'
import type { LogHost } from './log-host.ts'
import { isDiskFull, type Segment, SegmentRetiredError } from './segment.ts'
import { PassStoppedError } from './segment-batches.ts'
import { renameFiles, sealedSegment, swapSuffix } from './segment-swap.ts'
import { timeEntryBytes } from './time-index.ts'

/** What compaction needs of its log. */
export interface CompactedLog {
  readonly folder: string
  /** Oldest first: the list itself. */
  readonly segments: Segment[]
  bounds(): Pick<CompactionBounds, 'logStartOffset' | 'logEndOffset' | 'durableEndOffset'>
  config(): LogConfig
  lastOfProducers(stableEndOffset: number): ReadonlyMap<number, LastOfProducer>
  readonly epochs: LeaderEpochs
  /** One segment stands for all from `baseOffset` up to `endOffset` now; records of it may be gone. */
  replaced(baseOffset: number, endOffset: number): Promise<void>
}

/** The smallest batch: no more index entries than batches. */
const minEntryBytes = 61

export class Compaction {
  /** Exclusive end of what passes came to; undefined: none was made. */
  cleanedEndOffset: number | undefined
  readonly #host: LogHost
  readonly #log: CompactedLog
  #running: Promise<PassResult | undefined> | undefined
  /** While there are any, no pass goes on. */
  #holds = 0
  #moving: Promise<void> | undefined
  /** Until the next start there is no further pass. */
  #hasFailed = false

  constructor(host: LogHost, log: CompactedLog) {
    this.#host = host
    this.#log = log
  }

  /** Resolves when no new segment is on the way to its place. */
  async moved(): Promise<void> {
    while (this.#moving !== undefined) await this.#moving
  }

  /** Ends the pass that runs, and waits for its end; there is none until the answer is called. */
  async hold(): Promise<() => void> {
    this.#holds++
    await this.#running
    return () => void this.#holds--
  }

  get #isHeld(): boolean {
    return this.#holds > 0
  }

  /** The log ends at `end` now. */
  cut(end: number): void {
    if (this.cleanedEndOffset !== undefined) {
      this.cleanedEndOffset = Math.min(this.cleanedEndOffset, end)
    }
  }

  /** Whether a pass may be made, if the topic wants it. */
  get isPossible(): boolean {
    return !this.#hasFailed && !this.#isHeld && this.#running === undefined
  }

  /** How dirty the log is; undefined when a pass is not wanted, not possible, or not worth it. */
  async dirtiness(lastStableOffset: number, nowMs: number): Promise<Dirtiness | undefined> {
    const config = this.#log.config()
    const isWanted = config.cleanupCompact && this.#log.segments.length > 1
    if (!isWanted || !this.isPossible) return undefined
    const dirtiness = await this.#look(lastStableOffset, nowMs).catch(error => {
      if (!(error instanceof SegmentRetiredError)) this.#fail(error as Error)
      return undefined
    })
    return dirtiness !== undefined && isWorthCleaning(dirtiness, config) ? dirtiness : undefined
  }

  async #look(lastStableOffset: number, nowMs: number): Promise<Dirtiness> {
    const segments = await this.#facts()
    const { cleanedEndOffset } = this
    const { logStartOffset, logEndOffset, durableEndOffset } = this.#log.bounds()
    const bounds = {
      cleanedEndOffset,
      logStartOffset,
      logEndOffset,
      lastStableOffset,
      durableEndOffset,
    }
    return dirtinessOf(segments, bounds, this.#log.config(), nowMs)
  }

  /** Of all segments up to the first one that is not sealed and synced. */
  async #facts(): Promise<SegmentOfPass[]> {
    const { minCompactionLagMs, maxCompactionLagMs, indexIntervalBytes } = this.#log.config()
    const hasMaxLag = maxCompactionLagMs < Number.MAX_SAFE_INTEGER
    const facts: SegmentOfPass[] = []
    for (const segment of [...this.#log.segments]) {
      const { baseOffset, size, createdMs } = segment
      const largest =
        minCompactionLagMs > 0 && size > 0 ? await segment.largest(indexIntervalBytes) : undefined
      const entries = Math.ceil(size / Math.max(indexIntervalBytes, minEntryBytes)) + 1
      facts.push({
        segment,
        baseOffset,
        sizeBytes: size,
        indexBytes: entries * timeEntryBytes,
        largestTimestampMs: largest?.timestamp ?? createdMs,
        firstTimestampMs: hasMaxLag && size > 0 ? await segment.firstTimestamp() : -1,
      })
      if (!segment.isSealed || segment.needsSync) break
    }
    return facts
  }

  /**
   * One pass over what is dirty; undefined when it was stopped, or failed: what it had come to then
   * stays, and the next begins anew. Without a pass that may be made it does nothing.
   */
  clean(lastStableOffset: number, means: CompactionMeans): Promise<PassResult | undefined> {
    if (!this.isPossible) return Promise.resolve(undefined)
    const running = this.#run(lastStableOffset, means)
      .catch((error: Error) => this.#ended(error))
      .finally(() => {
        this.#running = undefined
      })
    this.#running = running
    return running
  }

  async #run(lastStableOffset: number, means: CompactionMeans): Promise<PassResult | undefined> {
    const log = this.#log
    if (log.segments.some(({ holes }) => holes.length > 0)) {
      throw new Error('a part of the log is damaged')
    }
    const nowMs = this.#host.io.clock.wallMs()
    const { firstDirtyOffset, endOffset } = await this.#look(lastStableOffset, nowMs)
    if (endOffset <= firstDirtyOffset) return undefined
    const options = {
      folder: log.folder,
      segments: await this.#facts(),
      firstDirtyOffset,
      endOffset,
      stableEndOffset: lastStableOffset,
      config: log.config(),
      lastOfProducers: log.lastOfProducers(lastStableOffset),
      // The first one says nothing that the log's start does not say.
      epochStarts: new Set(log.epochs.entries.slice(1).map(({ startOffset }) => startOffset)),
      isStopped: () => this.#isHeld,
      replace: (old: readonly Segment[], cleaned: Segment) => this.#replace(old, cleaned),
    }
    const result = await new CompactionPass(this.#host, options, means).run()
    this.cleanedEndOffset = result.endOffset
    return result
  }

  /** A full disk is tried again; what is damaged stays as it is, and people are told. */
  #ended(error: Error): undefined {
    const isStopped = error instanceof PassStoppedError || error instanceof SegmentRetiredError
    if (this.#isHeld || isStopped) return undefined
    const fields = { folder: this.#log.folder }
    if (isDiskFull(error)) {
      this.#host.io.report.warn(fields, `not compacted: ${error.message}`)
      return undefined
    }
    return this.#fail(error)
  }

  #fail(error: Error): undefined {
    this.#hasFailed = true
    const message = `not compacted until the next start: ${error.message}`
    this.#host.io.report.error({ folder: this.#log.folder }, message)
    return undefined
  }

  // ── Places ─────────────────────────────────────────────────────────────────

  /** `cleaned` is synced. A failure while names change is the directory's: a start will finish it. */
  async #replace(old: readonly Segment[], cleaned: Segment): Promise<void> {
    await this.moved()
    const { segments } = this.#log
    const at = segments.indexOf(old[0]!)
    const isThere = at >= 0 && old.every((segment, index) => segments[at + index] === segment)
    if (!isThere || this.#isHeld) {
      for (const path of cleaned.paths) await this.#host.io.disk.remove(path)
      throw new PassStoppedError('its segments are not there any more')
    }
    const moving = this.#move(at, old, cleaned).finally(() => {
      this.#moving = undefined
    })
    this.#moving = moving.catch(() => {})
    await moving.catch(error => {
      this.#host.fail(error as Error)
      throw error
    })
  }

  async #move(at: number, old: readonly Segment[], cleaned: Segment): Promise<void> {
    const { folder, segments } = this.#log
    const { disk } = this.#host.io
    const waiting = sealedSegment(this.#host, folder, cleaned, swapSuffix)
    await renameFiles(this.#host, cleaned, waiting)
    await disk.syncDirectory(folder)

    segments.splice(at, old.length, waiting)
    const retired: string[] = []
    for (const segment of old) retired.push(...(await segment.retire()))
    await disk.syncDirectory(folder)

    await waiting.leave()
    const placed = sealedSegment(this.#host, folder, cleaned, '')
    await renameFiles(this.#host, waiting, placed)
    segments[at] = placed
    await disk.syncDirectory(folder)
    await this.#log.replaced(placed.baseOffset, segments[at + 1]!.baseOffset)
    this.#host.removeLater(retired, this.#log.config().fileDeleteDelayMs)
  }
}
