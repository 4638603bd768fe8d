/**
 * Reads a segment batch by batch through a small window: headers, and CRCs when asked. Memory does
 * not depend on the sizes that the file claims.
 */
import { isSafeInt64At, uint32At } from '../base/bytes.ts'
import { crc32c } from '../base/crc32c.ts'
import type { DiskFile } from '../io/io.ts'
import { Batch, batchHeaderBytes, batchOverheadBytes, fieldAt } from '../protocol/records/batch.ts'
import { maxMarkerBytes } from './transaction-marker.ts'

/** What the log must look like from here on. */
export interface Expected {
  /** The next base offset is not smaller. */
  offset: number
  /** Nor is the next leader epoch. */
  epoch: number
}

export interface ScannedBatch {
  /**
   * Of its header only: `bytes` and `sizeInBytes` are not the whole batch, but of a transaction's
   * marker. Valid during the call.
   */
  readonly header: Batch
  readonly position: number
  readonly size: number
}

export interface ScanOptions {
  readonly checkCrc: boolean
  readonly expected: Expected
  /** No batch behind a gap has offsets from here on; without it, any may come. */
  readonly limitOffset?: number
  /** Size of the window. */
  readonly windowBytes: number
  /** Called for each good batch; false ends the scan before it. */
  readonly onBatch: (batch: ScannedBatch) => boolean | undefined
}

export interface ScanEnd {
  /** Where the scan ended: the first byte that was not accepted. */
  readonly position: number
  /** `end`: all was read. `short`: the file ends inside a batch. `invalid`: these bytes are no batch. */
  readonly reason: 'end' | 'stopped' | 'short' | 'invalid'
}

/** Reads batches from `from` up to `to`; `expected` moves with them. */
export async function scanBatches(
  file: DiskFile,
  from: number,
  to: number,
  options: ScanOptions,
): Promise<ScanEnd> {
  const window = new Window(file, to, options.windowBytes)
  let position = from
  for (;;) {
    if (position >= to) return { position, reason: 'end' }
    const header =
      window.peek(position, batchHeaderBytes) ?? (await window.fill(position, batchHeaderBytes))
    const size = batchSize(header)
    if (!isPlausible(header, size, options.expected)) return { position, reason: 'invalid' }
    if (size === undefined || size > to - position || header.length < batchHeaderBytes) {
      return { position, reason: 'short' }
    }
    if (options.checkCrc && !(await isIntact(window, position, size))) {
      return { position, reason: 'invalid' }
    }
    if (!(await isInPlace(window, position, size, to, options))) {
      return { position, reason: 'invalid' }
    }
    let batch = new Batch(
      window.peek(position, batchHeaderBytes) ?? (await window.fill(position, batchHeaderBytes)),
    )
    if (batch.isControl && size <= maxMarkerBytes) {
      batch = new Batch(window.peek(position, size) ?? (await window.fill(position, size)))
    }
    if (options.onBatch({ header: batch, position, size }) === false) {
      return { position, reason: 'stopped' }
    }
    options.expected.offset = batch.lastOffset + 1
    options.expected.epoch = batch.partitionLeaderEpoch
    position += size
  }
}

/**
 * The first whole batch with a good CRC at or after `from`; undefined when there is none. For what
 * lies behind damage, where no length can be trusted.
 */
export async function findBatch(
  file: DiskFile,
  from: number,
  to: number,
  expected: Expected,
  windowBytes: number,
): Promise<{ position: number; baseOffset: number } | undefined> {
  const window = new Window(file, to, windowBytes)
  for (let position = from; position + batchHeaderBytes <= to; position++) {
    const header =
      window.peek(position, batchHeaderBytes) ?? (await window.fill(position, batchHeaderBytes))
    if (header[fieldAt.magic] !== 2) continue
    const size = batchSize(header)
    if (size === undefined || size > to - position || !isPlausible(header, size, expected)) continue
    const baseOffset = new Batch(header).baseOffset
    if (await isIntact(window, position, size)) return { position, baseOffset }
  }
  return undefined
}

function batchSize(header: Uint8Array): number | undefined {
  if (header.length < batchOverheadBytes) return undefined
  return batchOverheadBytes + uint32At(header, fieldAt.length)
}

/** Whether the header, as far as it is there, can be that of the next batch. */
function isPlausible(header: Uint8Array, size: number | undefined, expected: Expected): boolean {
  if (size === undefined) return true
  const batch = new Batch(header)
  const isNext =
    isSafeInt64At(header, fieldAt.baseOffset) &&
    batch.baseOffset >= expected.offset &&
    batch.baseOffset - expected.offset < 2 ** 31 &&
    size >= batchHeaderBytes &&
    size < 2 ** 31
  if (!isNext || header.length <= fieldAt.magic) return isNext
  return (
    header[fieldAt.magic] === 2 &&
    batch.partitionLeaderEpoch >= expected.epoch &&
    (header.length < batchHeaderBytes ||
      (batch.lastOffsetDelta >= 0 &&
        isSafeInt64At(header, fieldAt.maxTimestamp) &&
        isSafeInt64At(header, fieldAt.producerId)))
  )
}

/**
 * Offset and epoch are not covered by the CRC. A batch that begins later than expected is behind a
 * gap that compaction left, and one of a later epoch the first of a new leader, unless the batch
 * behind it has offsets of the gap or an epoch between: then this one is damaged, not all that follow.
 */
async function isInPlace(
  window: Window,
  position: number,
  size: number,
  to: number,
  { expected, limitOffset = Number.POSITIVE_INFINITY }: ScanOptions,
): Promise<boolean> {
  const header =
    window.peek(position, batchHeaderBytes) ?? (await window.fill(position, batchHeaderBytes))
  const { baseOffset, lastOffset, partitionLeaderEpoch: epoch } = new Batch(header)
  const isNewEpoch = epoch !== expected.epoch && expected.epoch >= 0
  if (baseOffset === expected.offset && !isNewEpoch) return true
  if (baseOffset > expected.offset && lastOffset >= limitOffset) return false
  const nextPosition = position + size
  if (nextPosition + batchHeaderBytes > to) return true
  const bytes =
    window.peek(nextPosition, batchHeaderBytes) ??
    (await window.fill(nextPosition, batchHeaderBytes))
  if (bytes[fieldAt.magic] !== 2 || !isPlausible(bytes, batchSize(bytes), expected)) return true
  const next = new Batch(bytes)
  return next.baseOffset > lastOffset && next.partitionLeaderEpoch >= epoch
}

async function isIntact(window: Window, position: number, size: number): Promise<boolean> {
  const end = position + size
  const head = window.peek(position, Math.min(size, window.size))
  const first = head ?? (await window.fill(position, size))
  const stored = uint32At(first, fieldAt.crc)
  let crc = crc32c(first.subarray(fieldAt.attributes, size))
  for (let at = position + Math.min(first.length, size); at < end; ) {
    const part = await window.fill(at, end - at)
    if (part.length === 0) return false
    const wanted = part.subarray(0, end - at)
    crc = crc32c(wanted, crc)
    at += wanted.length
  }
  return crc === stored
}

/** A stretch of the file in memory. */
class Window {
  readonly size: number
  readonly #file: DiskFile
  readonly #end: number
  #buffer: Uint8Array | undefined
  #position = 0
  #length = 0

  constructor(file: DiskFile, end: number, size: number) {
    this.#file = file
    this.#end = end
    this.size = size
  }

  /** Exactly `length` bytes from `position` if they are in memory. */
  peek(position: number, length: number): Uint8Array | undefined {
    const at = position - this.#position
    if (this.#buffer === undefined || at < 0 || at + length > this.#length) return undefined
    return this.#buffer.subarray(at, at + length)
  }

  /** Moves to `position`; answers up to `length` bytes, fewer at the end or when the window is smaller. */
  async fill(position: number, length: number): Promise<Uint8Array> {
    this.#buffer ??= Buffer.allocUnsafeSlow(Math.min(this.size, this.#end - position))
    const wanted = Math.min(this.#buffer.length, this.#end - position)
    this.#length = 0
    const read = await this.#file.read(this.#buffer.subarray(0, wanted), position)
    this.#position = position
    this.#length = read
    return this.#buffer.subarray(0, Math.min(read, length))
  }
}
