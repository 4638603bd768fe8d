/**
 * Cuts the bytes of a connection into frames: an int32 size, then that many bytes. A frame is put
 * together in other memory, so what comes in need not stay.
 */
import { foreignProtocol } from '../protocol/foreign.ts'

const sizeBytes = 4
const nothing = Buffer.alloc(0)

/** Where a frame of so many bytes is put together. */
export type FrameMemory = (bytes: number) => Uint8Array

export class Frames {
  readonly #maxBytes: number
  readonly #memory: FrameMemory
  readonly #size = Buffer.alloc(sizeBytes)
  #haveOfSize = 0
  #frame: Uint8Array | undefined
  #haveOfFrame = 0
  #chunk: Uint8Array = nothing
  #position = 0

  constructor(maxBytes: number, memory: FrameMemory = Buffer.allocUnsafe) {
    this.#maxBytes = maxBytes
    this.#memory = memory
  }

  /** The next bytes; `next` has to be called until it has nothing more. They are not kept. */
  push(chunk: Uint8Array): void {
    this.#chunk = chunk
    this.#position = 0
  }

  /**
   * The next whole frame without its size; undefined until it is there. Throws, before it takes memory,
   * when the frame is larger than it may be.
   */
  next(): Uint8Array | undefined {
    const frame = this.#frame ?? this.#begin()
    if (frame === undefined) return undefined
    this.#haveOfFrame += this.#copy(frame, this.#haveOfFrame)
    if (this.#haveOfFrame < frame.length) return undefined
    this.#frame = undefined
    return frame
  }

  #begin(): Uint8Array | undefined {
    this.#haveOfSize += this.#copy(this.#size, this.#haveOfSize)
    if (this.#haveOfSize < sizeBytes) return undefined
    const size = this.#size.readInt32BE()
    if (size < 0 || size > this.#maxBytes) this.#refuse(size)
    this.#haveOfSize = 0
    this.#haveOfFrame = 0
    this.#frame = this.#memory(size)
    return this.#frame
  }

  /** As much of the chunk as fits; answers how much that was. */
  #copy(into: Uint8Array, from: number): number {
    const chunk = this.#chunk
    const start = this.#position
    const count = Math.min(into.length - from, chunk.length - start)
    this.#position += count
    into.set(count === chunk.length ? chunk : chunk.subarray(start, start + count), from)
    if (this.#position === chunk.length) this.push(nothing)
    return count
  }

  #refuse(size: number): never {
    const rest = this.#chunk.subarray(this.#position)
    const foreign = foreignProtocol(Buffer.concat([this.#size, rest]))
    if (foreign !== undefined) throw new Error(`it speaks ${foreign}, not Kafka`)
    throw new Error(`a frame of ${size} bytes, where at most ${this.#maxBytes} are taken`)
  }
}
