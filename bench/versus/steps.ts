/** A run as a row of steps, from the lines that were picked. */

import { measureLimit } from './limit.ts'
import type { CompareLine, Line, TaskLine } from './lines.ts'
import { learn, measureCluster, measureCompare, measureRecovery, measureTask } from './measure.ts'
import type { Amount, Bench } from './pairs.ts'
import type { Step } from './progress.ts'
import type { Row } from './row.ts'
import { measureMemory, measureStart, packageRows } from './start.ts'

/** Whether the two brokers of the run are up: alone with the machine is what starts others. */
export type Needs = 'nothing' | 'brokers'

export interface RunStep extends Step {
  readonly needs: Needs
  run(bench: Bench): Promise<readonly Row[]>
}

/** Clients start and warm up, however few records follow. */
const fixedShare = 0.35
const warmUpSeconds = 40

/** The steps for those lines, in the order in which they disturb each other least. */
export function planSteps(
  lines: readonly Line[],
  { pairs, scale }: Amount,
  gibibytes: number,
): RunStep[] {
  const time = (seconds: number) => pairs * seconds * (fixedShare + (1 - fixedShare) * scale)
  const of = <K extends Line['kind']>(kind: K) =>
    lines.filter(line => line.kind === kind) as (Line & { kind: K })[]
  const step = (
    name: string,
    seconds: number,
    run: RunStep['run'],
    needs: Needs = 'brokers',
  ): RunStep => ({ name, seconds, needs, run })
  const tasks = of('task') as (Line & TaskLine)[]
  const limits = of('limit').map(line => step('limit', time(line.seconds), measureLimit))
  const compared = runsOfCompare(of('compare') as (Line & CompareLine)[])
  const memory = compared.length > 0 ? [step('memory', 1, measureMemory)] : []
  const taskStep = (line: Line & TaskLine) =>
    step(line.name, time(line.seconds), bench => measureTask(bench, line))
  const isLate = (line: TaskLine) => line.task === 'connections' || line.task === 'partitions'
  return [
    ...of('start').map(line =>
      step('start', pairs * line.seconds, bench => measureStart(bench, line), 'nothing'),
    ),
    ...of('package').map(() =>
      step('package', 1, async ({ installed }) => packageRows(installed), 'nothing'),
    ),
    ...compared.map(run => {
      const seconds = time(run.reduce((sum, line) => sum + line.seconds, 0)) + warmUpSeconds
      return step(nameOf(run), seconds, async bench => {
        const rows = await measureCompare(bench, run)
        learn(rows)
        return rows
      })
    }),
    ...memory,
    ...tasks.filter(line => !isLate(line)).map(taskStep),
    ...limits,
    ...tasks.filter(isLate).map(taskStep),
    ...of('recovery').map(line =>
      step('recovery', line.seconds, bench => measureRecovery(bench, gibibytes), 'nothing'),
    ),
    ...of('cluster').map(line =>
      step('cluster', time(line.seconds) + 2 * warmUpSeconds, measureCluster, 'nothing'),
    ),
  ]
}

/** Lines with the same client and properties, together: a run warms up once. */
export function runsOfCompare(
  lines: readonly (Line & CompareLine)[],
): (readonly (Line & CompareLine)[])[] {
  const runs = Map.groupBy(lines, ({ client, properties }) => [client, ...properties].join(' '))
  return [...runs.values()]
}

function nameOf(run: readonly (Line & CompareLine)[]): string {
  const { client, properties } = run[0]!
  return [`${client}'s client`, ...properties].join(', ')
}
