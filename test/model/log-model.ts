/**
 * The simplest log there can be: a list of all records that were ever appended, and whether each is
 * still there. It knows the rules of Kafka for what a pass of compaction leaves, what retention takes,
 * what ListOffsets answers and which sequence of a producer comes next, and works each out from the
 * whole list. Nothing here knows of files, but for the offsets at which segments begin.
 */
import assert from 'node:assert/strict'
import type { LogConfig } from '../../src/config/log-config.ts'

export interface ModelRecord {
  readonly key: string | null
  /** null: a tombstone. */
  readonly value: string | null
  readonly timestamp: number
  readonly batch: ModelBatch
  isThere: boolean
}

export interface ModelBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly leaderEpoch: number
  /** −1: not idempotent. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  /** When its tombstones may go: set by the first pass that meets them. */
  horizonMs: number | undefined
}

/** What a batch is appended with. */
export interface NewBatch extends Omit<ModelBatch, 'baseOffset' | 'lastOffset' | 'horizonMs'> {
  readonly records: readonly Pick<ModelRecord, 'key' | 'value' | 'timestamp'>[]
}

/** A file of the log, as its name and size say. */
export interface SegmentOnDisk {
  readonly baseOffset: number
  readonly sizeBytes: number
}

const rememberedBatches = 5

export class LogModel {
  readonly config: LogConfig
  readonly records: ModelRecord[] = []
  start = 0
  /** Below it everything is written, as the log has said. */
  written = 0
  /** By producer id: its batches that were not cut, in order. */
  readonly producers = new Map<number, ModelBatch[]>()
  /** Of batches before it a producer's newest one alone is sure to be remembered, if compacted. */
  #rememberedFrom = 0
  /** Producers whose newest batch lies before it may be forgotten. */
  #knownFrom = 0

  constructor(config: LogConfig) {
    this.config = config
  }

  get end(): number {
    return this.records.length
  }

  // ── Changes ────────────────────────────────────────────────────────────────

  append({ records, ...rest }: NewBatch): ModelBatch {
    const baseOffset = this.end
    const lastOffset = baseOffset + records.length - 1
    const batch: ModelBatch = { ...rest, baseOffset, lastOffset, horizonMs: undefined }
    for (const record of records) this.records.push({ ...record, batch, isThere: true })
    if (batch.producerId < 0) return batch
    this.producers.set(batch.producerId, [...this.batchesOf(batch.producerId), batch])
    return batch
  }

  /**
   * The log ends at `end` now, and whoever keeps its producers has read them from files again: what
   * was deleted is known from snapshots, if those were not lost or cut as well.
   */
  endAt(end: number, isLost: boolean): void {
    const { cleanupCompact } = this.config
    if (isLost || cleanupCompact) this.#knownFrom = Math.max(this.#knownFrom, this.start)
    this.records.length = Math.min(end, this.end)
    this.written = this.end
    this.start = Math.min(this.start, end)
    this.#rememberedFrom = end
    for (const [id, batches] of this.producers) {
      const left = batches.filter(({ lastOffset }) => lastOffset < end)
      this.producers.set(id, left)
    }
  }

  /** What could not be written has never been. */
  takeBack(end: number): void {
    const { written } = this
    const [rememberedFrom, knownFrom] = [this.#rememberedFrom, this.#knownFrom]
    this.endAt(end, false)
    this.written = Math.min(written, end)
    this.#rememberedFrom = Math.min(rememberedFrom, end)
    this.#knownFrom = knownFrom
  }

  /** Records below `offset` are deleted. */
  startAt(offset: number): void {
    this.start = Math.max(this.start, offset)
  }

  // ── Producers ──────────────────────────────────────────────────────────────

  batchesOf(producerId: number): readonly ModelBatch[] {
    return this.producers.get(producerId) ?? []
  }

  /** Those that the log must know when they come once more: answered with their first offsets. */
  remembered(producerId: number): ModelBatch[] {
    const batches = this.batchesOf(producerId)
    const newest = batches.at(-1)
    if (newest === undefined || newest.baseOffset < this.#knownFrom) return []
    const from = this.config.cleanupCompact ? this.#rememberedFrom : this.#knownFrom
    return batches
      .slice(-rememberedBatches)
      .filter(({ producerEpoch }) => producerEpoch === newest.producerEpoch)
      .filter(batch => batch === newest || batch.baseOffset >= from)
  }

  // ── Compaction ─────────────────────────────────────────────────────────────

  /**
   * Where a pass has to end at the latest, and does with a map that is large enough. `durable` is what
   * the log calls synced.
   */
  cleanableEnd(
    segments: readonly SegmentOnDisk[],
    bounds: { readonly stable: number; readonly cleaned: number },
    nowMs: number,
  ): number {
    const { minCompactionLagMs } = this.config
    let end = segments[0]?.baseOffset ?? 0
    for (const [index, { baseOffset }] of segments.entries()) {
      const next = segments[index + 1]?.baseOffset
      if (next === undefined || next > bounds.stable) break
      const newest = this.#largestTimestamp(baseOffset, next, 'sure')
      const isYoung = minCompactionLagMs > 0 && newest > nowMs - minCompactionLagMs
      if (next > bounds.cleaned && isYoung) break
      end = next
    }
    return end
  }

  /**
   * A pass over [from, end): of each key the newest record stays, unless it is a tombstone whose time
   * is over; what it shares a segment with is read too, so horizons begin there.
   */
  pass(from: number, end: number, segments: readonly SegmentOnDisk[], nowMs: number): void {
    const newest = new Map<string | null, number>()
    for (let offset = from; offset < end; offset++) {
      const { key, isThere } = this.records[offset]!
      if (isThere) newest.set(key, offset)
    }
    const bases = segments.map(({ baseOffset }) => baseOffset)
    const reach = bases.find(base => base >= end) ?? this.end
    const begun = new Set<ModelBatch>()
    for (const [offset, record] of this.records.slice(0, reach).entries()) {
      if (!record.isThere) continue
      const { batch, key, value } = record
      const isOver = batch.horizonMs !== undefined && batch.horizonMs <= nowMs
      const isOld = offset < (newest.get(key) ?? -1) || (value === null && isOver)
      if (offset < end && isOld) record.isThere = false
      if (record.isThere && value === null && batch.horizonMs === undefined) begun.add(batch)
    }
    for (const batch of begun) batch.horizonMs = nowMs + this.config.deleteRetentionMs
  }

  /**
   * After passes that nobody saw the end of: takes over what was found, if it is what may be at any
   * time: nothing comes back, and the newest of each key is there unless it is a tombstone. Below the
   * log start nothing is seen but the rest of a batch.
   */
  takeOver(isFound: (offset: number) => boolean): void {
    const newest = new Map(this.records.map(({ key }, offset) => [key, offset]))
    for (const [offset, record] of this.records.entries()) {
      const isThere = isFound(offset)
      if (offset < this.start) record.isThere = isThere
      if (offset < this.start) continue
      assert.ok(record.isThere || !isThere, `record ${offset} is back`)
      const mustStay = newest.get(record.key) === offset && record.value !== null
      if (mustStay) assert.ok(isThere, `record ${offset} is gone`)
      record.isThere = isThere
    }
  }

  // ── Retention ──────────────────────────────────────────────────────────────

  /** Which log starts retention may come to. Several where compaction left a batch without records. */
  startsAfterRetention(
    segments: readonly SegmentOnDisk[],
    highWatermark: number,
    nowMs: number,
  ): number[] {
    const ends = segments.map((_, index) => segments[index + 1]?.baseOffset ?? this.written)
    const least = this.#expired(segments, ends, highWatermark, nowMs, 'all')
    const most = this.#expired(segments, ends, highWatermark, nowMs, 'sure')
    const starts: number[] = []
    for (let count = least; count <= most; count++) {
      starts.push(Math.max(this.start, ends[count - 1] ?? 0))
    }
    return starts
  }

  #expired(
    segments: readonly SegmentOnDisk[],
    ends: readonly number[],
    highWatermark: number,
    nowMs: number,
    which: 'all' | 'sure',
  ): number {
    const { cleanupDelete, retentionMs, retentionBytes } = this.config
    let surplus = segments.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) - retentionBytes
    let count = 0
    for (const [index, { baseOffset, sizeBytes }] of segments.entries()) {
      const end = ends[index]!
      const newest = this.#largestTimestamp(baseOffset, end, which)
      const isOld = retentionMs >= 0 && nowMs - newest > retentionMs
      const isSurplus = retentionBytes >= 0 && surplus >= sizeBytes
      const goes = end <= this.start || (cleanupDelete && (isOld || isSurplus))
      if (!goes || end > highWatermark || sizeBytes === 0) break
      surplus -= sizeBytes
      count++
    }
    return count
  }

  /** Of all records that ever were in [from, end), or of those that are there for sure. */
  #largestTimestamp(from: number, end: number, which: 'all' | 'sure'): number {
    let largest = -1
    for (let offset = from; offset < end; offset++) {
      const { timestamp, isThere } = this.records[offset]!
      const isSure = isThere && offset >= this.start
      if (which === 'all' || isSure) largest = Math.max(largest, timestamp)
    }
    return largest
  }

  // ── ListOffsets ────────────────────────────────────────────────────────────

  /** The first record with that timestamp or a later one. */
  offsetForTimestamp(timestampMs: number): number | undefined {
    return this.#there().find(offset => this.records[offset]!.timestamp >= timestampMs)
  }

  /** The first of the records with the largest timestamp. */
  maxTimestampOffset(): number | undefined {
    const there = this.#there()
    const largest = Math.max(...there.map(offset => this.records[offset]!.timestamp))
    return there.find(offset => this.records[offset]!.timestamp === largest)
  }

  #there(): number[] {
    const offsets: number[] = []
    for (let offset = this.start; offset < this.written; offset++) {
      if (this.records[offset]!.isThere) offsets.push(offset)
    }
    return offsets
  }
}
