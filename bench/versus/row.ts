/** What was measured, as rows of one table: the same for every way of measuring. */
import { type FigureKey, type Group, goalOf, goalText, groups, verdict } from '../goals.ts'

/** One figure of one line in both, as ../shared/bench's `compare` prints it. */
export interface Compared {
  readonly unit: string
  /** Medians of A and B. */
  readonly a: number
  readonly b: number
  /** The median over pairs of A / B, with the least and the greatest. */
  readonly ratio: number
  readonly min: number
  readonly max: number
  readonly pairs: number
  /** Pairs in which other processes took more of the machine than they should. */
  readonly disturbed: number
}

/** A line of the benchmark: one piece of work. */
export interface LineName {
  readonly group: Group
  readonly name: string
  /** For people: `100 B, acks=all`. */
  readonly title: string
  /** Which client did the work: `Java`, `librdkafka`, `light`; empty when there is none. */
  readonly client: string
}

/** One row: one figure of a line, with its goal. Plain data, as the JSON file has it. */
export interface Row extends LineName {
  readonly figure: FigureKey
  readonly unit: string
  readonly ottla: number
  /** What Ottla is beside: Apache Kafka, or a program that shows what plain Node can do. */
  readonly peerName: 'Kafka' | 'limit'
  readonly peer: number
  readonly ratio: number
  readonly least: number
  readonly most: number
  readonly pairs: number
  readonly disturbed: number
  readonly goal: string
  readonly met: string
}

/** The words for a figure. */
export const figureTitles: Readonly<Record<FigureKey, string>> = {
  records: 'rate',
  throughput: 'rate',
  broker_cpu: 'broker CPU',
  p50: 'p50',
  p99: 'p99',
  ack_p50: 'acknowledgement p50',
  ack_p99: 'acknowledgement p99',
  first_ack: 'first acknowledgement',
  accepts: 'accepts',
  resident: 'resident memory',
  size: 'size',
  kept: 'rate kept',
  serves: 'serves its last record',
}

export function row(
  line: LineName,
  figure: FigureKey,
  compared: Compared,
  peerName: 'Kafka' | 'limit' = 'Kafka',
): Row {
  const { group, name, title, client } = line
  const { a, b, ratio, min, max, unit, pairs, disturbed } = compared
  const goal = goalOf(group, name, figure)
  return {
    ...{ group, name, title, client, figure, unit, ottla: a, peerName, peer: b },
    ...{ ratio, least: min, most: max, pairs, disturbed },
    goal: goal === undefined ? '' : goalText(goal, unit),
    met: goal === undefined ? '' : verdict(goal, ratio, a),
  }
}

/** The middle of the finite ones; NaN of none. */
export function median(values: readonly number[]): number {
  const sorted = values.filter(Number.isFinite).toSorted((a, b) => a - b)
  const middle = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1)
  return middle.reduce((sum, value) => sum + value, 0) / middle.length
}

/** Medians of both, and the ratio pair by pair. */
export function compared(
  unit: string,
  pairs: readonly (readonly [number, number])[],
  disturbed = 0,
): Compared {
  const ratios = pairs.map(([a, b]) => a / b)
  return {
    ...{ unit, a: median(pairs.map(([a]) => a)), b: median(pairs.map(([, b]) => b)) },
    ...{ ratio: median(ratios), min: Math.min(...ratios), max: Math.max(...ratios) },
    ...{ pairs: pairs.length, disturbed },
  }
}

/**
 * What is kept of the rate of `few` with `many`, pair by pair. The ratio compares losses: who is
 * faster with many has lost nothing, and counts as 1.
 */
export function keptRate(
  few: readonly (readonly [number, number])[],
  many: readonly (readonly [number, number])[],
): Compared {
  const kept = many
    .slice(0, few.length)
    .map(([a, b], index) => [a / few[index]![0], b / few[index]![1]] as const)
  const losses = kept.map(([a, b]) => [Math.min(1, a), Math.min(1, b)] as const)
  const { a, b } = compared('times', kept)
  return { ...compared('times', losses), a, b }
}

/** Of compare's JSON lines `{ name: 'produce-1k.records', … }`, one figure of one workload. */
export function fromCompare(
  jsonLines: string,
  workload: string,
  figure: FigureKey,
): Compared | undefined {
  const key = `${workload}.${figure === 'resident' ? 'broker_rss' : figure}`
  for (const line of jsonLines.split('\n')) {
    if (line.startsWith('{') && JSON.parse(line).name === key) return JSON.parse(line)
  }
  return undefined
}

/** The rows of each group together, groups in the order of the table. */
export function inOrder(rows: readonly Row[]): Row[] {
  return groups.flatMap(group => rows.filter(row => row.group === group))
}
