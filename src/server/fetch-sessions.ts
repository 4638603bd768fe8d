/**
 * Fetch sessions (KIP-227): a client that fetches the same partitions again and again names only
 * what changed, and is answered only for partitions that have something to say.
 *
 * A session is a list of partitions in the order in which they are served. One that was answered
 * with records goes to the end, so that a full answer does not starve the last ones. The cache is
 * bounded in sessions and in partitions of all sessions. When it is full, a new session takes the
 * place of one that was silent for two minutes, or of a smaller one that had its two minutes; else
 * the client goes on without a session, which costs it bytes and nothing else. A follower comes
 * before all consumers: it takes the place of any of theirs, and none of them takes its place.
 */
import type { Random } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'

/** One partition of a fetch, as the client last described it. */
export interface FetchPartition {
  /** The zero uuid in versions that have names. */
  readonly topicId: string
  /** '' in versions that have ids. */
  readonly topic: string
  readonly index: number
  fetchOffset: number
  maxBytes: number
  /** −1: not checked. */
  currentLeaderEpoch: number
  /** −1: not checked. */
  lastFetchedEpoch: number
  /** Of the log of a follower that fetches; −1: it does not say. */
  followerLogStart: number
  /** What the session was last told; −1: nothing, or an error. */
  highWatermark: number
  logStartOffset: number
}

/** What of a Fetch request matters to sessions. */
export interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly usesTopicIds: boolean
  readonly isFollower: boolean
  readonly partitions: readonly FetchPartition[]
  readonly forgotten: readonly { topicId: string; topic: string; index: number }[]
}

/** What a partition is answered with, as far as sessions care. */
export interface PartitionNews {
  readonly errorCode: number
  /** Where the logs part, or another replica to read from: told each time. */
  readonly hasAdvice: boolean
  readonly bytes: number
  readonly highWatermark: number
  readonly logStartOffset: number
}

/** What one Fetch has to serve. */
export class FetchContext {
  /** To be answered; 0: no session. */
  readonly sessionId: number
  readonly partitions: readonly FetchPartition[]
  readonly #session: Session | undefined
  readonly #isIncremental: boolean

  constructor(partitions: readonly FetchPartition[], session?: Session, isIncremental = false) {
    this.partitions = partitions
    this.sessionId = session?.id ?? 0
    this.#session = session
    this.#isIncremental = isIncremental
  }

  /** Whether the client was told this already, and need not be told again. */
  knows(partition: FetchPartition, highWatermark: number, logStartOffset: number): boolean {
    return (
      this.#isIncremental &&
      partition.highWatermark === highWatermark &&
      partition.logStartOffset === logStartOffset
    )
  }

  /** Notes what the client will be told; false: it knows already, leave the partition out. */
  tell(partition: FetchPartition, news: PartitionNews): boolean {
    if (this.#session === undefined) return true
    if (news.bytes > 0) this.#session.moveToEnd(partition)
    const isNews =
      news.errorCode !== 0 ||
      news.hasAdvice ||
      news.bytes > 0 ||
      news.highWatermark !== partition.highWatermark ||
      news.logStartOffset !== partition.logStartOffset
    // After an error the client is told the next time too, even if nothing else changed.
    partition.highWatermark = news.errorCode === 0 ? news.highWatermark : -1
    partition.logStartOffset = news.logStartOffset
    return isNews || !this.#isIncremental
  }
}

/** A session may be replaced after so long. */
const evictableAfterMs = 120_000
const finalEpoch = -1
const maxEpoch = 0x7fffffff

export class FetchSessions {
  readonly #random: Random
  readonly #slots: number
  readonly #maxPartitions: number
  /** Least recently used first. */
  readonly #sessions = new Map<number, Session>()
  #partitions = 0

  constructor(random: Random, slots: number, maxPartitions = 500_000) {
    this.#random = random
    this.#slots = slots
    this.#maxPartitions = maxPartitions
  }

  get size(): number {
    return this.#sessions.size
  }

  /**
   * The partitions that a request stands for. Throws FETCH_SESSION_ID_NOT_FOUND,
   * INVALID_FETCH_SESSION_EPOCH and FETCH_SESSION_TOPIC_ID_ERROR: the client starts a new session.
   */
  open(request: SessionRequest, nowMs: number): FetchContext {
    const { sessionId, sessionEpoch } = request
    if (sessionEpoch !== finalEpoch && sessionEpoch !== 0) return this.#proceed(request, nowMs)
    this.#remove(this.#sessions.get(sessionId))
    return new FetchContext(
      request.partitions,
      sessionEpoch === 0 ? this.#create(request, nowMs) : undefined,
    )
  }

  #proceed(request: SessionRequest, nowMs: number): FetchContext {
    const session = this.#sessions.get(request.sessionId)
    if (session === undefined) throw new KafkaError('FETCH_SESSION_ID_NOT_FOUND')
    if (session.usesTopicIds !== request.usesTopicIds) {
      throw new KafkaError('FETCH_SESSION_TOPIC_ID_ERROR')
    }
    if (session.epoch !== request.sessionEpoch) throw new KafkaError('INVALID_FETCH_SESSION_EPOCH')
    session.epoch = session.epoch === maxEpoch ? 1 : session.epoch + 1
    session.usedMs = nowMs
    this.#partitions -= session.size
    session.update(request)
    this.#partitions += session.size
    this.#sessions.delete(session.id)
    this.#sessions.set(session.id, session)
    if (session.size === 0) {
      this.#remove(session)
      return new FetchContext([])
    }
    if (this.#partitions > this.#maxPartitions) {
      this.#remove(session)
      throw new KafkaError('FETCH_SESSION_ID_NOT_FOUND', 'too many partitions in fetch sessions')
    }
    return new FetchContext(session.partitions(), session, true)
  }

  #create(request: SessionRequest, nowMs: number): Session | undefined {
    const size = request.partitions.length
    if (this.#sessions.size >= this.#slots) this.#remove(this.#evictable(request, nowMs))
    const isRoom =
      this.#sessions.size < this.#slots && this.#partitions + size <= this.#maxPartitions
    if (!isRoom) return undefined
    let id = 0
    while (id === 0 || this.#sessions.has(id)) id = this.#random.u32() >>> 1
    const session = new Session(id, request, nowMs)
    this.#sessions.set(id, session)
    this.#partitions += session.size
    return session
  }

  #evictable({ isFollower, partitions }: SessionRequest, nowMs: number): Session | undefined {
    const [oldest] = this.#sessions.values()
    if (oldest !== undefined && nowMs - oldest.usedMs > evictableAfterMs) return oldest
    let least: Session | undefined
    for (const session of this.#sessions.values()) {
      const isBelow = isFollower && !session.isFollower
      const isEqual = isFollower === session.isFollower
      const isOld = nowMs - session.createdMs > evictableAfterMs
      if (!isBelow && !(isEqual && isOld && session.size < partitions.length)) continue
      if (least === undefined || ranksBelow(session, least)) least = session
    }
    return least
  }

  #remove(session: Session | undefined): void {
    if (session === undefined || !this.#sessions.delete(session.id)) return
    this.#partitions -= session.size
  }
}

class Session {
  readonly id: number
  readonly usesTopicIds: boolean
  readonly isFollower: boolean
  readonly createdMs: number
  usedMs: number
  /** Of the next request. */
  epoch = 1
  /** In the order in which they are served. */
  readonly #partitions = new Map<string, FetchPartition>()

  constructor(id: number, request: SessionRequest, nowMs: number) {
    this.id = id
    this.usesTopicIds = request.usesTopicIds
    this.isFollower = request.isFollower
    this.createdMs = nowMs
    this.usedMs = nowMs
    for (const partition of request.partitions) this.#partitions.set(keyOf(partition), partition)
  }

  get size(): number {
    return this.#partitions.size
  }

  partitions(): FetchPartition[] {
    return [...this.#partitions.values()]
  }

  update(request: SessionRequest): void {
    for (const wanted of request.partitions) {
      const known = this.#partitions.get(keyOf(wanted))
      if (known === undefined) {
        this.#partitions.set(keyOf(wanted), wanted)
      } else {
        known.fetchOffset = wanted.fetchOffset
        known.maxBytes = wanted.maxBytes
        known.currentLeaderEpoch = wanted.currentLeaderEpoch
        known.lastFetchedEpoch = wanted.lastFetchedEpoch
        known.followerLogStart = wanted.followerLogStart
      }
    }
    for (const forgotten of request.forgotten) this.#partitions.delete(keyOf(forgotten))
  }

  moveToEnd(partition: FetchPartition): void {
    const key = keyOf(partition)
    if (this.#partitions.delete(key)) this.#partitions.set(key, partition)
  }
}

/** Consumers before followers, small before large. */
function ranksBelow(a: Session, b: Session): boolean {
  return a.isFollower === b.isFollower ? a.size < b.size : b.isFollower
}

function keyOf(partition: { topicId: string; topic: string; index: number }): string {
  return `${partition.topicId}/${partition.topic}/${partition.index}`
}
