/**
 * Our client beside the other Node clients:
 *
 *     node bench/clients/run.ts [--quick] [--rounds N] [--client NAME]... [--line NAME]...
 *       [--scale X] [--kafka | --bootstrap HOST:PORT] [--json FILE]
 *
 * All clients do the same against one broker, by turns, each measurement in a process of its own
 * after a warm-up; Ottla's client is built as it is published. The broker is Ottla in a process of its
 * own, Apache Kafka (`--kafka`, see test/live-kafka.ts), or one that is named. At the end of each
 * measurement it is verified that as many records were stored, or handled, as should be. The table
 * has medians, and how many times better ours is (medians and ranges over rounds); below 1 ours is
 * behind. `bench/restart/setup` installs the others and compiles one of them. Nothing else may run
 * meanwhile. `--quick` takes two minutes and is a smoke test: its figures mean little.
 *
 *   single      1,000 sends of 100 B, each awaited before the next
 *   batches     sends of 1,000 records, eight at a time, 100 B and 1 KB
 *   consume     from the beginning of a topic: by batches, or the fastest way there is
 *   messages    the same, message by message
 *   memory      of a process with 1, 20 and 200 consumers, in a group each, that have read 1,000
 *               records and wait: resident, and the heap (with buffers beside it) after a collection
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { rmSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { buildJavaScript } from '../../scripts/javascript.ts'
import { Cluster } from '../../src/client/cluster.ts'
import { createTopics, deleteTopics } from '../../src/client/topics.ts'
import { nodeIo } from '../../src/io/node.ts'
import { buildBatch } from '../../src/protocol/records/build.ts'
import { LiveBroker } from '../../test/live-broker.ts'
import { LiveKafka } from '../../test/live-kafka.ts'

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

/** What child.mjs prints: sizes in bytes. */
interface Figures {
  readonly ms: number
  readonly cpuMs: number
  readonly p50Ms?: number
  readonly p99Ms?: number
  readonly rss?: number
  readonly heap?: number
  /** How many were timed, where that is not what was asked for. */
  readonly records?: number
  /** All that were sent, or handled, with the warm-up. */
  readonly sent?: number
  readonly handled?: number
}

/** One figure of a line. */
interface Measure {
  readonly unit: string
  readonly digits: number
  readonly isMoreBetter: boolean
  of(figures: Figures, line: Line): number
}

const { values: options } = parseArgs({
  options: {
    quick: { type: 'boolean', default: false },
    rounds: { type: 'string' },
    client: { type: 'string', multiple: true, default: [...clients] },
    line: { type: 'string', multiple: true },
    scale: { type: 'string' },
    bootstrap: { type: 'string' },
    kafka: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
})
const rounds = Number(options.rounds ?? (options.quick ? 1 : 5))
const scale = Number(options.scale ?? (options.quick ? 0.2 : 1))

const less = { isMoreBetter: false }
const seconds: Measure = {
  unit: 's CPU per million',
  digits: 2,
  ...less,
  of: ({ cpuMs, records }, line) => (cpuMs / (records ?? line.records)) * 1000,
}
const rate: Measure = {
  unit: 'records/s',
  digits: 0,
  isMoreBetter: true,
  of: ({ ms, records }, line) => (records ?? line.records) / (ms / 1000),
}
const measures: Readonly<Record<Line['work'], readonly Measure[]>> = {
  single: [
    { unit: 'ms p50', digits: 3, ...less, of: ({ p50Ms }) => p50Ms! },
    { unit: 'ms p99', digits: 3, ...less, of: ({ p99Ms }) => p99Ms! },
    { unit: 'ms in all', digits: 0, ...less, of: ({ ms }) => ms },
    { unit: 'ms CPU', digits: 0, ...less, of: ({ cpuMs }) => cpuMs },
  ],
  batches: [rate, seconds],
  consume: [rate, seconds],
  memory: [
    { unit: 'MiB resident', digits: 0, ...less, of: ({ rss }) => rss! / 2 ** 20 },
    { unit: 'MiB heap', digits: 1, ...less, of: ({ heap }) => heap! / 2 ** 20 },
  ],
}
const scaled = (count: number) => Math.max(1000, Math.round((count * scale) / 1000) * 1000)
const memory = (consumers: number): Line => ({
  name: `memory of ${consumers} consumer${consumers === 1 ? '' : 's'}`,
  work: 'memory',
  bytes: 100,
  records: 1000,
  consumers,
})
const reading = (way: 'batches' | 'messages', bytes: number, records: number): Line => ({
  name: `${way === 'batches' ? 'consume' : way} ${bytes === 100 ? '100 B' : '1 KB'}`,
  work: 'consume',
  bytes,
  records: scaled(records),
  way,
})
const all: readonly Line[] = [
  { name: 'single 100 B', work: 'single', bytes: 100, records: 1000 },
  { name: 'batches 100 B', work: 'batches', bytes: 100, records: scaled(400_000) },
  { name: 'batches 1 KB', work: 'batches', bytes: 1024, records: scaled(200_000) },
  reading('batches', 100, 1_000_000),
  reading('batches', 1024, 200_000),
  reading('messages', 100, 1_000_000),
  reading('messages', 1024, 200_000),
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
  buildJavaScript(built)
  if (chosen.some(each => each !== 'ottla')) {
    execFileSync(join(restart, 'setup'), { stdio: ['ignore', 'ignore', 'inherit'] })
  }
  return { ...process.env, OTTLA_DIST: built, CLIENTS: restart }
}

/** Undefined, and a word on stderr, when the client failed. */
async function measure(client: Client, task: object): Promise<Figures | undefined> {
  const args = ['--expose-gc', join(here, 'child.mjs'), client, JSON.stringify(task)]
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
  const warmUp = line.work === 'single' ? 1000 : Math.round(line.records / 4)
  const figures = await measure(client, { ...line, bootstrap, topic, groupId, warmUp })
  if (figures !== undefined) await verify(client, line, topic, figures)
  if (!isReading) await deleteTopics(cluster, [topic])
  await delay(300)
  return figures
}

/** Throws when other records were stored, or handled, than should be. */
async function verify(client: Client, line: Line, topic: string, figures: Figures): Promise<void> {
  const ends = await cluster.listOffsets(
    Array.from({ length: partitions }, (_, partition) => ({ topic, partition, timestamp: -1 })),
  )
  const stored = ends.reduce(
    (sum, end) => sum + (end instanceof Error ? Number.NaN : end.offset),
    0,
  )
  const { sent, handled } = figures
  const wanted = sent ?? line.records * (line.consumers ?? 1)
  const found = sent === undefined ? handled : stored
  if (found === wanted) return
  throw new Error(`${client}, ${line.name}: ${found} records instead of ${wanted}`)
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.slice((sorted.length - 1) >> 1, (sorted.length >> 1) + 1)
  return middle.reduce((sum, value) => sum + value, 0) / middle.length
}

/** A row of the table: one figure of one line, or what follows from several. */
interface Row {
  readonly name: string
  readonly measure: Measure
  /** By round; undefined where the client failed. */
  figures(client: Client): readonly (number | undefined)[]
}

const results = new Map<string, (Figures | undefined)[]>()
const key = (client: Client, line: Line) => `${client} ${line.name}`

function rows(): Row[] {
  const of = (client: Client, line: Line, measure: Measure) =>
    (results.get(key(client, line)) ?? []).map(figures => figures && measure.of(figures, line))
  const plain = lines.flatMap(line =>
    measures[line.work].map(measure => ({
      name: line.name,
      measure,
      figures: (client: Client) => of(client, line, measure),
    })),
  )
  const [one, many] = [1, 200].map(count => lines.find(({ consumers }) => consumers === count))
  if (one === undefined || many === undefined) return plain
  const [resident, heap] = measures.memory
  const each = [resident!, heap!].map(measure => ({
    name: 'each consumer more',
    measure: { ...measure, unit: measure.unit.replace('MiB', 'KiB') },
    figures: (client: Client) => {
      const first = of(client, one, measure)
      return of(client, many, measure).map((figure, round) => {
        const least = first[round]
        if (figure === undefined || least === undefined) return undefined
        return ((figure - least) / 199) * 1024
      })
    },
  }))
  return [...plain, ...each]
}

/** How many times better ours is, round by round. */
function ratios({ figures, measure }: Row, other: Client): number[] {
  const theirs = figures(other)
  return figures('ottla').flatMap((mine, round) => {
    const their = theirs[round]
    if (mine === undefined || their === undefined) return []
    return measure.isMoreBetter ? mine / their : their / mine
  })
}

/** What the median of the ratios has to be: ahead of those in JavaScript, near the native one. */
function goal({ name, measure }: Row, other: Client): number {
  if (other !== 'librdkafka') return 1
  if (name.startsWith('single')) return 1
  // Its memory is outside of V8's heap.
  if (measure.unit.endsWith('resident')) return 1
  return name.startsWith('batches') && measure === rate ? 1 / 1.5 : 0
}

function report(): void {
  const others = chosen.filter(each => each !== 'ottla')
  const cells = [...chosen, ...others.map(each => `ottla : ${each}`)]
  console.log(`| line | unit | ${cells.join(' | ')} |`)
  console.log(`|---|---|${cells.map(() => '--:|').join('')}`)
  const behind: string[] = []
  for (const row of rows()) {
    const { name, measure } = row
    const format = { minimumFractionDigits: measure.digits, maximumFractionDigits: measure.digits }
    const figures = chosen.map(client => {
      const good = row.figures(client).filter(each => each !== undefined)
      return good.length === 0 ? '' : median(good).toLocaleString('en', format)
    })
    const compared = others.map(other => {
      const found = ratios(row, other)
      if (found.length === 0) return ''
      const middle = median(found)
      if (middle < goal(row, other)) behind.push(`${name}, ${measure.unit}, ${other}`)
      const [least, most] = [Math.min(...found), Math.max(...found)]
      return `${middle.toFixed(2)} (${least.toFixed(2)}–${most.toFixed(2)})`
    })
    console.log(`| ${[name, measure.unit, ...figures, ...compared].join(' | ')} |`)
  }
  console.log(`\n${settings}\n`)
  for (const each of behind) console.log(`behind the goal: ${each}`)
  console.log(`${behind.length} figures behind the goal`)
}

/** What stands below the table. */
const settings = `Each client with its defaults, one process each, uncompressed, acks=all (kafkajs and librdkafka by
default; set for @platformatic/kafka, whose default is 1). Ours is idempotent, as by default; the others are not. librdkafka
is @confluentinc/kafka-javascript by its promise interface, with linger.ms 0 for single sends and
js.consumer.max.batch.size −1, as its guide recommends. ${partitions} partitions; topics to read have batches of 16 KiB. Ratios
are how many times better ours is: medians of ${rounds} rounds, by turns, with their ranges.`

const env = environment()
const kafka = options.kafka ? await LiveKafka.start() : undefined
const isGiven = options.bootstrap !== undefined || kafka !== undefined
const broker = isGiven ? undefined : await LiveBroker.start()
const bootstrap = options.bootstrap ?? (kafka ?? broker!).bootstrap
const [host = '', port = ''] = bootstrap.split(':')
const cluster = new Cluster(nodeIo(), { bootstrap: [{ host, port: Number(port) }] })
const loadBefore = loadavg()[0]!
try {
  // Not counted: a broker that has just started is slow to answer whoever comes first.
  for (const client of [...chosen, ...chosen]) await run(client, all[0]!)
  for (let round = 0; round < rounds; round++) {
    for (const line of lines) {
      // Who comes first meets a colder broker: everybody in turn.
      const first = round % chosen.length
      for (const client of [...chosen.slice(first), ...chosen.slice(0, first)]) {
        const figures = await run(client, line)
        results.set(key(client, line), [...(results.get(key(client, line)) ?? []), figures])
        const told = measures[line.work].map(
          measure =>
            figures && `${measure.of(figures, line).toFixed(measure.digits)} ${measure.unit}`,
        )
        const done = `${round + 1}/${rounds} ${client}, ${line.name}`
        console.error(`${done}: ${figures === undefined ? 'failed' : told.join(', ')}`)
      }
    }
  }
  for (const topic of filled.values()) await deleteTopics(cluster, [await topic])
} finally {
  cluster.close()
  await broker?.remove()
  await kafka?.remove()
}
const name = broker === undefined ? (kafka === undefined ? bootstrap : 'Apache Kafka') : 'Ottla'
console.log(`against ${name}, load before ${loadBefore.toFixed(1)}, Node ${process.version}\n`)
report()
if (options.json !== undefined) writeFileSync(options.json, JSON.stringify([...results], null, 2))
