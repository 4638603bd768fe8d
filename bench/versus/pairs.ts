/** Measuring in pairs, both by turns: what all kinds of lines share. */
import { join } from 'node:path'
import type { FigureKey } from '../goals.ts'
import type { Installed, Running } from './brokers.ts'
import type { Children } from './children.ts'
import { compared, type LineName, type Row, row } from './row.ts'
import type { Metrics } from './shared.ts'

/** How much is measured. */
export interface Amount {
  readonly pairs: number
  readonly scale: number
  /** A pair is run again when others took more than this of the machine, in percent. */
  readonly maxOther: number
}

/** What a measurement works with. `at` tells how far it is. */
export interface Bench extends Amount {
  readonly children: Children
  readonly work: string
  readonly installed: Installed
  /** Of a step that needs them. */
  readonly brokers: readonly [Running, Running] | undefined
  at(share: number, detail: string): void
  /** A line could not be measured; the others go on. */
  miss(name: string, why: string): void
}

/** What one line has brought in pairs, before it is made rows of. */
export interface Pairs {
  readonly metrics: readonly (readonly [Metrics, Metrics])[]
  readonly disturbed: number
}

const task = join(import.meta.dirname, 'task.ts')
/** A B, B A, A B…; a pair that others disturbed is run again, as often as there are pairs. */
export async function byTurns(
  { pairs, maxOther, at }: Pick<Bench, 'pairs' | 'maxOther' | 'at'>,
  names: readonly [string, string],
  measureOne: (which: 0 | 1) => Promise<Metrics>,
): Promise<Pairs> {
  const metrics: [Metrics, Metrics][] = []
  let again = pairs
  let disturbed = 0
  for (let turn = 0; metrics.length < pairs; turn++) {
    const pair: [Metrics, Metrics] = [{}, {}]
    for (const which of turn % 2 === 0 ? ([0, 1] as const) : ([1, 0] as const)) {
      const done = metrics.length + (which === turn % 2 ? 0 : 0.5)
      at(done / pairs, `pair ${metrics.length + 1}/${pairs}, ${names[which]}`)
      pair[which] = await measureOne(which)
    }
    const isDisturbed = Math.max(...pair.map(({ other }) => other?.[0] ?? 0)) > maxOther
    if (isDisturbed && again-- > 0) continue
    if (isDisturbed) disturbed++
    metrics.push(pair)
  }
  return { metrics, disturbed }
}

export function figurePairs({ metrics }: Pairs, figure: string): (readonly [number, number])[] {
  return metrics.map(([a, b]) => [a[figure]?.[0] ?? Number.NaN, b[figure]?.[0] ?? Number.NaN])
}

export function rowsOf(
  line: LineName,
  figures: readonly FigureKey[],
  pairs: Pairs,
  peer: 'Kafka' | 'limit' = 'Kafka',
): Row[] {
  return figures.map(figure => {
    const unit = pairs.metrics[0]?.[0][figure]?.[1] ?? ''
    return row(line, figure, compared(unit, figurePairs(pairs, figure), pairs.disturbed), peer)
  })
}

/** Runs a task of task.ts against one of them. */
export async function runTask(
  { children }: Bench,
  name: string,
  { bootstrap, pid }: Running,
  argument: object,
): Promise<Metrics> {
  const json = JSON.stringify({ ...argument, bootstrap, pid })
  const out = await children.run(process.execPath, [task, name, json])
  return JSON.parse(out.trim().split('\n').at(-1) ?? '{}')
}

/** JSON lines `{ name, figure }` in what a program of ../shared/bench prints. */
export function jsonFigures(out: string): Map<string, number> {
  const lines = out.split('\n').filter(line => line.startsWith('{'))
  return new Map(lines.map(line => JSON.parse(line)).map(({ name, figure }) => [name, figure]))
}

/** The brokers of a step that needs them: Ottla, then Kafka. */
export function bothOf({ brokers }: Bench): readonly [Running, Running] {
  if (brokers === undefined) throw new Error('this step has said that it needs no brokers')
  return brokers
}
