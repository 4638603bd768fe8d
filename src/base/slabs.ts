/**
 * Memory that is used again. V8 counts the memory of buffers as growth of its heap, whoever it is for,
 * and collects garbage when enough has come: what goes through a broker must not be new memory each time.
 *
 * Bytes lie one after another in slabs. A slab counts who holds it, and is used again when nobody does;
 * one that somebody forgot to release is garbage like anything else.
 */
import { assert } from './assert.ts'

/** Bytes in a slab: as long as it is held they stay as they are. */
export class Slab {
  readonly bytes: Uint8Array
  readonly #owner: Slabs | undefined
  #holders = 1
  /** For Slabs: where it is not taken yet. */
  end = 0

  /** Held once. Without an owner it is used only once. */
  constructor(bytes: Uint8Array, owner: Slabs | undefined) {
    this.bytes = bytes
    this.#owner = owner
  }

  hold(): void {
    assert(this.#holders > 0, 'a slab is held by who has it from a holder')
    this.#holders++
  }

  /** Once for each `hold`, and once by who got it. */
  release(): void {
    assert(this.#holders > 0, 'a slab is released once by each holder')
    this.#holders--
    if (this.#holders === 0) this.#owner?.takeBack(this)
  }

  /** Nobody holds it but who got it first. */
  get isOnlyOwned(): boolean {
    return this.#holders === 1
  }

  /** For Slabs. */
  reuse(): void {
    this.#holders = 1
    this.end = 0
  }
}

/** Some bytes, and the slab that they are in: held once for who gets this. */
export interface SlabPart {
  readonly bytes: Uint8Array
  readonly slab: Slab
}

/** Slabs of one size. */
export class Slabs {
  readonly #slabBytes: number
  readonly #maxFree: number
  readonly #free: Slab[] = []
  /** The fewest that were free since the last `trim`. */
  #fewestFree = 0
  /** Held once by this. */
  #current: Slab | undefined

  /** `slabBytes` each; of those that nobody holds at most `maxFreeBytes` are kept. */
  constructor(slabBytes: number, maxFreeBytes: number) {
    this.#slabBytes = slabBytes
    this.#maxFree = Math.floor(maxFreeBytes / slabBytes)
  }

  /** `length` bytes with anything in them. What is larger than a slab has memory of its own. */
  take(length: number): SlabPart {
    if (length > this.#slabBytes) {
      const bytes = Buffer.allocUnsafeSlow(length)
      return { bytes, slab: new Slab(bytes, undefined) }
    }
    if (this.#current === undefined || this.#current.end + length > this.#slabBytes) {
      const full = this.#current
      this.#current = undefined
      full?.release()
      this.#current = this.#next()
    }
    const slab = this.#current
    const bytes = slab.bytes.subarray(slab.end, slab.end + length)
    slab.end += length
    slab.hold()
    return { bytes, slab }
  }

  /** A copy. */
  keep(bytes: Uint8Array): SlabPart {
    const part = this.take(bytes.length)
    part.bytes.set(bytes)
    return part
  }

  /** Lets go what nobody needed since the last call. */
  trim(): void {
    this.#free.length -= this.#fewestFree
    this.#fewestFree = this.#free.length
    const isUnused = this.#current?.isOnlyOwned ?? false
    if (isUnused) this.#current = undefined
  }

  /** For Slab. */
  takeBack(slab: Slab): void {
    if (this.#free.length < this.#maxFree) this.#free.push(slab)
  }

  #next(): Slab {
    const free = this.#free.pop()
    this.#fewestFree = Math.min(this.#fewestFree, this.#free.length)
    if (free === undefined) return new Slab(Buffer.allocUnsafeSlow(this.#slabBytes), this)
    free.reuse()
    return free
  }
}
