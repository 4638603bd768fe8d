/** How the lines are measured that ../shared/bench's `compare`, tasks of ours, or other programs bring. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { FigureKey } from '../goals.ts'
import type { CompareLine, Line, TaskLine } from './lines.ts'
import { type Bench, bothOf, byTurns, figurePairs, rowsOf, runTask } from './pairs.ts'
import { compared, fromCompare, keptRate, type LineName, type Row, row } from './row.ts'
import { program } from './shared.ts'

/** Lines that share a client and properties, in one run of ../shared/bench's `compare`. */
export async function measureCompare(
  bench: Bench,
  lines: readonly (Line & CompareLine)[],
): Promise<Row[]> {
  const { children, pairs, scale, maxOther, work } = bench
  const [ottla, kafka] = bothOf(bench)
  const json = join(work, 'compare.json')
  writeFileSync(json, '')
  const first = lines[0]!
  const workloads = [...new Set(lines.map(line => line.workload))]
  const runs = 2 * pairs * workloads.length
  let done = 0
  const onLine = (said: string) => {
    if (/ pair \d+\/\d+, /.test(said)) done++
    bench.at(done / (runs + 1), said.replace(/^\[\d+\/\d+\] /, '').slice(0, 90))
  }
  const run = children.run(
    process.execPath,
    [
      ...[program('compare.mjs'), ottla.bootstrap, `${ottla.pid}`, kafka.bootstrap, `${kafka.pid}`],
      ...['--a-label', 'ottla', '--b-label', 'kafka', '--only', workloads.join(',')],
      ...['--a-data', ottla.data, '--b-data', kafka.data, '--client', clientOption(first.client)],
      ...['--pairs', `${pairs}`, '--scale', `${scale}`, '--max-other', `${maxOther}`],
      ...['--json', json, ...first.properties.flatMap(each => ['--prop', each])],
    ],
    { onLine },
  )
  const failure = await failureOf(run)
  const found = readFileSync(json, 'utf8')
  const rows = lines.flatMap(line => compareRows(line, line.workload, line.figures, found))
  if (failure !== undefined && rows.length === 0) throw failure
  for (const { name } of lines) {
    if (!rows.some(each => each.name === name)) bench.miss(name, failure?.message ?? 'no figures')
  }
  return rows
}

/** `compare` goes on after a workload that failed, tells of it at its end and keeps the others. */
async function failureOf(run: Promise<unknown>): Promise<Error | undefined> {
  try {
    await run
    return undefined
  } catch (error) {
    return error as Error
  }
}

function clientOption(client: string): string {
  return client === 'librdkafka' ? 'rdkafka' : 'java'
}

function compareRows(
  line: LineName,
  workload: string,
  figures: readonly FigureKey[],
  json: string,
): Row[] {
  return figures.flatMap(figure => {
    const found = fromCompare(json, workload, figure)
    return found === undefined ? [] : [row(line, figure, found)]
  })
}

/** Rates of lines that others are set beside: `connections-1`, `partitions-1`. */
const rates = new Map<string, (readonly [number, number])[]>()

/** A line of task.ts; and what is kept of the rate of one connection, or of one partition. */
export async function measureTask(bench: Bench, line: Line & TaskLine): Promise<Row[]> {
  const topic = `bench-${line.name}-${process.pid}`
  const { seconds = 0 } = line.argument
  const rate = line.task === 'paced' ? await slowerRate(bench) : 0
  const records = line.task === 'paced' ? rate * seconds : (line.argument['records'] ?? 0)
  const scaled = Math.max(line.task === 'paced' ? 5000 : 3000, Math.round(records * bench.scale))
  let turn = 0
  const isKept = line.task === 'partitions'
  const argument = () => ({
    ...line.argument,
    ...{ records: scaled, rate, topic: isKept ? topic : `${topic}-${++turn}` },
  })
  const pairs = await byTurns(bench, ['ottla', 'kafka'], which =>
    runTask(bench, line.task, bothOf(bench)[which], argument()),
  )
  if (isKept) for (const each of bothOf(bench)) await runTask(bench, 'deleteTopic', each, { topic })
  rates.set(line.name, figurePairs(pairs, 'records'))
  return [...rowsOf(line, line.figures, pairs), ...keptRows(line)]
}

function keptRows(line: Line & TaskLine): Row[] {
  const few = rates.get(`${line.task}-1`)
  const many = rates.get(line.name)
  if (few === undefined || many === undefined || line.name === `${line.task}-1`) return []
  const title = `${line.name.replace('-', ': ')} beside 1`
  const name = `${line.name}-beside-1`
  return [row({ ...line, name, title }, 'kept', keptRate(few, many))]
}

/** 80 % of what the slower of the two takes from Java's producer: 1 KB, acks=all. */
async function slowerRate(bench: Bench): Promise<number> {
  const known = highest.get('produce-1k')
  if (known !== undefined) return Math.round(0.8 * known)
  const records = Math.max(20_000, Math.round(400_000 * bench.scale))
  const found: number[] = []
  for (const broker of bothOf(bench)) {
    bench.at(0, `the maximum of ${broker.name}`)
    const metrics = await runTask(bench, 'paced', broker, { records })
    found.push(metrics['records']?.[0] ?? 0)
  }
  return Math.round(0.8 * Math.min(...found))
}

/** The lower median rate of lines that are done. */
const highest = new Map<string, number>()

/** Keeps what later lines are measured by. */
export function learn(rows: readonly Row[]): void {
  for (const { name, figure, ottla, peer } of rows) {
    if (figure === 'records') highest.set(name, Math.min(ottla, peer))
  }
}

/** How long both take after kill -9: test/crash/run.ts. One pair; minutes. */
export async function measureRecovery(bench: Bench, gibibytes: number): Promise<Row[]> {
  const script = join(import.meta.dirname, '../../test/crash/run.ts')
  const args = [script, '--recover-gib', `${gibibytes}`, '--kafka']
  const onLine = (said: string) => {
    const [, name, done] = /(\w+): ([\d.]+) of/.exec(said) ?? []
    if (done === undefined) return
    bench.at((Number(done) / gibibytes + (name === 'Kafka' ? 1 : 0)) / 2, said.trim())
  }
  const out = await bench.children.run(process.execPath, args, { onLine })
  const times = (name: string) => {
    const found = new RegExp(`${name}, .* accepts after (\\d+) ms, .* after (\\d+) ms`).exec(out)
    return [Number(found?.[1]), Number(found?.[2])] as const
  }
  const [ottla, kafka] = [times('Ottla'), times('Kafka')]
  const title = `${gibibytes} GiB after kill -9`
  const line: LineName = { group: 'recovery', name: 'recovery', title, client: '' }
  return [
    row(line, 'accepts', compared('ms', [[ottla[0], kafka[0]]])),
    row(line, 'serves', compared('ms', [[ottla[1], kafka[1]]])),
  ]
}

/** Three replicated brokers: bench/cluster/compare.ts. */
export async function measureCluster(bench: Bench): Promise<Row[]> {
  const json = join(bench.work, 'cluster.json')
  const workloads: [string, string, FigureKey[]][] = [
    ['produce-100b', 'three brokers: 100 B, acks=all', ['records', 'broker_cpu']],
    ['produce-1k', 'three brokers: 1 KB, acks=all', ['records', 'broker_cpu']],
    ['paced-1k', 'three brokers: 5,000 × 1 KB a second', ['p50', 'p99', 'broker_cpu']],
    ['e2e-1k', 'three brokers: one at a time', ['p50', 'p99', 'broker_cpu']],
  ]
  let done = 0
  const onLine = (said: string) => {
    if (/ pair \d+\/\d+, /.test(said)) done++
    bench.at(done / (2 * bench.pairs * workloads.length + 1), said.slice(0, 90))
  }
  const script = join(import.meta.dirname, '../cluster/compare.ts')
  const only = workloads.map(([name]) => name).join(',')
  const amount = ['--pairs', `${bench.pairs}`, '--scale', `${bench.scale}`]
  const args = [script, '--only', only, ...amount, '--json', json]
  const failure = await failureOf(bench.children.run(process.execPath, args, { onLine }))
  if (failure !== undefined && !existsSync(json)) throw failure
  if (failure !== undefined) bench.miss('cluster', failure.message)
  const found = readFileSync(json, 'utf8')
  return workloads.flatMap(([workload, title, figures]) => {
    const name = `cluster-${workload}`
    return compareRows({ group: 'cluster', name, title, client: 'Java' }, workload, figures, found)
  })
}
