/**
 * Who compacts when: looks at all logs now and then, and compacts the dirtiest first, as many at a time
 * as log.cleaner.threads says. A log that was compacted is looked at again at once; when none is worth
 * the work there is a pause of log.cleaner.backoff.ms. All passes share one pace.
 */
import type { CleanerConfig } from '../config/cleaner-config.ts'
import type { Io, Timer } from '../io/io.ts'
import type { Dirtiness } from './compaction-choice.ts'
import type { Log } from './log.ts'
import { Pace } from './pace.ts'

/** A log that may be compacted, as it is now. */
export interface CleanableLog {
  readonly log: Log
  readonly lastStableOffset: number
  /** A pass came to its end: notes to where. Never rejects. */
  noted(): Promise<void>
}

/** A smaller map would make passes of a handful of keys, a smaller buffer reads of a few batches. */
const [minMapBytes, minBufferBytes] = [64 * 1024, 64 * 1024]

export class Cleaner {
  readonly #io: Io
  readonly #config: () => CleanerConfig
  readonly #logs: () => Iterable<CleanableLog>
  readonly #pace: Pace
  readonly #lanes = new Set<Promise<void>>()
  readonly #busy = new Set<Log>()
  #timer: Timer | undefined
  #isClosed = false

  /** Begins after the first pause. `config` and `logs` are asked again and again. */
  constructor(io: Io, config: () => CleanerConfig, logs: () => Iterable<CleanableLog>) {
    this.#io = io
    this.#config = config
    this.#logs = logs
    this.#pace = new Pace(io.clock, () => config().maxBytesPerSecond)
    this.#arm()
  }

  /** Ends the passes that run, and waits for them; what they had come to stays. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    const letGo = await Promise.all([...this.#busy].map(log => log.compaction.hold()))
    await Promise.all(this.#lanes)
    for (const end of letGo) end()
  }

  #arm(): void {
    // A pause of 0 would be a loop that leaves no time for anything else.
    const backoffMs = Math.max(1, this.#config().backoffMs)
    this.#timer = this.#io.clock.timer(backoffMs, () => {
      const { enabled, threads } = this.#config()
      while (enabled && this.#lanes.size < threads) this.#begin()
      this.#arm()
    })
  }

  #begin(): void {
    const lane = this.#work().finally(() => this.#lanes.delete(lane))
    this.#lanes.add(lane)
  }

  /** Compacts one log after the other until none is worth it. */
  async #work(): Promise<void> {
    for (;;) {
      const next = await this.#dirtiest()
      if (next === undefined || !this.#config().enabled) return
      this.#busy.add(next.log)
      try {
        const { log, lastStableOffset } = next
        const result = await log.compaction.clean(lastStableOffset, this.#means())
        if (result === undefined) return // Stopped, or failed: not again at once.
        await next.noted()
      } finally {
        this.#busy.delete(next.log)
      }
    }
  }

  async #dirtiest(): Promise<CleanableLog | undefined> {
    const nowMs = this.#io.clock.wallMs()
    let best: { readonly item: CleanableLog; readonly dirtiness: Dirtiness } | undefined
    for (const item of [...this.#logs()]) {
      if (this.#isClosed) return undefined
      if (this.#busy.has(item.log) || !item.log.isToCompact) continue
      const dirtiness = await item.log.compaction.dirtiness(item.lastStableOffset, nowMs)
      if (dirtiness === undefined || this.#busy.has(item.log)) continue
      if (best === undefined || dirtiness.ratio > best.dirtiness.ratio) best = { item, dirtiness }
    }
    const isFree = best !== undefined && !this.#busy.has(best.item.log) && !this.#isClosed
    return isFree ? best!.item : undefined
  }

  #means() {
    const { threads, dedupeBufferBytes, loadFactor, bufferBytes } = this.#config()
    const shares = Math.max(1, threads)
    return {
      mapBytes: Math.max(minMapBytes, Math.floor(dedupeBufferBytes / shares)),
      loadFactor,
      bufferBytes: Math.max(minBufferBytes, Math.floor(bufferBytes / shares)),
      pace: this.#pace,
    }
  }
}
