/** Which offsets of which partitions a command reads. */
import type { Cluster, ClusterMetadata, TopicPartition } from '../client/cluster.ts'
import { orThrow } from './bootstrap.ts'
import { Failure } from './failure.ts'
import type { Place } from './when.ts'

/** A part of a partition: what is still to be read of it. */
export interface Span extends TopicPartition {
  /** The next one to read. */
  offset: number
  /** Exclusive; Infinity: on as records come. */
  readonly end: number
  /** The end as the broker last said it. */
  highWatermark: number
}

const latest = -1
const earliest = -2

/**
 * Where `from` lies in each partition, up to `to`; spans that are empty are left out. Throws Failure
 * for a `to` in the future: when it comes, nobody would notice.
 */
export async function spansOf(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  from: Place,
  to: Place | undefined,
): Promise<Span[]> {
  if (to !== undefined && 'timestamp' in to && to.timestamp > Date.now()) {
    throw new Failure('--to lies in the future: give a time that has passed, or stop by Ctrl-C')
  }
  const [begins, stops, ends] = await Promise.all([
    offsetsAt(cluster, partitions, from),
    to === undefined ? undefined : offsetsAt(cluster, partitions, to),
    offsetsAt(cluster, partitions, { at: 'latest' }),
  ])
  const spans = partitions.map((partition, index) => ({
    ...partition,
    offset: begins[index]!,
    end: stops?.[index] ?? Number.POSITIVE_INFINITY,
    highWatermark: ends[index]!,
  }))
  return spans.filter(({ offset, end }) => offset < end)
}

/** The offset of `place` in each partition; a time after the last record is the end. */
async function offsetsAt(
  cluster: Cluster,
  partitions: readonly TopicPartition[],
  place: Place,
): Promise<number[]> {
  if ('offset' in place) return partitions.map(() => place.offset)
  const ask = async (timestamp: number) => {
    const queries = partitions.map(partition => ({ ...partition, timestamp }))
    return (await cluster.listOffsets(queries)).map(result => orThrow(result).offset)
  }
  if ('at' in place) return await ask(place.at === 'latest' ? latest : earliest)
  const ends = await ask(latest)
  if ('last' in place) {
    const begins = await ask(earliest)
    return ends.map((end, index) => Math.max(begins[index]!, end - place.last))
  }
  const found = await ask(place.timestamp)
  return found.map((offset, index) => (offset === -1 ? ends[index]! : offset))
}

/** Partitions of the topics, in order; only those listed in `wanted` (`0`, `0,2`, `4-7`) if given. */
export function partitionsOf(
  topics: readonly ClusterMetadata['topics'][number][],
  wanted: readonly string[] | undefined,
): TopicPartition[] {
  const chosen = wanted?.flatMap(list => list.split(',')).flatMap(parseRange)
  return topics.flatMap(({ name, partitions }) => {
    const existing = partitions.map(each => each.partitionIndex).toSorted((a, b) => a - b)
    const missing = chosen?.find(partition => !existing.includes(partition))
    if (missing !== undefined) {
      throw new Failure(`--partition ${missing}: ${name} has partitions 0 to ${existing.at(-1)}`)
    }
    return [...new Set(chosen ?? existing)].map(partition => ({ topic: name!, partition }))
  })
}

const maxRange = 10_000

function parseRange(text: string): number[] {
  const match = /^(?<first>\d{1,7})(?:-(?<last>\d{1,7}))?$/u.exec(text.trim())
  const first = Number(match?.groups?.first)
  const last = Number(match?.groups?.last ?? first)
  if (match === null || last < first || last - first >= maxRange) {
    throw new Failure(`--partition ${text}: write a number, a list as 0,2 or a range as 4-7`)
  }
  return Array.from({ length: last - first + 1 }, (_, index) => first + index)
}
