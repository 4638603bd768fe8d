/**
 * Records on their way to the brokers. One request is under way while the next records gather, so
 * batches grow with the load by themselves; whoever adds waits when a batch of a partition, or all of
 * them together, are full: memory is bounded whatever the input.
 *
 * A batch that is too large for its topic is sent again in halves; a sequence number moves only with
 * what was stored, so with acks=all a request that is repeated stores nothing twice.
 */
import type { Cluster } from '../client/cluster.ts'
import { partitionOfKey } from '../client/partitioner.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Compression } from '../protocol/records/batch.ts'
import { buildBatch, type NewRecord } from '../protocol/records/build.ts'
import { Failure } from './failure.ts'
import { type LinePlace, placeText } from './lines.ts'
import { plural } from './output.ts'

export interface OutboxOptions {
  readonly acks: -1 | 0 | 1
  readonly compression: Compression
}

/** Below what a broker takes by default, 1 MiB, with room for what surrounds the records. */
const firstBatchBytes = 512 * 1024
/** Of all partitions together. */
const maxWaitingBytes = 4 * 1024 * 1024
/** About what the fields of a record take beside its bytes. */
const recordOverheadBytes = 32

interface Batch {
  readonly partition: number
  readonly records: NewRecord[]
  readonly places: LinePlace[]
  bytes: number
}

export class Outbox {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #partitionCount: number
  readonly #options: OutboxOptions
  readonly #sequences = new Map<number, number>()
  #waiting = new Map<number, Batch>()
  #waitingBytes = 0
  #batchBytes = firstBatchBytes
  #producer: { producerId: number; producerEpoch: number } | undefined
  /** Never rejects: what failed is in `#failure`. */
  #sending: Promise<void> | undefined
  #failure: Error | undefined
  #turn = 0
  /** Records acknowledged, or with acks=0 given to the broker. */
  sent = 0

  constructor(cluster: Cluster, topic: string, partitionCount: number, options: OutboxOptions) {
    this.#cluster = cluster
    this.#topic = topic
    this.#partitionCount = partitionCount
    this.#options = options
  }

  /**
   * Takes a record; a promise only where it has to wait for room. `partition` undefined: by key, or in
   * turn. Fails with Failure, which names the lines, when an earlier record was not stored.
   */
  add(
    record: NewRecord,
    partition: number | undefined,
    place: LinePlace,
  ): Promise<void> | undefined {
    const chosen = partition ?? this.#partitionFor(record.key)
    const bytes = sizeOf(record)
    if (!this.#hasRoom(chosen, bytes)) return this.#addLater(record, chosen, place, bytes)
    this.#put(record, chosen, place, bytes)
    return undefined
  }

  async #addLater(
    record: NewRecord,
    partition: number,
    place: LinePlace,
    bytes: number,
  ): Promise<void> {
    while (!this.#hasRoom(partition, bytes)) {
      if (this.#sending === undefined) this.nudge()
      await this.#sending
      this.#throwIfFailed()
    }
    this.#put(record, partition, place, bytes)
  }

  #put(record: NewRecord, partition: number, place: LinePlace, bytes: number): void {
    const batch = this.#waiting.get(partition) ?? { partition, records: [], places: [], bytes: 0 }
    this.#waiting.set(partition, batch)
    batch.records.push(record)
    batch.places.push(place)
    batch.bytes += bytes
    this.#waitingBytes += bytes
  }

  /** Sends what waits, unless a request is under way: then it follows behind that. */
  nudge(): void {
    if (this.#sending !== undefined || this.#waiting.size === 0 || this.#failure) return
    const batches = [...this.#waiting.values()]
    this.#waiting = new Map()
    this.#waitingBytes = 0
    this.#turn += 1
    this.#sending = this.#send(batches)
      .catch((error: Error) => {
        this.#failure = error
      })
      .then(() => {
        this.#sending = undefined
        this.nudge()
      })
  }

  /** Resolves when everything is sent. Throws as `add` does. */
  async drained(): Promise<void> {
    this.nudge()
    while (this.#sending !== undefined) await this.#sending
    this.#throwIfFailed()
  }

  #throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  #hasRoom(partition: number, bytes: number): boolean {
    const { bytes: waiting = 0 } = this.#waiting.get(partition) ?? {}
    // One that is larger than all limits goes alone.
    if (waiting > 0 && waiting + bytes > this.#batchBytes) return false
    return this.#waitingBytes === 0 || this.#waitingBytes + bytes <= maxWaitingBytes
  }

  /** Keyless records share a partition until the next request: fewer, larger batches. */
  #partitionFor(key: NewRecord['key']): number {
    if (key === null || key === undefined) return this.#turn % this.#partitionCount
    return partitionOfKey(typeof key === 'string' ? Buffer.from(key) : key, this.#partitionCount)
  }

  async #send(batches: readonly Batch[]): Promise<void> {
    const { acks } = this.#options
    if (acks === -1) this.#producer ??= await this.#cluster.initProducerId()
    const topic = this.#topic
    const results = await this.#cluster.produce(
      batches.map(batch => ({ topic, partition: batch.partition, records: this.#encoded(batch) })),
      { acks },
    )
    const tooLarge: Batch[] = []
    const failures: { batch: Batch; error: Error }[] = []
    for (const [index, batch] of batches.entries()) {
      const error = results[index]!
      if (!(error instanceof Error)) this.#stored(batch)
      else if (isTooLarge(error) && batch.records.length > 1) tooLarge.push(batch)
      else failures.push({ batch, error })
    }
    if (acks === 0) await this.#taken(batches)
    for (const { batch, error } of failures.slice(0, 1)) throw this.#refusal(batch, error)
    for (const batch of tooLarge) {
      this.#batchBytes = Math.min(this.#batchBytes, Math.ceil(batch.bytes / 2))
      for (const half of halves(batch)) await this.#send([half])
    }
  }

  /** Nobody answers acks=0; the answer to a question behind it tells that it was read. */
  async #taken(batches: readonly Batch[]): Promise<void> {
    const topic = this.#topic
    await this.#cluster.listOffsets(
      batches.map(({ partition }) => ({ topic, partition, timestamp: -1 })),
    )
  }

  #stored({ partition, records }: Batch): void {
    this.sent += records.length
    const next = (this.#sequences.get(partition) ?? 0) + records.length
    this.#sequences.set(partition, next % 2 ** 31)
  }

  #encoded({ partition, records }: Batch): Uint8Array {
    const { compression } = this.#options
    if (this.#producer === undefined) return buildBatch({ compression }, records)
    const baseSequence = this.#sequences.get(partition) ?? 0
    return buildBatch({ compression, ...this.#producer, baseSequence }, records)
  }

  #refusal({ places, records }: Batch, error: Error): Failure {
    const where = placeText(places[0]!, places.at(-1))
    const stored = `${plural(this.sent, 'record')} stored`
    const hint =
      isTooLarge(error) && records.length === 1
        ? '; the topic config max.message.bytes allows larger ones'
        : ''
    return new Failure(`${where}: not stored: ${error.message}${hint} (${stored})`, {
      cause: error,
    })
  }
}

function halves({ partition, records, places, bytes }: Batch): Batch[] {
  const middle = Math.ceil(records.length / 2)
  return [
    [0, middle],
    [middle, records.length],
  ].map(([from, to]) => ({
    partition,
    records: records.slice(from, to),
    places: places.slice(from, to),
    bytes: Math.ceil(bytes / 2),
  }))
}

function isTooLarge(error: Error): boolean {
  if (!(error instanceof KafkaError)) return false
  return error.error === 'MESSAGE_TOO_LARGE' || error.error === 'RECORD_LIST_TOO_LARGE'
}

function sizeOf({ key, value, headers = [] }: NewRecord): number {
  const ofHeaders = headers.reduce(
    (sum, header) => sum + header.key.length + (header.value?.length ?? 0) + 4,
    0,
  )
  return (key?.length ?? 0) + (value?.length ?? 0) + ofHeaders + recordOverheadBytes
}
