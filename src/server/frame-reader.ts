/** Cuts the frames out of the bytes of a connection, however they arrive. */
import { type ForeignProtocol, foreignProtocol } from '../protocol/foreign.ts'
import { DecodeError } from '../protocol/reader.ts'

/** Bytes in front of a frame that say how long it is. */
const sizeBytes = 4
const firstCapacity = 65_536

const remedies: Readonly<Record<ForeignProtocol, string>> = {
  TLS: 'this listener speaks plain text, so the client needs security.protocol=PLAINTEXT',
  HTTP: 'a browser, a health check or a proxy has the wrong port',
  SSH: 'an SSH client has the wrong port',
}

/**
 * Memory for a frame is taken as its bytes arrive, never by what its size says: at most four times
 * what is there. A frame that lies whole in a chunk is a view of that chunk.
 */
export class FrameReader {
  readonly #maxBytes: number
  readonly #size = new Uint8Array(sizeBytes)
  #sizeFilled = 0
  /** The frame that has begun; its bytes so far are `#buffer[0, #filled)`. */
  #frameBytes = -1
  #buffer: Uint8Array = new Uint8Array(0)
  #filled = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of the frame that is not complete yet. */
  get unfinishedBytes(): number {
    return this.#filled + this.#sizeFilled
  }

  /**
   * The frames that `chunk` completes. Throws DecodeError: a size that is negative or too
   * large, or the beginning of another protocol.
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
      if (part.length === missing) yield this.#finish(this.#buffer)
    }
    // A frame of no bytes is complete with its size.
    if (this.#frameBytes === 0) yield this.#finish(this.#buffer)
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
      const capacity = Math.min(this.#frameBytes, Math.max(4 * this.#filled, needed, firstCapacity))
      // Not zeroed: what is not filled is never given out.
      const grown = Buffer.allocUnsafeSlow(capacity)
      grown.set(this.#buffer.subarray(0, this.#filled))
      this.#buffer = grown
    }
    this.#buffer.set(part, this.#filled)
    this.#filled = needed
  }

  #finish(frame: Uint8Array): Uint8Array {
    this.#frameBytes = -1
    this.#sizeFilled = 0
    this.#filled = 0
    this.#buffer = new Uint8Array(0)
    return frame
  }
}
