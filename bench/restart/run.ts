/**
 * How long a restarted consumer waits for its next message, with three Node clients:
 *
 *   npx node bench/restart/run.ts [--runs N] [--client NAME]... [--case NAME]... [--kafka [--kafka-runs N]]
 *
 * `setup` beside this file installs the clients. Each runs with its defaults, alone in a group, on
 * four partitions that get 500 messages a second from before until after. The cases:
 *
 *   kill    `kill -9`, and the same program at once again
 *   watch   `node --watch`, and the program saved: Node ends it by SIGTERM, on which it does not leave
 *   clean   SIGTERM, on which it leaves its group, and the same program at once again
 *   pair    two members, one of them killed and started again: until all partitions flow again
 *
 * `--kafka` measures Apache Kafka in between: set up by ../shared/bench (BENCH names another place),
 * with its defaults. Its `kill`, `watch` and `pair` take a minute each, so they wait beside each other.
 * Tells each run as it ends, and a table of medians and ranges at the end. Nothing else may run.
 */
import { execFileSync } from 'node:child_process'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { freePort } from '../../src/cli/cluster-etcd.ts'
import { Cluster } from '../../src/client/cluster.ts'
import { createTopics } from '../../src/client/topics.ts'
import { nodeIo } from '../../src/io/node.ts'
import { LiveBroker } from '../../test/live-broker.ts'
import { Feed } from './feed.ts'
import { type Client, clients, type Handled, Program, type Run } from './program.ts'

const { values: options } = parseArgs({
  options: {
    runs: { type: 'string', default: '5' },
    client: { type: 'string', multiple: true, default: [...clients] },
    case: { type: 'string', multiple: true, default: ['kill', 'watch', 'clean', 'pair'] },
    kafka: { type: 'boolean', default: false },
    'kafka-runs': { type: 'string', default: '3' },
  },
})
const topic = 'load'
const partitions = 4
/** librdkafka commits every five seconds. */
const settleMs = 6000
/** As often do the clients heartbeat: where in that time a member dies is left to chance. */
const heartbeatMs = 3000
const startDeadlineMs = 60_000
const restartDeadlineMs = 180_000
const bench = process.env['BENCH'] ?? join(import.meta.dirname, '../../../shared/bench')

interface Broker {
  readonly name: 'Ottla' | 'Kafka'
  readonly bootstrap: string
  readonly feed: Feed
  readonly cluster: Cluster
}

const columns = [
  'first start: process',
  'first start: first line to message',
  'death to first line',
  'first line to message',
  'first line to new message',
  'death to message',
  'death to new message',
  'death to all partitions',
] as const

/** Milliseconds. A new message is one sent after the death. */
type Figures = { readonly [Column in (typeof columns)[number]]?: number }

const cases = { kill: alone, watch: alone, clean: alone, pair } as const
type Case = keyof typeof cases

const isCase = (name: string): name is Case => name in cases
const isClient = (name: string): name is Client => clients.some(each => each === name)
const chosenCases = options.case.filter(isCase)
const chosenClients = options.client.filter(isClient)
let groups = 0

function programOf(client: Client, { bootstrap }: Broker, kind: Case, group: string): Program {
  const how = kind === 'watch' || kind === 'clean' ? kind : 'plain'
  return new Program(client, { bootstrap, topic, group, how })
}

function first(run: Run | undefined, isIt: (handled: Handled) => boolean): number | undefined {
  return run?.handled.find(isIt)?.handledMs
}

/** Starts it, waits for its first message, and until it has committed. */
async function settle(program: Program): Promise<Figures> {
  program.start()
  const firstMs = await program.until('message', startDeadlineMs, () =>
    first(program.runs.at(-1), () => true),
  )
  const { originMs, firstLineMs } = program.runs.at(-1)!
  await delay(settleMs + Math.random() * heartbeatMs)
  return {
    'first start: process': firstLineMs - originMs,
    'first start: first line to message': firstMs - firstLineMs,
  }
}

/** Ends the running process and starts the next; answers when the first one was gone. */
async function again(program: Program, kind: Case): Promise<number> {
  if (kind === 'watch') return program.touch()
  const diedMs = await program.end(kind === 'clean' ? 'SIGTERM' : 'SIGKILL')
  program.start()
  return diedMs
}

async function alone(client: Client, broker: Broker, kind: Case): Promise<Figures> {
  const program = programOf(client, broker, kind, `restart-${process.pid}-${groups++}`)
  try {
    const before = await settle(program)
    const diedMs = await again(program, kind)
    const next = () => (program.runs.length > 1 ? program.runs[1] : undefined)
    const anyMs = await program.until('message', restartDeadlineMs, () => first(next(), () => true))
    const newMs = await program.until('new message', restartDeadlineMs, () =>
      first(next(), ({ sentMs }) => sentMs > diedMs),
    )
    const { firstLineMs } = next()!
    return {
      ...before,
      'death to first line': firstLineMs - diedMs,
      'first line to message': anyMs - firstLineMs,
      'first line to new message': newMs - firstLineMs,
      'death to message': anyMs - diedMs,
      'death to new message': newMs - diedMs,
    }
  } finally {
    program.remove()
  }
}

async function pair(client: Client, broker: Broker): Promise<Figures> {
  const group = `restart-${process.pid}-${groups++}`
  const members = [
    programOf(client, broker, 'pair', group),
    programOf(client, broker, 'pair', group),
  ] as const
  try {
    const [stays, dies] = members
    await settle(stays)
    await settle(dies)
    const diedMs = await again(dies, 'pair')
    const runs = () => [stays.runs[0]!, ...dies.runs.slice(1)]
    const isNew = (handled: Handled) => handled.sentMs > diedMs
    // What the survivor had flows on; what the dead one had does when somebody has it.
    const flowMs = await stays.until('flow', restartDeadlineMs, () => {
      const times = Array.from({ length: partitions }, (_, partition) => {
        const of = (handled: Handled) => isNew(handled) && handled.partition === partition
        return Math.min(...runs().map(run => first(run, of) ?? Number.POSITIVE_INFINITY))
      })
      const lastMs = Math.max(...times)
      return Number.isFinite(lastMs) ? lastMs : undefined
    })
    const sharesMs = await dies.until('message', restartDeadlineMs, () =>
      first(dies.runs[1], () => true),
    )
    return {
      'first line to message': sharesMs - dies.runs[1]!.firstLineMs,
      'death to message': sharesMs - diedMs,
      'death to all partitions': flowMs - diedMs,
    }
  } finally {
    for (const member of members) member.remove()
  }
}

// ── The runs ─────────────────────────────────────────────────────────────────

const results = new Map<string, Figures[]>()

async function measure(client: Client, kind: Case, broker: Broker): Promise<void> {
  const figures = await cases[kind](client, broker, kind)
  const key = [client, kind, broker.name].join(' ')
  const rounded = columns
    .filter(column => figures[column] !== undefined)
    .map(column => `${column} ${Math.round(figures[column]!)}`)
  console.error(`${key}: ${rounded.join(', ')} (load ${loadavg()[0]!.toFixed(1)})`)
  results.set(key, [...(results.get(key) ?? []), figures])
}

async function onOttla(broker: Broker): Promise<void> {
  for (const client of chosenClients) {
    for (const kind of chosenCases) await measure(client, kind, broker)
  }
}

async function onKafka(broker: Broker): Promise<void> {
  const waiting: Promise<void>[] = []
  for (const client of chosenClients) {
    for (const kind of chosenCases) {
      if (kind === 'clean') continue
      waiting.push(measure(client, kind, broker))
      await delay(2000)
    }
  }
  await Promise.all(waiting)
  if (!chosenCases.includes('clean')) return
  for (const client of chosenClients) await measure(client, 'clean', broker)
}

async function brokerAt(name: Broker['name'], bootstrap: string): Promise<Broker> {
  const [host = '', port = ''] = bootstrap.split(':')
  const cluster = new Cluster(nodeIo(), { bootstrap: [{ host, port: Number(port) }] })
  const [outcome] = await createTopics(cluster, [{ name: topic, partitions }])
  if (outcome?.error !== undefined) throw outcome.error
  const feed = new Feed(cluster, topic, partitions)
  const broker = { name, bootstrap, feed, cluster }
  for (const client of chosenClients) {
    // Not counted: makes the broker's own topic, and brings the client's files into memory.
    const program = programOf(client, broker, 'clean', `warm-${process.pid}-${client}`)
    await settle(program).finally(() => program.remove())
  }
  return broker
}

/** Starts Apache Kafka; answers its port. */
async function startKafka(): Promise<number> {
  const port = await freePort()
  execFileSync(join(bench, 'kafka-start'), ['1', String(port)])
  return port
}

const ottla = await LiveBroker.start()
const kafkaPort = options.kafka ? await startKafka() : undefined
try {
  const brokers = [await brokerAt('Ottla', ottla.bootstrap)]
  if (kafkaPort !== undefined) brokers.push(await brokerAt('Kafka', `127.0.0.1:${kafkaPort}`))
  for (let run = 0; run < Number(options.runs); run++) {
    for (const broker of brokers) {
      if (broker.name === 'Ottla') await onOttla(broker)
      else if (run < Number(options['kafka-runs'])) await onKafka(broker)
    }
  }
  for (const { feed } of brokers) await feed.stop()
  for (const { cluster } of brokers) cluster.close()
} finally {
  await ottla.remove()
  if (kafkaPort !== undefined) {
    execFileSync(join(bench, 'kafka-stop'), [String(kafkaPort), '--purge'])
  }
}
report()

// ── The table ────────────────────────────────────────────────────────────────

/** `median (least–most)` */
function summary(values: readonly (number | undefined)[]): string {
  const sorted = values.filter(ms => ms !== undefined).sort((a, b) => a - b)
  if (sorted.length === 0) return ''
  const whole = (ms: number | undefined) => Math.round(ms ?? Number.NaN).toLocaleString('en')
  const middle = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1)
  const median = middle.reduce((sum, ms) => sum + ms, 0) / middle.length
  return `${whole(median)} (${whole(sorted[0])}–${whole(sorted.at(-1))})`
}

/** One row for each broker and what was done, one column for each figure. */
function report(): void {
  console.log(`| client | case | broker | runs | ${columns.join(' | ')} |`)
  console.log(`|---|---|---|--:|${columns.map(() => '--:|').join('')}`)
  for (const client of chosenClients) {
    for (const kind of chosenCases) {
      for (const name of ['Ottla', 'Kafka']) {
        const of = results.get([client, kind, name].join(' ')) ?? []
        const cells = columns.map(column => summary(of.map(figures => figures[column])))
        if (of.length > 0)
          console.log(`| ${[client, kind, name, of.length, ...cells].join(' | ')} |`)
      }
    }
  }
}
