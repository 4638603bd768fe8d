/**
 * One pass of compaction over a log.
 *
 * First the dirty segments are read into a map from keys to their newest offsets; when the map is
 * full the pass ends there, and the next goes on. Then all segments from the oldest up to that end
 * are read once more, group by group, and of each group what the filter leaves is written into one new
 * segment, which the log puts in place of the old ones. Groups go from old to new: a tombstone that
 * goes has nothing older behind it.
 *
 * A batch is looked at only when its CRC is good: what is rewritten gets a new one. Memory is the map,
 * one buffer, and what one batch expands to.
 */
import { assert } from '../base/assert.ts'
import type { LogConfig } from '../config/log-config.ts'
import { type Batch, batchHeaderBytes } from '../protocol/records/batch.ts'
import { compress } from '../protocol/records/compression.ts'
import { recordBytes } from '../protocol/records/records.ts'
import {
  CleanedTransactions,
  type EndedTransactions,
  fateOf,
  type LastOfProducer,
  TransactionScan,
} from './cleaned-transactions.ts'
import { type CompactionFacts, groupsOf } from './compaction-choice.ts'
import type { LogHost } from './log-host.ts'
import { OffsetMap, slotsFor } from './offset-map.ts'
import type { Pace } from './pace.ts'
import {
  type BatchFate,
  eachKey,
  type Filtered,
  type FilterRules,
  type LooseBatch,
  looselyFiltered,
  packed,
} from './record-filter.ts'
import { isDiskFull, Segment } from './segment.ts'
import { SegmentBatches } from './segment-batches.ts'
import { cleanedSuffix } from './segment-swap.ts'
import type { StoredBatch } from './tail-cache.ts'
import { maxExpandedBytes } from './validation.ts'

/** What a pass may take, and how fast it goes. */
export interface CompactionMeans {
  /** For the map of keys. */
  readonly mapBytes: number
  readonly loadFactor: number
  /** Read at a time; a larger batch comes alone. */
  readonly bufferBytes: number
  readonly pace: Pace
}

/** A segment with what the choice looks at. */
export interface SegmentOfPass extends CompactionFacts {
  readonly segment: Segment
}

/** What a pass is about. */
export interface PassOptions {
  readonly folder: string
  /** Oldest first, the active one last. */
  readonly segments: readonly SegmentOfPass[]
  /** The dirty part: exclusive end, the base of a segment. */
  readonly firstDirtyOffset: number
  readonly endOffset: number
  /** Exclusive: what lies below stays, the ends of transactions too. */
  readonly stableEndOffset: number
  readonly config: LogConfig
  readonly lastOfProducers: ReadonlyMap<number, LastOfProducer>
  /** Where leader epochs began, but the first one. */
  readonly epochStarts: ReadonlySet<number>
  readonly isStopped: () => boolean
  /** Puts a segment that is written and synced in place of others. Throws PassStoppedError. */
  readonly replace: (old: readonly Segment[], cleaned: Segment) => Promise<void>
}

/** What a pass came to. */
export interface PassResult {
  /** Exclusive: below it the log is clean. */
  readonly endOffset: number
  readonly bytesBefore: number
  readonly bytesAfter: number
  readonly keys: number
}

/** Written bytes that wait to be synced at most: a long sync would keep others waiting. */
const unsyncedBytes = 8 * 1024 * 1024

/** Batches in one write. */
const maxBatchesOfWrite = 1024

/** From here on gzip and zstd take so long that they go apart. */
const slowBytes = 32 * 1024

/** Read at a time to find the ends of transactions. */
const scanBytes = 64 * 1024

export class CompactionPass {
  readonly #host: LogHost
  readonly #options: PassOptions
  readonly #means: CompactionMeans
  readonly #nowMs: number
  readonly #map: OffsetMap
  readonly #batches: SegmentBatches
  /** Exclusive: so far the map reaches. */
  #endOffset: number
  /** Known once a batch of a transaction was met. */
  #ended: EndedTransactions | undefined
  /** Of this reading. */
  #transactions = new CleanedTransactions([])
  /** How much of the new segment is synced. */
  #synced: { readonly segment: Segment; readonly bytes: number } | undefined

  constructor(host: LogHost, options: PassOptions, means: CompactionMeans) {
    const { firstDirtyOffset, endOffset } = options
    const { mapBytes, loadFactor, bufferBytes } = means
    this.#host = host
    this.#options = options
    this.#means = means
    this.#nowMs = host.io.clock.wallMs()
    const slots = slotsFor(endOffset - firstDirtyOffset, loadFactor, mapBytes)
    this.#map = new OffsetMap(slots, loadFactor, host.io.random.u32())
    this.#batches = new SegmentBatches(means.pace, bufferBytes, options.isStopped)
    this.#endOffset = firstDirtyOffset
  }

  /** Throws PassStoppedError, CORRUPT_MESSAGE and its like, DiskError. */
  async run(): Promise<PassResult> {
    const { segments, config } = this.#options
    await this.#readKeys()
    this.#transactions = new CleanedTransactions(this.#ended?.aborted ?? [])
    let [bytesBefore, bytesAfter] = [0, 0]
    for (const group of groupsOf(segments, this.#endOffset, config)) {
      const old = group.map(({ segment }) => segment)
      const oldBytes = old.reduce((sum, { size }) => sum + size, 0)
      bytesBefore += oldBytes
      bytesAfter += (await this.#rewrite(old)) ?? oldBytes
    }
    return { endOffset: this.#endOffset, bytesBefore, bytesAfter, keys: this.#map.size }
  }

  // ── Keys ───────────────────────────────────────────────────────────────────

  async #readKeys(): Promise<void> {
    const { segments, firstDirtyOffset, endOffset } = this.#options
    for (const [index, { segment }] of segments.entries()) {
      const segmentEnd = segments[index + 1]?.baseOffset ?? endOffset
      if (segmentEnd <= firstDirtyOffset) continue
      if (segment.baseOffset >= endOffset) return
      if (!(await this.#eachBatch(segment, batch => this.#note(batch)))) return
      this.#endOffset = segmentEnd
    }
  }

  /** False where the map has to end: it is full, or a transaction has no end yet. */
  #note(batch: Batch): boolean | Promise<boolean> {
    if (batch.lastOffset < this.#options.firstDirtyOffset) return true
    if (this.#ended !== undefined && batch.lastOffset >= this.#ended.openOffset) return false
    const isIdle = this.#transactions.isIdle(batch)
    if (isIdle || batch.isControl) {
      this.#endOffset = batch.lastOffset + 1
      return true
    }
    return after(this.#expanded(batch), records => this.#noteKeys(batch, records))
  }

  #noteKeys(batch: Batch, records: Uint8Array): boolean {
    const { firstDirtyOffset } = this.#options
    const hasRoom = eachKey(batch, records, (bytes, start, end, offset) => {
      if (offset < firstDirtyOffset) return true
      const isIn = this.#map.put(bytes, start, end, offset)
      if (isIn) this.#endOffset = offset + 1
      return isIn
    })
    if (hasRoom) this.#endOffset = batch.lastOffset + 1
    return hasRoom
  }

  // ── New segments ───────────────────────────────────────────────────────────

  /** Answers the new size; undefined when nothing was to be changed. */
  async #rewrite(old: readonly Segment[]): Promise<number | undefined> {
    const { folder, replace } = this.#options
    const createdMs = Math.min(...old.map(segment => segment.createdMs))
    const suffix = cleanedSuffix
    const cleaned = new Segment(this.#host, folder, old[0]!.baseOffset, true, { suffix, createdMs })
    try {
      await cleaned.create()
      const isChanged = await this.#fill(cleaned, old)
      if (!isChanged && old.length === 1) {
        await this.#remove(cleaned)
        return undefined
      }
      assert(cleaned.size < 2 ** 31, 'a position in a segment is an int32')
      await this.#orFail(() => cleaned.seal())
      await this.#orFail(() => cleaned.sync())
      await cleaned.release()
    } catch (error) {
      // What cannot be removed now is removed by the next start, or written over by the next pass.
      await this.#remove(cleaned).catch(() => {})
      throw error
    }
    await replace(old, cleaned)
    return cleaned.size
  }

  async #remove(cleaned: Segment): Promise<void> {
    await cleaned.release()
    for (const path of cleaned.paths) await this.#host.io.disk.remove(path)
  }

  /** Writes what stays of the old ones; true when that is not all. */
  async #fill(cleaned: Segment, old: readonly Segment[]): Promise<boolean> {
    const rules = this.#rules()
    const { lastOfProducers, epochStarts } = this.#options
    let pending: StoredBatch[] = []
    let isChanged = false
    for (const segment of old) {
      const isLastSegment = segment === old.at(-1)
      const keep = (batch: Batch, { bytes, maxTimestamp }: Filtered) => {
        isChanged ||= bytes !== batch.bytes
        if (bytes === undefined) return true
        const { baseOffset, lastOffset } = batch
        pending.push({ bytes, baseOffset, endOffset: lastOffset + 1, maxTimestamp })
        return true
      }
      const visit = (batch: Batch, isLastBatch: boolean) => {
        const isIdle = this.#transactions.isIdle(batch)
        const isLast = isLastSegment && isLastBatch
        const opensEpoch = epochStarts.has(batch.baseOffset)
        const facts = { isIdle, isLast, opensEpoch }
        const fate = fateOf(batch, facts, lastOfProducers, this.#nowMs)
        return after(this.#filtered(batch, fate, rules), left => keep(batch, left))
      }
      await this.#eachBatch(segment, visit, async () => {
        await this.#write(cleaned, pending)
        pending = []
      })
    }
    return isChanged
  }

  #filtered(batch: Batch, fate: BatchFate, rules: FilterRules): Filtered | Promise<Filtered> {
    const records = fate.discards ? new Uint8Array(0) : this.#expanded(batch)
    return after(records, bytes => {
      const left = looselyFiltered(batch, bytes, fate, rules)
      if (!('records' in left)) return left
      return after(this.#compressed(left), payload => packed(left, payload))
    })
  }

  /** In a thread where that is long work and the outside world has one; likewise below. */
  #expanded(batch: Batch): Uint8Array | Promise<Uint8Array> {
    const { gunzipApart } = this.#host.io
    const isSlow = batch.compression === 'gzip' && batch.sizeInBytes >= slowBytes / 4
    if (!isSlow || gunzipApart === undefined) return recordBytes(batch, maxExpandedBytes)
    return gunzipApart(batch.bytes.subarray(batchHeaderBytes), maxExpandedBytes)
  }

  #compressed({ compression, records }: LooseBatch): Uint8Array | Promise<Uint8Array> {
    const { compressApart } = this.#host.io
    const isSlow = compression === 'gzip' || compression === 'zstd'
    if (!isSlow || records.length < slowBytes || compressApart === undefined) {
      return compress(compression, records)
    }
    return compressApart(compression, records)
  }

  #rules(): FilterRules {
    return {
      nowMs: this.#nowMs,
      deleteRetentionMs: this.#options.config.deleteRetentionMs,
      maxExpandedBytes,
      endOffset: this.#endOffset,
      newestOffset: (bytes, start, end) => this.#map.get(bytes, start, end),
    }
  }

  async #write(cleaned: Segment, batches: readonly StoredBatch[]): Promise<void> {
    const { indexIntervalBytes } = this.#options.config
    for (let from = 0; from < batches.length; from += maxBatchesOfWrite) {
      const before = cleaned.size
      const part = batches.slice(from, from + maxBatchesOfWrite)
      await this.#orFail(() => cleaned.write(part, indexIntervalBytes))
      await this.#batches.moved(cleaned.size - before)
    }
    if (cleaned.size - this.#syncedBytes(cleaned) < unsyncedBytes) return
    this.#synced = { segment: cleaned, bytes: cleaned.size }
    await this.#orFail(() => this.#host.files.with(cleaned.logPath, file => file.sync()))
  }

  /** A disk that cannot write is the directory's failure, unless it is only full. */
  async #orFail<T>(write: () => Promise<T>): Promise<T> {
    try {
      return await write()
    } catch (error) {
      if (!isDiskFull(error)) this.#host.fail(error as Error)
      throw error
    }
  }

  #syncedBytes(cleaned: Segment): number {
    return this.#synced?.segment === cleaned ? this.#synced.bytes : 0
  }

  // ── Transactions ───────────────────────────────────────────────────────────

  /**
   * Shows batches as `each` does; before the first one of a transaction the whole log is read to know
   * how transactions ended.
   */
  #eachBatch(
    segment: Segment,
    visit: (batch: Batch, isLast: boolean) => boolean | Promise<boolean>,
    after?: () => Promise<void>,
  ): Promise<boolean> {
    const visitKnowing = (batch: Batch, isLast: boolean) => {
      if (!batch.isTransactional || this.#ended !== undefined) return visit(batch, isLast)
      return this.#findEnds().then(() => visit(batch, isLast))
    }
    return this.#batches.each(segment, visitKnowing, after)
  }

  async #findEnds(): Promise<void> {
    const { segments, stableEndOffset, isStopped } = this.#options
    const scan = new TransactionScan()
    const batches = new SegmentBatches(this.#means.pace, scanBytes, isStopped)
    for (const { segment } of segments) {
      const goesOn = await batches.each(segment, batch => {
        if (batch.lastOffset >= stableEndOffset) return false
        scan.add(batch)
        return true
      })
      if (!goesOn) break
    }
    this.#ended = scan.end()
    this.#transactions = new CleanedTransactions(this.#ended.aborted)
  }
}

/** At once where there is nothing to wait for: most batches are small. */
function after<A, B>(value: A | Promise<A>, then: (value: A) => B | Promise<B>): B | Promise<B> {
  return value instanceof Promise ? value.then(then) : then(value)
}
