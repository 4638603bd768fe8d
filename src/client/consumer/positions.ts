/**
 * Finds where to read: by time and by the ends of a log, and whether the log of a new leader still
 * holds what was read from the old one (KIP-320).
 *
 * Each batch carries the epoch of the leader that stored it. When the leader has changed, it is asked
 * where the epoch of the last record we hold ends in its log; if that is before our position, records
 * that we have were lost there.
 */
import type { Io } from '../../io/io.ts'
import { errorName, KafkaError } from '../../protocol/errors.ts'
import {
  offsetForLeaderEpochRequest,
  offsetForLeaderEpochResponse,
} from '../../protocol/messages/offset-for-leader-epoch.ts'
import type { Incoming } from '../../protocol/schema.ts'
import type { ClientError, OffsetFound } from '../cluster.ts'
import { ConnectionError } from '../connection.ts'
import type { Brokers } from './brokers.ts'
import { LogTruncationError, OffsetOutOfRangeError } from './errors.ts'
import type { OffsetReset, TopicPartition } from './options.ts'
import type { ConsumedPartition, Wanted } from './partition.ts'

/** Timestamps of ListOffsets that stand for an end of the log. */
export const logEnd = -1
export const logBeginning = -2

export interface PositionOptions {
  readonly offsetReset: OffsetReset
  readonly readCommitted: boolean
}

export class Positions {
  readonly #io: Io
  readonly #cluster: Brokers
  readonly #options: PositionOptions
  readonly #warn: (message: string) => void
  /** Partitions that are being resolved. */
  readonly #busy = new Set<ConsumedPartition>()

  /** `warn` is told of data that was lost and passed over. */
  constructor(io: Io, cluster: Brokers, options: PositionOptions, warn: (message: string) => void) {
    this.#io = io
    this.#warn = warn
    this.#cluster = cluster
    this.#options = options
  }

  /**
   * What `offsetReset` says for a position that is not in the log, or (−1) not there; undefined for
   * 'none'.
   */
  reset(): Wanted | undefined {
    const { offsetReset } = this.#options
    if (offsetReset === 'none') return undefined
    if (offsetReset === 'latest') return { kind: 'reset', timestamp: logEnd }
    if (offsetReset === 'earliest') return { kind: 'reset', timestamp: logBeginning }
    const timestamp = Math.max(0, this.#io.clock.wallMs() - offsetReset.agoMs)
    return { kind: 'reset', timestamp }
  }

  /** Begins anew as `offsetReset` says, or fails the partition. */
  restart(partition: ConsumedPartition, offset: number): void {
    const reset = this.reset()
    if (reset !== undefined) partition.moveTo(reset)
    else partition.fail(new OffsetOutOfRangeError({ ...placeOf(partition), offset }))
  }

  /** The offset of the first message at or after each time; the end where there is none. */
  async find(
    queries: readonly (TopicPartition & { readonly timestamp: number })[],
  ): Promise<(OffsetFound | ClientError)[]> {
    const results = await this.#list(queries)
    const late = queries.filter((_, index) => isTooLate(results[index]))
    if (late.length === 0) return results
    const ends = await this.#list(late.map(query => ({ ...query, timestamp: logEnd })))
    return results.map((result, index) =>
      isTooLate(result) ? ends[late.indexOf(queries[index]!)]! : result,
    )
  }

  /** A request names a partition once; who asks for several times of one is answered by several. */
  async #list(
    queries: readonly (TopicPartition & { readonly timestamp: number })[],
  ): Promise<(OffsetFound | ClientError)[]> {
    const { readCommitted } = this.#options
    const rounds = new Map<number, number[]>()
    const seen = new Map<string, number>()
    for (const [index, { topic, partition }] of queries.entries()) {
      const key = `${topic}/${partition}`
      const round = seen.get(key) ?? 0
      seen.set(key, round + 1)
      rounds.set(round, [...(rounds.get(round) ?? []), index])
    }
    const results: (OffsetFound | ClientError)[] = []
    for (const indexes of rounds.values()) {
      const asked = indexes.map(index => queries[index]!)
      const found = await this.#cluster.listOffsets(asked, { readCommitted })
      for (const [at, index] of indexes.entries()) results[index] = found[at]!
    }
    return results
  }

  /**
   * Finds the positions of those that want one and are not being seen to. A failure that may pass
   * leaves it as it is, to be tried again at `retryAtMs`; another one fails the partition. False:
   * there were none.
   */
  async resolve(partitions: Iterable<ConsumedPartition>): Promise<boolean> {
    const nowMs = this.#io.clock.monotonicMs()
    const open = [...partitions].filter(
      each =>
        each.wanted !== undefined &&
        each.leaderId >= 0 &&
        each.retryAtMs <= nowMs &&
        !this.#busy.has(each),
    )
    if (open.length === 0) return false
    for (const each of open) this.#busy.add(each)
    try {
      const resets = open.filter(({ wanted }) => wanted?.kind === 'reset')
      const leaders = Map.groupBy(
        open.filter(({ wanted }) => wanted?.kind === 'validate'),
        ({ leaderId }) => leaderId,
      )
      await Promise.all([
        resets.length > 0 && this.#reset(resets),
        ...[...leaders].map(([leader, mine]) => this.#validate(leader, mine)),
      ])
    } finally {
      for (const each of open) this.#busy.delete(each)
    }
    return true
  }

  async #reset(partitions: readonly ConsumedPartition[]): Promise<void> {
    const asked = partitions.map(each => ({ each, version: each.version }))
    const queries = partitions.map(({ topic, partition, wanted }) => ({
      topic,
      partition,
      timestamp: wanted?.kind === 'reset' ? wanted.timestamp : logEnd,
    }))
    const results = await this.find(queries).catch((error: unknown) => queries.map(() => error))
    for (const [index, { each, version }] of asked.entries()) {
      if (each.version !== version || !each.isAssigned) continue
      const result = results[index]
      if (isFound(result)) {
        each.moveTo({ offset: result.offset, leaderEpoch: result.leaderEpoch })
      } else {
        this.#failed(each, result)
      }
    }
  }

  async #validate(leaderId: number, partitions: readonly ConsumedPartition[]): Promise<void> {
    const asked = partitions.map(each => ({
      each,
      version: each.version,
      offset: each.fetchOffset,
      leaderEpoch: each.leaderEpoch,
    }))
    const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, mine]) => ({
      topic,
      partitions: mine.map(({ partition, leaderEpoch, fetchEpoch }) => ({
        partition,
        currentLeaderEpoch: leaderEpoch,
        leaderEpoch: fetchEpoch,
      })),
    }))
    let answer: Incoming<typeof offsetForLeaderEpochResponse>
    try {
      answer = await this.#ask(leaderId, topics)
    } catch (error) {
      for (const { each } of asked) this.#failed(each, error)
      return
    }
    for (const { each, version, offset, leaderEpoch } of asked) {
      if (each.version !== version || each.fetchOffset !== offset) continue
      // The leader changed once more meanwhile: the next one is to be asked.
      if (each.leaderEpoch !== leaderEpoch) continue
      const found = answer.topics
        .find(({ topic }) => topic === each.topic)
        ?.partitions.find(({ partition }) => partition === each.partition)
      if (found === undefined || found.errorCode !== 0) {
        const name = errorName(found?.errorCode ?? -1)
        this.#failed(each, KafkaError.of(name, `${each.topic}-${each.partition}`))
      } else {
        this.#judge(each, found.leaderEpoch, found.endOffset)
      }
    }
  }

  /** Where epochs end in the log of a leader. */
  async #ask(
    leaderId: number,
    topics: {
      topic: string
      partitions: { partition: number; currentLeaderEpoch: number; leaderEpoch: number }[]
    }[],
  ) {
    return await this.#cluster.callBroker(
      leaderId,
      offsetForLeaderEpochRequest,
      offsetForLeaderEpochResponse,
      { replicaId: -1, topics },
    )
  }

  /** The leader says that what it has of our epoch, or of the one before, ends at `endOffset`. */
  #judge(each: ConsumedPartition, epoch: number, endOffset: number): void {
    each.wanted = undefined
    each.attempts = 0
    const offset = each.fetchOffset!
    const isKnown = epoch >= 0 && endOffset >= 0
    if (isKnown && endOffset >= offset) return
    const divergentOffset = isKnown ? endOffset : undefined
    this.truncated(each, divergentOffset, epoch)
  }

  /** Messages from `divergentOffset` on (undefined: nobody knows from where) were lost. */
  truncated(each: ConsumedPartition, divergentOffset: number | undefined, epoch: number): void {
    const reset = this.reset()
    const error = new LogTruncationError(
      { ...placeOf(each), offset: each.fetchOffset ?? -1 },
      divergentOffset,
    )
    const { handedOut } = each
    if (reset === undefined) {
      each.fail(error)
    } else if (divergentOffset === undefined) {
      each.moveTo(reset)
    } else if (handedOut !== undefined && handedOut.offset < divergentOffset) {
      // What was fetched and not handed out yet is there still.
      each.moveTo(handedOut)
    } else {
      each.moveTo({ offset: divergentOffset, leaderEpoch: epoch })
    }
    this.#warn(error.message)
  }

  #failed(each: ConsumedPartition, error: unknown): void {
    const mayPass =
      error instanceof ConnectionError || (error instanceof KafkaError && error.retriable)
    if (!mayPass) {
      each.fail(error)
      return
    }
    this.#cluster.invalidate(each.topic)
    each.retryAtMs = this.#io.clock.monotonicMs() + this.#cluster.nextBackoffMs(each.attempts++)
  }
}

function isFound(result: unknown): result is OffsetFound {
  return !(result instanceof Error) && result !== undefined
}

function isTooLate(result: OffsetFound | ClientError | undefined): boolean {
  return isFound(result) && result.offset < 0
}

function placeOf({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}
