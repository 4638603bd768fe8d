/** The real world: this machine's clock, chance, disk and network. */

import { randomBytes } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip, gzip, type ZlibOptions, type ZstdOptions, zstdCompress } from 'node:zlib'
import type { Clock, Io, Random, Report, Timer } from './io.ts'
import { nodeDisk } from './node-disk.ts'
import { nodeNetwork } from './node-network.ts'
import { lineReport } from './report.ts'

/** Node fires a longer timeout at once. */
const maxTimeoutMs = 2 ** 31 - 1

/** How the real world is to be. */
export interface NodeIoOptions {
  /** Text lines on stderr by default. */
  readonly report?: Report
  /** False: timers, listeners and what they accept do not keep the process running. True by default. */
  readonly keepAlive?: boolean
}

/** The real world. */
export function nodeIo(options: NodeIoOptions = {}): Io {
  const { keepAlive = true } = options
  return {
    clock: nodeClock(keepAlive),
    random: nodeRandom(),
    disk: nodeDisk(),
    network: nodeNetwork(keepAlive),
    report: options.report ?? lineReport(),
    compressApart: (codec, bytes) =>
      codec === 'gzip' ? gzipApart(bytes, { chunkSize }) : zstdApart(bytes, { chunkSize }),
    gunzipApart: (bytes, maxOutputLength) => gunzipApart(bytes, { maxOutputLength, chunkSize }),
  }
}

/** The other thread comes back for each so many bytes. */
const chunkSize = 256 * 1024

const gzipApart = promisify<Uint8Array, ZlibOptions, Uint8Array>(gzip)
const gunzipApart = promisify<Uint8Array, ZlibOptions, Uint8Array>(gunzip)
const zstdApart = promisify<Uint8Array, ZstdOptions, Uint8Array>(zstdCompress)

function nodeClock(keepAlive: boolean): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    timer: (delayMs, run) => new NodeTimer(delayMs, run, keepAlive),
  }
}

class NodeTimer implements Timer {
  readonly #run: () => void
  readonly #keepAlive: boolean
  #leftMs: number
  #timeout: NodeJS.Timeout | undefined

  constructor(delayMs: number, run: () => void, keepAlive: boolean) {
    this.#run = run
    this.#keepAlive = keepAlive
    this.#leftMs = delayMs
    this.#arm()
  }

  cancel(): void {
    clearTimeout(this.#timeout)
    this.#timeout = undefined
  }

  #arm(): void {
    const stepMs = Math.min(this.#leftMs, maxTimeoutMs)
    this.#leftMs -= stepMs
    this.#timeout = setTimeout(() => (this.#leftMs > 0 ? this.#arm() : this.#run()), stepMs)
    if (!this.#keepAlive) this.#timeout.unref()
  }
}

function nodeRandom(): Random {
  // One call into OpenSSL serves many numbers.
  let pool = Buffer.alloc(0)
  let used = 0
  return {
    u32() {
      if (used + 4 > pool.length) {
        pool = randomBytes(1024)
        used = 0
      }
      used += 4
      return pool.readUInt32LE(used - 4)
    },
    bytes: length => new Uint8Array(randomBytes(length)),
  }
}
