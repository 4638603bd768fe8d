/** Cuts the frames out of the bytes of a connection, however they arrive. */
import { type ForeignProtocol, foreignProtocol } from '../protocol/foreign.ts'
import { DecodeError } from '../protocol/reader.ts'

/** Bytes in front of a frame that say how long it is. */
const sizeBytes = 4
const remedies: Readonly<Record<ForeignProtocol, string>> = {
  TLS: 'this listener speaks plain text, so the client needs security.protocol=PLAINTEXT',
  HTTP: 'a browser, a health check or a proxy has the wrong port',
  SSH: 'an SSH client has the wrong port',
}

/** Of buffers that are used again: each is four times the one before. */
const capacities = [131_072, 524_288, 2_097_152]
const maxFreeOfEach = 4

/** What frames are put together in, for all connections of a server. */
export class FrameBuffers {
  readonly #free: Uint8Array[][] = capacities.map(() => [])

  /** At least `needed` bytes with anything in them; at most `enough` where that is more than is kept. */
  take(needed: number, enough: number): Uint8Array {
    const size = capacities.findIndex(capacity => capacity >= needed)
    if (size === -1) return Buffer.allocUnsafeSlow(enough)
    return this.#free[size]!.pop() ?? Buffer.allocUnsafeSlow(capacities[size]!)
  }

  /** Nobody uses it any more. */
  give(buffer: Uint8Array): void {
    const size = capacities.indexOf(buffer.length)
    if (size !== -1 && this.#free[size]!.length < maxFreeOfEach) this.#free[size]!.push(buffer)
  }
}

const nothing = new Uint8Array(0)

/**
 * Memory for a frame is taken as its bytes arrive, never by what its size says: at most four times
 * what is there, from 128 KiB on. A frame that lies whole in a chunk is a view of that chunk.
 */
export class FrameReader {
  readonly #maxBytes: number
  readonly #buffers: FrameBuffers
  readonly #size = new Uint8Array(sizeBytes)
  #sizeFilled = 0
  /** The frame that has begun; its bytes so far are `#buffer[0, #filled)`. */
  #frameBytes = -1
  #buffer: Uint8Array = nothing
  #filled = 0

  constructor(maxBytes: number, buffers: FrameBuffers) {
    this.#maxBytes = maxBytes
    this.#buffers = buffers
  }

  /** Bytes of the frame that is not complete yet. */
  get unfinishedBytes(): number {
    return this.#filled + this.#sizeFilled
  }

  /**
   * The frames that `chunk` completes, each valid until the next one is asked for. Throws DecodeError: a
   * size that is negative or too large, or the beginning of another protocol.
   */
  *push(chunk: Uint8Array): Iterable<Uint8Array> {
    let at = 0
    while (at < chunk.length) {
      if (this.#frameBytes === -1) {
        at = this.#readSize(chunk, at)
        if (this.#frameBytes === -1) return
      }
      const missing = this.#frameBytes - this.#filled
      if (this.#filled === 0 && chunk.length - at >= missing) {
        yield this.#finish(chunk.subarray(at, at + missing))
        at += missing
        continue
      }
      const part = chunk.subarray(at, at + missing)
      this.#append(part)
      at += part.length
      if (part.length === missing) {
        yield this.#finish(this.#buffer.subarray(0, this.#filled))
        this.drop()
      }
    }
    // A frame of no bytes is complete with its size.
    if (this.#frameBytes === 0) yield this.#finish(nothing)
  }

  #readSize(chunk: Uint8Array, at: number): number {
    const part = chunk.subarray(at, at + sizeBytes - this.#sizeFilled)
    this.#size.set(part, this.#sizeFilled)
    this.#sizeFilled += part.length
    if (this.#sizeFilled === sizeBytes) {
      const [a = 0, b = 0, c = 0, d = 0] = this.#size
      const size = (a << 24) | (b << 16) | (c << 8) | d
      if (size < 0 || size > this.#maxBytes) {
        throw new DecodeError(this.#refusal(size))
      }
      this.#frameBytes = size
    }
    return at + part.length
  }

  /** Why a size is none. What is no Kafka at all is the likelier reason, and then it is said. */
  #refusal(size: number): string {
    const foreign = foreignProtocol(this.#size)
    if (foreign !== undefined) return `this is ${foreign}, not Kafka: ${remedies[foreign]}`
    return `a frame of ${size} bytes: at most ${this.#maxBytes} are accepted`
  }

  #append(part: Uint8Array): void {
    const needed = this.#filled + part.length
    if (needed > this.#buffer.length) {
      const enough = Math.min(this.#frameBytes, Math.max(4 * this.#filled, needed))
      const grown = this.#buffers.take(needed, enough)
      grown.set(this.#buffer.subarray(0, this.#filled))
      this.drop()
      this.#buffer = grown
    }
    this.#buffer.set(part, this.#filled)
    this.#filled = needed
  }

  #finish(frame: Uint8Array): Uint8Array {
    this.#frameBytes = -1
    this.#sizeFilled = 0
    this.#filled = 0
    return frame
  }

  /** Gives back its memory. What has begun cannot be finished any more. */
  drop(): void {
    this.#buffers.give(this.#buffer)
    this.#buffer = nothing
  }
}
