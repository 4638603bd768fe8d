/**
 * Our client beside the other Node clients: npx node bench/clients/run.ts [--rounds N] [--client NAME]...
 *   [--line NAME]... [--scale X] [--bootstrap HOST:PORT] [--json FILE]
 *
 * All clients do the same against one broker, by turns, each measurement in a process of its own
 * with the client's defaults; Ottla's client is built as it is published. The broker is Ottla in a
 * process of its own, or one that is named. The table has medians, and how many times better ours is
 * (ranges over rounds in brackets); below 1 ours is behind. `bench/restart/setup` installs the
 * others and compiles one of them. Nothing else may run meanwhile.
 *
 *   single      1,000 sends of 100 B, each awaited before the next
 *   batches     sends of 1,000 records, eight at a time, 100 B and 1 KB, all acknowledged (acks=all)
 *   consume     from the beginning of a topic: by batches, or the fastest way there is
 *   messages    the same, message by message
 *   memory      resident memory of a process with 1, 20 and 200 consumers that have nothing to read
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Cluster } from '../../src/client/cluster.ts'
import { createTopics, deleteTopics } from '../../src/client/topics.ts'
import { nodeIo } from '../../src/io/node.ts'
import { buildBatch } from '../../src/protocol/records/build.ts'
import { LiveBroker } from '../../test/live-broker.ts'

const clients = ['ottla', 'kafkajs', 'platformatic', 'librdkafka'] as const
type Client = (typeof clients)[number]

interface Line {
  readonly name: string
  readonly work: 'single' | 'batches' | 'consume' | 'memory'
  readonly bytes: number
  readonly records: number
  readonly way?: 'batches' | 'messages'
  readonly consumers?: number
}

interface Figures {
  readonly ms: number
  readonly cpuMs: number
  /** Resident bytes at the end, and at most. */
  readonly rss: number
  readonly maxRss: number
  /** How many were timed, where that is not what was asked for. */
  readonly records?: number
}

const { values: options } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    client: { type: 'string', multiple: true, default: [...clients] },
    line: { type: 'string', multiple: true },
    scale: { type: 'string', default: '1' },
    bootstrap: { type: 'string' },
    json: { type: 'string' },
  },
})
const scale = Number(options.scale)
const scaled = (count: number) => Math.max(1000, Math.round((count * scale) / 1000) * 1000)
const memory = (consumers: number): Line => ({
  name: `memory of ${consumers} consumer${consumers === 1 ? '' : 's'}`,
  work: 'memory',
  bytes: 100,
  records: 1000,
  consumers,
})
const all: readonly Line[] = [
  { name: 'single 100 B', work: 'single', bytes: 100, records: 1000 },
  { name: 'batches 100 B', work: 'batches', bytes: 100, records: scaled(400_000) },
  { name: 'batches 1 KB', work: 'batches', bytes: 1024, records: scaled(200_000) },
  {
    name: 'consume 100 B',
    work: 'consume',
    bytes: 100,
    records: scaled(1_000_000),
    way: 'batches',
  },
  { name: 'consume 1 KB', work: 'consume', bytes: 1024, records: scaled(200_000), way: 'batches' },
  {
    name: 'messages 100 B',
    work: 'consume',
    bytes: 100,
    records: scaled(1_000_000),
    way: 'messages',
  },
  {
    name: 'messages 1 KB',
    work: 'consume',
    bytes: 1024,
    records: scaled(200_000),
    way: 'messages',
  },
  memory(1),
  memory(20),
  memory(200),
]
const lines = all.filter(
  ({ name }) => options.line === undefined || options.line.some(each => name.startsWith(each)),
)
const chosen = clients.filter(each => options.client.includes(each))
const partitions = 4
const childDeadlineMs = 180_000
const here = import.meta.dirname
const root = join(here, '../..')
const restart = join(root, 'bench/restart')
const built = join(root, '.cache/bench-clients')

/** What a client needs to be found. */
function environment(): Record<string, string | undefined> {
  rmSync(built, { recursive: true, force: true })
  mkdirSync(built, { recursive: true })
  const tsc = join(root, 'node_modules/typescript/bin/tsc')
  const project = ['--project', join(root, 'tsconfig.build.json'), '--outDir', built]
  execFileSync(process.execPath, [tsc, ...project], { cwd: root, stdio: 'inherit' })
  if (chosen.some(each => each !== 'ottla')) {
    execFileSync(join(restart, 'setup'), { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  return { ...process.env, OTTLA_DIST: built, CLIENTS: restart }
}

/** Undefined, and a word on stderr, when the client failed. */
async function measure(client: Client, task: object): Promise<Figures | undefined> {
  const args = [join(here, 'child.mjs'), client, JSON.stringify(task)]
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'pipe', 'pipe'] })
  const killer = setTimeout(() => child.kill('SIGKILL'), childDeadlineMs)
  let out = ''
  let errors = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const [code, signal] = await once(child, 'close')
  clearTimeout(killer)
  const last = out.trim().split('\n').at(-1) ?? ''
  if (code === 0 && last.startsWith('{')) return JSON.parse(last)
  console.error(`${client} ended with ${signal ?? code}: ${errors.slice(-500)}`)
  return undefined
}

let topics = 0

async function newTopic(): Promise<string> {
  const name = `bench-clients-${process.pid}-${topics++}`
  const [outcome] = await createTopics(cluster, [{ name, partitions, replicationFactor: 1 }])
  if (outcome?.error !== undefined) throw outcome.error
  return name
}

/** Topics to read, by size and number of records; made once. */
const filled = new Map<string, Promise<string>>()

async function fill(bytes: number, records: number): Promise<string> {
  const topic = await newTopic()
  // As the Java client would by default: batches of 16 KiB.
  const inBatch = Math.max(1, Math.floor(16_384 / (bytes + 10)))
  const value = Buffer.alloc(bytes, 'x')
  const timestamp = Date.now()
  const batch = (count: number) =>
    buildBatch(
      {},
      Array.from({ length: count }, () => ({ timestamp, value })),
    )
  const whole = batch(inBatch)
  for (let left = records; left > 0; ) {
    const items = []
    for (let partition = 0; partition < partitions && left > 0; partition++) {
      const count = Math.min(inBatch, left)
      left -= count
      items.push({ topic, partition, records: count === inBatch ? whole : batch(count) })
    }
    for (const result of await cluster.produce(items, { acks: -1 })) {
      if (result instanceof Error) throw result
    }
  }
  return topic
}

function filledTopic({ bytes, records }: Line): Promise<string> {
  const key = `${bytes} ${records}`
  const topic = filled.get(key) ?? fill(bytes, records)
  filled.set(key, topic)
  return topic
}

async function run(client: Client, line: Line): Promise<Figures | undefined> {
  const isReading = line.work === 'consume' || line.work === 'memory'
  const topic = isReading ? await filledTopic(line) : await newTopic()
  const groupId = `${client}-${process.pid}-${topics++}`
  const warmUp = line.work === 'single' ? 500 : Math.round(line.records / 4)
  const figures = await measure(client, { ...line, bootstrap, topic, groupId, warmUp })
  if (!isReading) await deleteTopics(cluster, [topic])
  await delay(300)
  return figures
}

/** What a line is about; more is better, but for memory. */
function figureOf(line: Line, { ms, rss, records = line.records }: Figures): number {
  return line.work === 'memory' ? rss / 2 ** 20 : records / (ms / 1000)
}

const unit = (line: Line) => (line.work === 'memory' ? 'MiB' : 'records/s')

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1)
  return middle.reduce((sum, value) => sum + value, 0) / middle.length
}

const results = new Map<string, (Figures | undefined)[]>()
const key = (client: Client, line: Line) => `${client} ${line.name}`

function measured(client: Client, line: Line): (Figures | undefined)[] {
  return results.get(key(client, line)) ?? []
}

/** How many times better ours is, round by round. */
function ratios(other: Client, line: Line): number[] {
  const theirs = measured(other, line)
  return measured('ottla', line).flatMap((mine, round) => {
    const their = theirs[round]
    if (mine === undefined || their === undefined) return []
    const ratio = figureOf(line, mine) / figureOf(line, their)
    return line.work === 'memory' ? 1 / ratio : ratio
  })
}

function report(): void {
  const others = chosen.filter(each => each !== 'ottla')
  const cells = [...chosen, ...others.map(each => `ottla : ${each}`)]
  console.log(`| line | unit | ${cells.join(' | ')} |`)
  console.log(`|---|---|${cells.map(() => '--:|').join('')}`)
  const whole = (value: number) => Math.round(value).toLocaleString('en')
  for (const line of lines) {
    const figures = chosen.map(client => {
      const good = measured(client, line).filter(each => each !== undefined)
      if (good.length === 0) return ''
      const cpu = median(good.map(({ cpuMs }) => cpuMs)) / 1000
      const figure = whole(median(good.map(each => figureOf(line, each))))
      return line.work === 'memory' ? figure : `${figure} (${cpu.toFixed(2)} s CPU)`
    })
    const compared = others.map(other => {
      const found = ratios(other, line)
      if (found.length === 0) return ''
      const [least, most] = [Math.min(...found), Math.max(...found)]
      return `${median(found).toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`
    })
    console.log(`| ${[line.name, unit(line), ...figures, ...compared].join(' | ')} |`)
  }
}

const env = environment()
const broker = options.bootstrap === undefined ? await LiveBroker.start() : undefined
const bootstrap = options.bootstrap ?? broker!.bootstrap
const [host = '', port = ''] = bootstrap.split(':')
const cluster = new Cluster(nodeIo(), { bootstrap: [{ host, port: Number(port) }] })
const loadBefore = loadavg()[0]!
try {
  for (let round = 0; round < Number(options.rounds); round++) {
    for (const line of lines) {
      for (const client of chosen) {
        const figures = await run(client, line)
        results.set(key(client, line), [...measured(client, line), figures])
        const told = figures === undefined ? 'failed' : Math.round(figureOf(line, figures))
        console.error(`${round + 1}: ${client}, ${line.name}: ${told} ${unit(line)}`)
      }
    }
  }
  for (const topic of filled.values()) await deleteTopics(cluster, [await topic])
} finally {
  cluster.close()
  await broker?.remove()
}
console.log(`load before ${loadBefore.toFixed(1)}, ${options.rounds} rounds, ${process.version}\n`)
report()
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify([...results], null, 2))
