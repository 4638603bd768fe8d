/**
 * Of each key the newest offset, in memory that does not depend on the number of keys. Pure.
 *
 * A slot has 24 bytes: 128 bits of hash and the offset. Keys themselves are not kept, so two keys of
 * the same hash would be one; with 128 bits that does not happen by chance. A hash looks for its slot
 * from the one that its first word names onwards, until it finds itself or an empty one. When the
 * slots are filled to the load factor the map takes no further key, and the pass ends there.
 */
import { assert } from '../base/assert.ts'
import { murmur3 } from '../base/murmur3.ts'

/** What one slot takes. */
export const slotBytes = 24

const words = 4

/** Keys to offsets, by hash. */
export class OffsetMap {
  /** How many keys it takes. */
  readonly capacity: number
  #size = 0
  readonly #slots: number
  readonly #seed: number
  readonly #hashes: Int32Array
  /** The offset plus one: 0 is an empty slot. */
  readonly #ends: Float64Array
  readonly #hash = new Int32Array(words)

  /** Takes `slots` × 24 bytes at once. */
  constructor(slots: number, loadFactor: number, seed: number) {
    assert(slots >= 2, 'a map has slots')
    this.#slots = slots
    // One slot stays empty, so that every search ends.
    this.capacity = Math.max(1, Math.min(slots - 1, Math.floor(slots * loadFactor)))
    this.#seed = seed | 0
    this.#hashes = new Int32Array(slots * words)
    this.#ends = new Float64Array(slots)
  }

  /** Keys in it. */
  get size(): number {
    return this.#size
  }

  /** `bytes` from `start` to `end` is the key. False: it is new, and there is no room. */
  put(bytes: Uint8Array, start: number, end: number, offset: number): boolean {
    const slot = this.#find(bytes, start, end)
    if (this.#ends[slot] === 0) {
      if (this.#size === this.capacity) return false
      this.#hashes.set(this.#hash, slot * words)
      this.#size++
    }
    this.#ends[slot] = offset + 1
    return true
  }

  /** The offset that was put last; −1 for a key that never was. */
  get(bytes: Uint8Array, start: number, end: number): number {
    return this.#ends[this.#find(bytes, start, end)]! - 1
  }

  /** The slot of the key, or the empty one where it would be. */
  #find(bytes: Uint8Array, start: number, end: number): number {
    const hash = this.#hash
    murmur3(hash, bytes, start, end, this.#seed)
    let slot = (hash[0]! >>> 0) % this.#slots
    while (this.#ends[slot] !== 0 && !this.#isAt(slot * words)) {
      slot = slot + 1 === this.#slots ? 0 : slot + 1
    }
    return slot
  }

  #isAt(at: number): boolean {
    const hash = this.#hash
    const hashes = this.#hashes
    return (
      hashes[at] === hash[0] &&
      hashes[at + 1] === hash[1] &&
      hashes[at + 2] === hash[2] &&
      hashes[at + 3] === hash[3]
    )
  }
}

/** Slots for at most `keys` keys, within `maxBytes`. */
export function slotsFor(keys: number, loadFactor: number, maxBytes: number): number {
  const wanted = Math.ceil(keys / loadFactor) + 2
  return Math.max(2, Math.min(wanted, Math.floor(maxBytes / slotBytes)))
}
