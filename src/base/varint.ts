/**
 * Zigzag varints, as in Kafka's records: seven bits a byte, low ones first, the top bit says that
 * more follow. A varint (32 bits) has at most five bytes, a varlong (64 bits) at most ten.
 */

/** The bytes are not what they claim to be: cut short, or a varint that does not end. */
export class VarintError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'VarintError'
  }
}

/** Reads forward through `bytes`, never past `end` (exclusive). Every method throws VarintError. */
export class VarintCursor {
  readonly bytes: Uint8Array
  position: number
  readonly end: number

  constructor(bytes: Uint8Array, position = 0, end = bytes.length) {
    this.bytes = bytes
    this.position = position
    this.end = end
  }

  /** One byte, unsigned. */
  byte(): number {
    if (this.position >= this.end) throw new VarintError('the bytes end early')
    return this.bytes[this.position++]!
  }

  /** A signed 32-bit number. Bits beyond the 32nd are dropped, as Kafka does. */
  varint(): number {
    let byte = this.byte()
    if (byte < 0x80) return (byte >>> 1) ^ -(byte & 1)
    let value = byte & 0x7f
    for (let shift = 7; shift < 35; shift += 7) {
      byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
    throw new VarintError('a varint is longer than five bytes')
  }

  /** A signed 64-bit number; also throws when it is outside ±(2⁵³−1). */
  varlong(): number {
    const start = this.position
    let value = 0
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return (value >>> 1) ^ -(value & 1)
    }
    this.position = start
    return this.#longVarlong()
  }

  #longVarlong(): number {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = this.byte()
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) {
        const raw = BigInt.asUintN(64, value)
        const signed = Number((raw >> 1n) ^ -(raw & 1n))
        if (!Number.isSafeInteger(signed)) throw new VarintError('a varlong is beyond 2⁵³')
        return signed
      }
    }
    throw new VarintError('a varlong is longer than ten bytes')
  }

  /** Steps over `length` bytes (≥ 0) and says where they start. */
  skip(length: number): number {
    const start = this.position
    if (length > this.end - start) throw new VarintError('the bytes end early')
    this.position = start + length
    return start
  }
}

/** Bytes that a signed 32-bit number takes: 1 to 5. */
export function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  if (zigzag < 2 ** 7) return 1
  if (zigzag < 2 ** 14) return 2
  if (zigzag < 2 ** 21) return 3
  return zigzag < 2 ** 28 ? 4 : 5
}

/** Bytes that a safe integer takes as a varlong: 1 to 8. */
export function varlongSize(value: number): number {
  // −1 − value < 0 ⇔ the sign; a number of magnitude m in zigzag needs one bit more than m.
  let rest = value < 0 ? -1 - value : value
  let size = 1
  for (rest = Math.floor(rest / 64); rest > 0; rest = Math.floor(rest / 128)) size++
  return size
}

/** Writes a signed 32-bit number and returns the position after it. */
export function writeVarint(bytes: Uint8Array, position: number, value: number): number {
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 0x7f) {
    bytes[position++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  bytes[position] = rest
  return position + 1
}

/** Writes a safe integer as a varlong and returns the position after it. */
export function writeVarlong(bytes: Uint8Array, position: number, value: number): number {
  const isNegative = value < 0
  let rest = isNegative ? -1 - value : value
  // The first byte takes six bits of magnitude and the sign, each later one seven bits.
  let byte = ((rest % 64) << 1) | (isNegative ? 1 : 0)
  rest = Math.floor(rest / 64)
  while (rest > 0) {
    bytes[position++] = byte | 0x80
    byte = rest % 128
    rest = Math.floor(rest / 128)
  }
  bytes[position] = byte
  return position + 1
}
