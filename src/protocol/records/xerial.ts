/**
 * Snappy as Kafka's producers send it: bare blocks, or blocks in the framing of xerial's Java
 * library, which the Java client writes.
 *
 *     0x82 "SNAPPY" 0x00 · version int32 · compatible int32 · (length int32 · block)*
 *
 * A block starts with its expanded length, so the whole is known before anything is expanded; that
 * length is believed only as far as the format can reach.
 */
import { requireAddon } from '../../base/addon.ts'
import { int32At, setInt32 } from '../../base/bytes.ts'
import { CodecError, ExpansionError, loadAddon } from './codec.ts'
import { expandSnappyBlock } from './plain-blocks.ts'

interface Snappy {
  compressSync(input: Uint8Array, options: { copyOutputData: boolean }): Uint8Array
  uncompressSync(input: Uint8Array, options: { copyOutputData: boolean }): Uint8Array
}

const magic = [0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0x00] as const
const headerBytes = 16
/** The Java library's own block size. */
const blockBytes = 32 * 1024
/** The densest element makes 64 bytes of three. */
const maxRatio = 22
/** Three times faster than the library's default, which hands out external memory. */
const options = { copyOutputData: true }

let snappy: Snappy | undefined

/** Blocks of 32 KB in xerial framing. */
export function compressXerial(bytes: Uint8Array): Uint8Array {
  snappy ??= loadAddon<Snappy>('snappy')
  const header = new Uint8Array(headerBytes)
  header.set(magic)
  setInt32(header, 8, 1)
  setInt32(header, 12, 1)
  const chunks: Uint8Array[] = [header]
  for (let position = 0; position < bytes.length; position += blockBytes) {
    const block = snappy.compressSync(bytes.subarray(position, position + blockBytes), options)
    const length = new Uint8Array(4)
    setInt32(length, 0, block.length)
    chunks.push(length, block)
  }
  return Buffer.concat(chunks)
}

/** Either form. Throws CodecError, ExpansionError beyond `maxBytes`, or the library's own errors. */
export function decompressSnappy(bytes: Uint8Array, maxBytes: number): Uint8Array {
  expandBlock ??= loadExpandBlock()
  const blocks = isXerial(bytes) ? [...xerialBlocks(bytes)] : [bytes]
  let length = 0
  for (const block of blocks) {
    const expanded = expandedLength(block)
    if (expanded > block.length * maxRatio) throw new CodecError('a length is out of reach')
    length += expanded
    if (length > maxBytes) throw new ExpansionError(maxBytes)
  }
  if (blocks.length === 1) return expandBlock(blocks[0]!)
  const expanded = new Uint8Array(length)
  let position = 0
  for (const block of blocks) {
    const part = expandBlock(block)
    expanded.set(part, position)
    position += part.length
  }
  return expanded
}

type ExpandBlock = (block: Uint8Array) => Uint8Array
let expandBlock: ExpandBlock | undefined

function loadExpandBlock(): ExpandBlock {
  try {
    const { uncompressSync } = requireAddon<Snappy>('snappy')
    return block => uncompressSync(block, options)
  } catch {
    return plainlyExpandedBlock // No library: slower, and the same bytes.
  }
}

/** Expands a block without the library. Exported for tests. */
export function plainlyExpandedBlock(block: Uint8Array): Uint8Array {
  return expandSnappyBlock(block, expandedLength(block))
}

function isXerial(bytes: Uint8Array): boolean {
  return bytes.length >= headerBytes && magic.every((byte, index) => bytes[index] === byte)
}

function* xerialBlocks(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let position = headerBytes; position < bytes.length; ) {
    const start = position + 4
    if (start > bytes.length) throw new CodecError('a block is cut short')
    const length = int32At(bytes, position)
    if (length < 1 || length > bytes.length - start) throw new CodecError('a block is cut short')
    position = start + length
    yield bytes.subarray(start, position)
  }
}

/** The unsigned varint in front of a block. */
function expandedLength(block: Uint8Array): number {
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index]
    if (byte === undefined) break
    length += (byte & 0x7f) * 2 ** (7 * index)
    if (byte < 0x80) return length
  }
  throw new CodecError('a block has no length')
}
