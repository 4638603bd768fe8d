/**
 * Reads whole segments batch by batch in the background: through one buffer, in slices, at a pace.
 * Each batch's CRC is checked.
 */
import { KafkaError } from '../protocol/errors.ts'
import { type Batch, batchSizeAt, isCrcValid, readBatch } from '../protocol/records/batch.ts'
import type { Pace } from './pace.ts'
import type { Segment } from './segment.ts'
import { maxExpandedBytes } from './validation.ts'

/** Nothing is wrong: the log changed, or is about to, so that going on makes no sense any more. */
export class PassStoppedError extends Error {
  override readonly name = 'PassStoppedError'
}

/** No batch is larger. */
const maxBatchBytes = maxExpandedBytes

export class SegmentBatches {
  readonly #pace: Pace
  readonly #isStopped: () => boolean
  #buffer: Uint8Array
  #sliceMs = 0

  /** `bufferBytes` are read at a time; a larger batch comes alone. */
  constructor(pace: Pace, bufferBytes: number, isStopped: () => boolean) {
    this.#pace = pace
    this.#isStopped = isStopped
    this.#buffer = Buffer.allocUnsafeSlow(bufferBytes)
  }

  /**
   * Shows the batches in order, and whether it is the last one, until `visit` says false; a promise
   * is awaited. After each call of `after` what was shown before is overwritten. False: it was ended.
   * Throws PassStoppedError, CORRUPT_MESSAGE, DiskError, SegmentRetiredError.
   */
  async each(
    segment: Segment,
    visit: (batch: Batch, isLast: boolean) => boolean | Promise<boolean>,
    after: () => Promise<void> = async () => {},
  ): Promise<boolean> {
    const { size } = segment
    for (let position = 0; position < size; ) {
      const piece = await this.#piece(segment, position, size)
      for (let at = 0; at < piece.length; ) {
        const batch = readBatch(piece, at)
        if (!isCrcValid(batch)) throw damaged(segment, position + at)
        at += batch.sizeInBytes
        const goesOn = visit(batch, position + at === size)
        if (!(goesOn === true || (goesOn !== false && (await goesOn)))) return false
        if (this.#pace.isOver(this.#sliceMs)) await this.#rest()
      }
      await after()
      position += piece.length
    }
    return true
  }

  /** So many bytes were read or written. */
  async moved(bytes: number): Promise<void> {
    await this.#pace.moved(bytes, this.#isStopped)
    this.#refuseIfStopped()
  }

  async #rest(): Promise<void> {
    await this.#pace.pause()
    this.#refuseIfStopped()
    this.#sliceMs = this.#pace.slice()
  }

  #refuseIfStopped(): void {
    if (this.#isStopped()) throw new PassStoppedError('the log changes')
  }

  /** Whole batches from `position` on, in the buffer: at least one. */
  async #piece(segment: Segment, position: number, size: number): Promise<Uint8Array> {
    for (;;) {
      const wanted = Math.min(this.#buffer.length, size - position)
      const read = await segment.readInto(this.#buffer.subarray(0, wanted), position)
      await this.moved(read)
      const bytes = this.#buffer.subarray(0, read)
      const length = wholeBatches(bytes)
      if (length > 0) return bytes.subarray(0, length)
      const first = batchSizeAt(bytes, 0)
      const isThere = first !== undefined && first > wanted && first <= size - position
      if (!isThere || first > maxBatchBytes) throw damaged(segment, position)
      this.#buffer = Buffer.allocUnsafeSlow(first)
    }
  }
}

/** Bytes of the whole batches at the start. */
function wholeBatches(bytes: Uint8Array): number {
  let length = 0
  for (;;) {
    const size = batchSizeAt(bytes, length)
    if (size === undefined || size > bytes.length - length) return length
    length += size
  }
}

function damaged({ logPath }: Segment, position: number): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', `${logPath} is damaged at ${position}`)
}
