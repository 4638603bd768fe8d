/**
 * Clients that are in the history with every attempt: producers with unique values, consumers that
 * note what they are shown. They live on machines of their own and outlive the broker's crashes.
 */
import type { ClientError, Cluster } from '../client/cluster.ts'
import { ConnectionError } from '../client/connection.ts'
import type { Io } from '../io/io.ts'
import { type ErrorName, KafkaError } from '../protocol/errors.ts'
import { type Batch, batches, isCrcValid } from '../protocol/records/batch.ts'
import { buildBatch, type NewRecord } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import type { Attempt, Seen } from './checker.ts'
import type { Prng } from './random.ts'

export interface PartitionName {
  readonly topic: string
  readonly partition: number
}

/** What all clients of a run share. */
export interface Workload {
  readonly partitions: readonly PartitionName[]
  /** Then nothing may be in the log twice: the first would go. */
  readonly isCompacted: boolean
  readonly attempts: Attempt[]
  readonly seen: Seen[]
  /** With several brokers what the leader alone acknowledged (acks=1) may be lost with it. */
  readonly isReplicated?: boolean
  /** Told at once of what a consumer is shown. */
  onShown?(record: Seen): void
  /** Told at once of what was acknowledged with acks=all, records of one batch. */
  onAcknowledged?(attempts: readonly Attempt[]): void
  /** Set once: nothing is changed any more, clients go on. */
  isSettling?: boolean
  /** Set once: clients finish what they began and return. */
  stopping: boolean
}

const maxRecordBytes = 1024 * 1024
const outOfRange: ErrorName = 'OFFSET_OUT_OF_RANGE'

export function nameOf({ topic, partition }: PartitionName): string {
  return `${topic}-${partition}`
}

/** Sends batches of 1 to 5 records until the workload stops; an idempotent one repeats until told. */
export async function produceUntilStopped(
  io: Io,
  cluster: Cluster,
  chance: Prng,
  workload: Workload,
  producer: number,
): Promise<void> {
  const idempotent = chance.below(3) > 0 || workload.isCompacted
  const identity = idempotent
    ? await patiently(workload, () => cluster.initProducerId())
    : undefined
  const sequences = new Map<string, number>()
  while (!workload.stopping) {
    const where = workload.partitions[chance.below(workload.partitions.length)]!
    const partition = nameOf(where)
    const first = sequences.get(partition) ?? 0
    const attempts = Array.from({ length: 1 + chance.below(5) }, (_, index): Attempt => {
      const sequence = first + index
      const value = `${producer}/${partition}/${sequence}`
      return { producer, idempotent, partition, value, sequence, outcome: 'unknown', offset: -1 }
    })
    sequences.set(partition, first + attempts.length)
    workload.attempts.push(...attempts)
    const compression = workload.isReplicated
      ? 'none'
      : (['none', 'none', 'gzip', 'zstd'] as const)[chance.below(4)]!
    // Some batches fill several sectors.
    const width = workload.isReplicated && chance.chance(0.2) ? 40 : 1
    const records = buildBatch(
      { compression, ...(identity !== undefined && { ...identity, baseSequence: first }) },
      // A key of its own for each record: compaction may lose none.
      attempts.map(
        ({ value }): NewRecord => ({
          key: value.repeat(width),
          value,
          timestamp: io.clock.wallMs(),
        }),
      ),
    )
    const acks = idempotent ? -1 : ([-1, 1, 0] as const)[chance.below(3)]!
    await send(cluster, { ...where, records }, acks, attempts, workload)
    await pause(io, chance.below(workload.isReplicated ? 150 : 40))
  }
}

async function send(
  cluster: Cluster,
  batch: PartitionName & { readonly records: Uint8Array },
  acks: -1 | 0 | 1,
  attempts: readonly Attempt[],
  workload: Workload,
): Promise<void> {
  const idempotent = attempts[0]!.idempotent
  for (;;) {
    // A copy for each attempt: the simulated network hands over the very bytes, and offsets are
    // written into them.
    const copy = { ...batch, records: batch.records.slice() }
    const [result] = await answered(cluster.produce([copy], { acks }))
    if (result === undefined || acks === 0) return
    if (!(result instanceof Error)) {
      if (acks === 1 && workload.isReplicated) return
      for (const [index, attempt] of attempts.entries()) {
        attempt.outcome = 'ok'
        attempt.offset = result.baseOffset + index
      }
      if (acks === -1) workload.onAcknowledged?.(attempts)
      return
    }
    if (!idempotent) return
    if (result instanceof KafkaError && !result.retriable) {
      throw new Error(`an idempotent producer was refused: ${result.message}`, { cause: result })
    }
  }
}

/** Reads every partition in turn, from its beginning, until the workload stops. */
export async function consumeUntilStopped(
  cluster: Cluster,
  chance: Prng,
  workload: Workload,
): Promise<void> {
  const positions = new Map(workload.partitions.map(where => [nameOf(where), 0]))
  while (!workload.stopping) {
    const where = workload.partitions[chance.below(workload.partitions.length)]!
    const offset = positions.get(nameOf(where))!
    const records = await read(cluster, where, offset, 50 + chance.below(500), workload)
    workload.seen.push(...records)
    positions.set(nameOf(where), offset + records.length)
  }
}

/** Everything in a partition, from offset 0 to its high watermark. */
export async function readAll(cluster: Cluster, where: PartitionName): Promise<Seen[]> {
  const all: Seen[] = []
  for (;;) {
    const [end] = await cluster.listOffsets([{ ...where, timestamp: -1 }])
    if (end instanceof Error || end === undefined) throw new Error('no end offset', { cause: end })
    if (all.length >= end.offset) return all
    all.push(...(await read(cluster, where, all.length, 100)))
  }
}

async function read(
  cluster: Cluster,
  where: PartitionName,
  offset: number,
  maxWaitMs: number,
  { isReplicated = false, onShown }: Pick<Workload, 'isReplicated' | 'onShown'> = {},
): Promise<Seen[]> {
  const [result] = await answered(cluster.fetch([{ ...where, offset }], { maxWaitMs }))
  if (result === undefined) throw new Error('fetch answered nothing')
  // A broker that leads no more, and does not know, may end before what was read elsewhere.
  const isPassing = isReplicated && result instanceof KafkaError && result.error === outOfRange
  if (result instanceof KafkaError && !result.retriable && !isPassing) {
    throw new Error(`a consumer was refused at ${nameOf(where)}@${offset}: ${result.message}`)
  }
  if (result instanceof Error) return []
  const text = new TextDecoder()
  const records = soundBatches(result.records)
    .flatMap(batch => [...recordsOf(batch, maxRecordBytes)])
    .filter(record => record.offset >= offset)
    .map(record => ({
      partition: nameOf(where),
      offset: record.offset,
      value: record.value === null ? '' : text.decode(record.value),
    }))
  for (const record of records) onShown?.(record)
  return records
}

/** As every client does: what is behind a batch with a wrong CRC is not looked at either. */
function soundBatches(bytes: Uint8Array): Batch[] {
  const sound: Batch[] = []
  try {
    for (const batch of batches(bytes, { partialTail: 'ignored' })) {
      if (!isCrcValid(batch)) break
      sound.push(batch)
    }
  } catch (error) {
    if (!(error instanceof KafkaError && error.error === 'CORRUPT_MESSAGE')) throw error
  }
  return sound
}

/** The whole call may fail, too: when no broker was reached in time. */
export async function answered<T>(
  call: Promise<(T | ClientError)[]>,
): Promise<(T | ClientError)[]> {
  try {
    return await call
  } catch (error) {
    const isPassing = error instanceof ConnectionError || error instanceof KafkaError
    if (!isPassing || !error.retriable) throw error
    return [error]
  }
}

async function patiently<T>(workload: Workload, call: () => Promise<T>): Promise<T | undefined> {
  for (;;) {
    try {
      return await call()
    } catch (error) {
      if (workload.stopping) return undefined
      if (error instanceof KafkaError && !error.retriable) throw error
    }
  }
}

function pause(io: Io, ms: number): Promise<void> {
  return new Promise(resolve => io.clock.timer(ms, resolve))
}
