/**
 * `.timeindex` of a segment: int64 timestamp, int32 offset relative to the segment's base. An entry
 * (T, O) says: no record above T lies before the index entry that was made with it, and the batch
 * that ends at O is the first with a record of T. Timestamps and offsets rise.
 */
import { int32At, int64At, setInt32, setInt64 } from '../base/bytes.ts'
import { IndexBrokenError, type IndexFile } from './index-file.ts'

export const timeEntryBytes = 12

export interface TimeEntry {
  readonly timestamp: number
  /** Last offset of the batch that holds it. */
  readonly offset: number
}

/** A sparse way from timestamps to offsets, over one index file. */
export class TimeIndex {
  readonly file: IndexFile
  readonly #baseOffset: number
  #newest: TimeEntry | undefined
  #checkedBytes = 0

  constructor(file: IndexFile, baseOffset: number) {
    this.file = file
    this.#baseOffset = baseOffset
  }

  /** Appends unless the newest entry says as much already. `newest` must have been called once on an old file. */
  append(entry: TimeEntry): void {
    if (this.#newest !== undefined && entry.timestamp <= this.#newest.timestamp) return
    const bytes = new Uint8Array(timeEntryBytes)
    setInt64(bytes, 0, entry.timestamp)
    setInt32(bytes, 8, entry.offset - this.#baseOffset)
    this.file.append(bytes)
    this.#newest = entry
  }

  /** The entry with the largest timestamp. Throws IndexBrokenError. */
  async newest(): Promise<TimeEntry | undefined> {
    if (this.#newest === undefined) {
      const bytes = await this.file.last()
      if (bytes !== undefined) this.#newest = this.#entryAt(bytes, 0)
    }
    return this.#newest
  }

  /** The offset from which on a record with `timestamp` or more may lie; the base without one. */
  async floor(timestamp: number): Promise<number> {
    const entries = await this.file.load()
    this.#check(entries)
    let low = 0
    let high = entries.length / timeEntryBytes
    while (low < high) {
      const middle = (low + high) >>> 1
      if (int64At(entries, middle * timeEntryBytes) < timestamp) low = middle + 1
      else high = middle
    }
    return low === 0 ? this.#baseOffset : this.#entryAt(entries, low - 1).offset
  }

  /** The file was cut to entries that end at `newest`. */
  restart(newest: TimeEntry | undefined): void {
    this.#newest = newest
    this.#checkedBytes = 0
  }

  #entryAt(bytes: Uint8Array, index: number): TimeEntry {
    const at = index * timeEntryBytes
    return {
      timestamp: int64At(bytes, at),
      offset: this.#baseOffset + int32At(bytes, at + 8),
    }
  }

  #check(entries: Uint8Array): void {
    for (let at = this.#checkedBytes; at < entries.length; at += timeEntryBytes) {
      const before = at - timeEntryBytes
      const rises =
        before < 0 ||
        (int64At(entries, at) > int64At(entries, before) &&
          int32At(entries, at + 8) >= int32At(entries, before + 8))
      if (!rises) throw new IndexBrokenError(`${this.file.path} is out of order`)
    }
    this.#checkedBytes = entries.length
  }
}
