/** The real world: this machine's clock, chance, disk and network. */

import { randomBytes } from 'node:crypto'
import type { Clock, Io, Random, Report, Timer } from './io.ts'
import { nodeDisk } from './node-disk.ts'
import { nodeNetwork } from './node-network.ts'
import { lineReport } from './report.ts'

/** Node fires a longer timeout at once. */
const maxTimeoutMs = 2 ** 31 - 1

/** The real world. `report` is by default text lines on stderr. */
export function nodeIo(options: { report?: Report } = {}): Io {
  return {
    clock: nodeClock(),
    random: nodeRandom(),
    disk: nodeDisk(),
    network: nodeNetwork(),
    report: options.report ?? lineReport(),
  }
}

function nodeClock(): Clock {
  return {
    wallMs: () => Date.now(),
    monotonicMs: () => performance.now(),
    timer: (delayMs, run) => new NodeTimer(delayMs, run),
  }
}

class NodeTimer implements Timer {
  readonly #run: () => void
  #leftMs: number
  #timeout: NodeJS.Timeout | undefined

  constructor(delayMs: number, run: () => void) {
    this.#run = run
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
