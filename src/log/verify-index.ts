/**
 * Whether the indexes of a segment say what its batches say.
 *
 * Both indexes rise with the log, so one pass over the batches is enough: each entry is met by the
 * batch it stands for, or it is wrong. An entry of an offset index has the position of a batch and
 * the last offset of that batch or a later one (Kafka makes one entry for all that it appends at
 * once); an entry (T, O) of a time index has the largest timestamp up to the batch that holds O.
 */
import { int32At, int64At } from '../base/bytes.ts'
import { offsetEntryBytes } from './offset-index.ts'
import { timeEntryBytes } from './time-index.ts'

/** A batch as the indexes know it. */
export interface IndexedBatch {
  readonly position: number
  readonly size: number
  readonly baseOffset: number
  readonly lastOffset: number
  readonly maxTimestamp: number
}

/** What is wrong with an index, and at which byte of it. */
export interface IndexProblem {
  readonly position: number
  readonly what: string
}

/** Without an entry for so much, reads begin far before what they want. */
const maxUnindexedBytes = 64 * 1024

/** Entries of one index in order; those of zeros that Kafka allocates in advance are left out. */
class Entries {
  readonly bytes: Uint8Array
  readonly count: number
  readonly entryBytes: number
  readonly #ragged: IndexProblem | undefined
  readonly #zeros: IndexProblem | undefined

  constructor(bytes: Uint8Array, entryBytes: number) {
    this.bytes = bytes
    this.entryBytes = entryBytes
    const whole = Math.floor(bytes.length / entryBytes)
    let used = bytes.length
    while (used > 0 && bytes[used - 1] === 0) used--
    const filled = Math.min(whole, Math.ceil(used / entryBytes))
    this.count = filled
    const end = filled * entryBytes
    if (whole * entryBytes < bytes.length) {
      this.#ragged = { position: whole * entryBytes, what: 'ends inside an entry' }
    } else if (end < bytes.length) {
      const what = `${bytes.length - end} bytes at its end are zeros`
      this.#zeros = { position: end, what }
    }
  }

  /** How it ends: zeros are what Kafka allocates in advance and takes back when it closes the log. */
  problem(isComplete: boolean): IndexProblem | undefined {
    return this.#ragged ?? (isComplete ? this.#zeros : undefined)
  }
}

/** Checks an offset index against the batches of its segment, in their order. */
export class OffsetIndexCheck {
  readonly #entries: Entries
  readonly #baseOffset: number
  #problem: IndexProblem | undefined
  /** Entries whose position, and whose offset, were met. */
  #positions = 0
  #offsets = 0
  #largestBatch = 0
  #lastPosition = 0

  constructor(bytes: Uint8Array, baseOffset: number) {
    this.#entries = new Entries(bytes, offsetEntryBytes)
    this.#baseOffset = baseOffset
    for (let entry = 1; entry < this.#entries.count; entry++) {
      const rises =
        this.#offsetOf(entry) > this.#offsetOf(entry - 1) &&
        this.#positionOf(entry) > this.#positionOf(entry - 1)
      if (!rises) this.#fail(entry, 'is not above the one before it')
    }
  }

  batch({ position, size, baseOffset, lastOffset }: IndexedBatch): void {
    this.#lastPosition = position
    this.#largestBatch = Math.max(this.#largestBatch, size)
    for (; this.#has(this.#positions); this.#positions++) {
      const entry = this.#positions
      const points = this.#positionOf(entry)
      if (points > position) break
      if (points < position) this.#fail(entry, `points to ${points}, where no batch begins`)
      else if (this.#offsetOf(entry) < baseOffset) {
        this.#fail(entry, `has offset ${this.#offsetOf(entry)}, of a batch before`)
      }
    }
    for (; this.#has(this.#offsets); this.#offsets++) {
      const offset = this.#offsetOf(this.#offsets)
      if (offset > lastOffset) break
      if (offset < lastOffset)
        this.#fail(this.#offsets, `has offset ${offset}, which ends no batch`)
    }
  }

  /** The log has no readable batch up to there. */
  skip(position: number, offset: number): void {
    while (this.#has(this.#positions) && this.#positionOf(this.#positions) < position) {
      this.#positions++
    }
    while (this.#has(this.#offsets) && this.#offsetOf(this.#offsets) < offset) this.#offsets++
  }

  /** After the last batch: what is wrong first, in a segment whose indexes have to be complete or not. */
  end(isComplete: boolean): IndexProblem | undefined {
    const left = Math.min(this.#positions, this.#offsets)
    if (this.#has(left)) this.#fail(left, 'points behind the end of the segment')
    const found = this.#problem ?? this.#entries.problem(isComplete)
    if (found !== undefined || !isComplete) return found
    const { count } = this.#entries
    const covered = count === 0 ? 0 : this.#positionOf(count - 1)
    if (this.#lastPosition - covered <= maxUnindexedBytes + this.#largestBatch) return undefined
    const position = count * offsetEntryBytes
    return { position, what: `has no entry from byte ${covered} of the segment on` }
  }

  #has(entry: number): boolean {
    return this.#problem === undefined && entry < this.#entries.count
  }

  #offsetOf(entry: number): number {
    return this.#baseOffset + int32At(this.#entries.bytes, entry * offsetEntryBytes)
  }

  #positionOf(entry: number): number {
    return int32At(this.#entries.bytes, entry * offsetEntryBytes + 4)
  }

  #fail(entry: number, what: string): void {
    this.#problem ??= { position: entry * offsetEntryBytes, what: `entry ${entry} ${what}` }
  }
}

/** Checks a time index against the batches of its segment, in their order. */
export class TimeIndexCheck {
  readonly #entries: Entries
  readonly #baseOffset: number
  #problem: IndexProblem | undefined
  #met = 0
  #largest = -1
  /** Timestamps behind damage are not known. */
  #isExact = true

  constructor(bytes: Uint8Array, baseOffset: number) {
    this.#entries = new Entries(bytes, timeEntryBytes)
    this.#baseOffset = baseOffset
    for (let entry = 1; entry < this.#entries.count; entry++) {
      const rises =
        this.#timestampOf(entry) > this.#timestampOf(entry - 1) &&
        this.#offsetOf(entry) >= this.#offsetOf(entry - 1)
      if (!rises) this.#fail(entry, 'is not above the one before it')
    }
  }

  batch({ baseOffset, lastOffset, maxTimestamp }: IndexedBatch): void {
    this.#largest = Math.max(this.#largest, maxTimestamp)
    for (; this.#has(this.#met); this.#met++) {
      const offset = this.#offsetOf(this.#met)
      if (offset > lastOffset) return
      const timestamp = this.#timestampOf(this.#met)
      const isRight = this.#isExact ? timestamp === this.#largest : timestamp >= this.#largest
      if (offset < baseOffset) this.#fail(this.#met, `has offset ${offset}, of no batch`)
      else if (!isRight) {
        const what = `says ${timestamp}, and the records up to ${offset} have ${this.#largest}`
        this.#fail(this.#met, what)
      }
    }
  }

  /** The log has no readable batch below that offset. */
  skip(offset: number): void {
    this.#isExact = false
    while (this.#has(this.#met) && this.#offsetOf(this.#met) < offset) this.#met++
  }

  /** After the last batch. */
  end(isComplete: boolean): IndexProblem | undefined {
    if (this.#has(this.#met)) this.#fail(this.#met, 'points behind the end of the segment')
    const { count } = this.#entries
    // An entry of zeros is right for records that are as old as the clock.
    if (count === 0 && this.#largest === 0) return undefined
    const found = this.#problem ?? this.#entries.problem(isComplete)
    if (found !== undefined || !isComplete || !this.#isExact || this.#largest < 0) return found
    if (count > 0 && this.#timestampOf(count - 1) === this.#largest) return undefined
    const what = `does not have the largest timestamp, ${this.#largest}`
    return { position: count * timeEntryBytes, what }
  }

  #has(entry: number): boolean {
    return this.#problem === undefined && entry < this.#entries.count
  }

  #timestampOf(entry: number): number {
    return int64At(this.#entries.bytes, entry * timeEntryBytes)
  }

  #offsetOf(entry: number): number {
    return this.#baseOffset + int32At(this.#entries.bytes, entry * timeEntryBytes + 8)
  }

  #fail(entry: number, what: string): void {
    this.#problem ??= { position: entry * timeEntryBytes, what: `entry ${entry} ${what}` }
  }
}
