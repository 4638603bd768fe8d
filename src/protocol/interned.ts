/**
 * Short strings and uuids that a broker reads again and again: topic names, topic ids, client ids.
 *
 * A call into the runtime to make a string costs 150 to 200 ns; finding it again by its bytes costs
 * a tenth. Two direct-mapped tables of fixed size, a new string taking the place of an old one, so
 * nothing that is sent can make them grow or slow down.
 */
import { Buffer } from 'node:buffer'

const slots = 1024

/** Longest text that is looked for, in bytes. */
export const longestInterned = 32

const texts: string[] = new Array(slots).fill('')
const uuids: string[] = new Array(slots).fill('')
const uuidWords = new Int32Array(slots * 4)

const { latin1Slice, base64urlSlice } = Buffer.prototype as unknown as {
  latin1Slice(this: Uint8Array, start: number, end: number): string
  base64urlSlice(this: Uint8Array, start: number, end: number): string
}

/** The ASCII text at [start, end), at most `longestInterned` bytes; undefined if it is not ASCII. */
export function internedAscii(bytes: Uint8Array, start: number, end: number): string | undefined {
  let hash = end - start
  let all = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at] as number
    all |= byte
    hash = (hash * 31 + byte) | 0
  }
  if (all >= 0x80) return undefined
  const slot = (hash ^ (hash >>> 10)) & (slots - 1)
  const known = texts[slot] as string
  if (equalsAscii(known, bytes, start, end)) return known
  return (texts[slot] = latin1Slice.call(bytes, start, end))
}

function equalsAscii(text: string, bytes: Uint8Array, start: number, end: number): boolean {
  if (text.length !== end - start) return false
  for (let at = start; at < end; at++) {
    if (text.charCodeAt(at - start) !== bytes[at]) return false
  }
  return true
}

/** The sixteen bytes of `view` at `at`, as 22 characters of base64url. */
export function internedUuid(view: DataView, at: number): string {
  const a = view.getInt32(at)
  const b = view.getInt32(at + 4)
  const c = view.getInt32(at + 8)
  const d = view.getInt32(at + 12)
  const hash = (a ^ (b * 31) ^ (c * 961) ^ (d * 29791)) | 0
  const slot = (hash ^ (hash >>> 10) ^ (hash >>> 20)) & (slots - 1)
  const word = slot * 4
  const known = uuids[slot] as string
  if (
    uuidWords[word] === a &&
    uuidWords[word + 1] === b &&
    uuidWords[word + 2] === c &&
    uuidWords[word + 3] === d &&
    known !== ''
  ) {
    return known
  }
  uuidWords[word] = a
  uuidWords[word + 1] = b
  uuidWords[word + 2] = c
  uuidWords[word + 3] = d
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, 16)
  return (uuids[slot] = base64urlSlice.call(bytes, 0, 16))
}
