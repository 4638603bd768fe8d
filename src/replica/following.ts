/**
 * One partition that this broker follows, under one leadership: the driver of `follower-state.ts`.
 *
 * Made anew for each leader epoch, and ended with it: an answer that comes later is not used, whatever
 * it says. While something is done to the log there is no position to ask from, so the leader is
 * never told of records that are not written (synced, where each write is), and an answer always finds
 * the log as it was when its request was sent.
 */
import type { Clock, Report } from '../io/io.ts'
import type { Log } from '../log/log.ts'
import { KafkaError } from '../protocol/errors.ts'
import { type FetchAnswer, type FetchPosition, followerStep } from './follower-state.ts'

/** The replica, as far as following changes it. */
export interface FollowedPartition {
  readonly highWatermark: number
  /** The leader's, which holds as far as this log reaches. */
  onLeaderWatermark(highWatermark: number): void
  /** The log ends earlier, or begins elsewhere. */
  onCut(): void
}

export interface FollowingOptions {
  readonly clock: Clock
  readonly report: Report
  readonly log: Log
  readonly partition: FollowedPartition
  readonly leaderId: number
  readonly leaderEpoch: number
  /** replica.fetch.backoff.ms, as it is now. */
  backoffMs(): number
}

/** The first pause after a failure; then twice as long each time. */
const minBackoffMs = 20

export class Following {
  readonly topic: string
  readonly topicId: string
  readonly index: number
  readonly leaderId: number
  readonly leaderEpoch: number
  /** Called when there may be a position to ask from, which there was not. */
  onReady: () => void = () => {}
  readonly #options: FollowingOptions
  readonly #log: Log
  #work: Promise<void> | undefined
  #isEnded = false
  #failures = 0
  #retryAtMs = Number.NEGATIVE_INFINITY
  #reported: string | undefined
  /** As the leader last told it. */
  #leaderWatermark = Number.POSITIVE_INFINITY

  constructor(options: FollowingOptions) {
    const { log, leaderId, leaderEpoch } = options
    this.topic = log.topic
    this.topicId = log.topicId
    this.index = log.partition
    this.leaderId = leaderId
    this.leaderEpoch = leaderEpoch
    this.#options = options
    this.#log = log
    this.#do(async () => {
      await log.settledEnd()
    })
  }

  /** From where to ask now; undefined while something is done to the log, after a failure, at the end. */
  position(): FetchPosition | undefined {
    if (this.#isEnded || this.#work !== undefined) return undefined
    if (this.#options.clock.monotonicMs() < this.#retryAtMs) return undefined
    const { logEndOffset: fetchOffset, logStartOffset, durableEndOffset } = this.#log
    const { syncsEachWrite, epochs } = this.#log
    if (syncsEachWrite && durableEndOffset < fetchOffset) {
      // The policy has changed since: nothing unsynced may be counted on.
      this.#do(async () => {
        await this.#log.settledEnd()
      })
      return undefined
    }
    const { leaderEpoch } = this
    return { leaderEpoch, fetchOffset, lastFetchedEpoch: epochs.latest, logStartOffset }
  }

  /** Everything below the leader's high watermark is here. */
  get isCaughtUp(): boolean {
    return this.#log.logEndOffset >= this.#leaderWatermark
  }

  /** Monotonic: not before there is a position, if time is what is missing. */
  get retryAtMs(): number {
    return this.#work === undefined && !this.#isEnded ? this.#retryAtMs : Number.POSITIVE_INFINITY
  }

  /** The answer to the request in which `asked` was this partition's position. */
  onAnswer(asked: FetchPosition, answer: FetchAnswer): Promise<void> {
    if (this.#isEnded || this.#work !== undefined) return Promise.resolve()
    const step = followerStep(asked, this.#log.epochs, answer)
    switch (step.kind) {
      case 'wait':
        this.#failed(new KafkaError(step.error))
        return Promise.resolve()
      case 'append':
        return this.#do(() => this.#append(step.records, answer))
      case 'truncate':
        return this.#do(() => this.#truncate(step.offset, answer))
      case 'restart':
        return this.#do(() => this.#restart(step.offset))
    }
  }

  /** No answer is used from now on. Resolves when nothing is done to the log any more. */
  async end(): Promise<void> {
    this.#isEnded = true
    this.onReady = () => {}
    await this.#work
  }

  async #append(records: Uint8Array, answer: FetchAnswer): Promise<void> {
    if (records.length > 0) await this.#log.appendFetched(records, this.leaderEpoch)
    if (this.#isEnded) return
    const { partition } = this.#options
    partition.onLeaderWatermark(answer.highWatermark)
    this.#leaderWatermark = answer.highWatermark
    const logStart = Math.min(answer.logStartOffset, partition.highWatermark)
    if (logStart > this.#log.logStartOffset) await this.#log.advanceLogStart(logStart)
  }

  async #truncate(offset: number, { divergingEpoch }: FetchAnswer): Promise<void> {
    const { logEndOffset: from } = this.#log
    const { report, partition } = this.#options
    await this.#log.truncateTo(offset)
    const { logEndOffset: to } = this.#log
    const fields = { ...this.#fields, from, to, ...divergingEpoch }
    // Only an election that took a replica without all committed records may lead here.
    if (to < partition.highWatermark) {
      const { highWatermark } = partition
      report.error({ ...fields, highWatermark }, 'committed records are cut: the leader has others')
    } else if (to < from) report.info(fields, 'records are cut that the leader does not have')
    partition.onCut()
  }

  async #restart(offset: number): Promise<void> {
    const { logEndOffset: from } = this.#log
    await this.#log.restartAt(offset)
    this.#options.partition.onCut()
    const fields = { ...this.#fields, from, to: offset }
    if (from > 0) this.#options.report.warn(fields, 'the leader begins later: all is copied anew')
  }

  get #fields() {
    const { topic, index: partition, leaderId: leader, leaderEpoch } = this
    return { topic, partition, leader, leaderEpoch }
  }

  /** One thing at a time; how it ended is known when this resolves. */
  #do(work: () => Promise<void>): Promise<void> {
    const doing = work()
      .then(
        () => {
          this.#failures = 0
          this.#reported = undefined
        },
        (error: Error) => this.#failed(error),
      )
      .finally(() => {
        this.#work = undefined
        this.onReady()
      })
    this.#work = doing
    return doing
  }

  #failed(error: Error): void {
    const { clock, backoffMs } = this.#options
    const pauseMs = Math.min(backoffMs(), minBackoffMs * 2 ** Math.min(this.#failures++, 16))
    this.#retryAtMs = clock.monotonicMs() + pauseMs
    this.#reportFailure(error)
  }

  /** What passes with the next image is not worth a word; the rest is told once. */
  #reportFailure(error: Error): void {
    const isPassing = error instanceof KafkaError && passingErrors.has(error.error)
    if (isPassing || this.#isEnded || this.#reported === error.message) return
    this.#reported = error.message
    this.#options.report.error({ ...this.#fields, error }, 'cannot follow the leader')
  }
}

/** Leader and follower do not have the same image yet. */
const passingErrors: ReadonlySet<string> = new Set([
  'NOT_LEADER_OR_FOLLOWER',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
])
