/** The fetches from one broker: a loop that runs while there is something to ask it for. */
import type { Io } from '../../io/io.ts'
import { errorName, KafkaError } from '../../protocol/errors.ts'
import { fetchRequest, fetchResponse } from '../../protocol/messages/fetch.ts'
import type { Incoming } from '../../protocol/schema.ts'
import { type Connection, ConnectionError } from '../connection.ts'
import type { Brokers } from './brokers.ts'
import { DamagedBatchError } from './errors.ts'
import { FetchSessionState, type FetchWanted } from './fetch-session-state.ts'
import { FetchedRecords } from './fetched-records.ts'
import type { Selection } from './fetcher.ts'
import type { ConsumedPartition } from './partition.ts'
import type { Positions } from './positions.ts'

export interface FetchSettings {
  /** Fetched ahead, over all brokers. */
  readonly maxBytes: number
  readonly partitionMaxBytes: number
  readonly maxWaitMs: number
  readonly minBytes: number
  readonly readCommitted: boolean
  readonly rack: string
  /** For a broker to answer, beside `maxWaitMs`. */
  readonly requestTimeoutMs: number
  /** How long a preferred replica is used before the leader is asked again. */
  readonly preferredReplicaMs: number
  /** Name of the connections for fetching. */
  readonly lane: string
}

/** What the loop needs of the fetcher. */
export interface FetchSource {
  select(brokerId: number): Selection | undefined
  delay(partitions: Iterable<ConsumedPartition>, needsMetadata: boolean): void
  readable(partition: ConsumedPartition): void
  /** A fetch was answered with so many bytes of records. */
  count(bytes: number): void
  wake(): void
}

type FetchAnswer = Incoming<typeof fetchResponse>
type PartitionAnswer = FetchAnswer['responses'][number]['partitions'][number]

/** A partition as it was when the request went out. */
interface Sent {
  readonly each: ConsumedPartition
  readonly version: number
  readonly offset: number
}

/** While a partition is left out, a broker without data is asked to wait so long, doubling. */
const shortWaitMs = 10

export class BrokerFetch {
  readonly #io: Io
  readonly #cluster: Brokers
  readonly #brokerId: number
  readonly #settings: FetchSettings
  readonly #positions: Positions
  readonly #source: FetchSource
  readonly #session = new FetchSessionState()
  #connection: Connection | undefined
  #isRunning = false
  #isClosed = false
  /** Rounds in a row that brought nothing. */
  #emptyRounds = 0

  constructor(
    io: Io,
    cluster: Brokers,
    brokerId: number,
    settings: FetchSettings,
    positions: Positions,
    source: FetchSource,
  ) {
    this.#io = io
    this.#cluster = cluster
    this.#brokerId = brokerId
    this.#settings = settings
    this.#positions = positions
    this.#source = source
  }

  /** Goes on until there is nothing to ask for. Idempotent. */
  start(): void {
    if (this.#isRunning || this.#isClosed) return
    this.#isRunning = true
    void this.#run()
  }

  close(): void {
    this.#isClosed = true
    this.#connection?.close()
  }

  async #run(): Promise<void> {
    while (!this.#isClosed) {
      const selection = this.#source.select(this.#brokerId)
      if (selection === undefined) break
      await this.#round(selection)
    }
    this.#isRunning = false
  }

  async #round({ partitions, maxBytes, isPartial }: Selection): Promise<void> {
    const sent = new Map<string, Sent>()
    for (const each of partitions) {
      const entry = { each, version: each.version, offset: each.fetchOffset! }
      sent.set(`${each.topicId}/${each.partition}`, entry)
      sent.set(`${each.topic}/${each.partition}`, entry)
    }
    const { maxWaitMs } = this.#settings
    const waitMs = isPartial
      ? Math.min(maxWaitMs, shortWaitMs * 2 ** Math.min(this.#emptyRounds, 10))
      : maxWaitMs
    let answer: FetchAnswer
    try {
      answer = await this.#ask(partitions, maxBytes, waitMs)
    } catch (error) {
      if (!this.#isClosed) this.#failed(partitions, error)
      return
    }
    if (this.#isClosed) return
    if (answer.errorCode !== 0) this.#refused(sent, answer.errorCode)
    else this.#take(sent, answer)
  }

  async #ask(
    partitions: readonly ConsumedPartition[],
    maxBytes: number,
    waitMs: number,
  ): Promise<FetchAnswer> {
    const { minBytes, readCommitted, rack, requestTimeoutMs, lane } = this.#settings
    const deadlineMs = this.#io.clock.monotonicMs() + waitMs + requestTimeoutMs
    const connection = await this.#cluster.connection(this.#brokerId, lane, deadlineMs)
    this.#connection = connection
    if (this.#isClosed) connection.close()
    const request = this.#session.request(partitions.map(each => this.#wantedOf(each)))
    const body = {
      maxWaitMs: waitMs,
      minBytes,
      maxBytes,
      isolationLevel: readCommitted ? 1 : 0,
      sessionId: request.sessionId,
      sessionEpoch: request.sessionEpoch,
      topics: topicsOf(request.named, each => ({
        partition: each.partition,
        currentLeaderEpoch: each.leaderEpoch,
        fetchOffset: each.fetchOffset,
        partitionMaxBytes: each.maxBytes,
      })),
      forgottenTopicsData: topicsOf(request.forgotten, ({ partition }) => partition),
      rackId: rack,
    }
    return await connection.request(fetchRequest, fetchResponse, body, deadlineMs)
  }

  #wantedOf(each: ConsumedPartition): FetchWanted {
    return {
      topic: each.topic,
      topicId: each.topicId,
      partition: each.partition,
      leaderEpoch: each.leaderEpoch,
      fetchOffset: each.fetchOffset!,
      maxBytes: this.#settings.partitionMaxBytes,
    }
  }

  /** There is no answer: nobody knows what the broker noted. */
  #failed(partitions: readonly ConsumedPartition[], error: unknown): void {
    this.#session.lost()
    for (const each of partitions) this.#leavePreferred(each)
    const mayPass =
      error instanceof ConnectionError ||
      (error instanceof KafkaError && (error.retriable || error.error === 'BROKER_NOT_AVAILABLE'))
    if (mayPass) this.#source.delay(partitions, true)
    else for (const each of partitions) this.#fail(each, error)
  }

  #take(sent: ReadonlyMap<string, Sent>, answer: FetchAnswer): void {
    this.#session.answered(answer.sessionId)
    const nowMs = this.#io.clock.monotonicMs()
    for (const { each } of sent.values()) each.fetchedAtMs = nowMs
    let bytes = 0
    for (const { topic, topicId, partitions } of answer.responses) {
      for (const part of partitions) {
        const entry =
          sent.get(`${topicId}/${part.partitionIndex}`) ??
          sent.get(`${topic}/${part.partitionIndex}`)
        if (entry === undefined) continue
        const { each, version, offset } = entry
        // Since then somebody sought, or it was revoked: this is not what is wanted any more.
        if (!each.isAssigned || each.version !== version || each.fetchOffset !== offset) continue
        bytes += this.#takePartition(each, part)
      }
    }
    this.#source.count(bytes)
    this.#emptyRounds = bytes === 0 ? this.#emptyRounds + 1 : 0
    this.#source.wake()
  }

  #refused(sent: ReadonlyMap<string, Sent>, code: number): void {
    const name = errorName(code)
    const isSession =
      name === 'FETCH_SESSION_ID_NOT_FOUND' ||
      name === 'INVALID_FETCH_SESSION_EPOCH' ||
      name === 'FETCH_SESSION_TOPIC_ID_ERROR'
    const hadSession = this.#session.isOpen
    this.#session.lost({ isUnknown: name === 'FETCH_SESSION_ID_NOT_FOUND' })
    // A session that is gone is begun anew at once; for one that never was this would not end.
    if (isSession && hadSession) return
    const partitions = new Set([...sent.values()].map(({ each }) => each))
    const error = KafkaError.of(name, `Fetch of broker ${this.#brokerId}`)
    if (error.retriable) this.#source.delay(partitions, true)
    else for (const each of partitions) this.#fail(each, error)
  }

  /** Bytes of records that it brought. */
  #takePartition(each: ConsumedPartition, part: PartitionAnswer): number {
    if (part.errorCode !== 0) {
      this.#takeError(each, errorName(part.errorCode))
      return 0
    }
    each.attempts = 0
    each.highWatermark = part.highWatermark
    each.lastStableOffset = part.lastStableOffset
    each.logStartOffset = part.logStartOffset
    if (part.divergingEpoch.endOffset >= 0) {
      const { epoch, endOffset } = part.divergingEpoch
      this.#positions.truncated(each, endOffset, epoch)
      if (each.isFailed) this.#source.readable(each)
      return 0
    }
    const { preferredReadReplica } = part
    if (preferredReadReplica >= 0 && preferredReadReplica !== this.#brokerId) {
      const untilMs = this.#io.clock.monotonicMs() + this.#settings.preferredReplicaMs
      each.preferred = { brokerId: preferredReadReplica, untilMs }
    }
    if (part.records === null || part.records.length === 0) return 0
    const aborted = this.#settings.readCommitted ? (part.abortedTransactions ?? []) : null
    each.accept(new FetchedRecords(part.records, each.fetchOffset!, aborted))
    this.#source.readable(each)
    return part.records.length
  }

  #takeError(each: ConsumedPartition, name: ReturnType<typeof errorName>): void {
    const wasPreferred = this.#leavePreferred(each)
    const place = { topic: each.topic, partition: each.partition, offset: each.fetchOffset! }
    const error = KafkaError.of(name, `${each.topic}-${each.partition}`)
    if (name === 'OFFSET_OUT_OF_RANGE') {
      // A follower may lag behind the position; only the leader's word counts.
      if (wasPreferred) return
      each.resetWhenRead = true
    } else if (name === 'CORRUPT_MESSAGE') {
      this.#fail(each, new DamagedBatchError(place, undefined, error))
    } else if (error.retriable) {
      this.#source.delay([each], true)
    } else {
      this.#fail(each, error)
    }
  }

  /** From here on the leader is asked. */
  #leavePreferred(each: ConsumedPartition): boolean {
    const wasPreferred = each.preferred?.brokerId === this.#brokerId
    if (wasPreferred) each.preferred = undefined
    return wasPreferred
  }

  #fail(each: ConsumedPartition, error: unknown): void {
    each.fail(error)
    this.#source.readable(each)
  }
}

/** By topic, in the shape of requests: name and id, each ignored by versions without it. */
function topicsOf<Part>(
  wanted: readonly FetchWanted[],
  part: (each: FetchWanted) => Part,
): { topic: string; topicId: string; partitions: Part[] }[] {
  return [...Map.groupBy(wanted, ({ topic, topicId }) => `${topicId}/${topic}`).values()].map(
    mine => ({ topic: mine[0]!.topic, topicId: mine[0]!.topicId, partitions: mine.map(part) }),
  )
}
