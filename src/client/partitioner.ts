/**
 * The hash by which Kafka's Java client chooses the partition of a key: MurmurHash2, 32 bits. Using
 * the same one keeps the records of a key together whoever writes them.
 */
export function murmur2(bytes: Uint8Array): number {
  const { length } = bytes
  let hash = 0x9747b28c ^ length
  let at = 0
  for (; at + 4 <= length; at += 4) {
    const word =
      bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)
    let mixed = Math.imul(word, multiplier)
    mixed ^= mixed >>> 24
    hash = Math.imul(hash, multiplier) ^ Math.imul(mixed, multiplier)
  }
  if (at < length) {
    for (let rest = length - 1; rest >= at; rest--) hash ^= bytes[rest]! << (8 * (rest - at))
    hash = Math.imul(hash, multiplier)
  }
  hash ^= hash >>> 13
  hash = Math.imul(hash, multiplier)
  return hash ^ (hash >>> 15)
}

const multiplier = 0x5bd1e995

/** The partition of a key among `count`. */
export function partitionOfKey(key: Uint8Array, count: number): number {
  return (murmur2(key) & 0x7fffffff) % count
}
