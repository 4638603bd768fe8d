/**
 * The way of a record from `send` to its batch, and what becomes of it.
 *
 * It waits until the partitions of its topic are known, then for room in the buffer, behind those that
 * came before; then it has a place: a partition, and a batch of it, which `Sender` carries. Each of these
 * steps is taken at once where it can be, so that the order of sends is the order in a partition.
 *
 * Topics are asked for when they are first sent to, when an answer or a lost connection puts their
 * leaders in doubt, and while records wait for a partition or a leader. A record that waits for a topic or a
 * partition that the brokers say does not exist is refused after a few seconds: what was created a moment ago
 * is not known everywhere at once.
 */
import type { Clock } from '../../io/io.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { abortable } from '../abort.ts'
import { Alarm } from '../alarm.ts'
import type { Counting } from '../client-metrics.ts'
import type { Cluster, PartitionInfo } from '../cluster.ts'
import type { Connected } from '../connected.ts'
import { eventChannel } from '../diagnostics.ts'
import type { ProducerBatch } from './batch.ts'
import { type AwaitedThing, DeliveryTimeoutError, ProducerStateError } from './errors.ts'
import { Identities } from './identities.ts'
import type { ProducerMetrics } from './options.ts'
import type { PartitionQueue } from './partition-queue.ts'
import { Sender } from './sender.ts'
import { Latch, type Sending } from './sending.ts'
import type { DeliverySettings } from './settings.ts'
import { TopicQueue, type TopicSettings } from './topic-queue.ts'

/** So long a topic, or a partition, may be one that the brokers say they do not have. */
const absenceMs = 5_000

const sentChannel = eventChannel('ottla:producer:sent')
const failedChannel = eventChannel('ottla:producer:failed')

export class ProducerCore {
  readonly #clock: Clock
  readonly #cluster: Cluster
  readonly #counting: Counting
  readonly #clientId: string
  readonly #metadataMaxAgeMs: number
  readonly #settings: DeliverySettings
  readonly #topicSettings: TopicSettings
  readonly #topics = new Map<string, TopicQueue>()
  readonly #identities: Identities
  readonly #sender: Sender
  readonly #alarm: Alarm
  readonly #forgetCluster: () => void
  readonly #counts = { records: 0, acknowledgedRecords: 0, failedRecords: 0 }
  /** Records that have a topic, and wait for room. */
  #room: Sending[] = []
  #bufferedBytes = 0
  #roomListeners: (() => void)[] = []
  #isClosing = false

  constructor(
    { io, cluster, counting, clusterOptions, metadataMaxAgeMs, requestTimeoutMs }: Connected,
    settings: DeliverySettings,
  ) {
    this.#clock = io.clock
    this.#cluster = cluster
    this.#counting = counting
    this.#clientId = clusterOptions.clientId ?? ''
    this.#metadataMaxAgeMs = metadataMaxAgeMs
    this.#settings = settings
    this.#topicSettings = { ...settings, random: () => io.random.u32() }
    this.#alarm = new Alarm(io.clock, () => this.#rung())
    this.#identities = new Identities(io.clock, cluster, refusal => this.#identified(refusal))
    this.#sender = new Sender(
      io.clock,
      cluster,
      { ...settings, requestTimeoutMs },
      this.#identities,
      {
        stored: (queue, batch, offset, timeMs) => this.#stored(queue, batch, offset, timeMs),
        failed: (queue, batch, error) => this.#failed(queue, batch, error),
        leaderDoubted: topic => this.#doubt(topic),
        topicOf: ({ topic }) => this.#topics.get(topic)!,
      },
    )
    this.#forgetCluster = cluster.onMetadata(() => this.#learned())
  }

  /** Throws ProducerStateError CLOSED. */
  throwIfClosed(): void {
    if (this.#isClosing) throw closedError(false)
  }

  /** Takes a record; what becomes of it, its receiver is told. */
  accept(sending: Sending): void {
    this.#counts.records++
    this.#wakeAt(sending.sinceMs + this.#settings.deliveryTimeoutMs)
    const topic = this.#topic(sending.content!.topic)
    if (topic.isKnown) {
      if (sending.sinceMs - topic.heardMs > this.#metadataMaxAgeMs) this.#ask(topic)
      this.#enter(topic, sending, sending.sinceMs)
    } else {
      topic.waiting.push(sending)
      if (this.#settings.isIdempotent) this.#identities.ask()
      if (topic.askAtMs === Number.POSITIVE_INFINITY) this.#ask(topic)
    }
  }

  /** Calls `listener` when no record waits any more: at once, where none does. */
  whenRoom(listener: () => void): void {
    if (this.#waitingRecords === 0) listener()
    else this.#roomListeners.push(listener)
  }

  /** What there is leaves without lingering. */
  hurry(latch?: Latch): void {
    for (const topic of this.#topics.values()) {
      for (const sending of topic.waiting) sending.hurry(latch)
      for (const queue of topic.partitions) {
        if (queue.isEmpty) continue
        queue.hurry(latch)
        this.#sender.wake(queue)
      }
    }
    for (const sending of this.#room) sending.hurry(latch)
  }

  flush(signal: AbortSignal | undefined): Promise<void> {
    const latch = new Latch()
    this.hurry(latch)
    latch.down()
    return abortable(latch.done, signal)
  }

  async close(timeoutMs: number): Promise<void> {
    this.#isClosing = true
    const { promise: late, resolve } = Promise.withResolvers<void>()
    const timer = this.#clock.timer(timeoutMs, resolve)
    await Promise.race([this.flush(undefined), late])
    timer.cancel()
    this.#sender.close()
    this.#identities.close()
    this.#alarm.close()
    this.#forgetCluster()
    for (const topic of this.#topics.values()) this.#end(topic)
    for (const sending of this.#room.splice(0)) this.#refuse(sending, closedError(false))
    this.#noticeRoom()
  }

  metrics(): ProducerMetrics {
    return {
      ...this.#counts,
      ...this.#sender.counts,
      bufferedBytes: this.#bufferedBytes,
      waitingRecords: this.#waitingRecords,
      requestsInFlight: this.#sender.inFlight,
    }
  }

  get #waitingRecords(): number {
    const count = (list: readonly Sending[]) => list.filter(each => !each.isSettled).length
    let sum = count(this.#room)
    for (const { waiting } of this.#topics.values()) sum += count(waiting)
    return sum
  }

  #topic(name: string): TopicQueue {
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = new TopicQueue(name, this.#topicSettings)
      this.#topics.set(name, topic)
    }
    return topic
  }

  /** Its topic is known; behind those that wait for room. */
  #enter(topic: TopicQueue, sending: Sending, nowMs: number): void {
    const hasRoom = this.#bufferedBytes + sending.bytes <= this.#settings.bufferBytes
    if (this.#room.length === 0 && hasRoom) this.#place(topic, sending, nowMs)
    else this.#room.push(sending)
  }

  #place(topic: TopicQueue, sending: Sending, nowMs: number): void {
    if (sending.isSettled) return
    let queue: PartitionQueue | undefined
    try {
      queue = topic.place(sending.content!, sending.bytes)
    } catch (error) {
      this.#refuse(sending, error as Error)
      return
    }
    if (queue === undefined) {
      topic.waiting.push(sending)
      this.#doubt(topic.name)
      return
    }
    this.#bufferedBytes += sending.bytes
    queue.append(sending, nowMs)
    this.#sender.wake(queue)
  }

  /** Lets those in that have room now. */
  #admit(): void {
    const room = this.#room
    const nowMs = room.length > 0 ? this.#clock.monotonicMs() : 0
    let count = 0
    for (const sending of room) {
      if (this.#bufferedBytes + sending.bytes > this.#settings.bufferBytes) break
      count++
      if (!sending.isSettled) {
        this.#place(this.#topics.get(sending.content!.topic)!, sending, nowMs)
      }
    }
    if (count > 0) this.#room = room.slice(count)
    this.#noticeRoom()
  }

  #noticeRoom(): void {
    if (this.#roomListeners.length === 0 || this.#waitingRecords > 0) return
    for (const listener of this.#roomListeners.splice(0)) listener()
  }

  #stored(queue: PartitionQueue, batch: ProducerBatch, baseOffset: number, timeMs: number): void {
    const { topic, partition } = queue
    this.#topics.get(topic)!.attempts = 0
    if (batch.isTold) return
    this.#counts.acknowledgedRecords += batch.count
    this.#release(batch)
    if (sentChannel.hasSubscribers) {
      const sinceMs = batch.deadlineMs - this.#settings.deliveryTimeoutMs
      const tookMs = this.#clock.monotonicMs() - sinceMs
      const bytes = batch.sizeBound
      sentChannel.publish({ ...this.#eventOf(queue, batch.count), baseOffset, bytes, tookMs })
    }
    batch.stored(topic, partition, baseOffset, timeMs)
    this.#admit()
  }

  #failed(queue: PartitionQueue, batch: ProducerBatch, error: Error): void {
    if (batch.isTold) return
    this.#counts.failedRecords += batch.count
    this.#release(batch)
    if (failedChannel.hasSubscribers) {
      failedChannel.publish({ ...this.#eventOf(queue, batch.count), error })
    }
    batch.failed(error)
    this.#admit()
  }

  #release(batch: ProducerBatch): void {
    this.#bufferedBytes -= batch.reservedBytes
    batch.reservedBytes = 0
  }

  /** A record that has no place fails. */
  #refuse(sending: Sending, error: Error): void {
    this.#counts.failedRecords++
    if (failedChannel.hasSubscribers && !sending.isSettled) {
      const { topic } = sending.content!
      failedChannel.publish({ ...this.#eventOf({ topic, partition: -1 }, 1), error })
    }
    sending.failed(error)
  }

  #ask(topic: TopicQueue): void {
    topic.askAtMs = Number.POSITIVE_INFINITY
    if (topic.isAsking) return
    topic.isAsking = true
    topic.askedMs = this.#clock.monotonicMs()
    this.#cluster.partitions(topic.name, { create: true }).then(
      infos => {
        topic.isAsking = false
        topic.lastError = undefined
        this.#heard(topic, infos)
      },
      (error: Error) => {
        topic.isAsking = false
        topic.lastError = error
        this.#unheard(topic, error)
      },
    )
  }

  /** What is known of a topic may be old: it is asked for again, not too often. */
  #doubt(name: string): void {
    const topic = this.#topics.get(name)!
    this.#cluster.invalidate(name)
    if (topic.askAtMs < Number.POSITIVE_INFINITY) return
    topic.askAtMs = topic.askedMs + this.#cluster.nextBackoffMs(topic.attempts++)
    this.#wakeAt(topic.askAtMs)
  }

  #heard(topic: TopicQueue, infos: readonly PartitionInfo[]): void {
    const nowMs = this.#clock.monotonicMs()
    const { moved, gone } = topic.update(this.#cluster.topicId(topic.name), infos, nowMs)
    for (const queue of gone) {
      queue.leaderId = -1
      this.#sender.moved(queue)
      const error = absent(topic.name, queue.partition, infos.length)
      for (const batch of queue.giveUp(nowMs, true)) this.#failed(queue, batch, error)
    }
    for (const queue of moved) this.#sender.moved(queue)
    for (const sending of topic.waiting.splice(0)) {
      const { partition } = sending.content ?? { partition: -1 }
      if (partition >= infos.length && nowMs - sending.sinceMs >= absenceMs) {
        this.#refuse(sending, absent(topic.name, partition, infos.length))
      } else this.#enter(topic, sending, nowMs)
    }
    if (topic.needsLeader) this.#doubt(topic.name)
    this.#noticeRoom()
  }

  #unheard(topic: TopicQueue, error: Error): void {
    const isAbsent = error instanceof KafkaError && error.error === 'UNKNOWN_TOPIC_OR_PARTITION'
    const isRefused = error instanceof KafkaError && !error.retriable
    const nowMs = this.#clock.monotonicMs()
    const isOver = ({ sinceMs }: Sending) => isRefused || (isAbsent && nowMs - sinceMs >= absenceMs)
    const over = topic.waiting.filter(isOver)
    topic.waiting = topic.waiting.filter(each => !isOver(each))
    for (const sending of over) this.#refuse(sending, error)
    if (!topic.isEmpty) this.#doubt(topic.name)
    else if (!topic.isKnown) this.#topics.delete(topic.name)
    this.#noticeRoom()
  }

  /** Others who share the cluster, or a renewal, have learned something. */
  #learned(): void {
    for (const topic of this.#topics.values()) if (topic.isKnown) this.#ask(topic)
  }

  #identified(refusal: KafkaError | undefined): void {
    if (refusal !== undefined) {
      for (const topic of this.#topics.values()) {
        for (const queue of topic.partitions) {
          if (!queue.sequence.wantsId) continue
          for (const batch of queue.giveUp(0, true)) this.#failed(queue, batch, refusal)
        }
      }
    }
    this.#sender.wakeAll()
  }

  #wakeAt(atMs: number): void {
    this.#alarm.set(atMs)
  }

  /** Topics may have to be asked for; the time of records may be over. */
  #rung(): void {
    const nowMs = this.#clock.monotonicMs()
    const timeoutMs = this.#settings.deliveryTimeoutMs
    let nextMs = Number.POSITIVE_INFINITY
    for (const topic of this.#topics.values()) {
      if (topic.askAtMs <= nowMs) this.#ask(topic)
      nextMs = Math.min(nextMs, topic.askAtMs)
      for (const queue of topic.partitions) {
        for (const batch of queue.giveUp(nowMs)) this.#timedOut(topic, queue, batch)
        for (const batch of queue.batches()) {
          if (!batch.isTold) nextMs = Math.min(nextMs, batch.deadlineMs)
        }
      }
    }
    const over = ({ sinceMs }: Sending) => sinceMs + timeoutMs <= nowMs
    for (const topic of this.#topics.values()) {
      const late = topic.waiting.filter(over)
      if (late.length > 0) topic.waiting = topic.waiting.filter(each => !over(each))
      for (const sending of late)
        this.#refuse(
          sending,
          this.#late(sending, 'topic', topic.lastError ?? this.#counting.outage),
        )
      if (topic.waiting.length > 0) nextMs = Math.min(nextMs, topic.waiting[0]!.sinceMs + timeoutMs)
    }
    const late = this.#room.filter(over)
    if (late.length > 0) this.#room = this.#room.filter(each => !over(each))
    for (const sending of late) this.#refuse(sending, this.#late(sending, 'room', undefined))
    if (this.#room.length > 0) nextMs = Math.min(nextMs, this.#room[0]!.sinceMs + timeoutMs)
    this.#noticeRoom()
    this.#wakeAt(nextMs)
  }

  #timedOut(topic: TopicQueue, queue: PartitionQueue, batch: ProducerBatch): void {
    const awaited = queue.awaited(batch)
    const cause =
      batch.lastError ??
      (awaited === 'producer id' ? this.#identities.lastError : undefined) ??
      (awaited === 'leader' ? topic.lastError : this.#sender.connectionError(queue))
    const isUncertain = batch.mayBeStored || batch.isOnWire
    const timeoutMs = this.#settings.deliveryTimeoutMs
    const error = new DeliveryTimeoutError(queue, timeoutMs, awaited, isUncertain, cause)
    this.#failed(queue, batch, error)
  }

  #late({ content }: Sending, awaited: AwaitedThing, cause: Error | undefined): Error {
    const place = { topic: content?.topic ?? '', partition: -1 }
    return new DeliveryTimeoutError(place, this.#settings.deliveryTimeoutMs, awaited, false, cause)
  }

  /** The producer closes before these are settled. */
  #end(topic: TopicQueue): void {
    for (const sending of topic.waiting.splice(0)) this.#refuse(sending, closedError(false))
    for (const queue of topic.partitions) {
      for (const batch of queue.giveUp(0, true)) {
        this.#failed(queue, batch, closedError(batch.mayBeStored || batch.isOnWire))
      }
    }
  }

  #eventOf({ topic, partition }: Pick<PartitionQueue, 'topic' | 'partition'>, records: number) {
    return { clientId: this.#clientId, topic, partition, records }
  }
}

function closedError(mayBeStored: boolean): ProducerStateError {
  const fate = mayBeStored ? ' before the record was acknowledged; it may be stored' : ''
  return new ProducerStateError('CLOSED', `the producer was closed${fate}`, mayBeStored)
}

function absent(topic: string, partition: number, count: number): KafkaError {
  const why = `no partition ${partition} of ${topic}: there are ${count}, from 0`
  return new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', why)
}
