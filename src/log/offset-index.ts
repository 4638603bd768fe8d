/**
 * `.index` of a segment: int32 offset relative to the segment's base, int32 position in the log. An
 * entry stands for a whole batch: the offset of its last record, the position of its first byte.
 * Offsets and positions rise.
 */
import { int32At, setInt32 } from '../base/bytes.ts'
import { IndexBrokenError, type IndexFile } from './index-file.ts'

export const offsetEntryBytes = 8

/** Where the batch that holds an offset lies, if the segment has it. */
export interface OffsetStretch {
  /** First byte of a batch at or before it. */
  readonly position: number
  /** Of the batch at `position`; undefined where no entry stands for that. */
  readonly lastOffset: number | undefined
  /** At or behind its last byte; infinite: the end of the segment. */
  readonly endPosition: number
  /** At most so many bytes lie between `position` and the batch, as far as the index tells. */
  readonly leadBytes?: number
  /** Offsets from `position` on are not below it; by default the segment's. */
  readonly baseOffset?: number
}

/** A sparse way from offsets to positions, over one index file. */
export class OffsetIndex {
  readonly file: IndexFile
  readonly #baseOffset: number
  /** Length of what was last found in order; that much need not be looked at again. */
  #checkedBytes = 0

  constructor(file: IndexFile, baseOffset: number) {
    this.file = file
    this.#baseOffset = baseOffset
  }

  append(lastOffset: number, position: number): void {
    const entry = new Uint8Array(offsetEntryBytes)
    setInt32(entry, 0, lastOffset - this.#baseOffset)
    setInt32(entry, 4, position)
    this.file.append(entry)
  }

  /** From the last entry ≤ `offset` to the second one behind it. Throws IndexBrokenError. */
  async stretch(offset: number): Promise<OffsetStretch> {
    const entries = await this.file.load()
    this.#check(entries)
    let low = 0
    let high = entries.length / offsetEntryBytes
    while (low < high) {
      const middle = (low + high) >>> 1
      if (int32At(entries, middle * offsetEntryBytes) <= offset - this.#baseOffset) low = middle + 1
      else high = middle
    }
    const end = (low + 1) * offsetEntryBytes
    const endPosition = end < entries.length ? int32At(entries, end + 4) : Number.POSITIVE_INFINITY
    if (low === 0) return { position: 0, lastOffset: undefined, endPosition }
    const at = (low - 1) * offsetEntryBytes
    const position = int32At(entries, at + 4)
    const lastOffset = this.#baseOffset + int32At(entries, at)
    const hasNext = low * offsetEntryBytes < entries.length
    const isBehind = lastOffset < offset && hasNext
    const leadBytes = isBehind ? int32At(entries, low * offsetEntryBytes + 4) - position : 0
    return { position, lastOffset, endPosition, leadBytes }
  }

  /** The newest entry's position, 0 when there is none. Throws IndexBrokenError. */
  async lastPosition(): Promise<number> {
    const entry = await this.file.last()
    return entry === undefined ? 0 : int32At(entry, 4)
  }

  /** The entries that stay when the log is cut at `position`. */
  async entriesBelow(position: number): Promise<number> {
    const entries = await this.file.load()
    let count = 0
    while (
      count * offsetEntryBytes < entries.length &&
      int32At(entries, count * offsetEntryBytes + 4) < position
    ) {
      count++
    }
    return count
  }

  #check(entries: Uint8Array): void {
    for (let at = this.#checkedBytes; at < entries.length; at += offsetEntryBytes) {
      const before = at - offsetEntryBytes
      const rises =
        before < 0
          ? int32At(entries, at) >= 0 && int32At(entries, at + 4) >= 0
          : int32At(entries, at) > int32At(entries, before) &&
            int32At(entries, at + 4) > int32At(entries, before + 4)
      if (!rises) throw new IndexBrokenError(`${this.file.path} is out of order`)
    }
    this.#checkedBytes = entries.length
  }

  /** To be called when the file was cut: what is appended now is checked again. */
  restart(): void {
    this.#checkedBytes = 0
  }
}
