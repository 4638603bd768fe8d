/**
 * Ottla beside what plain Node can do without a protocol: `limit-produce.mjs`, `limit-consume.mjs` and,
 * with ready-made requests from the same sender or receiver, Ottla. Consuming the newest records
 * stands beside the limit program's answers from memory.
 */
import type { FigureKey } from '../goals.ts'
import { type Bench, bothOf, byTurns, jsonFigures, type Pairs, rowsOf, runTask } from './pairs.ts'
import type { LineName, Row } from './row.ts'
import { type Metrics, program } from './shared.ts'

const names = ['ottla', 'plain Node'] as const
const figures: readonly FigureKey[] = ['throughput', 'broker_cpu']
/** Of a Produce request, and of the answer to a Fetch: what the programs measure by default. */
const batchBytes = 65_536
const chunkBytes = 1_048_576

export async function measureLimit(bench: Bench): Promise<Row[]> {
  const [ottla] = bothOf(bench)
  const megabytes = (most: number) => Math.max(40, Math.round(most * bench.scale))
  const asOttla = ['--kafka', ottla.bootstrap, '--pid', `${ottla.pid}`]
  const run = async (name: string, most: number, args: readonly string[]) => {
    const all = [program(name), '--total', `${megabytes(most)}`, ...args]
    return jsonFigures(await bench.children.run(process.execPath, all))
  }
  const half = (index: number): Bench => ({
    ...bench,
    at: (done, detail) => bench.at((index + done) / 2, detail),
  })
  const produced = await byTurns(half(0), names, async which => {
    const found = await run('limit-produce.mjs', 1000, which === 0 ? asOttla : [])
    return metricsOf(found, `${batchBytes}`)
  })
  let topics = 0
  const consumed = await byTurns(half(1), names, async which => {
    const args = which === 0 ? [...asOttla, '--data', ottla.data] : []
    const found = await run('limit-consume.mjs', 2000, args)
    const of = (how: string) => metricsOf(found, `${how}.${chunkBytes}`)
    const topic = `bench-newest-${process.pid}-${++topics}`
    const argument = { bytes: megabytes(2000) * 1e6, topic }
    const newest = which === 0 ? await runTask(bench, 'newest', ottla, argument) : of('heap')
    return { ...named('hot', of('hot')), ...named('cold', of('cold')), ...named('newest', newest) }
  })
  return [
    ...rowsOf(line('produce', 'produce, 64 KB batches'), figures, produced, 'limit'),
    ...rowsOf(
      line('tail', 'consume the newest, 1 MB answers'),
      figures,
      only('newest', consumed),
      'limit',
    ),
    ...rowsOf(line('hot', 'consume from the page cache'), figures, only('hot', consumed), 'limit'),
    ...rowsOf(line('cold', 'consume cold'), figures, only('cold', consumed), 'limit'),
  ]
}

function line(name: string, title: string): LineName {
  return { group: 'limit', name: `limit-${name}`, title, client: 'light' }
}

function metricsOf(found: ReadonlyMap<string, number>, key: string): Metrics {
  const of = (name: string) =>
    [...found].find(([each]) => each.endsWith(`.${key}.${name}`))?.[1] ?? Number.NaN
  return { throughput: [of('throughput'), 'MB/s'], broker_cpu: [of('cpu'), 's/GB'] }
}

/** The figures of one of several parts of a run, told apart by their names. */
function named(part: string, metrics: Metrics): Metrics {
  return Object.fromEntries(figures.map(each => [`${part} ${each}`, metrics[each]!]))
}

function only(part: string, { metrics, disturbed }: Pairs): Pairs {
  const own = (all: Metrics) =>
    Object.fromEntries(figures.map(each => [each, all[`${part} ${each}`]!]))
  return { disturbed, metrics: metrics.map(([a, b]) => [own(a), own(b)]) }
}
