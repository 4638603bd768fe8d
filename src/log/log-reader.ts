/**
 * Reads of a log's files: what the tail in memory does not have any more, and lookups by time.
 *
 * Segments may go while they are read: what comes of such a read counts for nothing, and it is made
 * again on the segment that took the place (compaction), or refused by where the log begins now.
 */

import type { Slab } from '../base/slabs.ts'
import type { LogConfig } from '../config/log-config.ts'
import type { ReportFields } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import { IndexBrokenError } from './index-file.ts'
import type { LogHost } from './log-host.ts'
import type { LogListener } from './log-listener.ts'
import type { FoundOffset, Lookup } from './offset-lookup.ts'
import { type Segment, SegmentRetiredError } from './segment.ts'
import type { AbortedTransaction } from './transaction-marker.ts'

/** Whole batches, oldest first. Views that must not be changed. */
export interface LogRead {
  readonly chunks: Uint8Array[]
  readonly bytes: number
  /** Held for who reads, as long as the chunks are needed. */
  readonly slabs?: readonly Slab[]
}

/** A log as far as its files are read. */
export interface ReadableLog {
  readonly folder: string
  /** Oldest first. */
  readonly segments: readonly Segment[]
  readonly logStartOffset: number
  readonly config: LogConfig
  readonly listener: LogListener
  readonly compaction: { moved(): Promise<void> }
  refuseIfClosed(): void
  /** Throws OFFSET_OUT_OF_RANGE. */
  refuseOutside(offset: number): void
}

/** Different failures that one log reports. */
const maxReported = 100

export class LogReader {
  readonly #host: LogHost
  readonly #log: ReadableLog
  #reported: Set<string> | undefined

  constructor(host: LogHost, log: ReadableLog) {
    this.#host = host
    this.#log = log
  }

  /** As `Log.read`, of what is written: `bound` is the end of that, or less. */
  async read(
    offset: number,
    bound: number,
    maxBytes: number,
    atLeastOneBatch: boolean,
  ): Promise<LogRead> {
    const found = await this.#guarded(offset, async () => {
      const { folder, config } = this.#log
      for (const segment of this.#segmentsFrom(offset)) {
        if (segment.baseOffset >= bound) return undefined
        if (segment.baseOffset > offset && !config.cleanupCompact) {
          const message = `log has nothing before ${segment.logPath}, which is read instead`
          this.#reportOnce({ folder, offset }, message)
        }
        const found = await segment.read(
          offset,
          bound,
          maxBytes,
          atLeastOneBatch,
          config.indexIntervalBytes,
        )
        if (found !== undefined) return found
      }
      return undefined
    })
    if (found === undefined) return { chunks: [], bytes: 0 }
    const { bytes, slab } = found
    return { chunks: bytes.length === 0 ? [] : [bytes], bytes: bytes.length, slabs: [slab] }
  }

  /** What `find` answers, unless it lies at `end` or above. */
  async lookUp(
    end: number,
    find: (lookup: Lookup) => Promise<FoundOffset | undefined>,
  ): Promise<FoundOffset | undefined> {
    this.#log.refuseIfClosed()
    const { logStartOffset, config } = this.#log
    const found = await this.#guarded(logStartOffset, () =>
      find({
        segments: [...this.#log.segments],
        logStartOffset,
        indexIntervalBytes: config.indexIntervalBytes,
        maxDecompressedBytes: config.maxDecompressedMessageBytes,
      }),
    )
    return found !== undefined && found.offset < end ? found : undefined
  }

  /**
   * The aborted transactions with offsets in [from, to), from these segments, which had some before
   * that was read: the markers may lie far behind it. Undefined when the segments are not the log's
   * any more. Throws CORRUPT_MESSAGE, KAFKA_STORAGE_ERROR.
   */
  async abortedTransactions(
    from: number,
    to: number,
    segments: readonly Segment[],
  ): Promise<AbortedTransaction[] | undefined> {
    const found: AbortedTransaction[] = []
    try {
      for (const segment of segments) {
        for (const aborted of await segment.aborted()) {
          if (aborted.lastOffset >= from && aborted.firstOffset < to) found.push(aborted)
          if (aborted.lastOffset >= from && aborted.lastStableOffset >= to) return found
        }
      }
      return found
    } catch (error) {
      this.#log.refuseIfClosed()
      if (error instanceof SegmentRetiredError) {
        await this.#log.compaction.moved()
        return undefined
      }
      const { message } = error as Error
      this.#reportOnce({ folder: this.#log.folder, offset: from }, message)
      // What is not known to be committed is not served: a start, or a repair, builds the index anew.
      const isBroken = error instanceof IndexBrokenError
      throw new KafkaError(isBroken ? 'CORRUPT_MESSAGE' : 'KAFKA_STORAGE_ERROR', message)
    }
  }

  #segmentsFrom(offset: number): Segment[] {
    const { segments } = this.#log
    let low = 0
    let high = segments.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (segments[middle]!.baseOffset <= offset) low = middle + 1
      else high = middle
    }
    return segments.slice(Math.max(0, low - 1))
  }

  /** A disk that does not answer is this read's failure, unless the files went meanwhile. */
  async #guarded<T>(offset: number, read: () => Promise<T>): Promise<T> {
    try {
      return await read()
    } catch (error) {
      this.#log.refuseIfClosed()
      this.#log.refuseOutside(offset)
      if (error instanceof SegmentRetiredError) {
        await this.#log.compaction.moved()
        return this.#guarded(offset, read) // Another one is in its place.
      }
      const { code, message } = error as { code?: unknown; message: string }
      const isNews = this.#reportOnce({ folder: this.#log.folder, offset, code }, message)
      const isDamage = error instanceof KafkaError && error.error === 'CORRUPT_MESSAGE'
      if (isNews && isDamage) this.#log.listener.onDamage(offset)
      if (error instanceof KafkaError) throw error
      throw new KafkaError('KAFKA_STORAGE_ERROR', message)
    }
  }

  /** Clients ask again and again; people are told once. */
  #reportOnce(fields: ReportFields, message: string): boolean {
    this.#reported ??= new Set()
    if (this.#reported.has(message) || this.#reported.size >= maxReported) return false
    this.#reported.add(message)
    this.#host.io.report.error(fields, message)
    return true
  }
}
