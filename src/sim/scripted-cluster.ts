/**
 * A cluster that does what a test says: brokers on machines of their own (`broker1`, `broker2` …) that
 * share logs, of which the test moves the leaders, cuts off the end, or answers instead. It keeps
 * fetch sessions (KIP-227) strictly: a client that says too little or too much is refused.
 */
import type { Io } from '../io/io.ts'
import { type ErrorName, errorCode } from '../protocol/errors.ts'
import { fetchRequest, fetchResponse } from '../protocol/messages/fetch.ts'
import { listOffsetsRequest, listOffsetsResponse } from '../protocol/messages/list-offsets.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import {
  offsetForLeaderEpochRequest,
  offsetForLeaderEpochResponse,
} from '../protocol/messages/offset-for-leader-epoch.ts'
import { Batch } from '../protocol/records/batch.ts'
import { type BuildOptions, buildBatch, type NewRecord } from '../protocol/records/build.ts'
import type { Incoming } from '../protocol/schema.ts'
import { type ScriptedRequest, scriptedBroker } from './scripted-broker.ts'
import type { World } from './world.ts'

type FetchAsked = Incoming<typeof fetchRequest>

/** One partition's log and who leads it. */
export class ScriptedLog {
  readonly topic: string
  topicId: string
  readonly partition: number
  leaderId: number
  leaderEpoch = 0
  startOffset = 0
  /** KIP-392: where the leader sends readers with a rack. */
  preferredReplica = -1
  aborted: { producerId: number; firstOffset: number }[] = []
  batches: Uint8Array[] = []
  onAppend: (() => void)[] = []

  constructor(topic: string, topicId: string, partition: number, leaderId: number) {
    this.topic = topic
    this.topicId = topicId
    this.partition = partition
    this.leaderId = leaderId
  }

  get endOffset(): number {
    const last = this.batches.at(-1)
    return last === undefined ? this.startOffset : new Batch(last).lastOffset + 1
  }

  /** Appends one batch in the leader's epoch; the base offset is the end. */
  append(records: readonly NewRecord[], options: BuildOptions = {}): void {
    const { endOffset: baseOffset, leaderEpoch } = this
    this.batches.push(buildBatch({ baseOffset, leaderEpoch, ...options }, records))
    for (const wake of this.onAppend.splice(0)) wake()
  }

  /** Drops the batches from `offset` on. */
  truncate(offset: number): void {
    this.batches = this.batches.filter(batch => new Batch(batch).lastOffset < offset)
  }

  lead(leaderId: number): void {
    this.leaderId = leaderId
    this.leaderEpoch++
  }

  read(offset: number, maxBytes: number): Uint8Array {
    const chosen: Uint8Array[] = []
    let bytes = 0
    for (const batch of this.batches) {
      if (new Batch(batch).lastOffset < offset) continue
      if (chosen.length > 0 && bytes + batch.length > maxBytes) break
      chosen.push(batch)
      bytes += batch.length
    }
    return Buffer.concat(chosen)
  }
}

interface Session {
  epoch: number
  readonly wanted: Map<string, Asked>
}

interface Asked {
  readonly topicId: string
  readonly partition: number
  readonly currentLeaderEpoch: number
  readonly fetchOffset: number
  readonly partitionMaxBytes: number
}

/** What one Fetch said, for tests to look at. */
export interface SeenFetch {
  readonly brokerId: number
  readonly sessionId: number
  readonly sessionEpoch: number
  /** As 'topic-partition@offset'. */
  readonly named: readonly string[]
  readonly forgotten: readonly string[]
  readonly maxBytes: number
  readonly maxWaitMs: number
}

const versions = new Map([
  [fetchRequest.apiKey!, 17],
  [metadataRequest.apiKey!, 13],
  [listOffsetsRequest.apiKey!, 9],
  [offsetForLeaderEpochRequest.apiKey!, 4],
])

export class ScriptedCluster {
  readonly port = 9092
  readonly logs: ScriptedLog[] = []
  readonly fetches: SeenFetch[] = []
  /** Answers instead of the cluster when it returns true. */
  intercept: ((request: ScriptedRequest, brokerId: number) => boolean) | undefined
  /** Error of a partition in the next answers. */
  refusal: ((log: ScriptedLog, brokerId: number) => ErrorName | undefined) | undefined
  readonly #world: World
  readonly #brokerIds: readonly number[]
  readonly #sessions = new Map<number, Session>()
  #lastSession = 0

  constructor(world: World, brokerIds: readonly number[] = [1]) {
    this.#world = world
    this.#brokerIds = brokerIds
  }

  /** Starts all brokers, or one again that was killed. */
  async start(...brokerIds: readonly number[]): Promise<void> {
    for (const id of brokerIds.length > 0 ? brokerIds : this.#brokerIds) {
      const io = this.#world.io(`broker${id}`)
      await scriptedBroker(io, this.port, versions, request => this.#answer(io, id, request))
    }
  }

  /** Brokers forget all sessions. */
  forgetSessions(): void {
    this.#sessions.clear()
  }

  topic(name: string, leaders: readonly number[]): ScriptedLog[] {
    const id = Buffer.from(name.padEnd(16, '.').slice(0, 16)).toString('base64url')
    const made = leaders.map((leader, partition) => new ScriptedLog(name, id, partition, leader))
    this.logs.push(...made)
    return made
  }

  #answer(io: Io, brokerId: number, request: ScriptedRequest): void {
    if (this.intercept?.(request, brokerId)) return
    const { apiKey } = request.header
    if (apiKey === metadataRequest.apiKey) this.#metadata(request)
    else if (apiKey === listOffsetsRequest.apiKey) this.#listOffsets(request)
    else if (apiKey === offsetForLeaderEpochRequest.apiKey) this.#epochs(request)
    else if (apiKey === fetchRequest.apiKey) this.#fetch(io, brokerId, request)
    else request.socket.destroy()
  }

  #metadata(request: ScriptedRequest): void {
    const { topics } = request.body(metadataRequest)
    const names = topics?.map(({ name }) => name!) ?? [
      ...new Set(this.logs.map(({ topic }) => topic)),
    ]
    request.answer(metadataResponse, {
      brokers: this.#brokerIds.map(nodeId => ({
        nodeId,
        host: `broker${nodeId}`,
        port: this.port,
      })),
      topics: names.map(name => {
        const logs = this.logs.filter(({ topic }) => topic === name)
        return {
          errorCode: logs.length > 0 ? 0 : errorCode('UNKNOWN_TOPIC_OR_PARTITION'),
          name,
          topicId: logs[0]?.topicId ?? 'AAAAAAAAAAAAAAAAAAAAAA',
          partitions: logs.map(({ partition, leaderId, leaderEpoch }) => ({
            errorCode: 0,
            partitionIndex: partition,
            leaderId,
            leaderEpoch,
            replicaNodes: [...this.#brokerIds],
            isrNodes: [...this.#brokerIds],
          })),
        }
      }),
    })
  }

  #listOffsets(request: ScriptedRequest): void {
    const { topics } = request.body(listOffsetsRequest)
    request.answer(listOffsetsResponse, {
      topics: topics.map(({ name, partitions }) => ({
        name,
        partitions: partitions.map(({ partitionIndex, timestamp }) => {
          const log = this.#byName(name, partitionIndex)!
          const found = log.batches
            .map(bytes => new Batch(bytes))
            .find(batch => batch.maxTimestamp >= timestamp)
          const byTime = found?.baseOffset ?? -1
          const offset =
            timestamp === -1 ? log.endOffset : timestamp === -2 ? log.startOffset : byTime
          return { partitionIndex, errorCode: 0, timestamp, offset, leaderEpoch: log.leaderEpoch }
        }),
      })),
    })
  }

  #epochs(request: ScriptedRequest): void {
    const { topics } = request.body(offsetForLeaderEpochRequest)
    request.answer(offsetForLeaderEpochResponse, {
      topics: topics.map(({ topic, partitions }) => ({
        topic,
        partitions: partitions.map(({ partition, leaderEpoch }) => {
          const log = this.#byName(topic, partition)!
          const upTo = log.batches
            .map(bytes => new Batch(bytes))
            .filter(batch => batch.partitionLeaderEpoch <= leaderEpoch)
          const last = upTo.at(-1)
          const isCurrent = leaderEpoch === log.leaderEpoch
          return {
            errorCode: 0,
            partition,
            leaderEpoch: last?.partitionLeaderEpoch ?? leaderEpoch,
            endOffset: isCurrent ? log.endOffset : (last?.lastOffset ?? log.startOffset - 1) + 1,
          }
        }),
      })),
    })
  }

  #fetch(io: Io, brokerId: number, request: ScriptedRequest): void {
    const body = request.body(fetchRequest)
    this.#see(brokerId, body)
    const session = this.#session(body)
    if (typeof session === 'string') {
      request.answer(fetchResponse, { errorCode: errorCode(session), sessionId: 0, responses: [] })
      return
    }
    const deadlineMs = io.clock.monotonicMs() + body.maxWaitMs
    const attempt = () => {
      const parts = this.#read(session, brokerId, body)
      const isNews = parts.some(part => part.errorCode !== 0 || part.records.length > 0)
      const isRedirect = parts.some(part => part.preferredReadReplica >= 0)
      if (!isNews && !isRedirect && io.clock.monotonicMs() < deadlineMs) {
        this.#whenAppended(io, session, deadlineMs, attempt)
        return
      }
      const news = parts.filter(
        part => part.errorCode !== 0 || part.records.length > 0 || isRedirect,
      )
      request.answer(fetchResponse, {
        sessionId: session.id,
        responses: [...Map.groupBy(news, ({ topicId }) => topicId)].map(
          ([topicId, partitions]) => ({
            topicId,
            partitions,
          }),
        ),
      })
    }
    attempt()
  }

  #whenAppended(io: Io, session: Session, deadlineMs: number, again: () => void): void {
    let isDone = false
    const once = () => {
      if (isDone) return
      isDone = true
      timer.cancel()
      again()
    }
    const timer = io.clock.timer(Math.max(1, deadlineMs - io.clock.monotonicMs()), once)
    for (const { topicId, partition } of session.wanted.values()) {
      this.#byId(topicId, partition)?.onAppend.push(once)
    }
  }

  #session(body: FetchAsked): (Session & { readonly id: number }) | ErrorName {
    const wanted = body.topics.flatMap(({ topicId, partitions }) =>
      partitions.map(each => ({ ...each, topicId })),
    )
    if (body.sessionEpoch === 0) {
      this.#sessions.delete(body.sessionId)
      const session = { epoch: 1, wanted: new Map(wanted.map(each => [keyOf(each), each])) }
      this.#lastSession++
      this.#sessions.set(this.#lastSession, session)
      return { ...session, id: this.#lastSession }
    }
    const session = this.#sessions.get(body.sessionId)
    if (session === undefined) return 'FETCH_SESSION_ID_NOT_FOUND'
    if (session.epoch !== body.sessionEpoch) return 'INVALID_FETCH_SESSION_EPOCH'
    session.epoch++
    for (const each of wanted) session.wanted.set(keyOf(each), each)
    for (const { topicId, partitions } of body.forgottenTopicsData) {
      for (const partition of partitions) session.wanted.delete(keyOf({ topicId, partition }))
    }
    return { ...session, id: body.sessionId }
  }

  #read(session: Session, brokerId: number, body: FetchAsked) {
    let left = body.maxBytes
    return [...session.wanted.values()].map(asked => {
      const log = this.#byId(asked.topicId, asked.partition)
      const nothing = { partitionIndex: asked.partition, highWatermark: -1, records: empty }
      const base = { ...nothing, topicId: asked.topicId, preferredReadReplica: -1, errorCode: 0 }
      if (log === undefined) return { ...base, errorCode: errorCode('UNKNOWN_TOPIC_ID') }
      const error = this.refusal?.(log, brokerId) ?? this.#refusalOf(log, brokerId, asked)
      if (error !== undefined) return { ...base, errorCode: errorCode(error) }
      const shared = {
        ...base,
        highWatermark: log.endOffset,
        lastStableOffset: log.endOffset,
        logStartOffset: log.startOffset,
        abortedTransactions: log.aborted,
      }
      const redirect = log.preferredReplica
      if (brokerId === log.leaderId && redirect >= 0 && body.rackId !== '') {
        return { ...shared, preferredReadReplica: redirect }
      }
      if (left <= 0) return shared
      const records = log.read(asked.fetchOffset, Math.min(left, asked.partitionMaxBytes))
      left -= records.length
      return { ...shared, records }
    })
  }

  #refusalOf(log: ScriptedLog, brokerId: number, asked: Asked): ErrorName | undefined {
    if (brokerId !== log.leaderId && brokerId !== log.preferredReplica) {
      return 'NOT_LEADER_OR_FOLLOWER'
    }
    if (asked.currentLeaderEpoch < log.leaderEpoch) return 'FENCED_LEADER_EPOCH'
    if (asked.fetchOffset < log.startOffset || asked.fetchOffset > log.endOffset) {
      return 'OFFSET_OUT_OF_RANGE'
    }
    return undefined
  }

  #see(brokerId: number, body: FetchAsked): void {
    const { sessionId, sessionEpoch, maxBytes, maxWaitMs } = body
    const name = (topicId: string, partition: number) =>
      `${this.#byId(topicId, partition)?.topic ?? topicId}-${partition}`
    this.fetches.push({
      brokerId,
      sessionId,
      sessionEpoch,
      maxBytes,
      maxWaitMs,
      named: body.topics.flatMap(({ topicId, partitions }) =>
        partitions.map(each => `${name(topicId, each.partition)}@${each.fetchOffset}`),
      ),
      forgotten: body.forgottenTopicsData.flatMap(({ topicId, partitions }) =>
        partitions.map(partition => name(topicId, partition)),
      ),
    })
  }

  #byId(topicId: string, partition: number): ScriptedLog | undefined {
    return this.logs.find(log => log.topicId === topicId && log.partition === partition)
  }

  #byName(topic: string, partition: number): ScriptedLog | undefined {
    return this.logs.find(log => log.topic === topic && log.partition === partition)
  }
}

const empty = new Uint8Array(0)

function keyOf({ topicId, partition }: { topicId: string; partition: number }): string {
  return `${topicId}/${partition}`
}
