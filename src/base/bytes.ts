/**
 * Big-endian integers in byte arrays, as Kafka's formats have them.
 *
 * Plain shifts: on a Uint8Array they are as fast as a DataView and need no object. The caller has
 * checked that the bytes are there; reading past the end gives zeros, writing there does nothing.
 */

/** A signed 16-bit integer. */
export function int16At(bytes: Uint8Array, position: number): number {
  return ((bytes[position]! << 24) >> 16) | bytes[position + 1]!
}

/** A signed 32-bit integer. */
export function int32At(bytes: Uint8Array, position: number): number {
  return (
    (bytes[position]! << 24) |
    (bytes[position + 1]! << 16) |
    (bytes[position + 2]! << 8) |
    bytes[position + 3]!
  )
}

/** An unsigned 32-bit integer. */
export function uint32At(bytes: Uint8Array, position: number): number {
  return int32At(bytes, position) >>> 0
}

/** A signed 64-bit integer as a number: exact when `isSafeInt64At`, else rounded. */
export function int64At(bytes: Uint8Array, position: number): number {
  return int32At(bytes, position) * 2 ** 32 + uint32At(bytes, position + 4)
}

/** Whether the 64-bit integer lies within ±(2⁵³−1). */
export function isSafeInt64At(bytes: Uint8Array, position: number): boolean {
  return Number.isSafeInteger(int64At(bytes, position))
}

/** Writes the low 16 bits of `value`. */
export function setInt16(bytes: Uint8Array, position: number, value: number): void {
  bytes[position] = value >> 8
  bytes[position + 1] = value
}

/** Writes the low 32 bits of `value`, signed or unsigned. */
export function setInt32(bytes: Uint8Array, position: number, value: number): void {
  bytes[position] = value >> 24
  bytes[position + 1] = value >> 16
  bytes[position + 2] = value >> 8
  bytes[position + 3] = value
}

/** Writes a safe integer as a signed 64-bit one. */
export function setInt64(bytes: Uint8Array, position: number, value: number): void {
  setInt32(bytes, position, Math.floor(value / 2 ** 32))
  setInt32(bytes, position + 4, value)
}

/** A view of the bytes as a Buffer, for libraries that insist on one; nothing is copied. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes)
    ? bytes
    : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
