/**
 * Bytes of the embedded store's two files.
 *
 * Both consist of frames: magic, length of the payload, CRC-32C of the payload, payload, with
 * big-endian numbers. A frame of the log is one flush: its sequence number (rising by 1) and the
 * steps that were synced together. The snapshot is one frame: the sequence number of the last flush
 * it covers, and the whole content. Strings and bytes have a 32-bit length in front.
 */

import { crc32c } from '../base/crc32c.ts'
import type { Entry } from './io.ts'
import type { Change, Step, StoreContent } from './store-model.ts'

/** Bytes before a payload. */
const headerBytes = 12

const logMagic = 0x4f744c31 // 'OtL1'
const snapshotMagic = 0x4f745331 // 'OtS1'

const changeTypes = ['put', 'delete', 'grant', 'revoke'] as const

/** One flush as it is in the log. */
export interface LogFrame {
  readonly sequence: bigint
  readonly steps: readonly Step[]
  /** Position behind the frame. */
  readonly end: number
}

/** A step as part of a flush. */
export function encodeStep(step: Step): Uint8Array {
  const to = new Writer()
  to.int64(step.revision)
  to.uint32(step.changes.length)
  for (const change of step.changes) writeChange(to, change)
  return to.taken()
}

/** The chunks of one flush. */
export function encodeLogFrame(sequence: bigint, steps: readonly Uint8Array[]): Uint8Array[] {
  const number = new Writer()
  number.int64(sequence)
  return framed(logMagic, [number.taken(), ...steps])
}

/** The frame at `position`; undefined when no whole and undamaged one begins there. */
export function decodeLogFrame(bytes: Uint8Array, position: number): LogFrame | undefined {
  const payload = payloadAt(bytes, position, logMagic)
  if (payload === undefined) return undefined
  const from = new Reader(payload)
  const sequence = from.int64()
  const steps: Step[] = []
  while (from.hasMore) steps.push(readStep(from))
  return { sequence, steps, end: position + headerBytes + payload.length }
}

/** The next whole frame behind a bad one at `position`: a torn tail has none. */
export function nextLogFrame(bytes: Uint8Array, position: number): LogFrame | undefined {
  const magic = new Writer()
  magic.uint32(logMagic)
  const within = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const wanted = magic.taken()
  for (
    let at = within.indexOf(wanted, position + 1);
    at >= 0;
    at = within.indexOf(wanted, at + 1)
  ) {
    const frame = decodeLogFrame(bytes, at)
    if (frame !== undefined) return frame
  }
  return undefined
}

/** The snapshot file. */
export function encodeSnapshot(sequence: bigint, content: StoreContent): Uint8Array {
  const to = new Writer()
  to.int64(sequence)
  to.int64(content.revision)
  to.uint32(content.leases.length)
  for (const { id, ttlMs } of content.leases) {
    to.int64(id)
    to.float64(ttlMs)
  }
  to.uint32(content.entries.length)
  for (const entry of content.entries) {
    to.string(entry.key)
    to.bytes(entry.value)
    to.int64(entry.createRevision)
    to.int64(entry.modRevision)
    to.int64(entry.version)
    to.int64(entry.lease)
  }
  return Buffer.concat(framed(snapshotMagic, [to.taken()]))
}

/** The content of a snapshot file; undefined when it is damaged. */
export function decodeSnapshot(
  bytes: Uint8Array,
): { sequence: bigint; content: StoreContent } | undefined {
  const payload = payloadAt(bytes, 0, snapshotMagic)
  if (payload === undefined) return undefined
  const from = new Reader(payload)
  const sequence = from.int64()
  const revision = from.int64()
  const leases = from.list(() => ({ id: from.int64(), ttlMs: from.float64() }))
  const entries = from.list(
    (): Entry => ({
      key: from.string(),
      value: from.bytes(),
      createRevision: from.int64(),
      modRevision: from.int64(),
      version: from.int64(),
      lease: from.int64(),
    }),
  )
  return { sequence, content: { revision, leases, entries } }
}

function framed(magic: number, payload: readonly Uint8Array[]): Uint8Array[] {
  const header = new Writer()
  header.uint32(magic)
  header.uint32(payload.reduce((sum, chunk) => sum + chunk.length, 0))
  header.uint32(payload.reduce((crc, chunk) => crc32c(chunk, crc), 0))
  return [header.taken(), ...payload]
}

function payloadAt(bytes: Uint8Array, position: number, magic: number): Uint8Array | undefined {
  if (position + headerBytes > bytes.length) return undefined
  const header = new Reader(bytes.subarray(position, position + headerBytes))
  if (header.uint32() !== magic) return undefined
  const end = position + headerBytes + header.uint32()
  if (end > bytes.length) return undefined
  const payload = bytes.subarray(position + headerBytes, end)
  return crc32c(payload) === header.uint32() ? payload : undefined
}

function writeChange(to: Writer, change: Change): void {
  to.uint8(changeTypes.indexOf(change.type))
  if (change.type === 'put' || change.type === 'delete') to.string(change.key)
  if (change.type === 'put') to.bytes(change.value)
  if (change.type !== 'delete') to.int64(change.lease)
  if (change.type === 'grant') to.float64(change.ttlMs)
}

function readStep(from: Reader): Step {
  const revision = from.int64()
  return { revision, changes: from.list(() => readChange(from)) }
}

function readChange(from: Reader): Change {
  const type = changeTypes[from.uint8()]
  switch (type) {
    case 'put':
      return { type, key: from.string(), value: from.bytes(), lease: from.int64() }
    case 'delete':
      return { type, key: from.string() }
    case 'grant':
      return { type, lease: from.int64(), ttlMs: from.float64() }
    case 'revoke':
      return { type, lease: from.int64() }
    default:
      throw new Error('the metadata log was written by a newer version')
  }
}

/** Bytes that grow. */
class Writer {
  #buffer = Buffer.allocUnsafe(256)
  #end = 0

  taken(): Uint8Array {
    return this.#buffer.subarray(0, this.#end)
  }

  uint8(value: number): void {
    this.#end = this.#room(1).writeUInt8(value, this.#end)
  }

  uint32(value: number): void {
    this.#end = this.#room(4).writeUInt32BE(value, this.#end)
  }

  int64(value: bigint): void {
    this.#end = this.#room(8).writeBigInt64BE(value, this.#end)
  }

  float64(value: number): void {
    this.#end = this.#room(8).writeDoubleBE(value, this.#end)
  }

  string(value: string): void {
    this.bytes(Buffer.from(value))
  }

  bytes(value: Uint8Array): void {
    this.uint32(value.length)
    this.#room(value.length).set(value, this.#end)
    this.#end += value.length
  }

  #room(bytes: number): Buffer {
    if (this.#end + bytes > this.#buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(2 * this.#buffer.length, this.#end + bytes))
      this.#buffer.copy(grown, 0, 0, this.#end)
      this.#buffer = grown
    }
    return this.#buffer
  }
}

/** Reads what a Writer wrote. A checksum came before: what does not fit is a bug, and throws. */
class Reader {
  readonly #buffer: Buffer
  #at = 0

  constructor(bytes: Uint8Array) {
    this.#buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  }

  get hasMore(): boolean {
    return this.#at < this.#buffer.length
  }

  uint8(): number {
    return this.#buffer.readUInt8(this.#advance(1))
  }

  uint32(): number {
    return this.#buffer.readUInt32BE(this.#advance(4))
  }

  int64(): bigint {
    return this.#buffer.readBigInt64BE(this.#advance(8))
  }

  float64(): number {
    return this.#buffer.readDoubleBE(this.#advance(8))
  }

  string(): string {
    const length = this.uint32()
    return this.#buffer.toString('utf8', this.#advance(length), this.#at)
  }

  /** A copy: what was read stays in the store, the file's bytes do not. */
  bytes(): Uint8Array {
    const length = this.uint32()
    return new Uint8Array(this.#buffer.subarray(this.#advance(length), this.#at))
  }

  list<T>(read: () => T): T[] {
    const items: T[] = []
    for (let left = this.uint32(); left > 0; left--) items.push(read())
    return items
  }

  #advance(bytes: number): number {
    const from = this.#at
    this.#at += bytes
    return from
  }
}
