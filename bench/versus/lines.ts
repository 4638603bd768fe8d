/** The lines of the benchmark: what work, by which client, in which group of the table. */
import { type FigureKey, type Group, groups, matches } from '../goals.ts'
import type { LineName } from './row.ts'

/** A run of ../shared/bench's `compare` measures one workload for a line. */
export interface CompareLine extends LineName {
  readonly kind: 'compare'
  /** Lines with the same client and properties share one run. */
  readonly workload: string
  readonly properties: readonly string[]
  readonly figures: readonly FigureKey[]
}

/** A task of ours (task.ts) measures the line, by turns in both. */
export interface TaskLine extends LineName {
  readonly kind: 'task'
  readonly task: 'connections' | 'partitions' | 'tail' | 'paced'
  readonly argument: Readonly<Record<string, number>>
  /** Of the argument, multiplied by --scale. */
  readonly scaled: 'records'
  readonly figures: readonly FigureKey[]
}

/** A line that is measured in a way of its own. */
export interface OwnLine extends LineName {
  readonly kind: 'start' | 'package' | 'limit' | 'recovery' | 'cluster'
}

export type Line = (CompareLine | TaskLine | OwnLine) & {
  /** Seconds that one pair takes by estimate on two cores, at --scale 1. */
  readonly seconds: number
  /** Part of `--quick`. */
  readonly isQuick: boolean
}

const rateAndCpu: readonly FigureKey[] = ['records', 'broker_cpu']

function compare(
  name: string,
  title: string,
  client: 'Java' | 'librdkafka',
  workload: string,
  seconds: number,
  more: { properties?: string[]; figures?: FigureKey[]; isQuick?: boolean } = {},
): Line {
  const group: Group = workload.startsWith('produce')
    ? 'produce'
    : workload.startsWith('consume')
      ? 'consume'
      : 'latency'
  const { properties = [], figures = rateAndCpu, isQuick = false } = more
  return {
    ...{ kind: 'compare', group, name, title, client },
    ...{ workload, properties, figures, seconds, isQuick },
  }
}

function task(
  name: string,
  title: string,
  [task, argument]: readonly [TaskLine['task'], Readonly<Record<string, number>>],
  seconds: number,
  more: { group: Group; client?: string; figures?: FigureKey[]; isQuick?: boolean },
): Line {
  const { group, client = 'light', figures = rateAndCpu, isQuick = false } = more
  return {
    ...{ kind: 'task', group, name, title, client, task, argument },
    ...{ scaled: 'records', figures, seconds, isQuick },
  }
}

function own(kind: OwnLine['kind'], title: string, seconds: number, isQuick: boolean): Line {
  return { kind, group: kind, name: kind, title, client: '', seconds, isQuick }
}

const quick = { isQuick: true }
const acks1 = { properties: ['acks=1'] }
const lz4 = { properties: ['compression.type=lz4'] }
const zstd = { properties: ['compression.type=zstd'] }
const latency: FigureKey[] = ['p50', 'p99', 'broker_cpu']
const sends: FigureKey[] = ['p50', 'p99', 'ack_p50', 'ack_p99', 'broker_cpu']

export const lines: readonly Line[] = [
  own('start', 'spawn to the first record', 40, true),
  own('package', 'as it is installed', 30, true),
  compare('produce-100b', '100 B, acks=all', 'Java', 'produce-100b', 40, quick),
  compare('produce-100b-acks1', '100 B, acks=1', 'Java', 'produce-100b-acks1', 40),
  compare('produce-100b-lz4', '100 B, acks=all, lz4', 'Java', 'produce-100b', 40, lz4),
  compare('produce-100b-zstd', '100 B, acks=all, zstd', 'Java', 'produce-100b', 40, zstd),
  compare(
    'produce-100b-100p',
    '100 B, acks=all, to 100 partitions',
    'Java',
    'produce-100b-100p',
    40,
  ),
  compare('produce-1k', '1 KB, acks=all', 'Java', 'produce-1k', 45, quick),
  compare('produce-1k-acks1', '1 KB, acks=1', 'Java', 'produce-1k', 45, acks1),
  compare('produce-1k-lz4', '1 KB, acks=all, lz4', 'Java', 'produce-1k-lz4', 40),
  compare('produce-1k-zstd', '1 KB, acks=all, zstd', 'Java', 'produce-1k-zstd', 40),
  compare('produce-100b-librdkafka', '100 B, acks=all', 'librdkafka', 'produce-100b', 20),
  compare('produce-1k-librdkafka', '1 KB, acks=all', 'librdkafka', 'produce-1k', 20, quick),
  compare('consume-100b', '100 B, from the page cache', 'Java', 'consume-100b', 25),
  compare('consume-1k', '1 KB, from the page cache', 'Java', 'consume-1k', 20, quick),
  compare('consume-1k-cold', '1 KB, cold', 'Java', 'consume-1k-cold', 25),
  compare('consume-1k-lz4', '1 KB, lz4, from the page cache', 'Java', 'consume-1k-lz4', 20),
  compare('consume-1k-zstd', '1 KB, zstd, from the page cache', 'Java', 'consume-1k-zstd', 20),
  compare('consume-100b-100p', '100 B, of 100 partitions', 'Java', 'consume-100b-100p', 25),
  compare(
    'consume-100b-librdkafka',
    '100 B, from the page cache',
    'librdkafka',
    'consume-100b',
    15,
  ),
  compare(
    'consume-1k-librdkafka',
    '1 KB, from the page cache',
    'librdkafka',
    'consume-1k',
    15,
    quick,
  ),
  compare('consume-1k-cold-librdkafka', '1 KB, cold', 'librdkafka', 'consume-1k-cold', 20),
  compare('paced-1k', 'acknowledgement at 5,000 × 1 KB a second', 'Java', 'paced-1k', 40, {
    ...quick,
    figures: latency,
  }),
  compare('e2e-1k', '1 KB, one at a time, end to end', 'Java', 'e2e-1k', 50, {
    ...quick,
    figures: sends,
  }),
  task('paced-80', 'acknowledgement at 80 % of the maximum, 1 KB', ['paced', { seconds: 12 }], 45, {
    ...{ group: 'latency', client: 'Java', figures: latency },
  }),
  task(
    'tail-1-group',
    '1 KB behind a producer, 1 group',
    ['tail', { groups: 1, records: 1_000_000 }],
    35,
    {
      ...{ group: 'tail', client: 'librdkafka', ...quick },
    },
  ),
  task(
    'tail-10-groups',
    '1 KB behind a producer, 10 groups',
    ['tail', { groups: 10, records: 3_000_000 }],
    50,
    {
      ...{ group: 'tail', client: 'librdkafka', ...quick },
    },
  ),
  ...[1, 10, 500].map(connections => {
    const work = ['connections', { connections, records: 750_000 }] as const
    const title = `15 KB batches over ${connections} connection${connections === 1 ? '' : 's'}`
    return task(`connections-${connections}`, title, work, 30, { group: 'connections' })
  }),
  ...[1, 100, 1000, 10_000].map(partitions => {
    const work = ['partitions', { partitions, records: 750_000 }] as const
    const title = `15 KB batches to ${partitions.toLocaleString('en')} partition${partitions === 1 ? '' : 's'}`
    const seconds = partitions > 1000 ? 80 : 35
    return task(`partitions-${partitions}`, title, work, seconds, { group: 'partitions' })
  }),
  own('limit', 'beside what plain Node can do', 70, true),
  own('recovery', '10 GiB after kill -9', 600, false),
  own('cluster', 'three brokers, RF 3', 200, false),
]

/** Lines that are only run when they are asked for. */
export const onRequest: readonly Group[] = ['recovery', 'cluster']

/** Those named by `only` (comma-separated: groups, lines, a trailing `*` for any rest). Throws for an unknown name. */
export function pickLines(
  only: string | undefined,
  options: { isQuick: boolean; requested: readonly Group[]; hasLibrdkafka: boolean },
): readonly Line[] {
  const names = only?.split(',').filter(name => name !== '')
  const isNamed = (line: Line, name: string) => matches(name, line.name) || line.group === name
  for (const name of names ?? []) {
    if (lines.some(line => isNamed(line, name))) continue
    const known = [...groups, ...lines.map(line => line.name)]
    throw new Error(`no line ${name}: there are ${[...new Set(known)].join(', ')}`)
  }
  return lines.filter(line => {
    if (line.client === 'librdkafka' && !options.hasLibrdkafka) return false
    if (options.requested.includes(line.group)) return true
    if (names !== undefined) return names.some(name => isNamed(line, name))
    if (onRequest.includes(line.group)) return false
    return options.isQuick ? line.isQuick : true
  })
}
