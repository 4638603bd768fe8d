/**
 * Reads the primitive types of the protocol from one frame.
 *
 * A frame is hostile: every read is bounded by the frame's end, and no memory is taken for a count
 * that the rest of the frame cannot hold. All failures are DecodeErrors. Compiled decoders call
 * `take` for runs of fixed-size fields and read them from `view` themselves.
 */
import { Buffer, isUtf8 } from 'node:buffer'
import { internedAscii, internedUuid, longestInterned } from './interned.ts'

/** A frame that is not what its message's declaration says: malformed, truncated or over-long. */
export class DecodeError extends Error {
  constructor(problem: string) {
    super(problem)
    this.name = 'DecodeError'
  }
}

/**
 * Strings, byte fields and structs in all arrays of one message. A byte of a frame may stand for an
 * object of a hundred bytes in memory; this bounds what a frame of the largest legal size can take.
 */
export const maxElements = 1_000_000

const noBytes = new Uint8Array(0)

/** Elements that may have no bytes at all: then only this bounds their count. */
const maxEmptyElements = 4096

const { utf8Slice } = Buffer.prototype as unknown as {
  utf8Slice(this: Uint8Array, start: number, end: number): string
}

/** A position in a frame. */
export class Reader {
  readonly bytes: Uint8Array
  readonly view: DataView
  /** Next byte to read. */
  position: number
  /** Exclusive. */
  readonly end: number
  #elements = 0

  constructor(bytes: Uint8Array, offset = 0) {
    this.bytes = bytes
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.position = offset
    this.end = bytes.length
  }

  /** Moves over `length` bytes and returns where they start. */
  take(length: number): number {
    const start = this.position
    if (length > this.end - start) throw truncated(length, this.end - start)
    this.position = start + length
    return start
  }

  /** The int64 at `at`, which `take` has checked, as a number. */
  safeInt64(at: number): number {
    const high = this.view.getInt32(at)
    const value = high * 4294967296 + this.view.getUint32(at + 4)
    if (high > 0x1fffff || high < -0x200000 || value === -9007199254740992) {
      throw new DecodeError(`int64 ${this.view.getBigInt64(at)} is not within ±(2^53-1)`)
    }
    return value
  }

  /** As `safeInt64`, but moved to the nearest safe integer instead of refused. */
  clampedInt64(at: number): number {
    const value = this.view.getInt32(at) * 4294967296 + this.view.getUint32(at + 4)
    return Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, value))
  }

  /** An unsigned varint of at most 32 bits in at most 5 bytes. */
  uvarint(): number {
    const { bytes, end } = this
    let position = this.position
    if (position >= end) throw truncated(1, 0)
    let byte = bytes[position++] as number
    if (byte < 0x80) {
      this.position = position
      return byte
    }
    let value = byte & 0x7f
    for (let shift = 7; shift <= 28; shift += 7) {
      if (position >= end) throw truncated(1, 0)
      byte = bytes[position++] as number
      if (shift === 28 && byte > 0x0f) break
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) {
        this.position = position
        return value >>> 0
      }
    }
    throw new DecodeError('an unsigned varint is longer than 32 bits')
  }

  /** A length or count, in the compact form (plus one, as a varint) or the old; −1: null. */
  int16Length(): number {
    return this.view.getInt16(this.take(2))
  }

  int32Length(): number {
    return this.view.getInt32(this.take(4))
  }

  compactLength(): number {
    return this.uvarint() - 1
  }

  /**
   * UTF-8 of `length` bytes. Malformed UTF-8 is refused, as two names could become one if it were
   * replaced; `lenient` replaces it.
   */
  text(length: number, malformed: 'refused' | 'lenient' = 'refused'): string {
    if (length < 0) throw nullRefused(length)
    if (length > 0x7fff) throw new DecodeError(`a string has ${length} bytes, more than 32767`)
    const start = this.take(length)
    const end = start + length
    const { bytes } = this
    if (length <= longestInterned) {
      const known = internedAscii(bytes, start, end)
      if (known !== undefined) return known
    }
    const text = utf8Slice.call(bytes, start, end)
    if (malformed === 'refused' && text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) {
      throw new DecodeError('a string is not valid UTF-8')
    }
    return text
  }

  /** A view of the next `length` bytes; no copy. */
  slice(length: number): Uint8Array {
    if (length <= 0) {
      if (length < 0) throw nullRefused(length)
      return noBytes
    }
    const start = this.take(length)
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, length)
  }

  /** The uuid at `at`, which `take` has checked. */
  uuid(at: number): string {
    return internedUuid(this.view, at)
  }

  /**
   * Checks the count of an array whose elements have at least `elementBytes` each; `objects` says
   * that they count against `maxElements`.
   */
  count(count: number, elementBytes: number, objects: boolean): number {
    if (count < 0) throw nullRefused(count)
    const most =
      elementBytes === 0 ? maxEmptyElements : Math.floor((this.end - this.position) / elementBytes)
    if (count > most) throw new DecodeError(`an array of ${count} elements, room for ${most}`)
    if (objects && (this.#elements += count) > maxElements) {
      throw new DecodeError(`more than ${maxElements} array elements in one message`)
    }
    return count
  }

  /** Of a nullable struct: whether it is there. */
  presence(): boolean {
    const byte = this.view.getInt8(this.take(1))
    if (byte !== 1 && byte !== -1) {
      throw new DecodeError(`a nullable struct starts with ${byte}, not 1 or -1`)
    }
    return byte === 1
  }

  /** A tagged section with nothing that is known. */
  skipTags(): void {
    const count = this.uvarint()
    let previous = -1
    for (let i = 0; i < count; i++) {
      previous = this.tag(previous)
      this.take(this.uvarint())
    }
  }

  /** The next tag, which must be greater than the one before it. */
  tag(previous: number): number {
    const tag = this.uvarint()
    if (tag <= previous) throw new DecodeError(`tag ${tag} follows tag ${previous}`)
    return tag
  }

  /** Of a known tagged field: the size, as the position where it must end. */
  tagEnd(): number {
    const size = this.uvarint()
    if (size > this.end - this.position) throw truncated(size, this.end - this.position)
    return this.position + size
  }

  /** After a known tagged field: its size must be what it took. */
  endTag(tag: number, end: number): void {
    if (this.position !== end) {
      throw new DecodeError(`tag ${tag} is ${this.position - end} bytes longer than it says`)
    }
  }

  /** Nothing may follow. */
  finish(): void {
    if (this.position !== this.end) {
      throw new DecodeError(`${this.end - this.position} bytes follow the message`)
    }
  }
}

function truncated(wanted: number, left: number): DecodeError {
  return new DecodeError(`${wanted} bytes are wanted where ${left} are left`)
}

function nullRefused(length: number): DecodeError {
  if (length === -1) return new DecodeError('null in a field that cannot be null')
  return new DecodeError(`a length of ${length}`)
}
