/**
 * Writes the primitive types of the protocol into a list of chunks.
 *
 * Small things go one after the other into a slab; a large piece of bytes becomes a chunk of its
 * own, referenced and not copied, so a Fetch answer carries what was read from the log as it is. A
 * slab is given away in slices and never written again where it was given away. There is one
 * writer, as encoding never waits. Within a tagged field everything is copied, as the field's size,
 * known afterwards, stands in front of it.
 */
import { Buffer } from 'node:buffer'
import type { ByteSource } from './schema.ts'

/** A value that its message cannot carry in that version: a fault of the caller, never the peer's. */
export class EncodeError extends Error {
  constructor(problem: string) {
    super(problem)
    this.name = 'EncodeError'
  }
}

const slabBytes = 65_536

/** A message does not start in a slab that has less than this left. */
const leastRoom = 1024

/** Bytes of at least this length are referenced. */
const referencedBytes = 512

/** Up to this length a loop over the characters beats a call into the runtime. */
const shortText = 48

const { utf8Write } = Buffer.prototype as unknown as {
  utf8Write(this: Uint8Array, text: string, offset: number, length: number): number
}

/** Values of base64url digits by character code; 255: not one. */
const digits = new Uint8Array(128).fill(255)
for (const [value, digit] of [
  ...'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_',
].entries()) {
  digits[digit.charCodeAt(0)] = value
}

/** A growing message. `begin`, then writes, then `finish`. */
export class Writer {
  bytes = new Uint8Array(slabBytes)
  view = new DataView(this.bytes.buffer)
  /** Next byte to write. */
  position = 0
  /** First byte not yet in a chunk. */
  #start = 0
  #chunks: Uint8Array[] = []
  /** Bytes in chunks. */
  #chunkBytes = 0
  /** Open tagged fields: their content must stay in one piece. */
  #openTags = 0

  /** Starts a message; forgets one that failed. */
  begin(): void {
    this.#chunks = []
    this.#chunkBytes = 0
    this.#openTags = 0
    if (this.bytes.length - this.position < leastRoom) this.#newSlab(slabBytes)
    this.#start = this.position
  }

  /** The whole message. */
  finish(): Uint8Array[] {
    this.#cut()
    return this.#chunks
  }

  /** Bytes written since `begin`. */
  get size(): number {
    return this.#chunkBytes + this.position - this.#start
  }

  /** Makes room for `length` bytes, moves over them and returns where they start. */
  reserve(length: number): number {
    if (length > this.bytes.length - this.position) this.#grow(length)
    const at = this.position
    this.position = at + length
    return at
  }

  setInt64(at: number, value: number | bigint, path: string): void {
    if (typeof value === 'number') {
      if (!Number.isSafeInteger(value)) refuse(path, value)
      this.view.setInt32(at, Math.floor(value / 4294967296))
      this.view.setUint32(at + 4, value >>> 0)
      return
    }
    if (typeof value !== 'bigint' || BigInt.asIntN(64, value) !== value) refuse(path, value)
    this.view.setBigInt64(at, value)
  }

  setUuid(at: number, uuid: string, path: string): void {
    if (typeof uuid !== 'string' || uuid.length !== 22) refuse(path, uuid)
    const { bytes } = this
    let bits = 0
    let held = 0
    let next = at
    let invalid = 0
    for (let i = 0; i < 22; i++) {
      const digit = digits[uuid.charCodeAt(i)] ?? 255
      invalid |= digit & 0x80
      bits = ((bits << 6) | digit) & 0x3fff
      held += 6
      if (held >= 8) {
        held -= 8
        bytes[next++] = bits >>> held
      }
    }
    // The last digit has four bits to spare; only zeros there read back as the same text.
    if (invalid !== 0 || (bits & 0x0f) !== 0) refuse(path, uuid)
  }

  uvarint(value: number): void {
    if (value < 0x80) {
      const at = this.reserve(1)
      this.bytes[at] = value
      return
    }
    this.#setUvarint(this.reserve(uvarintBytes(value)), value)
  }

  /** Length in the old form, int16, and UTF-8. */
  string(text: string, path: string): void {
    if (typeof text !== 'string') refuse(path, text)
    const at = this.reserve(2 + text.length * 3)
    const length = this.#setText(at + 2, text)
    if (length > 0x7fff) refuse(path, `${length} bytes of text`)
    this.view.setInt16(at, length)
    this.position = at + 2 + length
  }

  /** Length + 1 as a varint, and UTF-8. */
  compactString(text: string, path: string): void {
    if (typeof text !== 'string') refuse(path, text)
    const expected = uvarintBytes(text.length + 1)
    const at = this.reserve(text.length * 3 + 3)
    const length = this.#setText(at + expected, text)
    if (length > 0x7fff) refuse(path, `${length} bytes of text`)
    const needed = uvarintBytes(length + 1)
    if (needed !== expected) {
      this.bytes.copyWithin(at + needed, at + expected, at + expected + length)
    }
    this.#setUvarint(at, length + 1)
    this.position = at + needed + length
  }

  /** A length or count in one of its forms; −1: null. */
  int16Length(length: number): void {
    const at = this.reserve(2)
    this.view.setInt16(at, length)
  }

  int32Length(length: number): void {
    const at = this.reserve(4)
    this.view.setInt32(at, length)
  }

  compactLength(length: number): void {
    this.uvarint(length + 1)
  }

  /** int32 length and content. */
  byteField(source: ByteSource, path: string): void {
    this.int32Length(lengthOf(source, path))
    this.#content(source)
  }

  /** Length + 1 as a varint, and content. */
  compactByteField(source: ByteSource, path: string): void {
    this.compactLength(lengthOf(source, path))
    this.#content(source)
  }

  /** Before a nullable struct. */
  presence(present: boolean): void {
    const at = this.reserve(1)
    this.bytes[at] = present ? 1 : 0xff
  }

  /** Starts the content of a tagged field; `closeTag` wants the answer. */
  openTag(tag: number): number {
    this.uvarint(tag)
    // What was written so far must not be a chunk of its own once positions are remembered.
    this.#openTags++
    this.reserve(1)
    return this.position - this.#start
  }

  closeTag(mark: number): void {
    const length = this.position - this.#start - mark
    const more = uvarintBytes(length) - 1
    if (more > 0) {
      this.reserve(more)
      const content = this.#start + mark
      this.bytes.copyWithin(content + more, content, content + length)
    }
    this.#setUvarint(this.#start + mark - 1, length)
    this.#openTags--
  }

  #content(source: ByteSource): void {
    if (source instanceof Uint8Array) this.#piece(source)
    else for (const piece of source) this.#piece(piece)
  }

  #piece(piece: Uint8Array): void {
    if (piece.length >= referencedBytes && this.#openTags === 0) {
      this.#cut()
      this.#chunks.push(piece)
      this.#chunkBytes += piece.length
      return
    }
    // `reserve` may change `this.bytes`.
    const at = this.reserve(piece.length)
    this.bytes.set(piece, at)
  }

  /** Makes a chunk of what was written since the last one. */
  #cut(): void {
    if (this.position === this.#start) return
    this.#chunks.push(this.bytes.subarray(this.#start, this.position))
    this.#chunkBytes += this.position - this.#start
    this.#start = this.position
  }

  #grow(length: number): void {
    if (this.#openTags === 0) {
      this.#cut()
      this.#newSlab(Math.max(slabBytes, length))
      return
    }
    const written = this.bytes.subarray(this.#start, this.position)
    this.#newSlab(Math.max(slabBytes, 2 * (written.length + length)))
    this.bytes.set(written)
    this.position = written.length
  }

  #newSlab(length: number): void {
    this.bytes = new Uint8Array(length)
    this.view = new DataView(this.bytes.buffer)
    this.position = 0
    this.#start = 0
  }

  /** Writes UTF-8 into room for three bytes a character; answers its length. */
  #setText(at: number, text: string): number {
    const { length } = text
    if (length <= shortText) {
      const { bytes } = this
      let i = 0
      for (; i < length; i++) {
        const code = text.charCodeAt(i)
        if (code >= 0x80) break
        bytes[at + i] = code
      }
      if (i === length) return length
    }
    return utf8Write.call(this.bytes, text, at, length * 3)
  }

  #setUvarint(at: number, value: number): void {
    const { bytes } = this
    while (value > 0x7f) {
      bytes[at++] = (value & 0x7f) | 0x80
      value >>>= 7
    }
    bytes[at] = value
  }
}

function uvarintBytes(value: number): number {
  if (value < 0x80) return 1
  if (value < 0x4000) return 2
  if (value < 0x20_0000) return 3
  return value < 0x1000_0000 ? 4 : 5
}

function lengthOf(source: ByteSource, path: string): number {
  if (source instanceof Uint8Array) return source.length
  if (!Array.isArray(source)) return refuse(path, source)
  let length = 0
  for (const piece of source as readonly Uint8Array[]) length += piece.length
  if (length > 0x7fffffff) refuse(path, `${length} bytes`)
  return length
}

/** Throws: `value` is none that the field at `path` can hold. */
export function refuse(path: string, value: unknown): never {
  throw new EncodeError(
    `${path} cannot be ${typeof value === 'object' && value !== null ? 'an object' : value}`,
  )
}

/** Throws: the field at `path` has a value, and `version` has no such field. */
export function refuseAbsent(path: string, version: number): never {
  throw new EncodeError(`${path} has a value, but version ${version} cannot carry it`)
}
