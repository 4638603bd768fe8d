/**
 * A cluster as its clients see it: a few addresses to begin with, then the brokers that Metadata
 * names, one connection to each, and for every partition its leader. What fails in a way that may
 * pass (a retriable code, a lost connection) is tried again, after asking for metadata, until the
 * deadline; whether the failed attempt took effect is unknown, as always in this protocol.
 */
import type { Io } from '../io/io.ts'
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
import { type Body, Connection, ConnectionError } from './connection.ts'

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
}

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

export interface ProduceOptions {
  /** −1 all in-sync replicas, 1 the leader, 0 no answer: the result is then offset −1. */
  readonly acks: -1 | 0 | 1
}

export interface Produced {
  readonly baseOffset: number
  /** −1: the topic keeps the producer's timestamps. */
  readonly logAppendTimeMs: number
}

export interface FetchOptions {
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

interface KnownPartition {
  readonly leaderId: number
  readonly leaderEpoch: number
}

interface KnownTopic {
  readonly topicId: string
  readonly partitions: ReadonlyMap<number, KnownPartition>
}

const defaultTimeoutMs = 30_000
const firstBackoffMs = 20
/** For one attempt to connect; Kafka's socket.connection.setup.timeout.ms. */
const maxConnectMs = 10_000
const maxBackoffMs = 1_000

export class Cluster {
  readonly #io: Io
  readonly #bootstrap: readonly Address[]
  readonly #clientId: string
  readonly #timeoutMs: number
  readonly #connections = new Map<string, Promise<Connection>>()
  readonly #brokers = new Map<number, Address>()
  /** Of groups, as long as they answer as such. */
  readonly #coordinators = new Map<string, BrokerAddress>()
  /** The error stands for a topic that Metadata refused. */
  readonly #topics = new Map<string, KnownTopic | KafkaError>()
  #failFast: boolean
  #closed = false

  /** Connects at the first call. */
  constructor(io: Io, options: ClusterOptions) {
    this.#io = io
    this.#bootstrap = options.bootstrap
    this.#clientId = options.clientId ?? 'ottla'
    this.#timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.#failFast = options.failFast ?? false
  }

  /** Closes all connections; calls under way reject. Idempotent. */
  close(): void {
    this.#closed = true
    for (const opening of this.#connections.values()) {
      opening.then(
        connection => connection.close(),
        () => {},
      )
    }
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
  ): Promise<IncomingFields<S>> {
    const deadlineMs = this.#deadlineMs()
    return await this.#retrying(deadlineMs, async () => {
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
  ): Promise<IncomingFields<S>> {
    const deadlineMs = this.#deadlineMs()
    return await this.#retrying(deadlineMs, async () => {
      if (!this.#brokers.has(brokerId)) await this.metadata([])
      const address = this.#brokers.get(brokerId)
      if (address === undefined) {
        throw new KafkaError('BROKER_NOT_AVAILABLE', `there is no broker ${brokerId}`)
      }
      const connection = await this.#connection(address, deadlineMs)
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
  ): Promise<IncomingFields<S>> {
    const deadlineMs = this.#deadlineMs()
    return await this.#retrying(deadlineMs, async () => {
      const coordinator = await this.#coordinatorOf(group, deadlineMs)
      try {
        const connection = await this.#connection(coordinator, deadlineMs)
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
  async coordinatorOf(group: string): Promise<BrokerAddress> {
    const deadlineMs = this.#deadlineMs()
    return await this.#retrying(deadlineMs, () => this.#coordinatorOf(group, deadlineMs))
  }

  /**
   * What Metadata says of these topics, or of all; what it says of leaders is remembered. A topic's
   * own error is in its `errorCode`. `create` allows a broker to create those that do not exist.
   */
  async metadata(topics?: readonly string[], create = false): Promise<ClusterMetadata> {
    const answer = await this.call(
      metadataRequest,
      metadataResponse,
      {
        topics: topics?.map(name => ({ name })) ?? null,
        allowAutoTopicCreation: create,
      },
      ({ errorCode }) => errorCode,
    )
    for (const { nodeId, host, port } of answer.brokers) this.#brokers.set(nodeId, { host, port })
    for (const topic of answer.topics) {
      if (topic.name === null) continue
      const partitions = new Map(topic.partitions.map(each => [each.partitionIndex, each]))
      const error = refused(topic.errorCode, `topic ${topic.name}: ${errorName(topic.errorCode)}`)
      this.#topics.set(topic.name, error ?? { topicId: topic.topicId, partitions })
    }
    return answer
  }

  /** Ids of topics by name, from what is known where it is; those that do not exist are left out. */
  async topicIds(topics: readonly string[]): Promise<ReadonlyMap<string, string>> {
    if (topics.some(name => this.#topic(name) === undefined)) await this.metadata(topics)
    return new Map(
      topics.flatMap(name => {
        const known = this.#topic(name)
        return known === undefined ? [] : [[name, known.topicId] as const]
      }),
    )
  }

  /** What is known of a topic is not so any more. */
  forget(topic: string): void {
    this.#topics.delete(topic)
  }

  /** A new producer id with epoch 0, for idempotent produce. */
  async initProducerId(): Promise<{ producerId: number; producerEpoch: number }> {
    return await this.call(
      initProducerIdRequest,
      initProducerIdResponse,
      { transactionalId: null, transactionTimeoutMs: 0 },
      ({ errorCode }) => errorCode,
    )
  }

  /**
   * Appends whole record batches, one or more for a partition; creates topics where the brokers
   * allow it. Results are in the order of `batches`. A batch that is sent again may be stored twice,
   * unless it carries a producer id and sequence.
   */
  async produce(
    batches: readonly (TopicPartition & { readonly records: Uint8Array })[],
    { acks }: ProduceOptions,
  ): Promise<(Produced | ClientError)[]> {
    const deadlineMs = this.#deadlineMs()
    const timeoutMs = this.#timeoutMs
    return await this.#perLeader(batches, deadlineMs, true, async (connection, mine) => {
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
    const deadlineMs = this.#deadlineMs() + options.maxWaitMs
    const partitionMaxBytes = options.partitionMaxBytes ?? 1024 * 1024
    return await this.#perLeader(positions, deadlineMs, false, async (connection, mine) => {
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
    { readCommitted = false }: { readonly readCommitted?: boolean } = {},
  ): Promise<(OffsetFound | ClientError)[]> {
    const deadlineMs = this.#deadlineMs()
    return await this.#perLeader(queries, deadlineMs, false, async (connection, mine) => {
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
   * those that failed for a reason that may pass.
   */
  async #perLeader<Item extends TopicPartition, Result>(
    items: readonly Item[],
    deadlineMs: number,
    create: boolean,
    send: (connection: Connection, mine: readonly Item[]) => Promise<(Result | ClientError)[]>,
  ): Promise<(Result | ClientError)[]> {
    const results = new Map<Item, Result | ClientError>()
    let open = items
    for (let attempt = 0; ; attempt++) {
      const unknown = open.filter(item => attempt > 0 || this.#leaderOf(item) instanceof KafkaError)
      if (unknown.length > 0) {
        await this.metadata([...new Set(unknown.map(({ topic }) => topic))], create)
      }
      const groups = Map.groupBy(open, item => this.#leaderOf(item))
      const sending = [...groups].map(async ([leader, mine]) => {
        const answers = await this.#sendTo(leader, mine, deadlineMs, send)
        for (const [index, item] of mine.entries()) results.set(item, answers[index]!)
      })
      await Promise.all(sending)
      open = open.filter(item => mayPass(results.get(item)))
      if (open.length === 0 || !(await this.#backoff(attempt, deadlineMs))) break
    }
    return items.map(item => results.get(item)!)
  }

  async #sendTo<Item, Result>(
    leader: Address | KafkaError,
    mine: readonly Item[],
    deadlineMs: number,
    send: (connection: Connection, mine: readonly Item[]) => Promise<(Result | ClientError)[]>,
  ): Promise<(Result | ClientError)[]> {
    if (leader instanceof KafkaError) return mine.map(() => leader)
    try {
      return await send(await this.#connection(leader, deadlineMs), mine)
    } catch (error) {
      if (!isClientError(error)) throw error
      return mine.map(() => error)
    }
  }

  #leaderOf({ topic, partition }: TopicPartition): Address | KafkaError {
    const metadata = this.#topics.get(topic)
    if (metadata instanceof KafkaError) return metadata
    const known = metadata?.partitions.get(partition)
    if (known === undefined) {
      return new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `no partition ${topic}-${partition}`)
    }
    const broker = this.#brokers.get(known.leaderId)
    return broker ?? new KafkaError('LEADER_NOT_AVAILABLE', `${topic}-${partition} has no leader`)
  }

  /** Items by topic, in the shape of requests: name and id, each ignored by versions without it. */
  #byTopic<Item extends TopicPartition, Part>(
    items: readonly Item[],
    part: (item: Item, known: KnownPartition) => Part,
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
    const known = this.#topics.get(name)
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
    for (const opening of this.#connections.values()) {
      const connection = await opening.catch(() => undefined)
      if (connection !== undefined && connection.failure === undefined) return connection
    }
    let failure: unknown
    for (const address of [...this.#bootstrap, ...this.#brokers.values()]) {
      try {
        return await this.#connection(address, deadlineMs)
      } catch (error) {
        failure ??= error
      }
    }
    throw failure
  }

  async #connection(address: Address, deadlineMs: number): Promise<Connection> {
    if (this.#closed) throw new ConnectionError('CLOSED', 'this client was closed')
    const key = `${address.host} ${address.port}`
    const current = this.#connections.get(key)
    const known = await current?.catch(() => undefined)
    if (known !== undefined && known.failure === undefined) return known
    // While this one waited, another call may have begun to open a new one.
    if (this.#connections.get(key) !== current) return await this.#connection(address, deadlineMs)
    // A lost packet must not take the whole deadline: after this the attempt is made again.
    const attemptMs = this.#io.clock.monotonicMs() + maxConnectMs
    const opening = Connection.open(this.#io, {
      ...address,
      clientId: this.#clientId,
      deadlineMs: Math.min(deadlineMs, attemptMs),
    })
    this.#connections.set(key, opening)
    const connection = await opening
    this.#failFast = false
    if (this.#closed) connection.close()
    return connection
  }

  async #retrying<Result>(deadlineMs: number, attempt: () => Promise<Result>): Promise<Result> {
    for (let count = 0; ; count++) {
      try {
        return await attempt()
      } catch (error) {
        const pointless = !mayPass(error) || this.#failFast || this.#closed
        if (pointless || !(await this.#backoff(count, deadlineMs))) throw error
      }
    }
  }

  /** Waits before another attempt; false when the deadline would pass meanwhile. */
  async #backoff(attempt: number, deadlineMs: number): Promise<boolean> {
    const fullMs = Math.min(maxBackoffMs, firstBackoffMs * 2 ** Math.min(attempt, 10))
    const delayMs = fullMs * (0.5 + this.#io.random.u32() / 2 ** 33)
    if (this.#io.clock.monotonicMs() + delayMs >= deadlineMs) return false
    await new Promise<void>(resolve => this.#io.clock.timer(delayMs, resolve))
    return true
  }

  #deadlineMs(): number {
    return this.#io.clock.monotonicMs() + this.#timeoutMs
  }
}

const nothing = new Uint8Array(0)

function isClientError(error: unknown): error is ClientError {
  return error instanceof KafkaError || error instanceof ConnectionError
}

function mayPass(result: unknown): boolean {
  return result instanceof ConnectionError || (result instanceof KafkaError && result.retriable)
}

function throwIf(code: number, what: string): void {
  if (code === 0) return
  const name = errorName(code)
  throw new KafkaError(name, `${what}: ${name}, ${errors[name].message}`)
}

/** The error that a code of an answer stands for; undefined for 0. */
export function refused(code: number, detail?: string | null): KafkaError | undefined {
  return code === 0 ? undefined : new KafkaError(errorName(code), detail ?? undefined)
}

function missing({ topic, partition }: TopicPartition): KafkaError {
  return new KafkaError('UNKNOWN_SERVER_ERROR', `the answer says nothing of ${topic}-${partition}`)
}
