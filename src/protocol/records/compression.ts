/**
 * The codecs of record batches, synchronous, each with a bound on what it may expand to.
 *
 * gzip and zstd are Node's, which stop at the bound. Snappy and lz4 are native blocks inside
 * framings of our own (xerial.ts, lz4-frame.ts), which bound what comes out beforehand. Native
 * libraries are loaded at first use.
 */
import { constants, gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { KafkaError } from '../errors.ts'
import type { Compression } from './batch.ts'
import { CodecError, ExpansionError } from './codec.ts'
import { compressLz4Frame, decompressLz4Frame } from './lz4-frame.ts'
import { compressXerial, decompressSnappy } from './xerial.ts'

/**
 * A zstd call costs 30 µs whatever its size. Producers write one frame; a
 * megabyte of empty ones would be seconds of work.
 */
const maxZstdFrames = 1024

/** `level` is gzip's (1 to 9) or zstd's (−131072 to 22), by default the library's own. */
export function compress(codec: Compression, bytes: Uint8Array, level?: number): Uint8Array {
  switch (codec) {
    case 'none':
      return bytes
    case 'gzip':
      return gzipSync(bytes, level === undefined ? {} : { level })
    case 'snappy':
      return compressXerial(bytes)
    case 'lz4':
      return compressLz4Frame(bytes)
    case 'zstd':
      return zstdCompressSync(
        bytes,
        level === undefined ? {} : { params: { [constants.ZSTD_c_compressionLevel]: level } },
      )
  }
}

/**
 * What `bytes` expand to; for `none` the bytes themselves. Throws MESSAGE_TOO_LARGE beyond
 * `maxBytes`, without having expanded much more, and INVALID_RECORD for bytes that the codec
 * cannot read.
 */
export function decompress(codec: Compression, bytes: Uint8Array, maxBytes: number): Uint8Array {
  try {
    switch (codec) {
      case 'none':
        return bytes
      case 'gzip':
        return gunzipSync(bytes, boundOf(bytes, maxBytes))
      case 'snappy':
        return decompressSnappy(bytes, maxBytes)
      case 'lz4':
        return decompressLz4Frame(bytes, maxBytes)
      case 'zstd':
        return decompressZstd(bytes, maxBytes)
    }
  } catch (error) {
    throw asRefusal(error, codec, maxBytes)
  }
}

/** Node reads one frame a call and says how far it came (nodejs/node#64741). */
function decompressZstd(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const chunks: Uint8Array[] = []
  let length = 0
  for (let position = 0; position < bytes.length || chunks.length === 0; ) {
    if (chunks.length === maxZstdFrames) throw new CodecError(`more than ${maxZstdFrames} frames`)
    const rest = bytes.subarray(position)
    const { buffer, engine } = zstdDecompressSync(rest, {
      ...boundOf(rest, maxBytes - length),
      info: true,
    }) as unknown as { buffer: Uint8Array; engine: { bytesWritten: number } }
    length += buffer.length
    if (length > maxBytes) throw new ExpansionError(maxBytes)
    chunks.push(buffer)
    if (engine.bytesWritten === 0) throw new CodecError('a frame is empty')
    position += engine.bytesWritten
  }
  return chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks, length)
}

/** Node wants a bound of at least one. The chunk is what it allocates at a time. */
function boundOf(bytes: Uint8Array, maxBytes: number) {
  const guess = Math.min(Math.max(bytes.length * 4, 1024), 128 * 1024)
  return { maxOutputLength: Math.max(maxBytes, 1), chunkSize: guess }
}

function asRefusal(error: unknown, codec: Compression, maxBytes: number): unknown {
  if (error instanceof KafkaError || !(error instanceof Error)) return error
  if (
    error instanceof ExpansionError ||
    ('code' in error && error.code === 'ERR_BUFFER_TOO_LARGE')
  ) {
    return new KafkaError(
      'MESSAGE_TOO_LARGE',
      `a ${codec} batch expands to more than ${maxBytes} bytes`,
    )
  }
  return new KafkaError('INVALID_RECORD', `a ${codec} batch does not decompress: ${error.message}`)
}
