/** `ottla consume`: prints the records of a topic, partition by partition as they come. */
import type { Cluster, Fetched } from '../client/cluster.ts'
import { batches, isCrcValid } from '../protocol/records/batch.ts'
import { type LogRecord, recordsOf } from '../protocol/records/records.ts'
import { type BootstrapOptions, orThrow, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import { json, print } from './output.ts'
import { recordFormat, recordJson } from './record-text.ts'
import { throwIfUnknown } from './topics.ts'

interface ConsumeOptions extends BootstrapOptions {
  readonly from: string
  readonly partition?: readonly string[]
  readonly max?: number
  readonly exit?: true
  readonly format?: string
  readonly json?: true
}

/** Where to begin: by offset (of the end when `fromEnd`) or by time. */
type Start =
  | { readonly at: 'beginning' | 'end' }
  | { readonly offset: number }
  | { readonly last: number }
  | { readonly timestamp: number }

interface Position {
  readonly topic: string
  readonly partition: number
  offset: number
  /** Exclusive: where `--exit` stops. */
  readonly end: number
}

/** What one batch may expand to. */
const maxBatchBytes = 512 * 1024 * 1024
const outputBytes = 64 * 1024

export async function consume(topic: string, options: ConsumeOptions): Promise<void> {
  const start = parseStart(options.from)
  const output = new Output(topic, options)
  await withCluster(options, async cluster => {
    const found = (await cluster.metadata([topic])).topics[0]!
    throwIfUnknown(found)
    const existing = found.partitions.map(each => each.partitionIndex)
    const partitions = choose(topic, existing, options.partition)
    let open = await positionsFor(cluster, topic, partitions, start, options.exit === true)
    while (open.length > 0 && !output.isFull) {
      const results = await cluster.fetch(open, { maxWaitMs: 500 })
      for (const [index, position] of open.entries()) {
        await advance(position, results[index]!, start, output)
      }
      await output.flush()
      open = open.filter(({ offset, end }) => offset < end)
    }
  })
}

/** Prints what was fetched and moves the position behind it. */
async function advance(
  position: Position,
  result: Fetched | Error,
  start: Start,
  output: Output,
): Promise<void> {
  if (result instanceof Error) {
    const name = `${position.topic}-${position.partition}`
    if ('offset' in start && 'error' in result && result.error === 'OFFSET_OUT_OF_RANGE') {
      throw new Failure(
        `${name} has no offset ${position.offset}: \`ottla topics describe\` shows which it has`,
      )
    }
    throw new Failure(`${name}, offset ${position.offset}: ${result.message}`, { cause: result })
  }
  for (const batch of batches(result.records, { partialTail: 'ignored' })) {
    if (batch.lastOffset < position.offset) continue
    if (!isCrcValid(batch)) {
      throw new Failure(`damaged batch at offset ${batch.baseOffset} of ${position.partition}`)
    }
    for (const record of batch.isControl ? [] : recordsOf(batch, maxBatchBytes)) {
      if (record.offset < position.offset) continue
      if (record.offset >= position.end || output.isFull) break
      await output.add(position.partition, record)
    }
    position.offset = batch.lastOffset + 1
    if (output.isFull) return
  }
}

/** Collects printed records into larger writes. */
class Output {
  readonly #text: (partition: number, record: LogRecord) => string | Uint8Array
  readonly #max: number
  #pieces: Uint8Array[] = []
  #bytes = 0
  #count = 0

  constructor(topic: string, { json: asJson, format, max }: ConsumeOptions) {
    this.#max = max ?? Number.POSITIVE_INFINITY
    const formatted = recordFormat(format ?? '%s\\n')
    this.#text = asJson
      ? (partition, record) => `${json(recordJson(topic, partition, record))}\n`
      : (partition, record) => formatted(topic, partition, record)
  }

  get isFull(): boolean {
    return this.#count >= this.#max
  }

  async add(partition: number, record: LogRecord): Promise<void> {
    const text = this.#text(partition, record)
    const bytes = typeof text === 'string' ? Buffer.from(text) : text
    this.#pieces.push(bytes)
    this.#bytes += bytes.length
    this.#count += 1
    if (this.#bytes >= outputBytes) await this.flush()
  }

  async flush(): Promise<void> {
    if (this.#pieces.length === 0) return
    const bytes = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#bytes = 0
    await print(bytes)
  }
}

function choose(
  topic: string,
  existing: readonly number[],
  wanted: readonly string[] | undefined,
): readonly number[] {
  if (wanted === undefined) return existing.toSorted((a, b) => a - b)
  return wanted.map(text => {
    const partition = /^\d+$/u.test(text) ? Number(text) : -1
    if (existing.includes(partition)) return partition
    const last = Math.max(...existing)
    throw new Failure(`--partition ${text}: ${topic} has partitions 0 to ${last}`)
  })
}

async function positionsFor(
  cluster: Cluster,
  topic: string,
  partitions: readonly number[],
  start: Start,
  exit: boolean,
): Promise<Position[]> {
  const offsets = async (timestamp: number) => {
    const queries = partitions.map(partition => ({ topic, partition, timestamp }))
    return (await cluster.listOffsets(queries)).map(result => orThrow(result).offset)
  }
  const isLast = 'last' in start
  const needsEnd = exit || isLast || 'timestamp' in start || ('at' in start && start.at === 'end')
  const needsBegin = isLast || ('at' in start && start.at === 'beginning')
  const ends = needsEnd ? await offsets(-1) : []
  const begins = needsBegin ? await offsets(-2) : []
  const found = 'timestamp' in start ? await offsets(start.timestamp) : []
  const startOf = (index: number): number => {
    if ('offset' in start) return start.offset
    if ('last' in start) return Math.max(begins[index]!, ends[index]! - start.last)
    if ('timestamp' in start) return found[index] === -1 ? ends[index]! : found[index]!
    return start.at === 'end' ? ends[index]! : begins[index]!
  }
  const positions = partitions.map((partition, index) => ({
    topic,
    partition,
    offset: startOf(index),
    end: exit ? ends[index]! : Number.POSITIVE_INFINITY,
  }))
  return positions.filter(({ offset, end }) => offset < end)
}

function parseStart(text: string): Start {
  if (text === 'beginning' || text === 'end') return { at: text }
  if (/^\d+$/u.test(text)) return { offset: Number(text) }
  if (/^-\d+$/u.test(text)) return { last: -Number(text) }
  const timestamp = /^@\d+$/u.test(text) ? Number(text.slice(1)) : Date.parse(text)
  if (Number.isSafeInteger(timestamp)) return { timestamp }
  throw new Failure(
    `--from ${text}: write beginning, end, an offset, -N for the last N, or a time as 2026-01-31T12:00Z`,
  )
}
