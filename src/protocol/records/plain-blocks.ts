/**
 * Blocks of snappy and lz4, expanded without a library: for readers where there is none, as in a
 * bundle that was copied somewhere by itself. What others have compressed can be read everywhere;
 * who compresses chooses how, and can choose what is there.
 *
 * Both formats are literals and matches: bytes as they are, and "again what came `distance` bytes
 * before". A block is malformed in as many ways as these can point outside.
 */
import { CodecError } from './codec.ts'

/** What a block consists of, in order. */
export interface Sequences {
  /** The next `length` bytes lie in the block at `from`. */
  literals(from: number, length: number): void
  /** The next `length` bytes are those `distance` before them. */
  match(distance: number, length: number): void
}

/** Expands a snappy block, which says itself that it has `length` bytes. Throws CodecError. */
export function expandSnappyBlock(block: Uint8Array, length: number): Uint8Array {
  const output = new Expansion(block, length)
  walkSnappyBlock(block, output)
  return output.finished()
}

/** Expands an lz4 block of `length` bytes. Throws CodecError. */
export function expandLz4Block(block: Uint8Array, length: number): Uint8Array {
  const output = new Expansion(block, length)
  walkLz4Block(block, output)
  return output.finished()
}

class Expansion implements Sequences {
  readonly #block: Uint8Array
  readonly #output: Uint8Array
  #end = 0

  constructor(block: Uint8Array, length: number) {
    this.#block = block
    this.#output = new Uint8Array(length)
  }

  literals(from: number, length: number): void {
    this.#takeRoom(length)
    this.#output.set(this.#block.subarray(from, from + length), this.#end)
    this.#end += length
  }

  match(distance: number, length: number): void {
    this.#takeRoom(length)
    if (distance === 0 || distance > this.#end) throw new CodecError('a block points before itself')
    const output = this.#output
    const end = this.#end + length
    if (distance >= length) {
      output.copyWithin(this.#end, this.#end - distance, end - distance)
    } else {
      for (let at = this.#end; at < end; at++) output[at] = output[at - distance]!
    }
    this.#end = end
  }

  finished(): Uint8Array {
    if (this.#end < this.#output.length)
      throw new CodecError('a block expands to less than it says')
    return this.#output
  }

  #takeRoom(length: number): void {
    if (length > this.#output.length - this.#end) {
      throw new CodecError('a block expands to more than it says')
    }
  }
}

/**
 * Behind the length, elements. The lower bits of a tag tell which: 0 literals, whose length less one is
 * in the tag or in 1 to 4 bytes behind it; 1 a match of 4 to 11 bytes with a distance of 11 bits; 2 and
 * 3 one of up to 64 bytes with a distance of 16 or 32 bits.
 */
function walkSnappyBlock(block: Uint8Array, sequences: Sequences): void {
  let position = 0
  while (block[position]! >= 0x80) position++
  position++
  while (position < block.length) {
    const tag = block[position++]!
    const kind = tag & 3
    if (kind === 0) {
      let length = (tag >> 2) + 1
      if (length > 60) {
        const bytes = length - 60
        length = littleEndian(block, position, bytes) + 1
        position += bytes
      }
      if (length > block.length - position) throw new CodecError('a block ends within literals')
      sequences.literals(position, length)
      position += length
    } else if (kind === 1) {
      const distance = ((tag >> 5) << 8) | littleEndian(block, position, 1)
      sequences.match(distance, 4 + ((tag >> 2) & 7))
      position += 1
    } else {
      const bytes = kind === 2 ? 2 : 4
      sequences.match(littleEndian(block, position, bytes), (tag >> 2) + 1)
      position += bytes
    }
  }
}

/**
 * Each sequence is a token (two 4-bit lengths, 15 means more bytes follow), literals, a 2-byte
 * distance; the last one ends behind its literals.
 */
export function walkLz4Block(block: Uint8Array, sequences: Sequences): void {
  let position = 0
  const more = (start: number): number => {
    let length = start
    let byte: number
    do {
      if (position >= block.length) throw new CodecError('a block ends within a length')
      byte = block[position++]!
      length += byte
    } while (byte === 255)
    return length
  }
  while (position < block.length) {
    const token = block[position++]!
    let literals = token >> 4
    if (literals === 15) literals = more(literals)
    if (literals > block.length - position) throw new CodecError('a block ends within literals')
    sequences.literals(position, literals)
    position += literals
    if (position === block.length) return
    const distance = littleEndian(block, position, 2)
    position += 2
    let match = (token & 0x0f) + 4
    if (match === 19) match = more(match)
    sequences.match(distance, match)
  }
  throw new CodecError('a block ends without literals')
}

function littleEndian(bytes: Uint8Array, position: number, count: number): number {
  if (count > bytes.length - position) throw new CodecError('a block ends within a number')
  let value = 0
  for (let index = count - 1; index >= 0; index--) value = value * 256 + bytes[position + index]!
  return value
}
