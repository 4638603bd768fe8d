/** What waits for one partition, and what of it may be sent next. */
import { ProducerBatch } from './batch.ts'
import type { AwaitedThing } from './errors.ts'
import type { Latch, Sending } from './sending.ts'
import { SequenceState } from './sequence-state.ts'

/** What a queue has to know of the producer it is part of. */
export interface QueueLimits {
  readonly isIdempotent: boolean
  readonly batchBytes: number
  readonly lingerMs: number
  readonly deliveryTimeoutMs: number
}

/** A batch takes records for so long, as a share of their time: they are given up together. */
const maxAgeShare = 0.1
/** Memory for a batch of one small record is not worth growing later. */
const leastCapacity = 256

export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  readonly sequence: SequenceState<ProducerBatch>
  /** −1: none is known. */
  leaderId = -1
  /** Who has what is on the wire. */
  wireLeaderId = -1
  /** Nothing goes before. */
  notBeforeMs = 0
  /** In batches that were never sent. */
  unsentBytes = 0
  readonly #limits: QueueLimits
  readonly #unsent: ProducerBatch[] = []
  #lastBatchBytes = leastCapacity

  constructor(topic: string, partition: number, limits: QueueLimits) {
    this.topic = topic
    this.partition = partition
    this.#limits = limits
    this.sequence = new SequenceState(limits.isIdempotent)
  }

  get isEmpty(): boolean {
    return this.#unsent.length === 0 && this.sequence.outstanding.length === 0
  }

  /** Every batch whose senders may still wait. */
  *batches(): Generator<ProducerBatch> {
    yield* this.sequence.outstanding
    yield* this.#unsent
  }

  /** Adds a record; answers whether that began a batch. */
  append(sending: Sending, nowMs: number): boolean {
    const { batchBytes, deliveryTimeoutMs } = this.#limits
    this.unsentBytes += sending.bytes
    const last = this.#unsent.at(-1)
    if (
      last?.hasRoomFor(sending, batchBytes) &&
      nowMs < last.createdMs + deliveryTimeoutMs * maxAgeShare
    ) {
      last.append(sending)
      return false
    }
    if (last !== undefined) last.isClosed = true
    const capacity = Math.max(sending.bytes, Math.min(this.#lastBatchBytes, batchBytes))
    const batch = new ProducerBatch(nowMs, sending.sinceMs + deliveryTimeoutMs, capacity)
    batch.append(sending)
    this.#unsent.push(batch)
    return true
  }

  /** What is there does not linger; `latch`, if given, waits for it. */
  hurry(latch: Latch | undefined): void {
    const last = this.#unsent.at(-1)
    if (last !== undefined) last.isUrgent = true
    if (latch !== undefined)
      for (const batch of this.batches()) if (!batch.isTold) batch.watch(latch)
  }

  /**
   * The batch to be sent now to the leader; undefined: none. `isIdle`: the broker has little to do, so
   * one that is not full does not wait for more than its linger time.
   */
  next(nowMs: number, isIdle: boolean): ProducerBatch | undefined {
    const { sequence } = this
    if (nowMs < this.notBeforeMs) return undefined
    if (sequence.onWire > 0 && this.wireLeaderId !== this.leaderId) return undefined
    const turn = sequence.next()
    if (turn !== 'new') return turn
    const first = this.#unsent[0]
    if (first === undefined || first.isClosed || this.#unsent.length > 1) return first
    return isIdle && nowMs >= this.#lingersUntilMs(first) ? first : undefined
  }

  /** What `next` gave goes to the leader. */
  sent(batch: ProducerBatch): void {
    if (batch === this.#unsent[0]) {
      this.#unsent.shift()
      this.unsentBytes -= batch.reservedBytes
      this.#lastBatchBytes = batch.sizeBound
    }
    this.sequence.sent(batch)
    this.wireLeaderId = this.leaderId
    batch.attempts++
  }

  /** When `next` may have something that it has not now, as far as time alone tells. */
  wakeAtMs(): number {
    const first = this.#unsent[0]
    return Math.max(this.notBeforeMs, first === undefined ? 0 : this.#lingersUntilMs(first))
  }

  /** Takes the batches whose time is over; `all`: every one. They are not sent (again). */
  giveUp(nowMs: number, all = false): ProducerBatch[] {
    const isOver = (batch: ProducerBatch) => all || batch.deadlineMs <= nowMs
    const over = this.sequence.outstanding.filter(batch => !batch.isGivenUp && isOver(batch))
    for (const batch of over) this.sequence.giveUp(batch)
    while (this.#unsent.length > 0 && isOver(this.#unsent[0]!)) {
      const batch = this.#unsent.shift()!
      this.unsentBytes -= batch.reservedBytes
      over.push(batch)
    }
    return over
  }

  /** What a batch of this partition waits for. */
  awaited(batch: ProducerBatch): AwaitedThing {
    if (batch.isOnWire || batch.attempts > 0) return 'answer'
    if (this.leaderId < 0) return 'leader'
    return this.sequence.wantsId ? 'producer id' : 'connection'
  }

  #lingersUntilMs(batch: ProducerBatch): number {
    return batch.isUrgent ? 0 : batch.createdMs + this.#limits.lingerMs
  }
}
