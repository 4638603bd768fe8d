/**
 * The newest batches of all logs of a directory, in memory. A log adds each batch when it is given
 * its offset; the oldest batch of any log goes first when the budget is spent, and each goes when
 * it is old: who is so late that it is gone reads from the file. What is appended is copied into slabs,
 * from which it is written to the file, too; a read of the tail copies nothing.
 */
import { type Slab, type SlabPart, Slabs } from '../base/slabs.ts'

/** A batch with its place in the log. `endOffset` is exclusive. */
export interface StoredBatch {
  readonly bytes: Uint8Array
  readonly baseOffset: number
  readonly endOffset: number
  readonly maxTimestamp: number
  /** Whom its bytes belong to, when that is to be told when they are not needed any more. */
  readonly slab?: Slab | undefined
}

/** Batches of up to a megabyte, as most clients have them at most, fill it well. */
const maxSlabBytes = 4 * 1024 * 1024
const minSlabBytes = 1024

/** Of which a cache of so many bytes consists; where there is none, of what is read from files. */
export function slabBytesFor(cacheBytes: number): number {
  if (cacheBytes === 0) return maxSlabBytes
  return Math.min(maxSlabBytes, Math.max(minSlabBytes, Math.floor(cacheBytes / 16)))
}

/** The memory that all tails of a directory share. */
export class TailCache {
  readonly #maxBytes: number
  readonly #slabs: Slabs
  #bytes = 0
  /** Of all that ever came, how many are gone, and how many had come when old ones last went. */
  #gone = 0
  #comeBefore = 0
  /** In order of arrival. A batch that its tail forgot stays, and counts, until its turn comes. */
  readonly #arrivals = new Queue<{ readonly tail: Tail; readonly batch: StoredBatch }>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#slabs = new Slabs(slabBytesFor(maxBytes), maxBytes)
  }

  /** A copy of what is to be appended, held for the caller. */
  keep(bytes: Uint8Array): SlabPart {
    return this.#slabs.keep(bytes)
  }

  get bytes(): number {
    return this.#bytes
  }

  /** The tail of one more log. */
  tail(): Tail {
    return new Tail(this)
  }

  /** For Tail: counts a batch that it has now, and lets the oldest go. */
  added(tail: Tail, batch: StoredBatch): void {
    batch.slab?.hold()
    this.#bytes += batch.bytes.length
    this.#arrivals.push({ tail, batch })
    while (this.#bytes > this.#maxBytes && this.#dropOldest());
  }

  /** Lets go what was there already at the last call. */
  dropOld(): void {
    while (this.#gone < this.#comeBefore && this.#dropOldest());
    this.#comeBefore = this.#gone + this.#arrivals.length
    this.#slabs.trim()
  }

  #dropOldest(): boolean {
    const oldest = this.#arrivals.shift()
    if (oldest === undefined) return false
    this.#gone++
    this.#bytes -= oldest.batch.bytes.length
    oldest.tail.dropOldest(oldest.batch)
    oldest.batch.slab?.release()
    return true
  }
}

/** The newest batches of one log, without gaps in their offsets. */
export class Tail {
  readonly #cache: TailCache
  #batches = noBatches

  constructor(cache: TailCache) {
    this.#cache = cache
  }

  add(batch: StoredBatch): void {
    const newest = this.#batches.at(this.#batches.length - 1)
    if (newest !== undefined && newest.endOffset !== batch.baseOffset) this.clear()
    if (this.#batches.length === 0) this.#batches = new Queue()
    this.#batches.push(batch)
    this.#cache.added(this, batch)
  }

  /**
   * Whole batches from the one that holds `offset`, all below `end`, at most `maxBytes`, or the
   * first one alone when it is larger and `atLeastOneBatch`. Their slabs are held for the caller.
   * Undefined when the tail begins later.
   */
  read(
    offset: number,
    end: number,
    maxBytes: number,
    atLeastOneBatch: boolean,
  ): { chunks: Uint8Array[]; bytes: number; slabs: Slab[] } | undefined {
    const first = this.#find(offset)
    if (first === undefined) return undefined
    const chunks: Uint8Array[] = []
    const slabs: Slab[] = []
    let bytes = 0
    for (let index = first; index < this.#batches.length; index++) {
      const batch = this.#batches.at(index)!
      const isForced = index === first && atLeastOneBatch
      if (batch.endOffset > end) break
      if (bytes + batch.bytes.length > maxBytes && !isForced) break
      chunks.push(batch.bytes)
      bytes += batch.bytes.length
      if (batch.slab === undefined || batch.slab === slabs.at(-1)) continue
      batch.slab.hold()
      slabs.push(batch.slab)
    }
    return { chunks, bytes, slabs }
  }

  /** Forgets all batches that end above `offset`. */
  truncate(offset: number): void {
    for (;;) {
      const newest = this.#batches.at(this.#batches.length - 1)
      if (newest === undefined || newest.endOffset <= offset) break
      this.#batches.pop()
    }
    this.#dropQueue()
  }

  /** Forgets all batches that begin below `offset`. */
  forgetBelow(offset: number): void {
    while ((this.#batches.at(0)?.baseOffset ?? offset) < offset) this.#batches.shift()
    this.#dropQueue()
  }

  clear(): void {
    this.truncate(-1)
  }

  /** For TailCache: lets `batch` go if it is still here. */
  dropOldest(batch: StoredBatch): void {
    if (this.#batches.at(0) === batch) this.#batches.shift()
    this.#dropQueue()
  }

  #dropQueue(): void {
    if (this.#batches.length === 0) this.#batches = noBatches
  }

  /** The index of the batch that holds `offset`. */
  #find(offset: number): number | undefined {
    const oldest = this.#batches.at(0)
    if (oldest === undefined || offset < oldest.baseOffset) return undefined
    let low = 0
    let high = this.#batches.length
    while (low < high) {
      const middle = (low + high) >>> 1
      if (this.#batches.at(middle)!.endOffset <= offset) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** First in, first out, with access by index; the space in front is given back now and then. */
class Queue<T> {
  #items: (T | undefined)[] = []
  #head = 0

  get length(): number {
    return this.#items.length - this.#head
  }

  at(index: number): T | undefined {
    return this.#items[this.#head + index]
  }

  push(item: T): void {
    this.#items.push(item)
  }

  pop(): void {
    if (this.length > 0) this.#items.pop()
  }

  shift(): T | undefined {
    const item = this.at(0)
    if (this.length === 0) return undefined
    this.#items[this.#head++] = undefined
    if (this.#head > 1024 && this.#head * 2 > this.#items.length) {
      this.#items = this.#items.slice(this.#head)
      this.#head = 0
    }
    return item
  }
}

/** Of tails without any, which are many; nothing is put into it. */
const noBatches = new Queue<StoredBatch>()
