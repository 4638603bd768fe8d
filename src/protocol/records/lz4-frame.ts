/**
 * lz4 frames, of independent blocks.
 *
 *     magic · flags · block size · [content size u64] · header checksum
 *     · (length u32le, top bit: stored · block · [checksum u32])* · 0 u32 · [checksum u32]
 *
 * Kafka's brokers and Java clients refuse frames of linked blocks or with a dictionary, and so do
 * we: nobody could read them back. The library expands without a bound, so the frame is walked
 * first: as many full blocks as it has are the bound of what comes out. Where that is too much, the
 * sequences in the blocks tell it exactly; adding them up takes longer than expanding them.
 */
import { requireAddon } from '../../base/addon.ts'
import { CodecError, ExpansionError, loadAddon } from './codec.ts'
import { expandLz4Block, walkLz4Block } from './plain-blocks.ts'

interface Lz4 {
  /** One raw block behind its expanded size, u32le. */
  compressSync(bytes: Uint8Array): Uint8Array
  /** One frame; what follows it is ignored. */
  decompressFrameSync(bytes: Uint8Array): Uint8Array
}

const magic = 0x184d2204
const version = 0x40
const flags = {
  version: 0xc0,
  independent: 0x20,
  blockChecksum: 0x10,
  contentSize: 0x08,
  contentChecksum: 0x04,
  reserved: 0x02,
  dictionary: 0x01,
} as const
const storedBit = 0x80000000
/** Version 1, independent blocks of at most 64 KB, no checksums but the header's own, 0x82. */
const frameHeader = Uint8Array.of(0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82)
const frameBlockBytes = 64 * 1024

let lz4: Lz4 | undefined

/** One frame. The library knows no levels. */
export function compressLz4Frame(bytes: Uint8Array): Uint8Array {
  lz4 ??= loadAddon<Lz4>('lz4-napi')
  const chunks: Uint8Array[] = [frameHeader]
  for (let position = 0; position < bytes.length; position += frameBlockBytes) {
    const plain = bytes.subarray(position, position + frameBlockBytes)
    const block = lz4.compressSync(plain).subarray(4)
    if (block.length < plain.length) chunks.push(u32le(block.length), block)
    else chunks.push(u32le(plain.length | storedBit), plain)
  }
  chunks.push(u32le(0))
  return Buffer.concat(chunks)
}

/** Exactly one frame. Throws CodecError, ExpansionError beyond `maxBytes`, or the library's own. */
export function decompressLz4Frame(bytes: Uint8Array, maxBytes: number): Uint8Array {
  const { blocks, maxBlockBytes } = readFrame(bytes)
  if (blocks.length * maxBlockBytes > maxBytes) {
    const exact = blocks.reduce((sum, block) => sum + expandedLength(block), 0)
    if (exact > maxBytes) throw new ExpansionError(maxBytes)
  }
  expandFrame ??= loadExpandFrame()
  return expandFrame(bytes)
}

type ExpandFrame = (bytes: Uint8Array) => Uint8Array
let expandFrame: ExpandFrame | undefined

function loadExpandFrame(): ExpandFrame {
  try {
    return requireAddon<Lz4>('lz4-napi').decompressFrameSync
  } catch {
    return plainlyExpandedFrame // No library: slower, and the same bytes.
  }
}

/** Expands a frame without the library. Exported for tests. */
export function plainlyExpandedFrame(bytes: Uint8Array): Uint8Array {
  const { blocks, maxBlockBytes } = readFrame(bytes)
  return Buffer.concat(
    blocks.map(block => {
      if (block.isStored) return block.bytes
      const length = expandedLength(block)
      if (length > maxBlockBytes) throw new CodecError('a block expands beyond its frame')
      return expandLz4Block(block.bytes, length)
    }),
  )
}

interface Block {
  readonly bytes: Uint8Array
  readonly isStored: boolean
}

function readFrame(bytes: Uint8Array): { blocks: Block[]; maxBlockBytes: number } {
  const { flag, maxBlockBytes, headerBytes } = readHeader(bytes)
  const checksumBytes = flag & flags.blockChecksum ? 4 : 0
  const blocks: Block[] = []
  let position = headerBytes
  for (;;) {
    if (position + 4 > bytes.length) throw new CodecError('the frame is cut short')
    const word = u32leAt(bytes, position)
    position += 4
    if (word === 0) break
    const isStored = word >= storedBit
    const length = isStored ? word - storedBit : word
    if (length > maxBlockBytes) throw new CodecError('a block is larger than its frame allows')
    if (length > bytes.length - position) throw new CodecError('a block is cut short')
    blocks.push({ bytes: bytes.subarray(position, position + length), isStored })
    position += length + checksumBytes
  }
  position += flag & flags.contentChecksum ? 4 : 0
  if (position !== bytes.length) throw new CodecError('the frame ends elsewhere')
  return { blocks, maxBlockBytes }
}

function readHeader(bytes: Uint8Array) {
  if (bytes.length < frameHeader.length || u32leAt(bytes, 0) !== magic) {
    throw new CodecError('it is no lz4 frame')
  }
  const flag = bytes[4]!
  if ((flag & flags.version) !== version || flag & flags.reserved) {
    throw new CodecError('its frame has an unknown version')
  }
  if (!(flag & flags.independent)) throw new CodecError('its frame has linked blocks')
  if (flag & flags.dictionary) throw new CodecError('its frame needs a dictionary')
  const blockSize = bytes[5]!
  const sizeCode = blockSize >> 4
  if (sizeCode < 4 || sizeCode > 7 || blockSize & 0x0f) {
    throw new CodecError('its frame has an unknown block size')
  }
  const checksumAt = flag & flags.contentSize ? 14 : 6
  const checksum = (shortXxh32(bytes.subarray(4, checksumAt)) >>> 8) & 0xff
  if (bytes[checksumAt] !== checksum) throw new CodecError('its frame has a wrong checksum')
  return { flag, maxBlockBytes: 2 ** (8 + 2 * sizeCode), headerBytes: checksumAt + 1 }
}

/** The lengths of a block's literals and matches. */
function expandedLength({ bytes: block, isStored }: Block): number {
  if (isStored) return block.length
  let expanded = 0
  walkLz4Block(block, {
    literals(_, length) {
      expanded += length
    },
    match(_, length) {
      expanded += length
    },
  })
  return expanded
}

/** xxHash32, seed 0, of fewer than 16 bytes: the lz4 header's checksum is a byte of it. */
function shortXxh32(bytes: Uint8Array): number {
  const prime2 = 0x85ebca77
  const prime3 = 0xc2b2ae3d
  const prime5 = 0x165667b1
  let hash = (prime5 + bytes.length) | 0
  let position = 0
  for (; position + 4 <= bytes.length; position += 4) {
    hash = (hash + Math.imul(u32leAt(bytes, position), prime3)) | 0
    hash = Math.imul((hash << 17) | (hash >>> 15), 0x27d4eb2f)
  }
  for (; position < bytes.length; position++) {
    hash = (hash + Math.imul(bytes[position]!, prime5)) | 0
    hash = Math.imul((hash << 11) | (hash >>> 21), 0x9e3779b1)
  }
  hash = Math.imul(hash ^ (hash >>> 15), prime2)
  hash = Math.imul(hash ^ (hash >>> 13), prime3)
  return (hash ^ (hash >>> 16)) >>> 0
}

function u32leAt(bytes: Uint8Array, position: number): number {
  return (
    (bytes[position]! |
      (bytes[position + 1]! << 8) |
      (bytes[position + 2]! << 16) |
      (bytes[position + 3]! << 24)) >>>
    0
  )
}

function u32le(value: number): Uint8Array {
  return Uint8Array.of(value, value >> 8, value >> 16, value >> 24)
}
