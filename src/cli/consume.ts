/** `ottla consume`: prints the records of topics, partition by partition as they come. */
import type { Cluster, Fetched } from '../client/cluster.ts'
import { batches, isCrcValid } from '../protocol/records/batch.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { type BootstrapOptions, orThrow, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import { Interrupt } from './interrupt.ts'
import { countText, Progress } from './output.ts'
import { RecordSink, type SinkOptions } from './record-sink.ts'
import { partitionsOf, type Span, spansOf } from './span.ts'
import { throwIfUnknown } from './topics.ts'
import { type Place, parsePlace } from './when.ts'

interface ConsumeOptions extends BootstrapOptions, SinkOptions {
  readonly from: string
  readonly group?: string
  readonly to?: string
  readonly exit?: true
  readonly partition?: readonly string[]
}

/** What one batch may expand to. */
const maxBatchBytes = 512 * 1024 * 1024
const maxWaitMs = 500

export async function consume(topics: readonly string[], options: ConsumeOptions): Promise<void> {
  const sink = new RecordSink(options)
  const progress = new Progress({ fillsOutput: true })
  const interrupt = new Interrupt()
  const { group } = options
  try {
    if (group === undefined) await consumeAlone(topics, options, sink, progress, interrupt)
    else {
      const { consumeAsMember } = await import('./consume-group.ts')
      await consumeAsMember(topics, { ...options, group }, sink, progress, interrupt)
    }
  } finally {
    await sink.flush()
    progress.clear()
    interrupt.close()
  }
  if (sink.faults !== undefined) console.error(`ottla: ${sink.faults}`)
}

async function consumeAlone(
  topics: readonly string[],
  options: ConsumeOptions,
  sink: RecordSink,
  progress: Progress,
  interrupt: Interrupt,
): Promise<void> {
  const from = parsePlace('--from', options.from, Date.now())
  const to = options.exit ? 'latest' : options.to
  const until = to === undefined ? undefined : parsePlace('--to', to, Date.now())
  await withCluster(options, async cluster => {
    const { topics: found } = await cluster.metadata([...new Set(topics)])
    for (const topic of found) throwIfUnknown(topic)
    const partitions = partitionsOf(found, options.partition)
    const spans = await spansOf(cluster, partitions, from, until)
    await readAll(new Reading(cluster, from, sink), spans, interrupt, progress)
  })
}

async function readAll(
  reading: Reading,
  spans: readonly Span[],
  interrupt: Interrupt,
  progress: Progress,
): Promise<void> {
  let open = spans
  while (open.length > 0 && !reading.sink.isFull && !interrupt.isAsked) {
    if ((await Promise.race([reading.next(open), interrupt.asked])) === undefined) break
    open = open.filter(({ offset, end }) => offset < end)
    progress.show(() => progressText(reading.sink, open, progress.elapsedMs))
  }
}

/** What stands on the line of progress: how many, how fast, where, and how much is left. */
function progressText(sink: RecordSink, open: readonly Span[], elapsedMs: number): string {
  const lag = open.reduce(
    (sum, { offset, end, highWatermark }) =>
      sum + Math.max(0, Math.min(end, highWatermark) - offset),
    0,
  )
  const rate = Math.round((sink.seen * 1000) / elapsedMs)
  const kept = sink.seen === sink.printed ? '' : `, ${countText(sink.printed)} printed`
  const [first] = open
  const at = open.length === 1 ? `  ${first!.topic}-${first!.partition}@${first!.offset}` : ''
  return `${countText(sink.seen)} read${kept}  ${countText(rate)}/s${at}  ${countText(lag)} to go`
}

/** Fetches, and hands on what came. */
class Reading {
  readonly sink: RecordSink
  readonly #cluster: Cluster
  readonly #from: Place

  constructor(cluster: Cluster, from: Place, sink: RecordSink) {
    this.#cluster = cluster
    this.#from = from
    this.sink = sink
  }

  /** One fetch of all that is open; each span moves behind what was printed of it. */
  async next(open: readonly Span[]): Promise<true> {
    const results = await this.#cluster.fetch(open, { maxWaitMs })
    for (const [index, span] of open.entries()) {
      const result = results[index]!
      if (result instanceof Error) await this.#recover(span, result)
      else await this.#advance(span, result)
    }
    await this.sink.flush()
    return true
  }

  async #advance(span: Span, { records, highWatermark }: Fetched): Promise<void> {
    span.highWatermark = highWatermark
    for (const batch of batches(records, { partialTail: 'ignored' })) {
      if (batch.lastOffset < span.offset) continue
      if (!isCrcValid(batch)) {
        throw new Failure(`${nameOf(span)}: the batch at offset ${batch.baseOffset} is damaged`)
      }
      for (const record of batch.isControl ? [] : recordsOf(batch, maxBatchBytes)) {
        if (record.offset < span.offset) continue
        if (record.offset >= span.end || this.sink.isFull) break
        await this.sink.add(span.topic, span.partition, record)
      }
      span.offset = batch.lastOffset + 1
      if (this.sink.isFull) return
    }
  }

  /** Records that were deleted before they were read are passed over; other errors end the command. */
  async #recover(span: Span, error: Error): Promise<void> {
    const isOutside = 'error' in error && error.error === 'OFFSET_OUT_OF_RANGE'
    if (!isOutside) {
      throw new Failure(`${nameOf(span)}, offset ${span.offset}: ${error.message}`, {
        cause: error,
      })
    }
    const { topic, partition, offset } = span
    const [found] = await this.#cluster.listOffsets([{ topic, partition, timestamp: -2 }])
    const begin = orThrow(found!).offset
    if (('offset' in this.#from && this.#from.offset === offset) || begin <= offset) {
      throw new Failure(
        `${nameOf(span)} has no offset ${offset}: \`ottla topics describe\` shows which it has`,
      )
    }
    console.error(`ottla: ${nameOf(span)}: deleted before it was read: ${offset} to ${begin - 1}`)
    span.offset = begin
  }
}

function nameOf({ topic, partition }: Span): string {
  return `${topic}-${partition}`
}
