/**
 * `ottla consume --group`: prints records as a member of a group. What was printed is committed, once
 * it is out: a command that is killed prints a little again, and leaves nothing out.
 */
import { isList } from '../base/list.ts'
import type { Message, MessageHeaders } from '../client/consumer/message.ts'
import type { MessageBatch } from '../client/consumer/options.ts'
import { Consumer } from '../client/consumer.ts'
import type { LogRecord } from '../protocol/records/records.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import type { Interrupt } from './interrupt.ts'
import { countText, type Progress } from './output.ts'
import type { RecordSink } from './record-sink.ts'
import { throwIfUnknown } from './topics.ts'

/** What says where to read, and until when. */
export interface GroupReading extends BootstrapOptions {
  readonly group: string
  /** Where the group begins in a partition of which it has committed nothing. */
  readonly from: string
  readonly to?: string
  readonly exit?: true
  readonly partition?: readonly string[]
}

/** How often `--exit` looks whether there is anything left. */
const endCheckMs = 200

/** Reads until the sink is full, the end is reached with `--exit`, or Ctrl-C. Throws Failure. */
export async function consumeAsMember(
  topics: readonly string[],
  options: GroupReading,
  sink: RecordSink,
  progress: Progress,
  interrupt: Interrupt,
): Promise<void> {
  const offsetReset = resetOf(options)
  await withCluster(options, async cluster => {
    const { topics: found } = await cluster.metadata([...new Set(topics)])
    for (const topic of found) throwIfUnknown(topic)
  })
  const { bootstrap, group: groupId } = options
  const consumer = new Consumer({ bootstrap, groupId, topics, offsetReset, clientId: 'ottla-cli' })
  const stop = new AbortController()
  void interrupt.asked.then(() => stop.abort())
  const watch = setInterval(() => {
    if (options.exit && isAtEnd(consumer)) stop.abort()
  }, endCheckMs)
  try {
    for await (const batch of consumer.batches(stop)) {
      const behind = await print(batch, sink)
      await sink.flush()
      progress.show(() => progressText(consumer, sink, progress.elapsedMs))
      if (!sink.isFull) continue
      await consumer.commit({ topic: batch.topic, partition: batch.partition, offset: behind })
      break
    }
  } finally {
    clearInterval(watch)
    await consumer.close()
  }
}

function resetOf({ from, to, partition }: GroupReading): 'earliest' | 'latest' {
  if (to !== undefined || partition !== undefined) {
    const option = to === undefined ? '--partition' : '--to'
    throw new Failure(`${option} is not for --group: its members share out all partitions`)
  }
  if (from === 'earliest' || from === 'latest') return from
  throw new Failure(
    `--from ${from} is not for --group, which goes on where it was: earliest or latest say where it begins; ` +
      '`ottla groups reset-offsets` moves it',
  )
}

/** Whether every partition was fetched, and nothing is left of any. */
function isAtEnd(consumer: Consumer): boolean {
  const partitions = consumer.assignment()
  const lags = consumer.lag()
  return (
    partitions.length > 0 && lags.length === partitions.length && lags.every(({ lag }) => lag === 0)
  )
}

/** Answers the offset behind the last record that it took. */
async function print({ messages }: MessageBatch, sink: RecordSink): Promise<number> {
  let behind = messages[0]!.offset
  for (const message of messages) {
    if (sink.isFull) break
    await sink.add(message.topic, message.partition, recordOf(message))
    behind = message.offset + 1
  }
  return behind
}

function recordOf({ offset, timestamp, key, value, headers }: Message): LogRecord {
  return { offset, timestamp, key, value, headers: listed(headers) }
}

function listed(headers: MessageHeaders): LogRecord['headers'] {
  return Object.entries(headers).flatMap(([key, value]) =>
    isList(value) ? value.map(each => ({ key, value: each })) : [{ key, value }],
  )
}

function progressText(consumer: Consumer, sink: RecordSink, elapsedMs: number): string {
  const { assignedPartitions, lag } = consumer.metrics()
  const rate = Math.round((sink.seen * 1000) / elapsedMs)
  return `${countText(sink.seen)} read  ${countText(rate)}/s  ${assignedPartitions} partitions  ${countText(lag)} to go`
}
