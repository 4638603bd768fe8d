/** A batch of records for one partition, from its first record until its senders are told. */
import { Batch, type Compression } from '../../protocol/records/batch.ts'
import { BatchWriter, stampProducer } from '../../protocol/records/batch-writer.ts'
import { recordsOf } from '../../protocol/records/records.ts'
import type { Latch, Sending } from './sending.ts'
import type { Sequenced } from './sequence-state.ts'

/** Timestamps of one batch differ by at most so much, so that their distances stay 32-bit sized. */
const maxTimestampSpread = 2 ** 31 - 1

/** A batch; see above. Its sequence is `SequenceState`'s to change. */
export class ProducerBatch implements Sequenced {
  readonly createdMs: number
  readonly deadlineMs: number
  producerId = -1
  producerEpoch = -1
  baseSequence = -1
  isOnWire = false
  mayBeStored = false
  isGivenUp = false
  /** Takes no more records. */
  isClosed = false
  /** Does not linger. */
  isUrgent = false
  /** Its senders know what became of it. */
  isTold = false
  /** How often it was sent. */
  attempts = 0
  /** Why the last attempt failed. */
  lastError: Error | undefined
  /** What it takes in the buffer. */
  reservedBytes = 0
  readonly #writer: BatchWriter
  readonly #sendings: Sending[] = []
  readonly #latches: Latch[] = []
  #bytes: Uint8Array | undefined
  #stamped = ''

  constructor(createdMs: number, deadlineMs: number, capacity: number) {
    this.createdMs = createdMs
    this.deadlineMs = deadlineMs
    this.#writer = new BatchWriter(capacity)
  }

  get count(): number {
    return this.#sendings.length
  }

  /** Whether a record still belongs in it, when it may grow to `maxBytes`. */
  hasRoomFor(sending: Sending, maxBytes: number): boolean {
    if (this.isClosed || this.#writer.size + sending.bytes > maxBytes) return false
    return Math.abs(sending.timestamp - this.#writer.baseTimestamp) <= maxTimestampSpread
  }

  append(sending: Sending): void {
    const { timestamp, key, value, headers } = sending.content!
    this.#writer.append(timestamp, key, value, headers)
    this.#take(sending)
  }

  /** The batch as it is sent, under the sequence it has now. */
  bytes(compression: Compression, level: number | undefined): Uint8Array {
    this.isClosed = true
    this.#bytes ??= this.#writer.finish(compression, level)
    const stamp = `${this.producerId}/${this.producerEpoch}/${this.baseSequence}`
    if (stamp !== this.#stamped) {
      stampProducer(this.#bytes, this.producerId, this.producerEpoch, this.baseSequence)
      this.#stamped = stamp
    }
    return this.#bytes
  }

  /** How many bytes it will take in a request, at most. */
  get sizeBound(): number {
    return this.#bytes?.length ?? this.#writer.size
  }

  /** Two batches with its records and their senders. It has more than one. */
  cut(): readonly [ProducerBatch, ProducerBatch] {
    const records = [...recordsOf(new Batch(this.#bytes!), this.reservedBytes)]
    const middle = records.length >> 1
    const half = (from: number, to: number) => {
      const part = new ProducerBatch(this.createdMs, this.deadlineMs, this.reservedBytes >> 1)
      part.attempts = this.attempts
      part.lastError = this.lastError
      for (let index = from; index < to; index++) {
        const { timestamp, key, value, headers } = records[index]!
        part.#writer.append(timestamp, key, value, headers)
        part.#take(this.#sendings[index]!)
      }
      part.isClosed = true
      for (const latch of this.#latches) part.watch(latch)
      return part
    }
    const parts = [half(0, middle), half(middle, records.length)] as const
    this.#told()
    return parts
  }

  /** `latch` waits for it. */
  watch(latch: Latch): void {
    latch.up()
    this.#latches.push(latch)
  }

  stored(topic: string, partition: number, baseOffset: number, logAppendTimeMs: number): void {
    for (const [index, sending] of this.#sendings.entries()) {
      const offset = baseOffset < 0 ? -1 : baseOffset + index
      sending.stored(topic, partition, offset, logAppendTimeMs)
    }
    this.#told()
  }

  failed(error: Error): void {
    for (const sending of this.#sendings) sending.failed(error)
    this.#told()
  }

  #take(sending: Sending): void {
    sending.content = undefined
    if (sending.isUrgent) this.isUrgent = true
    this.#sendings.push(sending)
    this.reservedBytes += sending.bytes
  }

  #told(): void {
    this.isTold = true
    for (const latch of this.#latches.splice(0)) latch.down()
  }
}
