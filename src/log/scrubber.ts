/**
 * Reads the cold segments of one data directory again, slowly, for damage that nobody would notice
 * until somebody wants the records: while another copy may still be had. It tells, once, people and
 * whoever can mend it, and changes nothing; what was written last is read by consumers and recovery anyway.
 *
 * A pass goes through all segments that are closed and synced, at no more than
 * log.scrub.max.bytes.per.second; the next begins log.scrub.interval.ms after it began. It starts at
 * any log, so that a broker which is often restarted comes to all of them, too. Segments that go or
 * are compacted meanwhile are not looked at any more.
 */
import type { ScrubberConfig } from '../config/scrubber-config.ts'
import { DiskError, type DiskFile, type Io, type Timer } from '../io/io.ts'
import { scanBatches } from './batch-scan.ts'
import type { Log } from './log.ts'
import { Pace } from './pace.ts'
import type { Segment } from './segment.ts'

/** How often it is looked whether a pass is due. */
const lookMs = 60_000

/** Read at once, and between two pauses. */
const windowBytes = 128 * 1024

/** Segments that are remembered as damaged; of more, some may be told of again. */
const maxRemembered = 1000

export class Scrubber {
  readonly #io: Io
  readonly #config: () => ScrubberConfig
  readonly #logs: () => Iterable<Log>
  readonly #onDamage: (log: Log, segment: Segment) => void
  readonly #pace: Pace
  /** Paths of the damaged segments that were told of. */
  readonly #told = new Set<string>()
  #beganMs = Number.NEGATIVE_INFINITY
  #pass: Promise<void> | undefined
  #timer: Timer | undefined
  #isClosed = false

  /** `config` and `logs`, those of the directory that are in use, are asked again and again. */
  constructor(
    io: Io,
    config: () => ScrubberConfig,
    logs: () => Iterable<Log>,
    onDamage: (log: Log, segment: Segment) => void,
  ) {
    this.#onDamage = onDamage
    this.#io = io
    this.#config = config
    this.#logs = logs
    this.#pace = new Pace(io.clock, () => Math.max(1, config().maxBytesPerSecond))
    this.#arm()
  }

  /** Ends the pass that runs. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#timer?.cancel()
    await this.#pass
  }

  #arm(): void {
    this.#timer = this.#io.clock.timer(lookMs, () => {
      this.#arm()
      const dueMs = this.#beganMs + this.#config().intervalMs
      const nowMs = this.#io.clock.monotonicMs()
      if (this.#isOver() || this.#pass !== undefined || nowMs < dueMs) return
      this.#beganMs = nowMs
      this.#pass = this.#run().finally(() => {
        this.#pass = undefined
      })
    })
  }

  #isOver(): boolean {
    const { maxBytesPerSecond, intervalMs } = this.#config()
    return this.#isClosed || maxBytesPerSecond <= 0 || intervalMs <= 0
  }

  async #run(): Promise<void> {
    const logs = [...this.#logs()]
    const first = logs.length === 0 ? 0 : this.#io.random.u32() % logs.length
    for (const log of [...logs.slice(first), ...logs.slice(0, first)]) {
      for (const segment of log.coldSegments) {
        if (this.#isOver()) return
        if (log.coldSegments.includes(segment)) await this.#scrub(log, segment)
      }
    }
  }

  /** Tells of the first damage that was not known. */
  async #scrub(log: Log, segment: Segment): Promise<void> {
    const path = segment.logPath
    let problem: Problem | undefined
    try {
      const file = await this.#io.disk.open(path, { readOnly: true })
      try {
        problem = await this.#firstProblem(segment, file)
      } finally {
        await file.close()
      }
    } catch (error) {
      if (!(error instanceof DiskError)) throw error
      problem = { what: error.message }
    }
    // What was read of a segment that went meanwhile says nothing.
    if (problem === undefined || !log.coldSegments.includes(segment)) return
    this.#onDamage(log, segment)
    if (this.#told.has(path)) return
    if (this.#told.size >= maxRemembered) this.#told.clear()
    this.#told.add(path)
    const { what, ...place } = problem
    this.#io.report.error(
      { file: path, ...place },
      `damage in a cold segment: ${what}. Other replicas, if there are any, give it anew; else 'ottla log verify' on the stopped broker tells all of it, a copy of the file repairs it`,
    )
  }

  async #firstProblem(segment: Segment, file: DiskFile): Promise<Problem | undefined> {
    const { size } = segment
    const expected = { offset: segment.baseOffset, epoch: -1 }
    for (let position = 0; position < size; ) {
      const hole = segment.holes.find(({ endPosition }) => endPosition > position)
      if (hole !== undefined && hole.position <= position) {
        position = hole.endPosition // Recovery told of it.
        expected.offset = hole.endOffset
        continue
      }
      const from = position
      const end = await scanBatches(file, from, hole?.position ?? size, {
        checkCrc: true,
        expected,
        windowBytes,
        onBatch: batch => batch.position === from || batch.position - from < windowBytes,
      })
      position = end.position
      if (end.reason === 'invalid' || end.reason === 'short') {
        const { offset } = expected
        return {
          position,
          offset,
          what: `no good batch at byte ${position}, from offset ${offset} on`,
        }
      }
      await this.#pace.moved(position - from, () => this.#isOver())
      if (this.#isOver()) return undefined
    }
    return undefined
  }
}

interface Problem {
  readonly position?: number
  readonly offset?: number
  readonly what: string
}
