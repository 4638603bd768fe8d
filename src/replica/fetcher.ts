/**
 * Copies from one leader: one connection, on which one Fetch is under way at a time.
 *
 * A request asks for every partition that has a position, and only its own answer is used, each part of
 * it for the very object that asked. Then what came is written, all partitions at once, and the next
 * request goes out when that is done: it names all of them again. A disk that is slow holds only its
 * own partitions: after `writePatienceMs` the others are asked without them, and the leader waits less
 * for news, so that they are not missed for long. And a partition that comes while the leader keeps a
 * request waiting for news of others is not kept waiting, too, if writes to it with acks=all wait for
 * this replica: the request is given up with its connection. Who is out of the ISR comes along with
 * the next request: when a broker starts, hundreds of them come one after the other.
 *
 * What is being written counts against the bound of the next answer: no more than
 * replica.fetch.response.max.bytes is in memory, but for a first batch that is larger. A replica that
 * is throttled (KIP-73) and not caught up is not asked for while too much of such has come.
 */
import type { Slab, Slabs } from '../base/slabs.ts'
import { ConnectionError } from '../client/connection.ts'
import type { Peers } from '../client/peers.ts'
import type { Member } from '../cluster/partition-state.ts'
import type { FetcherConfig } from '../config/fetcher-config.ts'
import type { Io, Timer } from '../io/io.ts'
import { errorName, KafkaError } from '../protocol/errors.ts'
import { fetchRequest, fetchResponse } from '../protocol/messages/fetch.ts'
import type { IncomingFields } from '../protocol/schema.ts'
import { FetchSession, type SessionRequest } from './fetch-session.ts'
import type { FetchPosition } from './follower-state.ts'
import type { Following } from './following.ts'
import type { Throttle } from './throttle.ts'

export interface FetcherOptions {
  readonly peers: Peers
  readonly leaderId: number
  /** Names the connection, among those to the same leader. */
  readonly lane: string
  /** This broker at its registration; undefined while it has none that holds. */
  self(): Member | undefined
  /** As it is now. */
  config(): FetcherConfig
  readonly throttle: FollowerThrottle
  /** For answers. */
  readonly memory: Slabs
}

/** The follower's side of `Throttle`. */
export type FollowerThrottle = Pick<Throttle, 'covers' | 'isExceeded' | 'record'>

/** What one Fetch was sent for. */
type Asked = ReadonlyMap<Following, FetchPosition>
type Response = IncomingFields<(typeof fetchResponse)['fields']>

const writePatienceMs = 20

/** So long the leader may keep a request waiting that does not name a partition which came since. */
const newcomerPatienceMs = 20
const waitWhileWritingMs = 20

/** So often it is seen whether throttled replicas may go on. */
const throttledMs = 200

/** Beside the records of an answer: the first batch, which may be larger, and what says what is what. */
const frameRoomBytes = 128 * 1024 * 1024

export class Fetcher {
  readonly #io: Io
  readonly #options: FetcherOptions
  /** Who was served last comes last. */
  readonly #followings = new Set<Following>()
  /** Those that no request has asked for yet, and that writes wait for. */
  readonly #newcomers = new Set<Following>()
  readonly #session = new FetchSession<Following>()
  #writingBytes = 0
  #failures = 0
  #running: Promise<void> | undefined
  #wake: (() => void) | undefined
  #isWoken = false
  #isClosed = false
  /** What the request under way asks for. */
  #asked: Asked | undefined
  #newcomersTimer: Timer | undefined
  #isGivenUp = false
  /** Of the last answer that came. */
  #coming: Slab | undefined
  /** Too much of throttled replicas has come. */
  #isHolding = false

  constructor(io: Io, options: FetcherOptions) {
    this.#io = io
    this.#options = options
  }

  get size(): number {
    return this.#followings.size
  }

  /** `isAwaited`: nobody can write to it with acks=all before it is asked for. */
  add(following: Following, isAwaited: boolean): void {
    this.#followings.add(following)
    if (isAwaited) this.#newcomers.add(following)
    following.onReady = () => this.wake()
    this.wake()
    this.#running ??= this.#run()
  }

  /** Answers for it are not used any more. */
  remove(following: Following): void {
    this.#followings.delete(following)
    this.#newcomers.delete(following)
    this.wake()
  }

  /** Something may be possible that was not. */
  wake(): void {
    this.#isWoken = true
    this.#wake?.()
    const isInTime = this.#asked === undefined || this.#newcomers.size === 0
    if (isInTime || this.#newcomersTimer !== undefined) return
    this.#newcomersTimer = this.#io.clock.timer(newcomerPatienceMs, () =>
      this.#giveUpForNewcomers(),
    )
  }

  /** The request under way is given up. Resolves when this asks for nothing any more. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#options.peers.closeLane(this.#options.leaderId, this.#options.lane)
    this.wake()
    await this.#running
  }

  async #run(): Promise<void> {
    while (!this.#isClosed && this.#followings.size > 0) {
      this.#isWoken = false
      const self = this.#options.self()
      const positions = this.#positions()
      if (self === undefined || this.#isFull) await this.#woken(this.#options.config().backoffMs)
      else if (positions.size === 0) await this.#woken(this.#untilRetryMs())
      else await this.#fetch(self, positions)
    }
    // In the same turn as the last look at the list: who comes later begins anew.
    this.#running = undefined
    if (!this.#isClosed) this.#options.peers.closeLane(this.#options.leaderId, this.#options.lane)
  }

  #positions(): Asked {
    const positions = new Map<Following, FetchPosition>()
    this.#isHolding = this.#options.throttle.isExceeded()
    for (const following of this.#followings) {
      const position = this.#isHeld(following) ? undefined : following.position()
      if (position !== undefined) positions.set(following, position)
    }
    return positions
  }

  #isHeld(following: Following): boolean {
    if (!this.#isHolding || following.isCaughtUp) return false
    return this.#options.throttle.covers(following.topic, following.index)
  }

  /** When it may be asked for, if it may not now. */
  #readyAtMs(following: Following, nowMs: number): number {
    const atMs = this.#isHeld(following) ? nowMs + throttledMs : nowMs
    return Math.max(atMs, following.retryAtMs)
  }

  get #isFull(): boolean {
    return this.#writingBytes > this.#options.config().responseMaxBytes / 2
  }

  #untilRetryMs(): number {
    const nowMs = this.#io.clock.monotonicMs()
    let atMs = nowMs + this.#options.config().backoffMs
    for (const following of this.#followings) {
      atMs = Math.min(atMs, this.#readyAtMs(following, nowMs))
    }
    return atMs - nowMs
  }

  async #fetch(self: Member, positions: Asked): Promise<void> {
    const request = this.#session.next(positions)
    let response: Response
    this.#asked = positions
    for (const following of positions.keys()) this.#newcomers.delete(following)
    this.#isGivenUp = false
    try {
      response = await this.#exchange(self, request)
    } catch (error) {
      this.#session.restart()
      if (!this.#isGivenUp) await this.#failed(error as Error)
      return
    } finally {
      this.#answered()
    }
    this.#failures = 0
    this.#session.answered(response.sessionId)
    // Paused or cut off for so long, this broker follows nobody: another is in its place.
    if (this.#options.self() === undefined) return
    await this.#take(positions, response)
  }

  #answered(): void {
    this.#asked = undefined
    this.#newcomersTimer?.cancel()
    this.#newcomersTimer = undefined
  }

  #giveUpForNewcomers(): void {
    this.#newcomersTimer = undefined
    if (this.#asked === undefined || this.#isClosed) return
    const areWaiting = [...this.#newcomers].some(
      following => !this.#isHeld(following) && following.position() !== undefined,
    )
    if (!areWaiting) return
    this.#isGivenUp = true
    this.#options.peers.closeLane(this.#options.leaderId, this.#options.lane)
  }

  /** Throws ConnectionError, and KafkaError when the whole request was refused. */
  async #exchange(self: Member, request: SessionRequest<Following>): Promise<Response> {
    const { peers, leaderId, lane } = this.#options
    const config = this.#options.config()
    const [replicaId, brokerEpoch] = self
    const body = {
      replicaState: { replicaId, replicaEpoch: Number(brokerEpoch) },
      maxWaitMs: Math.min(this.#waitMs(), config.waitMaxMs),
      minBytes: config.minBytes,
      maxBytes: config.responseMaxBytes - this.#writingBytes,
      sessionId: request.sessionId,
      sessionEpoch: request.sessionEpoch,
      topics: topicsOf(request.asked, config.maxBytes),
      forgottenTopicsData: byTopic(request.forgotten).map(([topicId, partitions]) => ({
        topicId,
        partitions: partitions.map(({ index }) => index),
      })),
    }
    const deadlineMs = this.#io.clock.monotonicMs() + config.waitMaxMs + config.timeoutMs
    const maxFrameBytes = config.responseMaxBytes + frameRoomBytes
    const frameMemory = (bytes: number) => this.#memoryFor(bytes)
    const limits = { deadlineMs, maxFrameBytes, frameMemory }
    const response = await peers.request(
      leaderId,
      lane,
      fetchRequest,
      fetchResponse,
      version => (version < 15 ? tooOld(leaderId) : body),
      limits,
    )
    if (response.errorCode !== 0) throw new KafkaError(errorName(response.errorCode))
    return response
  }

  /** For what is answered, until it is written; what comes of no use is garbage. */
  #memoryFor(bytes: number): Uint8Array {
    const part = this.#options.memory.take(bytes)
    this.#coming = part.slab
    return part.bytes
  }

  /** No longer than until something is to be written, or asked again. */
  #waitMs(): number {
    if (this.#writingBytes > 0) return waitWhileWritingMs
    const nowMs = this.#io.clock.monotonicMs()
    let waitMs = Number.POSITIVE_INFINITY
    for (const following of this.#followings) {
      if (this.#asked?.has(following)) continue
      waitMs = Math.min(waitMs, Math.max(1, this.#readyAtMs(following, nowMs) - nowMs))
    }
    return Math.ceil(waitMs)
  }

  /** Hands each part of the answer to who asked for it, and waits until it is written. */
  async #take(asked: Asked, response: Response): Promise<void> {
    const byName = new Map(
      [...asked].map(entry => [nameOf(entry[0].topicId, entry[0].index), entry]),
    )
    const { throttle } = this.#options
    const writes: Promise<void>[] = []
    let bytes = 0
    for (const { topicId, partitions } of response.responses) {
      for (const answer of partitions) {
        const [following, position] = byName.get(nameOf(topicId, answer.partitionIndex)) ?? []
        if (following === undefined || position === undefined) continue // Nobody asked for it.
        const size = answer.records?.length ?? 0
        bytes += size
        if (throttle.covers(following.topic, following.index)) throttle.record(size)
        if (size > 0 && this.#followings.delete(following)) this.#followings.add(following)
        writes.push(following.onAnswer(position, answer))
      }
    }
    this.#writingBytes += bytes
    const slab = this.#coming
    const written = Promise.all(writes).finally(() => {
      this.#writingBytes -= bytes
      slab?.release()
      this.wake()
    })
    await this.#soon(written)
  }

  /** Resolves with `work`, or when it takes long. */
  async #soon(work: Promise<unknown>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#io.clock.timer(writePatienceMs, resolve)
    await Promise.race([work, promise])
    timer.cancel()
  }

  async #failed(error: Error): Promise<void> {
    if (this.#isClosed) return
    const { leaderId, lane } = this.#options
    const isForgotten = error instanceof KafkaError && error.error.startsWith('FETCH_SESSION')
    const isStale = error instanceof KafkaError && error.error === 'INVALID_FETCH_SESSION_EPOCH'
    const isFirst = this.#failures++ === 0
    if ((isForgotten || isStale) && isFirst) return // The next one names all.
    if (isFirst && !(error instanceof ConnectionError && error.retriable)) {
      this.#io.report.error({ leader: leaderId, lane, error }, 'cannot fetch from the leader')
    }
    await this.#woken(this.#options.config().backoffMs, false)
  }

  /** Resolves after `delayMs`; earlier when closed, or when woken, if that matters. */
  async #woken(delayMs: number, isAnyReason = true): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    const timer = this.#io.clock.timer(delayMs, resolve)
    this.#wake = () => {
      if (isAnyReason || this.#isClosed) resolve()
    }
    if (this.#isWoken) this.#wake()
    await promise
    this.#wake = undefined
    timer.cancel()
  }
}

function topicsOf(asked: Asked, partitionMaxBytes: number) {
  return byTopic([...asked.keys()]).map(([topicId, followings]) => ({
    topicId,
    partitions: followings.map(following => {
      const { leaderEpoch, fetchOffset, lastFetchedEpoch, logStartOffset } = asked.get(following)!
      return {
        partition: following.index,
        currentLeaderEpoch: leaderEpoch,
        fetchOffset,
        lastFetchedEpoch,
        logStartOffset,
        partitionMaxBytes,
      }
    }),
  }))
}

function byTopic<P extends { readonly topicId: string }>(
  partitions: readonly P[],
): [string, P[]][] {
  const topics = new Map<string, P[]>()
  for (const partition of partitions) {
    const others = topics.get(partition.topicId)
    if (others === undefined) topics.set(partition.topicId, [partition])
    else others.push(partition)
  }
  return [...topics]
}

function nameOf(topicId: string, index: number): string {
  return `${topicId}/${index}`
}

function tooOld(leaderId: number): never {
  throw new KafkaError('UNSUPPORTED_VERSION', `broker ${leaderId} has no Fetch with broker epochs`)
}
