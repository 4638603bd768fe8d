import { isList } from '../base/list.ts'
import { abortable } from './abort.ts'
import type { BatchLimits } from './consumer/batch-reader.ts'
import type { FetchSettings } from './consumer/broker-fetch.ts'
import { keyOf } from './consumer/committer.ts'
import { ConsumerCore, type ConsumerNotices } from './consumer/core.ts'
import { Decoding } from './consumer/decoding.ts'
import { ConsumerStateError } from './consumer/errors.ts'
import { ConsumerHome } from './consumer/home.ts'
import { handMessage, Iteration } from './consumer/iteration.ts'
import type { Bytes, Message } from './consumer/message.ts'
import type {
  ConsumerMetrics,
  ConsumerOptions,
  MessageBatch,
  PartitionLag,
  RunOptions,
  SeekTarget,
  TopicPartition,
  TopicPartitionOffset,
  WaitOptions,
} from './consumer/options.ts'
import type { ConsumedPartition, Unit } from './consumer/partition.ts'
import { logBeginning, logEnd } from './consumer/positions.ts'
import { Subscription } from './consumer/subscription.ts'
import { messageWork, type Work, work } from './consumer/workers.ts'

/**
 * Reads messages, alone or as a member of a group.
 *
 *     const consumer = new Consumer({ bootstrap: 'localhost:9092', groupId: 'billing', topics: 'orders' })
 *     for await (const message of consumer) await handle(message)
 *
 * Every message is handed out at least once: what the loop has finished with is committed, what it
 * has in hands when it ends is not. A loop is ended by `break`, by an error, by the `signal` it was
 * given, or by `close`; each of these commits, leaves the group and closes the consumer. An error
 * of user code is never swallowed nor tried again: that is for the loop, or `each`, to decide.
 */
export class Consumer<K = Bytes, V = Bytes>
  implements AsyncIterable<Message<K, V>>, AsyncDisposable
{
  readonly #home: ConsumerHome
  readonly #core: ConsumerCore
  readonly #groupId: string | undefined
  readonly #readCommitted: boolean
  readonly #counts = { batches: 0, skipped: 0, commits: 0, failedCommits: 0, rebalances: 0 }
  #isIterated = false

  /** Connects when it is first iterated, run or asked. Throws ConsumerStateError for wrong options. */
  constructor(options: ConsumerOptions<K, V>) {
    check(options)
    this.#home = new ConsumerHome(options)
    this.#groupId = options.groupId
    this.#readCommitted = options.isolation === 'read_committed'
    this.#core = this.#coreOf(options)
    this.#home.join({
      kind: 'consumer',
      close: () => this.close(),
      metrics: () => this.metrics(),
    })
  }

  /** As `messages`. */
  [Symbol.asyncIterator](): AsyncIterableIterator<Message<K, V>> {
    return this.messages()
  }

  /**
   * Message by message; asking for the next says that the last one is finished with. When `signal` is
   * aborted the loop ends as if there were no more, with its last message finished. Throws
   * ConsumerStateError BUSY: there is one loop a consumer.
   */
  messages({ signal }: WaitOptions = {}): AsyncIterableIterator<Message<K, V>> {
    this.#occupy()
    return new Iteration(this.#core, handMessage<K, V>, signal)
  }

  /** As `messages`, with all that is there of one partition at a time; the fastest way to read. */
  batches({ signal }: WaitOptions = {}): AsyncIterableIterator<MessageBatch<K, V>> {
    this.#occupy()
    return new Iteration(this.#core, unit => this.#batchOf(unit), signal)
  }

  /**
   * Calls `each` for every message, or `eachBatch`; up to `concurrency` partitions at a time, in order
   * inside a partition. Resolves after `close`, or when `signal` is aborted. When user code throws,
   * what runs beside it is finished, what is finished is committed, the consumer closes, and `run`
   * rejects with that error; the message comes again to whoever reads the partition next.
   */
  async run(options: RunOptions<K, V>): Promise<void> {
    this.#occupy()
    const core = this.#core
    core.waitForWork()
    const stop = () => core.stop()
    options.signal?.addEventListener('abort', stop, { once: true })
    try {
      await core.start()
      if (options.signal?.aborted) stop()
      await work(core, options.concurrency ?? 1, this.#workOf(options), error => core.stop(error))
    } finally {
      options.signal?.removeEventListener('abort', stop)
      await core.close()
    }
  }

  /** Who it is in its group; undefined without a group. Before it has joined its id is ''. */
  member(): { readonly memberId: string; readonly generationId: number } | undefined {
    return this.#core.group?.member
  }

  /** The partitions that are this consumer's now. */
  assignment(): readonly TopicPartition[] {
    return [...this.#core.partitions.values()].map(placeOf)
  }

  /** Hands out nothing more of these (default: all) until `resume`; membership is not touched. */
  pause(partitions: readonly TopicPartition[] = this.assignment()): void {
    this.#core.pause(partitions.map(each => this.#mine(each)))
  }

  /** Undoes `pause`. */
  resume(partitions: readonly TopicPartition[] = this.assignment()): void {
    this.#core.resume(partitions.map(each => this.#mine(each)))
  }

  /** Those of the assignment that `pause` was called for. */
  paused(): readonly TopicPartition[] {
    return [...this.#core.partitions.values()].filter(each => each.isPaused).map(placeOf)
  }

  /**
   * Reads on elsewhere. What was fetched is dropped; a message in hands is not committed any more when
   * it is finished. Rejects with ConsumerStateError NOT_ASSIGNED, or ClientError.
   */
  async seek(
    partitions: TopicPartition | readonly TopicPartition[],
    target: SeekTarget,
    { signal }: WaitOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted()
    const list = 'topic' in partitions ? [partitions] : partitions
    const mine = list.map(each => this.#mine(each))
    if ('offset' in target) {
      for (const each of mine) this.#core.seek(each, target.offset)
      return
    }
    const timestamp = 'to' in target ? ends[target.to] : timeOf(target.timestamp)
    const finding = this.#core.positions.find(mine.map(each => ({ ...placeOf(each), timestamp })))
    const found = await abortable(finding, signal)
    for (const [index, each] of mine.entries()) {
      const result = found[index]!
      if (result instanceof Error) throw result
      if (each.isAssigned) this.#core.seek(each, result.offset, result.leaderEpoch)
    }
  }

  /** The next offset to be handed out; undefined while it is not known, or not assigned. */
  position(partition: TopicPartition): number | undefined {
    return this.#core.partitions.get(keyOf(partition))?.position
  }

  /**
   * What the group has committed of these (default: the assignment); those without are left out.
   * Rejects with ConsumerStateError NO_GROUP, or ClientError.
   */
  async committed(
    partitions: readonly TopicPartition[] = this.assignment(),
    { signal }: WaitOptions = {},
  ): Promise<readonly TopicPartitionOffset[]> {
    signal?.throwIfAborted()
    const { group } = this.#core
    if (group === undefined) throw new ConsumerStateError('NO_GROUP', 'set groupId to have offsets')
    return await abortable(group.committed(partitions), signal)
  }

  /**
   * Commits a message, with all before it in its partition; or offsets, which are those of the next
   * messages; or, by default, all that was handed out, the message in hands included. Rejects with
   * ConsumerStateError NO_GROUP, or ClientError.
   */
  async commit(
    what?: Message<K, V> | TopicPartitionOffset | readonly TopicPartitionOffset[],
    { signal }: WaitOptions = {},
  ): Promise<void> {
    signal?.throwIfAborted()
    if (what === undefined) return await abortable(this.#core.commitHandedOut(), signal)
    const list = isList(what) ? what : [isMessage(what) ? behind(what) : what]
    await abortable(this.#core.commit(list), signal)
  }

  /** The first offset at or after each time; the end where there is none. Needs no assignment. */
  async offsetsForTimes(
    queries: readonly (TopicPartition & { readonly timestamp: number | Date })[],
    { signal }: WaitOptions = {},
  ): Promise<readonly TopicPartitionOffset[]> {
    signal?.throwIfAborted()
    const finding = this.#core.positions.find(
      queries.map(each => ({ ...placeOf(each), timestamp: timeOf(each.timestamp) })),
    )
    const found = await abortable(finding, signal)
    return queries.map((query, index) => {
      const result = found[index]!
      if (result instanceof Error) throw result
      return { ...placeOf(query), offset: result.offset, leaderEpoch: result.leaderEpoch }
    })
  }

  /** How far behind it is, as of the last fetches; partitions not fetched yet are left out. */
  lag(): readonly PartitionLag[] {
    return [...this.#core.partitions.values()].flatMap(each => lagOf(each, this.#readCommitted))
  }

  /** What was counted since it was made, and what is now. */
  metrics(): ConsumerMetrics {
    const { fetches, fetchedBytes } = this.#core.fetcher
    const partitions = [...this.#core.partitions.values()]
    return {
      ...this.#counts,
      messages: this.#core.handedOutMessages,
      fetches,
      fetchedBytes,
      bufferedBytes: partitions.reduce((sum, each) => sum + each.bufferedBytes, 0),
      assignedPartitions: partitions.length,
      lag: this.lag().reduce((sum, { lag }) => sum + lag, 0),
    }
  }

  /**
   * Hands out nothing more, commits what is finished with, leaves the group at once (a static member
   * stays in it), and closes. `each` and `eachBatch` see their signal aborted and are waited for, up to
   * `closeTimeoutMs`; a `for await` loop is not: it may be the one that calls. Idempotent.
   */
  close(): Promise<void> {
    return this.#core.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #occupy(): void {
    if (this.#core.isClosed) {
      throw new ConsumerStateError('CLOSED', 'this consumer is closed: make another')
    }
    if (this.#isIterated) {
      throw new ConsumerStateError('BUSY', 'it is read already: one loop, or one run, a consumer')
    }
    this.#isIterated = true
  }

  #mine(partition: TopicPartition): ConsumedPartition {
    const mine = this.#core.partitions.get(keyOf(partition))
    if (mine !== undefined) return mine
    const { topic, partition: index } = partition
    throw new ConsumerStateError(
      'NOT_ASSIGNED',
      `${topic}-${index} is not assigned to this consumer`,
    )
  }

  #batchOf(unit: Unit): MessageBatch<K, V> {
    const { source, messages, handed } = unit
    this.#counts.batches++
    unit.handed = messages.length
    const rest = (handed === 0 ? messages : messages.slice(handed)) as readonly Message<K, V>[]
    return {
      ...placeOf(source),
      messages: rest,
      highWatermark: source.highWatermark,
      commit: ({ signal } = {}) => abortable(this.#core.commit([behind(rest.at(-1)!)]), signal),
    }
  }

  #workOf(options: RunOptions<K, V>): Work {
    const { telemetry } = this.#home.connected
    const groupId = this.#groupId
    if ('each' in options) {
      const { each } = options
      const plain = messageWork((message, context) => each(message as Message<K, V>, context))
      return (unit, context) => {
        const tracing = telemetry.current
        if (tracing === undefined) return plain(unit, context)
        const traced = messageWork((message, context) =>
          tracing.process(message, groupId, () => each(message as Message<K, V>, context)),
        )
        return traced(unit, context)
      }
    }
    return async (unit, context) => {
      const batch = this.#batchOf(unit)
      const work = () => options.eachBatch(batch, context)
      const tracing = telemetry.current
      if (tracing === undefined) await work()
      else await tracing.processBatch(batch.messages, groupId, work)
      unit.done = unit.handed
    }
  }

  #coreOf(options: ConsumerOptions<K, V>): ConsumerCore {
    const home = this.#home
    const { topics, groupId, assignment } = options
    const isMember = groupId !== undefined && assignment === undefined
    const subscription =
      topics === undefined
        ? undefined
        : new Subscription(home.io.clock, home.topics, topics, home.metadataMaxAgeMs)
    const decoding = new Decoding<K, V>({
      key: options.key,
      value: options.value,
      interceptors: options.interceptors ?? [],
      onDecodeError: options.onDecodeError ?? 'throw',
      onSkipped: error => {
        this.#counts.skipped++
        home.warn('skipped', error.message, error)
      },
    })
    return new ConsumerCore(
      home.io,
      home.cluster,
      {
        fetch: fetchSettings(options, home),
        reading: {
          ...limits(options),
          decode: message => decoding.decode(message),
          skips: error => decoding.skips(error),
        },
        offsetReset: options.offsetReset ?? 'latest',
        commit: options.commit ?? 'auto',
        autoCommitMs: options.autoCommitMs ?? 5_000,
        maxProcessingMs: options.maxProcessingMs ?? 60_000,
        maxUnfetchedMs: options.maxUnfetchedMs ?? 30_000,
        closeTimeoutMs: options.closeTimeoutMs ?? 10_000,
        onAssigned: options.onAssigned,
        onRevoked: options.onRevoked,
        onLost: options.onLost,
        assignment,
        subscription,
        group:
          groupId === undefined
            ? undefined
            : handlers => home.group(options, isMember ? subscription : undefined, handlers),
      },
      this.#notices(options),
      () => home.close(),
    )
  }

  #notices({ interceptors = [] }: ConsumerOptions<K, V>): ConsumerNotices {
    const home = this.#home
    const counts = this.#counts
    return {
      assigned: partitions => {
        counts.rebalances++
        home.tell('ottla:consumer:assigned', { partitions, ...this.#core.group?.member })
      },
      beat: () => home.tell('ottla:consumer:heartbeat', { ...this.#core.group?.member }),
      revoked: partitions => home.tell('ottla:consumer:revoked', { partitions }),
      lost: partitions => home.tell('ottla:consumer:lost', { partitions }),
      committed(offsets) {
        counts.commits++
        home.tell('ottla:consumer:committed', { offsets })
        try {
          for (const interceptor of interceptors) interceptor.onCommit?.(offsets)
        } catch (error) {
          // The offsets are stored; whoever committed them must not think otherwise.
          home.warn('interceptor-failed', `onCommit of an interceptor threw: ${error}`, error)
        }
      },
      commitFailed(error) {
        counts.failedCommits++
        home.warn('commit-failed', `offsets were not committed: ${error}`, error)
      },
      standstill(standstill) {
        const { kind, topic, partition, offset, forMs } = standstill
        const what =
          kind === 'held'
            ? `user code holds ${topic}-${partition}@${offset} for ${Math.round(forMs)} ms`
            : `${topic}-${partition} has not been fetched for ${Math.round(forMs)} ms`
        home.warn('standstill', what, standstill)
      },
      warn: message => home.warn('warning', message, undefined),
    }
  }
}

const ends = { beginning: logBeginning, end: logEnd } as const
const mebibyte = 1024 * 1024

function check<K, V>(options: ConsumerOptions<K, V>): void {
  const { topics, assignment } = options
  if ((topics === undefined) === (assignment === undefined)) {
    throw new ConsumerStateError('NOTHING_TO_READ', 'give either `topics` or an `assignment`')
  }
  const positive = {
    maxBytes: options.maxBytes,
    partitionMaxBytes: options.partitionMaxBytes,
    maxBatchBytes: options.maxBatchBytes,
    maxBatchMessages: options.maxBatchMessages,
    autoCommitMs: options.autoCommitMs,
    maxProcessingMs: options.maxProcessingMs,
    maxUnfetchedMs: options.maxUnfetchedMs,
  }
  for (const [name, value] of Object.entries(positive)) {
    if (value === undefined || (Number.isFinite(value) && value > 0)) continue
    throw new ConsumerStateError('BAD_OPTION', `${name} is ${value}: it has to be above 0`)
  }
}

function fetchSettings<K, V>(options: ConsumerOptions<K, V>, home: ConsumerHome): FetchSettings {
  return {
    maxBytes: options.maxBytes ?? 16 * mebibyte,
    partitionMaxBytes: options.partitionMaxBytes ?? mebibyte,
    maxWaitMs: options.maxWaitMs ?? 500,
    minBytes: options.minBytes ?? 1,
    readCommitted: options.isolation === 'read_committed',
    rack: options.rack ?? '',
    requestTimeoutMs: home.requestTimeoutMs,
    preferredReplicaMs: home.metadataMaxAgeMs,
    lane: home.fetchLane,
  }
}

function limits<K, V>(options: ConsumerOptions<K, V>): BatchLimits & { maxBatchMessages: number } {
  return {
    maxBatchBytes: options.maxBatchBytes ?? 128 * mebibyte,
    checkCrcs: options.checkCrcs ?? true,
    maxBatchMessages: options.maxBatchMessages ?? 500,
  }
}

function lagOf(each: ConsumedPartition, readCommitted: boolean): PartitionLag[] {
  const { position, highWatermark, lastStableOffset } = each
  if (position === undefined || highWatermark < 0) return []
  const end = readCommitted && lastStableOffset >= 0 ? lastStableOffset : highWatermark
  return [{ ...placeOf(each), position, highWatermark, lag: Math.max(0, end - position) }]
}

function behind({ topic, partition, offset, leaderEpoch }: Message<unknown, unknown>) {
  return { topic, partition, offset: offset + 1, leaderEpoch }
}

function isMessage<K, V>(what: Message<K, V> | TopicPartitionOffset): what is Message<K, V> {
  return 'timestamp' in what
}

function timeOf(time: number | Date): number {
  return typeof time === 'number' ? time : time.getTime()
}

function placeOf({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}
