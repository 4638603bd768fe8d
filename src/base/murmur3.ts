/**
 * MurmurHash3, the 128-bit form for 32-bit machines: four words that JavaScript multiplies without
 * leaving integers. Not for secrets: who knows the seed can make collisions.
 */

/** Writes the hash of `bytes` from `start` to `end` (exclusive) into `into`, four words. */
export function murmur3(
  into: Int32Array,
  bytes: Uint8Array,
  start: number,
  end: number,
  seed: number,
): void {
  let h1 = seed
  let h2 = seed
  let h3 = seed
  let h4 = seed
  const length = end - start
  const tail = end - (length & 15)
  for (let at = start; at < tail; at += 16) {
    h1 = (rotated(h1 ^ mixed(wordAt(bytes, at), c1, 15, c2), 19) + h2) | 0
    h1 = (Math.imul(h1, 5) + 0x561ccd1b) | 0
    h2 = (rotated(h2 ^ mixed(wordAt(bytes, at + 4), c2, 16, c3), 17) + h3) | 0
    h2 = (Math.imul(h2, 5) + 0x0bcaa747) | 0
    h3 = (rotated(h3 ^ mixed(wordAt(bytes, at + 8), c3, 17, c4), 15) + h4) | 0
    h3 = (Math.imul(h3, 5) + 0x96cd1c35) | 0
    h4 = (rotated(h4 ^ mixed(wordAt(bytes, at + 12), c4, 18, c1), 13) + h1) | 0
    h4 = (Math.imul(h4, 5) + 0x32ac3b17) | 0
  }
  h1 ^= mixed(partAt(bytes, tail, end), c1, 15, c2)
  h2 ^= mixed(partAt(bytes, tail + 4, end), c2, 16, c3)
  h3 ^= mixed(partAt(bytes, tail + 8, end), c3, 17, c4)
  h4 ^= mixed(partAt(bytes, tail + 12, end), c4, 18, c1)
  finish(into, h1 ^ length, h2 ^ length, h3 ^ length, h4 ^ length)
}

const c1 = 0x239b961b
const c2 = 0xab0e9789
const c3 = 0x38b34ae5
const c4 = 0xa1e38b93

function finish(into: Int32Array, h1: number, h2: number, h3: number, h4: number): void {
  const first = (h1 + h2 + h3 + h4) | 0
  const a = avalanched(first)
  const b = avalanched((h2 + first) | 0)
  const c = avalanched((h3 + first) | 0)
  const d = avalanched((h4 + first) | 0)
  const sum = (a + b + c + d) | 0
  into[0] = sum
  into[1] = b + sum
  into[2] = c + sum
  into[3] = d + sum
}

function mixed(word: number, before: number, bits: number, after: number): number {
  return Math.imul(rotated(Math.imul(word, before), bits), after)
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits))
}

function avalanched(word: number): number {
  let hash = Math.imul(word ^ (word >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return hash ^ (hash >>> 16)
}

/** Little-endian, four bytes. */
function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
}

/** Little-endian, as many of four bytes as lie before `end`; 0 without any. */
function partAt(bytes: Uint8Array, at: number, end: number): number {
  let word = 0
  for (let index = Math.min(at + 4, end) - 1; index >= at; index--) {
    word = (word << 8) | bytes[index]!
  }
  return word
}
