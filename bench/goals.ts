/**
 * What Ottla promises beside Apache Kafka 4.4 in the same run, with the same client and the default
 * settings of both. `bench/run.ts` says of each line whether it is met, and by how much not.
 */

/** What a line has measured: the key of a figure in the tables of figures. */
export type FigureKey =
  | 'records'
  | 'throughput'
  | 'broker_cpu'
  | 'p50'
  | 'p99'
  | 'ack_p50'
  | 'ack_p99'
  | 'first_ack'
  | 'accepts'
  | 'resident'
  | 'size'
  | 'kept'
  | 'serves'

/** The groups of lines, in the order of the table. */
export const groups = [
  'produce',
  'consume',
  'tail',
  'latency',
  'connections',
  'partitions',
  'start',
  'memory',
  'package',
  'limit',
  'recovery',
  'cluster',
] as const
export type Group = (typeof groups)[number]

/** A bound of the ratio Ottla / peer, or (`valueAtMost`) of Ottla's own figure. */
export interface Goal {
  readonly group: Group
  readonly figure: FigureKey
  /** Only these lines of the group; a trailing `*` matches the rest of a name. All without it. */
  readonly lines?: readonly string[]
  readonly atLeast?: number
  readonly atMost?: number
  readonly valueAtMost?: number
}

const upTo1000 = ['partitions-1', 'partitions-100', 'partitions-1000']

export const goals: readonly Goal[] = [
  { group: 'produce', figure: 'records', atLeast: 1 },
  { group: 'produce', figure: 'broker_cpu', atMost: 0.5 },
  { group: 'partitions', figure: 'records', lines: upTo1000, atLeast: 1 },
  { group: 'partitions', figure: 'broker_cpu', lines: upTo1000, atMost: 0.5 },
  { group: 'tail', figure: 'records', atLeast: 1 },
  { group: 'tail', figure: 'broker_cpu', atMost: 0.7 },
  { group: 'consume', figure: 'records', lines: ['consume-*'], atLeast: 1 },
  { group: 'latency', figure: 'p50', lines: ['e2e-1k'], atMost: 0.6 },
  { group: 'latency', figure: 'p99', lines: ['e2e-1k'], atMost: 0.5 },
  { group: 'latency', figure: 'p99', lines: ['paced-1k'], atMost: 0.2 },
  { group: 'start', figure: 'first_ack', atMost: 0.05 },
  { group: 'memory', figure: 'resident', atMost: 0.2 },
  { group: 'package', figure: 'size', lines: ['package'], valueAtMost: 20 },
  { group: 'package', figure: 'size', lines: ['package-runtime'], atMost: 0.65 },
  { group: 'partitions', figure: 'kept', lines: ['partitions-1000-beside-1'], atLeast: 1 },
  { group: 'connections', figure: 'kept', lines: ['connections-500-beside-1'], atLeast: 1 },
  { group: 'limit', figure: 'throughput', lines: ['limit-produce', 'limit-tail'], atLeast: 0.8 },
  { group: 'limit', figure: 'broker_cpu', lines: ['limit-hot', 'limit-cold'], atMost: 1.2 },
  { group: 'recovery', figure: 'serves', atMost: 0.3 },
  { group: 'cluster', figure: 'records', atLeast: 1 },
  { group: 'cluster', figure: 'broker_cpu', atMost: 0.7 },
  { group: 'cluster', figure: 'p99', lines: ['cluster-paced-1k', 'cluster-e2e-1k'], atMost: 0.7 },
]

/** The goal of one figure of one line, if it has one. */
export function goalOf(group: Group, line: string, figure: FigureKey): Goal | undefined {
  return goals.find(
    goal =>
      goal.group === group &&
      goal.figure === figure &&
      (goal.lines === undefined || goal.lines.some(pattern => matches(pattern, line))),
  )
}

/** Whether `name` is `pattern`, of which a trailing `*` stands for any rest. */
export function matches(pattern: string, name: string): boolean {
  return pattern.endsWith('*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern
}

/** A few words: `≥ 1.0`, `≤ 20 MiB`. */
export function goalText(goal: Goal, unit: string): string {
  if (goal.valueAtMost !== undefined) return `≤ ${goal.valueAtMost} ${unit}`
  return goal.atLeast === undefined ? `≤ ${goal.atMost}` : `≥ ${goal.atLeast.toFixed(1)}`
}

/** `yes`, or by how much it is missed: `no, by 12 %`, `no, 3.6 times as much`. */
export function verdict(goal: Goal, ratio: number, value: number): string {
  const { atLeast, valueAtMost, atMost } = goal
  if (!Number.isFinite(valueAtMost === undefined ? ratio : value)) return 'not measured'
  if (atLeast !== undefined) return ratio >= atLeast ? 'yes' : missed((atLeast - ratio) / atLeast)
  const [bound, is] = valueAtMost === undefined ? [atMost ?? 0, ratio] : [valueAtMost, value]
  if (is <= bound) return 'yes'
  return is > 2 * bound ? `no, ${(is / bound).toFixed(1)} times as much` : missed(is / bound - 1)
}

function missed(share: number): string {
  return `no, by ${Math.max(1, Math.round(share * 100))} %`
}
