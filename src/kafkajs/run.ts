/**
 * One `run` of a consumer: from joining the group to the end, by `stop` or by an error.
 *
 * Ottla's consumer hands out what was fetched of a partition, and here it is processed as kafkajs
 * would: message by message or as a batch, tried again with growing waits when user code throws, and
 * resolved offset by offset. What is not resolved in the end (an error, a pause, `resolveOffset` that
 * was not called) is sought back to, and comes again. Offsets are committed here alone.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { OwnAssignor } from '../client/consumer/assignors/assignor.ts'
import { keyOf } from '../client/consumer/committer.ts'
import type { Message } from '../client/consumer/message.ts'
import type {
  MessageBatch,
  SeekTarget,
  TopicPartition,
  TopicPartitionOffset,
} from '../client/consumer/options.ts'
import { Consumer } from '../client/consumer.ts'
import type { DiagnosticEvents } from '../client/diagnostics.ts'
import { batchEvent, batchOf } from './batch.ts'
import type { Batch, ConsumerConfig, ConsumerRunConfig } from './consumer-types.ts'
import { KafkaJSNonRetriableError, KafkaJSNumberOfRetriesExceeded } from './errors.ts'
import type { Emitter } from './events.ts'
import { assignmentOf } from './groups.ts'
import type { Line } from './line.ts'
import type { Logger } from './logger.ts'
import { byTopic, OffsetBook, type Place } from './offset-book.ts'
import type { TopicPartitions } from './offsets.ts'
import { Pauses } from './pauses.ts'
import { type Control, Processing } from './processing.ts'
import { isHopeless, type Retrying, retryTimeMs } from './retry.ts'
import type { Subscriptions } from './subscriptions.ts'

export interface RunSettings {
  readonly line: Line
  readonly logger: Logger
  readonly emitter: Emitter
  readonly config: ConsumerConfig
  readonly how: ConsumerRunConfig
  readonly retrying: Retrying
  readonly subscriptions: Subscriptions
  /** `leads` is called when this member deals out partitions. */
  assignors(memberId: () => string, leads: () => void): OwnAssignor[]
}

const assigned = 'ottla:consumer:assigned'
const heartbeat = 'ottla:consumer:heartbeat'

export class Run implements Control {
  readonly pauses = new Pauses()
  readonly book: OffsetBook
  readonly #settings: RunSettings
  readonly #seeks = new Map<string, { readonly to: SeekTarget; readonly of: TopicPartition }>()
  readonly #joined = Promise.withResolvers<void>()
  #consumer: Consumer | undefined
  #assignors: readonly OwnAssignor[] = []
  #isStopping = false
  #isLeader = false
  #joiningSinceMs: number

  constructor(settings: RunSettings) {
    this.#settings = settings
    this.#joiningSinceMs = this.#nowMs()
    this.book = new OffsetBook(this.#nowMs())
  }

  get isRunning(): boolean {
    return !this.#isStopping
  }

  /** Resolves when it has joined; rejects when it could not begin. `ended` hears of what ends it later. */
  async start(ended: (error: unknown) => void): Promise<void> {
    const { line, subscriptions, how, emitter } = this.#settings
    const client = await line.open()
    emitter.emit('consumer.connect', null)
    if (this.#isStopping || subscriptions.isEmpty) return
    await subscriptions.ready(client.connected.cluster)
    if (this.#isStopping) return
    const consumer = (this.#consumer = this.#make())
    subscribe(assigned, this.#onJoined)
    subscribe(heartbeat, this.#onHeartbeat)
    consumer
      .run({
        concurrency: how.partitionsConsumedConcurrently ?? 1,
        eachBatch: (batch, { signal }) => this.#work(batch, signal),
      })
      .catch(error => {
        if (!this.#isStopping) ended(error)
      })
      .finally(() => {
        unsubscribe(assigned, this.#onJoined)
        unsubscribe(heartbeat, this.#onHeartbeat)
        this.#joined.resolve()
      })
    await this.#joined.promise
  }

  /** Finishes what is in hands, commits, leaves. Idempotent. */
  async stop(): Promise<void> {
    this.#isStopping = true
    await this.#consumer?.close()
  }

  /** Throws KafkaJSNonRetriableError for what is no selection. */
  pause(selection: readonly { topic: string; partitions?: readonly number[] }[]): void {
    this.pauses.set(selection, true)
    this.#consumer?.pause(this.#assignment().filter(each => this.pauses.has(each)))
  }

  /** As `pause`. */
  resume(selection: readonly { topic: string; partitions?: readonly number[] }[]): void {
    this.pauses.set(selection, false)
    const { subscriptions } = this.#settings
    const resumed = this.#assignment().filter(
      each => !this.pauses.has(each) && subscriptions.has(each.topic),
    )
    this.#consumer?.resume(resumed)
  }

  paused(): TopicPartitions[] {
    const paused = this.#assignment().filter(each => this.pauses.has(each))
    return Object.entries(assignmentOf(paused)).map(([topic, partitions]) => ({
      topic,
      partitions,
    }))
  }

  /** Now, or when the partition is assigned. */
  seek(of: TopicPartition, to: SeekTarget): void {
    const place = this.book.place(of)
    if (place === undefined) {
      this.#seeks.set(keyOf(of), { of, to })
      return
    }
    place.version++
    place.resolved = 'offset' in to ? to.offset : undefined
    const seeking = this.#consumer!.seek(of, to)
    void seeking
      .then(() => this.autoCommit())
      .catch(error => {
        this.#settings.logger.error(`seek in ${of.topic}-${of.partition} failed: ${error}`)
      })
  }

  /** Rejects with what refused it. */
  async commit(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    if (this.#consumer === undefined || offsets.length === 0) return
    await this.#consumer.commit(offsets)
    this.book.committed(offsets, this.#nowMs())
    const topics = byTopic(offsets)
    const { generationId: groupGenerationId, ...member } = this.#member()
    this.#settings.emitter.emit('consumer.commit_offsets', { ...member, groupGenerationId, topics })
  }

  /** Commits what is resolved, unless `autoCommit` is off. What fails is tried again by the next one. */
  async autoCommit(): Promise<void> {
    if (!(this.#settings.how.autoCommit ?? true)) return
    try {
      await this.commit(this.book.uncommitted())
    } catch (error) {
      this.#settings.logger.error(`offsets were not committed: ${error}`)
    }
  }

  /** By the interval and the threshold of the run. */
  async commitIfDue(): Promise<void> {
    const { autoCommitInterval = null, autoCommitThreshold = null } = this.#settings.how
    if (!this.book.isDue(autoCommitInterval, autoCommitThreshold, this.#nowMs())) return
    await this.autoCommit()
  }

  #nowMs(): number {
    return this.#settings.line.options.io.clock.monotonicMs()
  }

  #assignment(): readonly TopicPartition[] {
    return this.#consumer?.assignment() ?? []
  }

  #member() {
    const { memberId, generationId } = this.#consumer?.member() ?? {
      memberId: '',
      generationId: -1,
    }
    return { groupId: this.#settings.config.groupId, memberId, generationId }
  }

  #make(): Consumer {
    const { config, line, subscriptions } = this.#settings
    const memberId = () => this.#consumer?.member()?.memberId ?? ''
    this.#assignors = this.#settings.assignors(memberId, () => {
      this.#isLeader = true
    })
    const stopTimeoutMs = config.rebalanceTimeout ?? 60_000
    return new Consumer({
      client: line.connected('consumer'),
      groupId: config.groupId,
      topics: subscriptions.topics,
      offsetReset: subscriptions.anyFromBeginning ? 'earliest' : 'latest',
      assignors: this.#assignors,
      commit: 'manual',
      sessionTimeoutMs: config.sessionTimeout ?? 30_000,
      rebalanceTimeoutMs: config.rebalanceTimeout ?? 60_000,
      heartbeatIntervalMs: config.heartbeatInterval ?? 3_000,
      closeTimeoutMs: stopTimeoutMs,
      partitionMaxBytes: config.maxBytesPerPartition ?? 1024 * 1024,
      minBytes: config.minBytes ?? 1,
      maxBytes: config.maxBytes ?? 10 * 1024 * 1024,
      maxWaitMs: config.maxWaitTimeInMs ?? 5_000,
      maxBatchMessages: 1_000_000,
      isolation: config.readUncommitted ? 'read_uncommitted' : 'read_committed',
      ...(config.rackId ? { rack: config.rackId } : {}),
      onAssigned: partitions => this.#onAssigned(partitions),
      onRevoked: partitions => this.#onRevoked(partitions),
      onLost: partitions => this.#drop(partitions),
    })
  }

  /** Of all consumers of this process: `memberId` tells whose it is. */
  readonly #onJoined = (message: unknown): void => {
    const { memberId, partitions } = message as DiagnosticEvents[typeof assigned]
    if (memberId === undefined || memberId !== this.#member().memberId) return
    // Where there are some, `#onAssigned` is called next.
    if (partitions.length === 0) this.#tellJoined([])
  }

  /** It has joined, and knows where it begins: what is sent from now on is read. */
  #tellJoined(partitions: readonly TopicPartition[]): void {
    const { generationId, ...member } = this.#member()
    const payload = {
      ...member,
      isLeader: this.#isLeader,
      groupProtocol: this.#assignors[0]!.name,
      duration: Math.round(this.#nowMs() - this.#joiningSinceMs),
      memberAssignment: assignmentOf(partitions),
    }
    this.#settings.logger.info('the consumer has joined its group', { generationId, ...payload })
    this.#settings.emitter.emit('consumer.group_join', payload)
    this.#joined.resolve()
  }

  readonly #onHeartbeat = (message: unknown): void => {
    const { memberId } = message as DiagnosticEvents[typeof heartbeat]
    const { generationId: groupGenerationId, ...member } = this.#member()
    if (memberId === undefined || memberId !== member.memberId) return
    this.#settings.emitter.emit('consumer.heartbeat', { ...member, groupGenerationId })
  }

  async #onAssigned(partitions: readonly TopicPartition[]): Promise<void> {
    const consumer = this.#consumer!
    const { subscriptions } = this.#settings
    for (const each of partitions) this.book.add(each)
    const mine = partitions.filter(({ topic }) => subscriptions.has(topic))
    if (mine.length < partitions.length) this.#warnOf(partitions)
    consumer.pause(partitions.filter(each => !mine.includes(each) || this.pauses.has(each)))
    // Those without a committed offset have no position yet.
    const late = mine.filter(
      each => consumer.position(each) === undefined && !subscriptions.fromBeginning(each.topic),
    )
    if (late.length > 0) await consumer.seek(late, { to: 'end' })
    for (const each of mine) {
      const seek = this.#seeks.get(keyOf(each))
      this.#seeks.delete(keyOf(each))
      if (seek !== undefined) this.seek(seek.of, seek.to)
    }
    this.#tellJoined(mine)
  }

  async #onRevoked(partitions: readonly TopicPartition[]): Promise<void> {
    if (!this.#isStopping) {
      const { groupId, memberId } = this.#member()
      this.#settings.logger.warn('the group rebalances', { groupId, memberId })
      this.#settings.emitter.emit('consumer.rebalancing', { groupId, memberId })
    }
    await this.autoCommit()
    this.#drop(partitions)
  }

  #drop(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) this.book.remove(each)
    this.#joiningSinceMs = this.#nowMs()
    this.#isLeader = false
  }

  #warnOf(partitions: readonly TopicPartition[]): void {
    const { subscriptions } = this.#settings
    const topics = [...new Set(partitions.map(({ topic }) => topic))]
    const payload = {
      ...this.#member(),
      assignedTopics: topics,
      topicsSubscribed: subscriptions.names,
      topicsNotSubscribed: topics.filter(topic => !subscriptions.has(topic)),
    }
    this.#settings.logger.warn('topics that are not subscribed to were assigned', payload)
    this.#settings.emitter.emit('consumer.received_unsubscribed_topics', payload)
  }

  /** All that came of one partition; what is left over in the end is sought back to. */
  async #work(source: MessageBatch, signal: AbortSignal): Promise<void> {
    const place = this.book.place(source)
    if (place === undefined) return
    const { version } = place
    const isMine = () => !signal.aborted && place.version === version
    let messages = source.messages
    const end = messages.at(-1)!.offset + 1
    place.begin(messages[0]!.offset)
    for (let failures = 0; isMine() && !this.pauses.has(place); ) {
      const from = place.resolved!
      const batch = batchOf(source, messages, source.highWatermark)
      try {
        await this.#process(batch, messages, place, signal)
        break
      } catch (error) {
        if (!isMine()) break
        failures = place.resolved! > from ? 1 : failures + 1
        await this.#failed(error, failures, place, signal)
        messages = messages.filter(({ offset }) => offset >= place.resolved!)
        if (messages.length === 0) break
      }
    }
    await this.autoCommit()
    if (isMine() && place.resolved! < end) {
      await this.#consumer!.seek(place, { offset: place.resolved! })
    }
  }

  async #process(
    batch: Batch,
    messages: readonly Message[],
    place: Place,
    signal: AbortSignal,
  ): Promise<void> {
    const { how, emitter, line } = this.#settings
    const startMs = this.#nowMs()
    emitter.emit('consumer.start_batch_process', batchEvent(batch))
    const processing = new Processing(this, place, signal, line.options.io.clock)
    if (how.eachMessage) await processing.messages(how.eachMessage, batch, messages)
    else if (how.eachBatch) {
      await processing.batch(how.eachBatch, batch, how.eachBatchAutoResolve ?? true)
    } else place.resolved = messages.at(-1)!.offset + 1
    const duration = Math.round(this.#nowMs() - startMs)
    emitter.emit('consumer.end_batch_process', { ...batchEvent(batch), duration })
  }

  /** Waits before the next attempt, or throws when there is to be none. */
  async #failed(
    error: unknown,
    failures: number,
    { topic, partition, resolved }: Place,
    signal: AbortSignal,
  ): Promise<void> {
    const { logger, retrying, line } = this.#settings
    const { clock, random } = line.options.io
    const cause = error instanceof Error ? error : new Error(String(error))
    const place = { topic, partition, offset: String(resolved), retryCount: failures - 1 }
    logger.error(`what was called for messages threw: ${cause.message}`, { ...place, error })
    await this.autoCommit()
    if (isHopeless(error)) throw new KafkaJSNonRetriableError(cause, { cause })
    const retryTime = retryTimeMs(retrying, failures, random)
    if (failures > retrying.retries) {
      throw new KafkaJSNumberOfRetriesExceeded(cause, { retryCount: failures - 1, retryTime })
    }
    await new Promise<void>(resolve => {
      const timer = clock.timer(retryTime, done)
      function done() {
        timer.cancel()
        signal.removeEventListener('abort', done)
        resolve()
      }
      signal.addEventListener('abort', done)
    })
  }
}
