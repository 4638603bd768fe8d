/**
 * A cluster as its clients see it: a few addresses to begin with, then the brokers that Metadata
 * names, one connection to each (see connections.ts), and for every partition its leader (see
 * metadata-cache.ts). What fails in a way that may pass (a retriable code, a lost connection) is tried
 * again until the deadline, after asking for metadata where the error says that it is old; whether
 * the failed attempt took effect is unknown, as always in this protocol.
 *
 * Every call takes a `signal`: when that is aborted the call rejects with its reason at once and is
 * not tried again. A request that was sent stays sent.
 */
import type { Clock, Io } from '../io/io.ts'
import { pause } from '../io/pause.ts'
import { errorName, errors, KafkaError } from '../protocol/errors.ts'
import { fetchRequest, fetchResponse } from '../protocol/messages/fetch.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../protocol/messages/find-coordinator.ts'
import {
  initProducerIdRequest,
  initProducerIdResponse,
} from '../protocol/messages/init-producer-id.ts'
import { listOffsetsRequest, listOffsetsResponse } from '../protocol/messages/list-offsets.ts'
import { metadataRequest, metadataResponse } from '../protocol/messages/metadata.ts'
import { produceRequest, produceResponse } from '../protocol/messages/produce.ts'
import type { Fields, Incoming, IncomingFields, Message } from '../protocol/schema.ts'
import { abortable } from './abort.ts'
import { type Body, type Connection, ConnectionError } from './connection.ts'
import { Connections, type ConnectionsOptions } from './connections.ts'
import { type KnownTopic, MetadataCache, type PartitionInfo } from './metadata-cache.ts'

export type { PartitionInfo } from './metadata-cache.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

export interface ClusterOptions {
  /** Tried in order; one that answers is enough. */
  readonly bootstrap: readonly Address[]
  readonly clientId?: string
  /** How long one call may take in all, retries included. Default 30,000. */
  readonly timeoutMs?: number
  /** True: while no broker was ever reached, an address that refuses is an error at once. */
  readonly failFast?: boolean
  /** For one attempt to connect. Default 10,000; Kafka's socket.connection.setup.timeout.ms. */
  readonly connectTimeoutMs?: number
  /** Before the first retry; it doubles with each, with jitter. Default 20. */
  readonly retryBackoffMs?: number
  /** Default 1,000. */
  readonly retryBackoffMaxMs?: number
  /** How old metadata may grow before it is asked for again. Default 300,000. */
  readonly metadataMaxAgeMs?: number
  readonly watcher?: ConnectionsOptions['watcher']
}

/** How one call waits. */
export interface CallOptions {
  /** Ends the call: it rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** In all, retries included. Default: the cluster's. */
  readonly timeoutMs?: number | undefined
}

/** As CallOptions, over connections of a lane (see connections.ts). */
export interface LaneOptions extends CallOptions {
  readonly lane?: string
}

/** What administrative calls need of a cluster: the cluster itself, or `callsWith` a signal. */
export type Caller = Pick<
  Cluster,
  'call' | 'callBroker' | 'callCoordinator' | 'metadata' | 'topicIds' | 'forget'
>

/** A broker as the cluster tells where it is. */
export interface BrokerAddress extends Address {
  readonly nodeId: number
}

export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** Why one item of a call failed, when trying again did not help. */
export type ClientError = KafkaError | ConnectionError

export type ClusterMetadata = Incoming<typeof metadataResponse>

export interface ProduceOptions extends CallOptions {
  /** −1 all in-sync replicas, 1 the leader, 0 no answer: the result is then offset −1. */
  readonly acks: -1 | 0 | 1
}

export interface Produced {
  readonly baseOffset: number
  /** −1: the topic keeps the producer's timestamps. */
  readonly logAppendTimeMs: number
}

export interface FetchOptions extends CallOptions {
  readonly maxWaitMs: number
  readonly minBytes?: number
  readonly maxBytes?: number
  readonly partitionMaxBytes?: number
  readonly readCommitted?: boolean
}

export interface Fetched {
  /** Batches; the last one may be cut off. Empty when there is nothing yet. */
  readonly records: Uint8Array
  readonly highWatermark: number
  readonly logStartOffset: number
}

export interface OffsetFound {
  /** −1: no record is that late. */
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

const defaultTimeoutMs = 30_000
const defaultConnectTimeoutMs = 10_000
const defaultBackoffMs = 20
const defaultBackoffMaxMs = 1_000
const defaultMetadataMaxAgeMs = 300_000
/** One that took longer waited for what is not there; the next one may not. */
const longAttemptMs = 1_000

export class Cluster {
  readonly #io: Io
  readonly #bootstrap: readonly Address[]
  readonly #timeoutMs: number
  readonly #backoffMs: number
  readonly #backoffMaxMs: number
  readonly #connections: Connections
  readonly #cache: MetadataCache
  /** Of groups, as long as they answer as such. */
  readonly #coordinators = new Map<string, BrokerAddress>()
  #failFast: boolean

  /** Connects at the first call. */
  constructor(io: Io, options: ClusterOptions) {
    this.#io = io
    this.#bootstrap = options.bootstrap
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.#backoffMs = options.retryBackoffMs ?? defaultBackoffMs
    this.#backoffMaxMs = options.retryBackoffMaxMs ?? defaultBackoffMaxMs
    this.#failFast = options.failFast ?? false
    this.#connections = new Connections(io, {
      clientId: options.clientId ?? 'ottla',
      connectTimeoutMs: options.connectTimeoutMs ?? defaultConnectTimeoutMs,
      watcher: options.watcher,
    })
    this.#cache = new MetadataCache(
      io.clock,
      options.metadataMaxAgeMs ?? defaultMetadataMaxAgeMs,
      (topics, create) => this.metadata(topics, create),
    )
  }

  /** Closes all connections; calls under way, and those that wait to be made again, reject. Idempotent. */
  close(): void {
    this.#connections.close()
  }

  get clock(): Clock {
    return this.#io.clock
  }

  /**
   * The partitions of a topic, in order, as they are known; asked for where they are not, together
   * with other topics that are wanted at the same time. `create` allows a broker to create it. Rejects
   * with the topic's KafkaError, also one that may pass (then ask again), or with ClientError.
   */
  async partitions(
    topic: string,
    { signal, create = false }: CallOptions & { readonly create?: boolean } = {},
  ): Promise<readonly PartitionInfo[]> {
    signal?.throwIfAborted()
    return (await abortable(this.#cache.find(topic, create), signal)).list
  }

  /** The id of a topic, as far as it is known. */
  topicId(topic: string): string | undefined {
    return this.#topic(topic)?.topicId
  }

  /** What is known of a topic, or of all, is not so any more: an answer said so. */
  invalidate(topic?: string): void {
    this.#cache.invalidate(topic)
  }

  /** Calls `listener` after something new of brokers or topics was learned; answers how to end that. */
  onMetadata(listener: () => void): () => void {
    return this.#cache.onChange(listener)
  }

  /**
   * The connection to a broker. `lane` undefined is the one that all share; what a broker holds on
   * purpose goes over a lane of its own (see connections.ts). Rejects with ClientError, and throws
   * BROKER_NOT_AVAILABLE when there is no broker of that id.
   */
  async connection(
    brokerId: number,
    lane = '',
    deadlineMs: number = this.#deadlineMs(),
  ): Promise<Connection> {
    if (!this.#cache.brokers.has(brokerId)) {
      await this.metadata([], false, { timeoutMs: this.#leftMs(deadlineMs) })
    }
    const address = this.#cache.brokers.get(brokerId)
    if (address === undefined) {
      throw new KafkaError('BROKER_NOT_AVAILABLE', `there is no broker ${brokerId}`)
    }
    return await this.#connection(address, deadlineMs, lane)
  }

  /** The connection to the coordinator of a group; waits for one while there is none. As `connection`. */
  async coordinator(
    group: string,
    lane = '',
    deadlineMs: number = this.#deadlineMs(),
  ): Promise<Connection> {
    return await this.#retrying(deadlineMs, undefined, async () => {
      const address = await this.#coordinatorOf(group, deadlineMs)
      try {
        return await this.#connection(address, deadlineMs, lane)
      } catch (error) {
        this.#coordinators.delete(group)
        throw error
      }
    })
  }

  /** The coordinator of a group is another, or not ready: the next call asks which it is. */
  coordinatorMoved(group: string): void {
    this.#coordinators.delete(group)
  }

  /** Closes the connections of a lane; requests in it reject. */
  closeLane(lane: string): void {
    this.#connections.closeLane(lane)
  }

  /** How long to wait before a retry, with jitter; `attempt` counts from 0. */
  nextBackoffMs(attempt: number): number {
    const fullMs = Math.min(this.#backoffMaxMs, this.#backoffMs * 2 ** Math.min(attempt, 10))
    return fullMs * (0.5 + this.#io.random.u32() / 2 ** 33)
  }

  /**
   * A request to whichever broker answers. `refusal` finds the error in an answer: a retriable one
   * is tried again. Rejects with ClientError.
   */
  async call<Q extends Fields, S extends Fields>(
    request: Message<Q>,
    response: Message<S>,
    body: Body<Q>,
    refusal: (answer: IncomingFields<S>) => number = () => 0,
    { signal, timeoutMs }: CallOptions = {},
  ): Promise<IncomingFields<S>> {
    const deadlineMs = this.#deadlineMs(timeoutMs)
    return await this.#retrying(deadlineMs, signal, async () => {
      const connection = await this.#anyConnection(deadlineMs)
      const answer = await connection.request(request, response, body, deadlineMs)
      throwIf(refusal(answer), request.name)
      return answer
    })
  }

  /** As `call`, to one broker. Throws KafkaError BROKER_NOT_AVAILABLE when there is none of that id. */
  async callBroker<Q extends Fields, S extends Fields>(
    brokerId: number,
    request: Message<Q>,
    response: Message<S>,
    body: Body<Q>,
    refusal: (answer: IncomingFields<S>) => number = () => 0,
    { signal, timeoutMs }: CallOptions = {},
  ): Promise<IncomingFields<S>> {
    const deadlineMs = this.#deadlineMs(timeoutMs)
    return await this.#retrying(deadlineMs, signal, async () => {
      const connection = await this.connection(brokerId, '', deadlineMs)
      const answer = await connection.request(request, response, body, deadlineMs)
      throwIf(refusal(answer), request.name)
      return answer
    })
  }

  /**
   * As `call`, to the coordinator of a group, which is asked for again when the one that was known
   * is lost or says that it is another, is loading, or is not there yet.
   */
  async callCoordinator<Q extends Fields, S extends Fields>(
    group: string,
    request: Message<Q>,
    response: Message<S>,
    body: Body<Q>,
    refusal: (answer: IncomingFields<S>) => number = () => 0,
    { signal, timeoutMs, lane }: LaneOptions = {},
  ): Promise<IncomingFields<S>> {
    const deadlineMs = this.#deadlineMs(timeoutMs)
    return await this.#retrying(deadlineMs, signal, async () => {
      const coordinator = await this.#coordinatorOf(group, deadlineMs)
      try {
        const connection = await this.#connection(coordinator, deadlineMs, lane)
        const answer = await connection.request(request, response, body, deadlineMs)
        throwIf(refusal(answer), `group ${group}`)
        return answer
      } catch (error) {
        if (mayPass(error)) this.#coordinators.delete(group)
        throw error
      }
    })
  }

  /** The broker that coordinates a group; waits for one while there is none. */
  async coordinatorOf(
    group: string,
    { signal, timeoutMs }: CallOptions = {},
  ): Promise<BrokerAddress> {
    const deadlineMs = this.#deadlineMs(timeoutMs)
    return await this.#retrying(deadlineMs, signal, () => this.#coordinatorOf(group, deadlineMs))
  }

  /**
   * What Metadata says of these topics, or of all; what it says of leaders is remembered. A topic's
   * own error is in its `errorCode`. `create` allows a broker to create those that do not exist.
   */
  async metadata(
    topics?: readonly string[],
    create = false,
    options: CallOptions = {},
  ): Promise<ClusterMetadata> {
    const answer = await this.call(
      metadataRequest,
      metadataResponse,
      {
        topics: topics?.map(name => ({ name })) ?? null,
        allowAutoTopicCreation: create,
      },
      ({ errorCode }) => errorCode,
      options,
    )
    this.#cache.learn(answer)
    // Where brokers are known by other addresses than those to begin with, these have served.
    if (answer.brokers.length > 0) this.#connections.keep(answer.brokers)
    return answer
  }

  /** Ids of topics by name, from what is known where it is; those that do not exist are left out. */
  async topicIds(
    topics: readonly string[],
    options: CallOptions = {},
  ): Promise<ReadonlyMap<string, string>> {
    const isUnknown = topics.some(name => this.#topic(name) === undefined)
    if (isUnknown) await this.metadata(topics, false, options)
    return new Map(
      topics.flatMap(name => {
        const known = this.#topic(name)
        return known === undefined ? [] : [[name, known.topicId] as const]
      }),
    )
  }

  /** What is known of a topic is not so any more. */
  forget(topic: string): void {
    this.#cache.forget(topic)
  }

  /** A new producer id with epoch 0, for idempotent produce. */
  async initProducerId(
    options: CallOptions = {},
  ): Promise<{ producerId: number; producerEpoch: number }> {
    return await this.call(
      initProducerIdRequest,
      initProducerIdResponse,
      { transactionalId: null, transactionTimeoutMs: 0 },
      ({ errorCode }) => errorCode,
      options,
    )
  }

  /**
   * Appends whole record batches, one or more for a partition; creates topics where the brokers
   * allow it. Results are in the order of `batches`. A batch that is sent again may be stored twice,
   * unless it carries a producer id and sequence.
   */
  async produce(
    batches: readonly (TopicPartition & { readonly records: Uint8Array })[],
    { acks, ...options }: ProduceOptions,
  ): Promise<(Produced | ClientError)[]> {
    const timeoutMs = options.timeoutMs ?? this.#timeoutMs
    const creating = { ...options, create: true }
    return await this.perLeader(batches, creating, async (connection, mine, deadlineMs) => {
      const topicData = this.#byTopic(mine, each => ({
        index: each.partition,
        records: each.records,
      })).map(({ name, topicId, partitions }) => ({ name, topicId, partitionData: partitions }))
      const body = { transactionalId: null, acks, timeoutMs, topicData }
      if (acks === 0) {
        connection.post(produceRequest, body)
        return mine.map(() => ({ baseOffset: -1, logAppendTimeMs: -1 }))
      }
      const answer = await connection.request(produceRequest, produceResponse, body, deadlineMs)
      const found = this.#index(
        answer.responses.map(topic => ({ ...topic, partitions: topic.partitionResponses })),
        ({ index }) => index,
      )
      return mine.map(item => {
        const result = found(item)
        const why = result?.recordErrors[0]?.batchIndexErrorMessage ?? result?.errorMessage
        return result === undefined ? missing(item) : (refused(result.errorCode, why) ?? result)
      })
    })
  }

  /** Reads from each offset; waits up to `maxWaitMs` when there is nothing. */
  async fetch(
    positions: readonly (TopicPartition & { readonly offset: number })[],
    options: FetchOptions,
  ): Promise<(Fetched | ClientError)[]> {
    const { signal, timeoutMs = this.#timeoutMs } = options
    const patient = { signal, timeoutMs: timeoutMs + options.maxWaitMs }
    const partitionMaxBytes = options.partitionMaxBytes ?? 1024 * 1024
    return await this.perLeader(positions, patient, async (connection, mine, deadlineMs) => {
      const topics = this.#byTopic(mine, (each, { leaderEpoch }) => ({
        partition: each.partition,
        currentLeaderEpoch: leaderEpoch,
        fetchOffset: each.offset,
        partitionMaxBytes,
      })).map(({ name, ...topic }) => ({ ...topic, topic: name }))
      const body = {
        maxWaitMs: options.maxWaitMs,
        minBytes: options.minBytes ?? 1,
        maxBytes: options.maxBytes ?? 50 * 1024 * 1024,
        isolationLevel: options.readCommitted ? 1 : 0,
        topics,
      }
      const answer = await connection.request(fetchRequest, fetchResponse, body, deadlineMs)
      throwIf(answer.errorCode, 'Fetch')
      const found = this.#index(
        answer.responses.map(topic => ({ ...topic, name: topic.topic })),
        ({ partitionIndex }) => partitionIndex,
      )
      return mine.map(item => {
        const result = found(item)
        if (result === undefined) return missing(item)
        return refused(result.errorCode) ?? { ...result, records: result.records ?? nothing }
      })
    })
  }

  /**
   * Offsets by timestamp: milliseconds, or −1 the end, −2 the beginning (KIP-734: −3, and so on).
   * `readCommitted`: the end is the last stable offset.
   */
  async listOffsets(
    queries: readonly (TopicPartition & { readonly timestamp: number })[],
    { readCommitted = false, ...options }: CallOptions & { readonly readCommitted?: boolean } = {},
  ): Promise<(OffsetFound | ClientError)[]> {
    return await this.perLeader(queries, options, async (connection, mine, deadlineMs) => {
      const topics = this.#byTopic(mine, (each, { leaderEpoch }) => ({
        partitionIndex: each.partition,
        currentLeaderEpoch: leaderEpoch,
        timestamp: each.timestamp,
      }))
      const body = (version: number) => ({
        replicaId: -1,
        topics,
        ...(version >= 2 && { isolationLevel: readCommitted ? 1 : 0 }),
        timeoutMs: this.#timeoutMs,
      })
      const answer = await connection.request(
        listOffsetsRequest,
        listOffsetsResponse,
        body,
        deadlineMs,
      )
      const found = this.#index(answer.topics, ({ partitionIndex }) => partitionIndex)
      return mine.map(item => {
        const result = found(item)
        return result === undefined ? missing(item) : (refused(result.errorCode) ?? result)
      })
    })
  }

  /**
   * Groups items by the leader of their partition, sends each group to it, and does so again with
   * those that failed for a reason that may pass. Results are in the order of `items`; `send` answers
   * in the order of those it was given.
   */
  async perLeader<Item extends TopicPartition, Result>(
    items: readonly Item[],
    { signal, timeoutMs, create = false }: CallOptions & { readonly create?: boolean },
    send: (
      connection: Connection,
      mine: readonly Item[],
      deadlineMs: number,
    ) => Promise<(Result | ClientError)[]>,
  ): Promise<(Result | ClientError)[]> {
    const deadlineMs = this.#deadlineMs(timeoutMs)
    signal?.throwIfAborted()
    const results = new Map<Item, Result | ClientError>()
    const isOld = (item: Item) =>
      this.#leaderOf(item) instanceof KafkaError || demandsMetadata(results.get(item))
    let open = items
    for (let attempt = 0; ; attempt++) {
      const sinceMs = this.clock.monotonicMs()
      const topics = new Set(open.filter(isOld).map(({ topic }) => topic))
      if (topics.size > 0) {
        const timeoutMs = this.#leftMs(deadlineMs)
        try {
          await this.metadata([...topics], create, { signal, timeoutMs })
        } catch (error) {
          // What the items failed with before says more.
          if (attempt === 0 || !isClientError(error)) throw error
          break
        }
      }
      const groups = Map.groupBy(open, item => this.#leaderOf(item))
      const sending = [...groups].map(async ([leader, mine]) => {
        const answers = await this.#sendTo(leader, mine, deadlineMs, send)
        for (const [index, item] of mine.entries()) results.set(item, answers[index]!)
      })
      await abortable(Promise.all(sending), signal)
      open = open.filter(item => mayPass(results.get(item)))
      if (open.length === 0 || !(await this.#backoff(attempt, sinceMs, deadlineMs, signal))) break
    }
    signal?.throwIfAborted()
    return items.map(item => results.get(item)!)
  }

  async #sendTo<Item, Result>(
    leader: Address | KafkaError,
    mine: readonly Item[],
    deadlineMs: number,
    send: (
      connection: Connection,
      mine: readonly Item[],
      deadlineMs: number,
    ) => Promise<(Result | ClientError)[]>,
  ): Promise<(Result | ClientError)[]> {
    if (leader instanceof KafkaError) return mine.map(() => leader)
    try {
      return await send(await this.#connection(leader, deadlineMs), mine, deadlineMs)
    } catch (error) {
      if (!isClientError(error)) throw error
      return mine.map(() => error)
    }
  }

  #leaderOf({ topic, partition }: TopicPartition): Address | KafkaError {
    const metadata = this.#cache.topic(topic)
    if (metadata instanceof KafkaError) return metadata
    const known = metadata?.partitions.get(partition)
    if (known === undefined) {
      return new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `no partition ${topic}-${partition}`)
    }
    const broker = this.#cache.brokers.get(known.leaderId)
    return broker ?? new KafkaError('LEADER_NOT_AVAILABLE', `${topic}-${partition} has no leader`)
  }

  /** Items by topic, in the shape of requests: name and id, each ignored by versions without it. */
  #byTopic<Item extends TopicPartition, Part>(
    items: readonly Item[],
    part: (item: Item, known: PartitionInfo) => Part,
  ): { name: string; topicId: string; partitions: Part[] }[] {
    return [...Map.groupBy(items, ({ topic }) => topic)].map(([name, mine]) => {
      const { topicId, partitions } = this.#topic(name)!
      return {
        name,
        topicId,
        partitions: mine.map(item => part(item, partitions.get(item.partition)!)),
      }
    })
  }

  /** Finds a partition in an answer, whose topics have a name or an id. */
  #index<Part>(
    topics: readonly {
      readonly name: string
      readonly topicId?: string
      readonly partitions: readonly Part[]
    }[],
    indexOf: (part: Part) => number,
  ): (item: TopicPartition) => Part | undefined {
    const found = new Map<string, Part>()
    for (const { name, topicId, partitions } of topics) {
      for (const part of partitions) found.set(`${name || topicId}/${indexOf(part)}`, part)
    }
    return ({ topic, partition }) =>
      found.get(`${topic}/${partition}`) ?? found.get(`${this.#topic(topic)?.topicId}/${partition}`)
  }

  #topic(name: string): KnownTopic | undefined {
    const known = this.#cache.topic(name)
    return known instanceof KafkaError ? undefined : known
  }

  async #coordinatorOf(group: string, deadlineMs: number): Promise<BrokerAddress> {
    const known = this.#coordinators.get(group)
    if (known !== undefined) return known
    const connection = await this.#anyConnection(deadlineMs)
    const answer = await connection.request(
      findCoordinatorRequest,
      findCoordinatorResponse,
      version => (version >= 4 ? { coordinatorKeys: [group] } : { key: group }),
      deadlineMs,
    )
    const found = answer.coordinators[0] ?? answer
    throwIf(found.errorCode, `group ${group}`)
    const { nodeId, host, port } = found
    this.#coordinators.set(group, { nodeId, host, port })
    return { nodeId, host, port }
  }

  /** A connection that is open already, else to the first broker that answers. */
  async #anyConnection(deadlineMs: number): Promise<Connection> {
    const open = this.#connections.any
    if (open !== undefined) return open
    let failure: unknown
    for (const address of [...this.#bootstrap, ...this.#cache.brokers.values()]) {
      try {
        return await this.#connection(address, deadlineMs)
      } catch (error) {
        failure ??= error
      }
    }
    throw failure
  }

  async #connection(address: Address, deadlineMs: number, lane = ''): Promise<Connection> {
    const connection = await this.#connections.open(address, lane, deadlineMs)
    this.#failFast = false
    return connection
  }

  async #retrying<Result>(
    deadlineMs: number,
    signal: AbortSignal | undefined,
    attempt: () => Promise<Result>,
  ): Promise<Result> {
    for (let count = 0; ; count++) {
      const sinceMs = this.clock.monotonicMs()
      signal?.throwIfAborted()
      try {
        return await abortable(attempt(), signal)
      } catch (error) {
        const pointless = !mayPass(error) || this.#failFast || signal?.aborted
        if (pointless || !(await this.#backoff(count, sinceMs, deadlineMs, signal))) throw error
      }
    }
  }

  /**
   * Waits before another attempt; false when this was closed, or the deadline would pass meanwhile or
   * before the attempt is done, as the last one, begun at `sinceMs`, lets expect: a request that is cut
   * off by its deadline takes the connection with it, and hides why the last attempt failed.
   */
  async #backoff(
    attempt: number,
    sinceMs: number,
    deadlineMs: number,
    signal: AbortSignal | undefined,
  ): Promise<boolean> {
    const delayMs = this.nextBackoffMs(attempt)
    const nowMs = this.clock.monotonicMs()
    const attemptMs = Math.min(nowMs - sinceMs, longAttemptMs)
    if (nowMs + delayMs + attemptMs >= deadlineMs) return false
    await pause(this.#io.clock, delayMs, this.#connections.closed, signal)
    return !this.#connections.isClosed
  }

  #leftMs(deadlineMs: number): number {
    return deadlineMs - this.#io.clock.monotonicMs()
  }

  #deadlineMs(timeoutMs = this.#timeoutMs): number {
    return this.#io.clock.monotonicMs() + timeoutMs
  }
}

/** The same cluster, every call of which ends with `signal`. */
export function callsWith(cluster: Cluster, options: CallOptions): Caller {
  return {
    call: (request, response, body, refusal) =>
      cluster.call(request, response, body, refusal, options),
    callBroker: (id, request, response, body, refusal) =>
      cluster.callBroker(id, request, response, body, refusal, options),
    callCoordinator: (group, request, response, body, refusal) =>
      cluster.callCoordinator(group, request, response, body, refusal, options),
    metadata: (topics, create) => cluster.metadata(topics, create, options),
    topicIds: topics => cluster.topicIds(topics, options),
    forget: topic => cluster.forget(topic),
  }
}

const nothing = new Uint8Array(0)

function isClientError(error: unknown): error is ClientError {
  return error instanceof KafkaError || error instanceof ConnectionError
}

function mayPass(result: unknown): boolean {
  return result instanceof ConnectionError || (result instanceof KafkaError && result.retriable)
}

/** After these what is known of leaders and addresses is to be asked for again. */
function demandsMetadata(result: unknown): boolean {
  return (
    result instanceof ConnectionError ||
    (result instanceof KafkaError && errors[result.error].invalidatesMetadata)
  )
}

function throwIf(code: number, what: string): void {
  if (code !== 0) throw KafkaError.of(errorName(code), what)
}

/** The error that a code of an answer stands for; undefined for 0. */
export function refused(code: number, detail?: string | null): KafkaError | undefined {
  return code === 0 ? undefined : new KafkaError(errorName(code), detail ?? undefined)
}

function missing({ topic, partition }: TopicPartition): KafkaError {
  return new KafkaError('UNKNOWN_SERVER_ERROR', `the answer says nothing of ${topic}-${partition}`)
}
