/**
 * `ottla produce`: the lines of standard input as records. What arrives together is sent together,
 * and while a request is under way the next lines gather: batches grow with the load by themselves.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type Cluster, type ClusterMetadata, refused } from '../client/cluster.ts'
import { partitionOfKey } from '../client/partitioner.ts'
import type { Compression } from '../protocol/records/batch.ts'
import { buildBatch, type NewRecord } from '../protocol/records/build.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import { parseRecordJson } from './record-text.ts'
import { keyValues } from './topics.ts'

interface ProduceOptions extends BootstrapOptions {
  readonly keySeparator?: string
  readonly header?: readonly string[]
  readonly partition?: number
  readonly compression: Compression
  readonly acks: 'all' | '1' | '0'
  readonly emptyIsNull?: true
  readonly json?: true
}

/** A batch may not be larger than the broker takes: 1 MiB by default, a part of it for one record. */
const batchBytes = 512 * 1024
const maxLineBytes = 256 * 1024 * 1024

export async function produce(topic: string, options: ProduceOptions): Promise<void> {
  const parse = lineParser(options)
  await withCluster(options, async cluster => {
    const count = await partitionCount(cluster, topic)
    if (options.partition !== undefined && options.partition >= count) {
      const last = count - 1
      throw new Failure(`--partition ${options.partition}: ${topic} has partitions 0 to ${last}`)
    }
    if (process.stdin.isTTY) console.error('A line is a record; Ctrl-D ends.')
    const outbox = new Outbox(cluster, topic, count, options)
    for await (const lines of linesOf(process.stdin)) {
      for (const line of lines) {
        outbox.add(parse(line))
        if (outbox.bytes >= batchBytes) await outbox.send()
      }
      await outbox.send()
    }
    if (process.stderr.isTTY) console.error(`${outbox.sent} records sent to ${topic}`)
  })
}

/** Creates the topic where the broker allows it; a cluster may take a moment until it has leaders. */
async function partitionCount(cluster: Cluster, topic: string): Promise<number> {
  for (let attempt = 1; ; attempt++) {
    const found: ClusterMetadata['topics'][number] = (await cluster.metadata([topic], true))
      .topics[0]!
    const error = refused(found.errorCode)
    if (error === undefined) return found.partitions.length
    if (!error.retriable || attempt === 8) {
      const hint = error.error === 'UNKNOWN_TOPIC_OR_PARTITION' ? ' (create it first)' : ''
      throw new Failure(`topic ${topic}: ${error.message}${hint}`)
    }
    await sleep(50 * attempt)
  }
}

type ParsedRecord = NewRecord & { readonly partition?: number | undefined }

function lineParser(options: ProduceOptions): (line: Buffer) => ParsedRecord {
  const added = [...keyValues('--header', options.header ?? [])].map(([key, value]) => ({
    key,
    value: Buffer.from(value),
  }))
  if (options.json) {
    let lineNumber = 0
    return line => {
      const record = parseRecordJson(line.toString(), ++lineNumber)
      return { ...record, headers: [...record.headers!, ...added] }
    }
  }
  const separator = options.keySeparator
  return line => {
    const at = separator === undefined ? -1 : line.indexOf(separator)
    const value = at === -1 ? line : line.subarray(at + Buffer.byteLength(separator!))
    return {
      key: at === -1 ? null : line.subarray(0, at),
      value: value.length === 0 && options.emptyIsNull ? null : value,
      headers: added,
    }
  }
}

/** Records that wait, by partition, and the sequence of each partition. */
class Outbox {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #count: number
  readonly #options: ProduceOptions
  readonly #waiting = new Map<number, NewRecord[]>()
  readonly #sequences = new Map<number, number>()
  #producer: { producerId: number; producerEpoch: number } | undefined
  #turn = 0
  bytes = 0
  sent = 0

  constructor(cluster: Cluster, topic: string, count: number, options: ProduceOptions) {
    this.#cluster = cluster
    this.#topic = topic
    this.#count = count
    this.#options = options
  }

  add({ partition, ...record }: ParsedRecord): void {
    const chosen = this.#options.partition ?? partition ?? this.#partitionFor(record.key)
    const waiting = this.#waiting.get(chosen)
    const stamped = { timestamp: Date.now(), ...record }
    if (waiting === undefined) this.#waiting.set(chosen, [stamped])
    else waiting.push(stamped)
    this.bytes += (record.key?.length ?? 0) + (record.value?.length ?? 0) + 32
  }

  /** Keyless records share a partition until the next send: fewer, larger batches. */
  #partitionFor(key: NewRecord['key']): number {
    if (key === null || key === undefined) return this.#turn % this.#count
    return partitionOfKey(typeof key === 'string' ? Buffer.from(key) : key, this.#count)
  }

  /** Throws Failure with the broker's reason when a batch was not stored. */
  async send(): Promise<void> {
    if (this.#waiting.size === 0) return
    const acks = this.#options.acks === 'all' ? -1 : this.#options.acks === '1' ? 1 : 0
    if (acks === -1) this.#producer ??= await this.#cluster.initProducerId()
    const batches = [...this.#waiting].map(([partition, records]) => ({
      topic: this.#topic,
      partition,
      records: this.#batch(partition, records),
    }))
    const count = [...this.#waiting.values()].reduce((sum, { length }) => sum + length, 0)
    this.#waiting.clear()
    this.bytes = 0
    this.#turn += 1
    const results = await this.#cluster.produce(batches, { acks })
    const error = results.find(result => result instanceof Error)
    if (error !== undefined) {
      throw new Failure(`not stored after ${this.sent} records: ${error.message}`, { cause: error })
    }
    this.sent += count
  }

  #batch(partition: number, records: readonly NewRecord[]): Uint8Array {
    const { compression } = this.#options
    if (this.#producer === undefined) return buildBatch({ compression }, records)
    const baseSequence = this.#sequences.get(partition) ?? 0
    this.#sequences.set(partition, (baseSequence + records.length) % 2 ** 31)
    return buildBatch({ compression, ...this.#producer, baseSequence }, records)
  }
}

/** The lines of each chunk of the input, without their ends; a last line needs no end. */
async function* linesOf(input: AsyncIterable<Buffer>): AsyncIterable<Buffer[]> {
  let rest: Buffer[] = []
  let restBytes = 0
  for await (const chunk of input) {
    const lines: Buffer[] = []
    let start = 0
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      lines.push(Buffer.concat([...rest, chunk.subarray(start, end)]))
      rest = []
      restBytes = 0
      start = end + 1
    }
    if (start < chunk.length) {
      rest.push(chunk.subarray(start))
      restBytes += chunk.length - start
    }
    if (restBytes > maxLineBytes) {
      throw new Failure('a line of more than 256 MiB: a record must be smaller than that')
    }
    if (lines.length > 0) yield lines
  }
  if (restBytes > 0) yield [Buffer.concat(rest)]
}
