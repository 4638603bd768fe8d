/**
 * Sends batches to the brokers that lead their partitions, and reads the answers.
 *
 * Each broker has a lane. What has come since is sent in one microtask, so records of one turn share
 * batches, and a single record leaves before the turn ends. While a broker has requests under way,
 * only batches that are full leave at once; the others gather more until an answer comes: the slower
 * the answers, the larger the batches. A request takes one batch of each partition, in turn.
 */
import type { Clock } from '../../io/io.ts'
import { type ErrorName, errorName, errors, KafkaError } from '../../protocol/errors.ts'
import { produceRequest, produceResponse } from '../../protocol/messages/produce.ts'
import type { Compression } from '../../protocol/records/batch.ts'
import type { Incoming } from '../../protocol/schema.ts'
import { Alarm } from '../alarm.ts'
import type { Cluster } from '../cluster.ts'
import type { Connection } from '../connection.ts'
import type { ProducerBatch } from './batch.ts'
import { UncertainDeliveryError } from './errors.ts'
import type { Identities } from './identities.ts'
import type { PartitionQueue } from './partition-queue.ts'
import type { Failure } from './sequence-state.ts'
import type { TopicQueue } from './topic-queue.ts'

export interface SenderOptions {
  readonly acks: -1 | 0 | 1
  readonly compression: Compression
  readonly compressionLevel: number | undefined
  readonly maxRequestBytes: number
  readonly maxInFlight: number
  readonly requestTimeoutMs: number
}

/** What the sender tells. */
export interface SenderEvents {
  /** The batch is stored; `baseOffset` −1: nobody knows where. */
  stored(
    queue: PartitionQueue,
    batch: ProducerBatch,
    baseOffset: number,
    logAppendTimeMs: number,
  ): void
  /** It is given up. */
  failed(queue: PartitionQueue, batch: ProducerBatch, error: Error): void
  /** What is known of the partition's leader is in doubt. */
  leaderDoubted(topic: string): void
  topicOf(queue: PartitionQueue): TopicQueue
}

interface Lane {
  readonly brokerId: number
  connection: Connection | undefined
  isOpening: boolean
  isDraining: boolean
  /** Attempts to connect in a row that failed. */
  failures: number
  notBeforeMs: number
  lastError: Error | undefined
  inFlight: number
  /** Those that may have something to send; who was served goes to the back. */
  readonly ready: Set<PartitionQueue>
}

interface Outgoing {
  readonly queue: PartitionQueue
  readonly batch: ProducerBatch
  /** Of its topic, as it is sent: when the answer comes there may be another of its name. */
  readonly topicId: string | undefined
}

type PartitionAnswer = Incoming<
  typeof produceResponse
>['responses'][number]['partitionResponses'][number]

/** With fewer requests under way a broker gets batches that are not full: one works, one travels. */
const idleBelow = 2
/** With acks 0 nothing more is written while so much is not sent. */
const maxBufferedBytes = 4 * 1024 * 1024
/** Room in a request beside its batches: header, names. */
const requestOverhead = 256

/**
 * Errors after which the batch may be stored all the same. A leader that is deposed, or whose replica is
 * taken away, while it waits for the others says so of what it has appended already.
 */
const unknownFates: ReadonlySet<ErrorName> = new Set([
  'NOT_LEADER_OR_FOLLOWER',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'REQUEST_TIMED_OUT',
  'NOT_ENOUGH_REPLICAS_AFTER_APPEND',
  'KAFKA_STORAGE_ERROR',
  'NETWORK_EXCEPTION',
  'UNKNOWN_SERVER_ERROR',
])

const sequenceFailures: Partial<Record<ErrorName, Failure>> = {
  OUT_OF_ORDER_SEQUENCE_NUMBER: 'sequence',
  UNKNOWN_PRODUCER_ID: 'sequence',
  INVALID_PRODUCER_EPOCH: 'fenced',
  PRODUCER_FENCED: 'fenced',
  INVALID_PRODUCER_ID_MAPPING: 'fenced',
}

const tooLarge: ReadonlySet<ErrorName> = new Set(['MESSAGE_TOO_LARGE', 'RECORD_LIST_TOO_LARGE'])

export class Sender {
  readonly counts = { requests: 0, batches: 0, sentBytes: 0, retries: 0, splits: 0 }
  readonly #clock: Clock
  readonly #cluster: Cluster
  readonly #options: SenderOptions
  readonly #events: SenderEvents
  readonly #identities: Identities
  readonly #lanes = new Map<number, Lane>()
  readonly #woken = new Set<Lane>()
  readonly #alarm: Alarm
  #isClosed = false

  constructor(
    clock: Clock,
    cluster: Cluster,
    options: SenderOptions,
    identities: Identities,
    events: SenderEvents,
  ) {
    this.#clock = clock
    this.#alarm = new Alarm(clock, () => this.wakeAll())
    this.#cluster = cluster
    this.#options = options
    this.#identities = identities
    this.#events = events
  }

  get inFlight(): number {
    let sum = 0
    for (const { inFlight } of this.#lanes.values()) sum += inFlight
    return sum
  }

  /** The queue may have something to send. */
  wake(queue: PartitionQueue): void {
    if (queue.leaderId < 0) return
    const lane = this.#lane(queue.leaderId)
    lane.ready.add(queue)
    this.#drainSoon(lane)
  }

  /** The queue belongs to another leader now. */
  moved(queue: PartitionQueue): void {
    for (const lane of this.#lanes.values()) lane.ready.delete(queue)
    if (!queue.isEmpty) this.wake(queue)
  }

  /** Everything may have something to send. */
  wakeAll(): void {
    for (const lane of this.#lanes.values()) this.#drainSoon(lane)
  }

  /** Why a queue's leader is not reached; undefined when it is. */
  connectionError(queue: PartitionQueue): Error | undefined {
    return this.#lanes.get(queue.leaderId)?.lastError
  }

  /** Nothing is sent any more. */
  close(): void {
    this.#isClosed = true
    this.#alarm.close()
  }

  #lane(brokerId: number): Lane {
    let lane = this.#lanes.get(brokerId)
    if (lane === undefined) {
      lane = {
        brokerId,
        connection: undefined,
        isOpening: false,
        isDraining: false,
        failures: 0,
        notBeforeMs: 0,
        lastError: undefined,
        inFlight: 0,
        ready: new Set(),
      }
      this.#lanes.set(brokerId, lane)
    }
    return lane
  }

  #drainSoon(lane: Lane): void {
    if (this.#woken.size === 0) queueMicrotask(() => this.#drainWoken())
    this.#woken.add(lane)
  }

  #drainWoken(): void {
    const lanes = [...this.#woken]
    this.#woken.clear()
    for (const lane of lanes) this.#drain(lane)
  }

  #drain(lane: Lane): void {
    if (this.#isClosed || lane.ready.size === 0) return
    const nowMs = this.#clock.monotonicMs()
    if (nowMs < lane.notBeforeMs) {
      this.#alarm.set(lane.notBeforeMs)
      return
    }
    const { connection } = lane
    if (connection === undefined || connection.failure !== undefined) {
      this.#open(lane)
      return
    }
    while (lane.inFlight < this.#options.maxInFlight && !lane.isDraining) {
      const outgoing = this.#collect(lane, nowMs)
      if (outgoing.length === 0) return
      this.#send(lane, connection, outgoing)
    }
  }

  /** One batch of each partition that has one, up to the size of a request. */
  #collect(lane: Lane, nowMs: number): Outgoing[] {
    const outgoing: Outgoing[] = []
    const isIdle = lane.inFlight < idleBelow
    let bytes = requestOverhead
    let wakeAtMs = Number.POSITIVE_INFINITY
    for (const queue of lane.ready) {
      if (queue.isEmpty) {
        lane.ready.delete(queue)
        continue
      }
      if (queue.sequence.wantsId && !this.#identities.identify(queue.sequence)) continue
      const batch = queue.next(nowMs, isIdle)
      if (batch === undefined) {
        const atMs = queue.wakeAtMs()
        if (atMs > nowMs && atMs < wakeAtMs) wakeAtMs = atMs
        continue
      }
      const size = batch.sizeBound + requestOverhead
      if (outgoing.length > 0 && bytes + size > this.#options.maxRequestBytes) break
      bytes += size
      outgoing.push({ queue, batch, topicId: this.#events.topicOf(queue).topicId })
    }
    for (const { queue } of outgoing) {
      lane.ready.delete(queue)
      lane.ready.add(queue)
    }
    this.#alarm.set(wakeAtMs)
    return outgoing
  }

  #send(lane: Lane, connection: Connection, outgoing: readonly Outgoing[]): void {
    const { acks, requestTimeoutMs } = this.#options
    // The broker gives up first, so that its answer tells which partition was not in time.
    const timeoutMs = Math.ceil(requestTimeoutMs * 0.9)
    const topicData = this.#topicData(outgoing)
    const body = { transactionalId: null, acks, timeoutMs, topicData }
    this.counts.requests++
    if (acks === 0) {
      this.#post(lane, connection, body, outgoing)
      return
    }
    lane.inFlight++
    const deadlineMs = this.#clock.monotonicMs() + requestTimeoutMs
    connection.request(produceRequest, produceResponse, body, deadlineMs).then(
      answer => this.#answered(lane, outgoing, answer),
      error => this.#lost(lane, connection, outgoing, error),
    )
  }

  #topicData(outgoing: readonly Outgoing[]): TopicData[] {
    const topicData: TopicData[] = []
    for (const { queue, batch, topicId } of outgoing) {
      let data = topicData.find(({ name }) => name === queue.topic)
      if (data === undefined) {
        data = { name: queue.topic, ...(topicId && { topicId }), partitionData: [] }
        topicData.push(data)
      }
      if (batch.attempts > 0) this.counts.retries++
      queue.sent(batch)
      this.#events.topicOf(queue).sent(queue.partition)
      const records = batch.bytes(this.#options.compression, this.#options.compressionLevel)
      this.counts.batches++
      this.counts.sentBytes += records.length
      data.partitionData.push({ index: queue.partition, records })
    }
    return topicData
  }

  /** Nobody answers; what the socket cannot take yet holds back what follows. */
  #post(
    lane: Lane,
    connection: Connection,
    body: Parameters<typeof connection.post<(typeof produceRequest)['fields']>>[1],
    outgoing: readonly Outgoing[],
  ): void {
    try {
      connection.post(produceRequest, body)
    } catch (error) {
      this.#lost(lane, connection, outgoing, error as Error, false)
      return
    }
    for (const { queue, batch } of outgoing) {
      queue.sequence.acknowledged(batch)
      this.#events.stored(queue, batch, -1, -1)
    }
    if (connection.bufferedBytes <= maxBufferedBytes) return
    lane.isDraining = true
    connection.drained().then(() => {
      lane.isDraining = false
      this.#drainSoon(lane)
    })
  }

  #answered(
    lane: Lane,
    outgoing: readonly Outgoing[],
    { responses }: Incoming<typeof produceResponse>,
  ): void {
    lane.inFlight--
    const found = answersByPlace(responses)
    for (const { queue, batch, topicId } of outgoing) {
      const answer =
        found(queue.topic, queue.partition) ?? (topicId && found(topicId, queue.partition))
      if (answer) this.#answeredBatch(queue, batch, answer)
      else this.#failed(queue, batch, missing(queue))
    }
    this.#drainSoon(lane)
  }

  #answeredBatch(queue: PartitionQueue, batch: ProducerBatch, answer: PartitionAnswer): void {
    const name = errorName(answer.errorCode)
    if (answer.errorCode === 0 || name === 'DUPLICATE_SEQUENCE_NUMBER') {
      for (const implied of queue.sequence.acknowledged(batch)) {
        this.#events.stored(queue, implied, -1, -1)
      }
      const baseOffset = answer.errorCode === 0 ? answer.baseOffset : -1
      this.#events.stored(queue, batch, baseOffset, answer.logAppendTimeMs)
      return
    }
    const detail = answer.recordErrors[0]?.batchIndexErrorMessage ?? answer.errorMessage
    const why = detail ?? errors[name].message
    this.#failed(queue, batch, new KafkaError(name, `${queue.topic}-${queue.partition}: ${why}`))
  }

  #failed(queue: PartitionQueue, batch: ProducerBatch, error: KafkaError): void {
    const { sequence } = queue
    batch.lastError = error
    if (tooLarge.has(error.error) && batch.count > 1 && !batch.isGivenUp) {
      sequence.cut(batch, batch.cut())
      this.counts.splits++
      return
    }
    const failure = sequenceFailures[error.error]
    const isUnknown = unknownFates.has(error.error)
    if (failure === undefined && !error.retriable) {
      sequence.refusedForGood(batch, isUnknown)
      this.#fail(queue, batch, error)
      return
    }
    this.#again(queue, batch, failure ?? (isUnknown ? 'unknown' : 'refused'), error)
    if (errors[error.error].invalidatesMetadata) this.#events.leaderDoubted(queue.topic)
  }

  #fail(queue: PartitionQueue, batch: ProducerBatch, error: Error): void {
    const told = batch.mayBeStored ? new UncertainDeliveryError(queue, error) : error
    this.#events.failed(queue, batch, told)
  }

  #again(queue: PartitionQueue, batch: ProducerBatch, failure: Failure, error: Error): void {
    for (const failed of queue.sequence.attemptFailed(batch, failure)) {
      this.#fail(queue, failed, failed.lastError ?? error)
    }
    const delayMs = this.#cluster.nextBackoffMs(batch.attempts - 1)
    queue.notBeforeMs = this.#clock.monotonicMs() + delayMs
    this.#alarm.set(queue.notBeforeMs)
  }

  /** No answer will come to a request; `wasSent` false: it cannot have arrived. */
  #lost(
    lane: Lane,
    connection: Connection,
    outgoing: readonly Outgoing[],
    error: Error,
    wasSent = true,
  ): void {
    if (wasSent) lane.inFlight--
    lane.lastError = error
    if (lane.connection === connection) lane.connection = undefined
    for (const { queue, batch } of outgoing) {
      batch.lastError = error
      if (error instanceof KafkaError && !error.retriable) {
        queue.sequence.refusedForGood(batch, false)
        this.#fail(queue, batch, error)
        continue
      }
      this.#again(queue, batch, wasSent ? 'unknown' : 'refused', error)
      this.#events.leaderDoubted(queue.topic)
    }
    this.#drainSoon(lane)
  }

  async #open(lane: Lane): Promise<void> {
    if (lane.isOpening) return
    lane.isOpening = true
    try {
      lane.connection = await this.#cluster.connection(lane.brokerId)
      lane.failures = 0
      lane.lastError = undefined
    } catch (error) {
      lane.lastError = error as Error
      lane.notBeforeMs = this.#clock.monotonicMs() + this.#cluster.nextBackoffMs(lane.failures++)
      for (const { topic } of lane.ready) this.#events.leaderDoubted(topic)
    } finally {
      lane.isOpening = false
    }
    this.#drain(lane)
  }
}

interface TopicData {
  readonly name: string
  readonly topicId?: string
  readonly partitionData: { readonly index: number; readonly records: Uint8Array }[]
}

/** Finds a partition's answer by the topic's name, or by its id where the version has ids. */
function answersByPlace(
  responses: Incoming<typeof produceResponse>['responses'],
): (topic: string, partition: number) => PartitionAnswer | undefined {
  const first = responses[0]
  if (responses.length === 1 && first!.partitionResponses.length === 1) {
    const only = first!.partitionResponses[0]!
    const topic = first!.name || first!.topicId
    return (name, partition) => (name === topic && partition === only.index ? only : undefined)
  }
  const found = new Map<string, PartitionAnswer>()
  for (const { name, topicId, partitionResponses } of responses) {
    for (const each of partitionResponses) found.set(`${name || topicId}/${each.index}`, each)
  }
  return (topic, partition) => found.get(`${topic}/${partition}`)
}

function missing({ topic, partition }: PartitionQueue): KafkaError {
  return new KafkaError('UNKNOWN_SERVER_ERROR', `the answer says nothing of ${topic}-${partition}`)
}
