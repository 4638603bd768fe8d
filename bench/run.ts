/**
 * Ottla, as it is packed, beside Apache Kafka: the same work by the same clients on this machine.
 *
 *     npm run bench                        all lines; hours. See --help
 *     npm run bench -- --quick             minutes, and wide ranges
 *     npm run bench -- --micro             the codecs and the append path alone
 *
 * Both run all the while, each with its default settings; a line is measured in pairs, by turns, and
 * a ratio is the median of the pairs' ratios. ../shared/bench starts Kafka and measures what its
 * `compare` knows; `versus/task.ts` does the rest. The goals stand in `goals.ts`.
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { runMicro } from './micro.ts'
import {
  type Installed,
  install,
  kafkaPort,
  kafkaPortsOf,
  type Running,
  startKafka,
  startOttla,
  stopKafka,
} from './versus/brokers.ts'
import { Children } from './versus/children.ts'
import { type Line, lines, pickLines } from './versus/lines.ts'
import { busiest, describeMachine, type Machine, openFileLimit } from './versus/machine.ts'
import { plot } from './versus/plot.ts'
import { duration, Progress } from './versus/progress.ts'
import { inOrder, type Row } from './versus/row.ts'
import { missingSetup } from './versus/shared.ts'
import { planSteps } from './versus/steps.ts'
import { markdown, summary, table } from './versus/table.ts'

const help = `npm run bench -- [options]: Ottla beside Apache Kafka on this machine, in pairs, by turns

  --quick           a few lines, fewer records, three pairs: minutes. Its figures mean little
  --pairs N         pairs of each line (5; with --quick 3)
  --scale X         X times as many records (1; with --quick 0.3)
  --only NAME,…     only these groups or lines; a trailing * stands for any rest
  --recovery        also recovery after kill -9, with --recovery-gib N (10) of data: a quarter of an hour
  --cluster         also three replicated brokers beside three of Kafka's: needs etcd
  --no-librdkafka   without the lines of librdkafka's client
  --max-other N     a pair in which others took more than N % of the machine is run again (20)
  --json FILE       all rows, after each step
  --svg FILE        the ratios as a picture
  --markdown FILE   the table for docs/performance.md
  --from FILE       measures nothing: table, picture and Markdown of such a JSON file
  --list            the lines, and how long they take by estimate
  --micro           mitata's figures for codecs and the append path instead

Nothing else should run meanwhile. Lines: ${lines.map(({ name }) => name).join(' ')}`

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    pairs: { type: 'string' },
    scale: { type: 'string' },
    only: { type: 'string' },
    recovery: { type: 'boolean', default: false },
    'recovery-gib': { type: 'string', default: '10' },
    cluster: { type: 'boolean', default: false },
    'no-librdkafka': { type: 'boolean', default: false },
    'max-other': { type: 'string', default: '20' },
    json: { type: 'string' },
    svg: { type: 'string' },
    markdown: { type: 'string' },
    from: { type: 'string' },
    list: { type: 'boolean', default: false },
    micro: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

/** What the JSON file has. */
interface Report {
  readonly startedAt: string
  readonly commit: string
  readonly machine: Machine
  readonly pairs: number
  readonly scale: number
  readonly isQuick: boolean
  /** False until all lines were measured. */
  readonly isComplete: boolean
  /** Lines that could not be measured, and why. */
  readonly failed: Readonly<Record<string, string>>
  readonly rows: readonly Row[]
}

function positive(name: string, text: string): number {
  const value = Number(text)
  if (!(value > 0)) throw new Error(`--${name} takes a number above 0, not ${text}`)
  return value
}

/** Writes what was asked for; the table goes to the screen. */
function publish({ startedAt, machine, pairs, scale, failed, rows }: Report): void {
  const when = startedAt.slice(0, 16).replace('T', ' ')
  const what = `${pairs} pairs${scale === 1 ? '' : `, scale ${scale}`}`
  const where = `${machine.cores} × ${machine.processor}, Node ${machine.node}, ${machine.java}`
  const subtitle = `${when} UTC, ${what}, ${where}`
  console.log(`\n${subtitle}\n`)
  console.log(rows.length === 0 ? 'nothing was measured' : `${table(rows)}\n\n${summary(rows)}`)
  if (machine.isDisturbed) {
    console.log(`Others took ${Math.round(machine.busy * 100)} % of the machine before it began.`)
  }
  for (const [name, why] of Object.entries(failed)) console.log(`not measured: ${name}: ${why}`)
  if (options.svg !== undefined) writeFileSync(options.svg, plot(rows, subtitle))
  if (options.markdown !== undefined) writeFileSync(options.markdown, `${markdown(rows)}\n`)
}

/** The processes and files of a run; all are taken away however it ends. */
class Run {
  readonly work = mkdtempSync(join(tmpdir(), 'ottla-bench-run-'))
  readonly children = new Children(this.work)
  #installed: Installed | undefined
  #brokers: readonly [Running, Running] | undefined
  #port: number | undefined
  #ending: Promise<void> | undefined

  async installed(): Promise<Installed> {
    return (this.#installed ??= await install(this.children, this.work))
  }

  async brokers(): Promise<readonly [Running, Running]> {
    if (this.#brokers !== undefined) return this.#brokers
    const { bin } = await this.installed()
    const ottla = await startOttla(this.children, bin, this.work)
    this.#port = await kafkaPort()
    return (this.#brokers = [ottla, await startKafka(this.children, this.#port)])
  }

  /** The next that asks gets new ones. */
  async stopBrokers(): Promise<void> {
    for (const broker of this.#brokers ?? []) await broker.stop()
    this.#brokers = undefined
    this.#port = undefined
  }

  /** Also what a child has started and, interrupted, left. */
  end(): Promise<void> {
    return (this.#ending ??= this.#end())
  }

  async #end(): Promise<void> {
    const left = kafkaPortsOf(this.children.groups)
    await this.children.endAll()
    for (const port of new Set([...left, ...(this.#port === undefined ? [] : [this.#port])])) {
      stopKafka(port)
    }
    rmSync(this.work, { recursive: true, force: true, maxRetries: 5 })
  }
}

const pairs = positive('pairs', options.pairs ?? (options.quick ? '3' : '5'))
const scale = positive('scale', options.scale ?? (options.quick ? '0.3' : '1'))
const maxOther = positive('max-other', options['max-other'])
const gibibytes = positive('recovery-gib', options['recovery-gib'])

function chosenLines(): readonly Line[] {
  return pickLines(options.only, {
    isQuick: options.quick,
    requested: [
      ...(options.recovery ? (['recovery'] as const) : []),
      ...(options.cluster ? (['cluster'] as const) : []),
    ],
    hasLibrdkafka: !options['no-librdkafka'],
  })
}

/** What may stand in the way, before an hour is spent. */
async function look(chosen: readonly Line[]): Promise<Machine> {
  const missing = missingSetup(chosen.some(({ client }) => client === 'librdkafka'))
  if (missing !== undefined) throw new Error(missing)
  const machine = await describeMachine()
  if (machine.isDisturbed) {
    const percent = Math.round(machine.busy * 100)
    console.error(
      `Others take ${percent} % of this machine (${busiest()}): the figures are marked.`,
    )
  }
  if (chosen.some(({ name }) => name === 'partitions-10000') && openFileLimit() < 20_000) {
    console.error('Kafka needs more than 20,000 open files for 10,000 partitions: ulimit -n 65536.')
  }
  return machine
}

async function measureAll(): Promise<void> {
  const chosen = chosenLines()
  const machine = await look(chosen)
  const steps = planSteps(chosen, { pairs, scale, maxOther }, gibibytes)
  const run = new Run()
  const progress = new Progress(steps, {
    nowMs: () => performance.now(),
    write: text => process.stderr.write(text),
    isTerminal: process.stderr.isTTY === true,
  })
  const rows: Row[] = []
  const failed: Record<string, string> = {}
  const report = (isComplete: boolean): Report => ({
    ...{ startedAt, commit, machine, pairs, scale, isQuick: options.quick, isComplete, failed },
    rows: inOrder(rows),
  })
  const startedAt = new Date().toISOString()
  const save = (isComplete: boolean) => {
    if (options.json === undefined) return
    writeFileSync(options.json, `${JSON.stringify(report(isComplete), null, 2)}\n`)
  }
  let isInterrupted = false
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      isInterrupted = true
      void run.end()
    })
  }
  try {
    for (const step of steps) {
      if (isInterrupted) break
      progress.next()
      try {
        const at = (share: number, detail: string) => progress.at(share, detail)
        at(0, 'packing and starting')
        if (step.needs === 'nothing') await run.stopBrokers()
        const brokers = step.needs === 'nothing' ? undefined : await run.brokers()
        const installed = await run.installed()
        const { children, work } = run
        const miss = (name: string, why: string) => {
          failed[name] = why
          progress.say(`FAILED: ${name}: ${why}`)
        }
        const bench = { children, work, installed, at, miss, pairs, scale, maxOther }
        rows.push(...(await step.run({ ...bench, brokers })))
      } catch (error) {
        if (isInterrupted) break
        failed[step.name] = (error as Error).message
        progress.say(`FAILED: ${step.name}: ${(error as Error).message}`)
      }
      save(false)
    }
  } finally {
    progress.end()
    await run.end()
  }
  save(!isInterrupted)
  publish(report(!isInterrupted))
  process.exitCode = isInterrupted ? 130 : Object.keys(failed).length > 0 ? 1 : 0
}

/** What is measured, as git names it; the working tree may differ. */
const commit = (() => {
  try {
    const args = ['describe', '--always', '--dirty']
    return execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8' }).trim()
  } catch {
    return '' // Not a checkout.
  }
})()

function list(): void {
  const chosen = chosenLines()
  for (const { group, name, title, client } of chosen) {
    console.log(`${group.padEnd(12)} ${name.padEnd(28)} ${title}${client && ` (${client})`}`)
  }
  const steps = planSteps(chosen, { pairs, scale, maxOther }, gibibytes)
  console.log(`about ${duration(steps.reduce((sum, { seconds }) => sum + seconds, 60))} in all`)
}

try {
  if (options.help) console.log(help)
  else if (options.micro) runMicro()
  else if (options.from !== undefined) publish(JSON.parse(readFileSync(options.from, 'utf8')))
  else if (options.list) list()
  else await measureAll()
} catch (error) {
  console.error((error as Error).message)
  process.exitCode = 1
}
