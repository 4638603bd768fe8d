/**
 * What compaction costs those who produce: latency of acknowledgements (acks=all, 1 KB, paced) while
 * the cleaner works on a large topic and while it stands still, by turns, for other work on the machine
 * comes and goes; and its own time and memory.
 *
 *     node bench/compaction.ts [--mb 300] [--keys 100000] [--seconds 3] [--compression none]
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Admin, type Compression, orThrow, Producer } from '../src/index.ts'

const { values: options } = parseArgs({
  options: {
    mb: { type: 'string', default: '300' },
    keys: { type: 'string', default: '100000' },
    seconds: { type: 'string', default: '3' },
    rate: { type: 'string', default: '500' },
    compression: { type: 'string', default: 'none' },
  },
})
const [mb, keys, seconds] = [options.mb, options.keys, options.seconds].map(Number)
const rate = Number(options.rate)

const data = mkdtempSync(join(tmpdir(), 'ottla-compaction-'))
const { broker, bootstrap } = await startBroker()
const admin = new Admin({ bootstrap })
try {
  await admin.createTopics([
    {
      topic: 'large',
      partitions: 1,
      configs: { 'cleanup.policy': 'compact', 'segment.bytes': 16 * 1024 * 1024 },
    },
    { topic: 'paced', partitions: 1 },
  ])
  const startMs = performance.now()
  await load()
  print('loaded', `${mb} MB in ${((performance.now() - startMs) / 1000).toFixed(1)} s`)
  await paced(3)
  await compacting()
} finally {
  await admin.close()
  broker.kill('SIGKILL')
  await once(broker, 'exit')
  rmSync(data, { recursive: true })
}

function print(what: string, text: string): void {
  console.log(`${what.padEnd(28)} ${text}`)
}

/** The cleaner has no threads at first. */
async function startBroker(): Promise<{ broker: ChildProcess; bootstrap: string }> {
  const sets = ['log.cleaner.backoff.ms=100', 'log.cleaner.threads=0']
  const args = ['src/cli/main.ts', 'start', '--port', '0', '--data', data, '--log-format', 'json']
  const broker = spawn(process.execPath, [...args, ...sets.flatMap(each => ['--set', each])], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  for (const stream of [broker.stdout!, broker.stderr!]) stream.on('data', text => (said += text))
  for (let waits = 0; waits < 100; waits++) {
    const found = /127\.0\.0\.1:(\d+)/.exec(said)
    if (found !== null) return { broker, bootstrap: found[0] }
    await setTimeout(100)
  }
  throw new Error(`no broker: ${said}`)
}

async function load(): Promise<void> {
  const compression = options.compression as Compression
  const producer = new Producer({ bootstrap, compression, lingerMs: 5 })
  // A codec makes them half as long.
  const pool = Array.from({ length: 1000 }, () => randomBytes(500).toString('hex'))
  const count = (mb! * 1e6) / 1000
  for (let from = 0; from < count; from += 5000) {
    const records = Array.from({ length: Math.min(5000, count - from) }, () => {
      const value = pool[Math.floor(Math.random() * pool.length)]!
      return { topic: 'large', key: `key-${Math.floor(Math.random() * keys!)}`, value }
    })
    await producer.send(records)
  }
  await producer.close()
}

/** Milliseconds of each acknowledgement, sorted. */
async function paced(duration: number, isOver = () => false): Promise<number[]> {
  const producer = new Producer({ bootstrap, lingerMs: 0 })
  const value = Buffer.alloc(1000, 'x')
  const took: number[] = []
  const sent: Promise<unknown>[] = []
  const startMs = performance.now()
  for (let count = 0; count < duration * rate && !isOver(); count++) {
    const dueMs = startMs + (count * 1000) / rate
    const earlyMs = dueMs - performance.now()
    if (earlyMs > 0) await setTimeout(earlyMs)
    const beganMs = performance.now()
    const acknowledged = producer.send({ topic: 'paced', value }).then(() => {
      took.push(performance.now() - beganMs)
    })
    sent.push(acknowledged)
  }
  await Promise.all(sent)
  await producer.close()
  return took.sort((a, b) => a - b)
}

/** Medians over the turns, and the quietest one. */
function latencies(turns: readonly (readonly number[])[]): string {
  const at = (part: number) =>
    turns.map(took => took[Math.floor((took.length - 1) * part)]!).sort((a, b) => a - b)
  const shown = (part: number) => {
    const sorted = at(part)
    return `${sorted[sorted.length >> 1]!.toFixed(2)} (${sorted[0]!.toFixed(2)})`
  }
  return `p50 ${shown(0.5)} ms, p99 ${shown(0.99)} ms, p99.9 ${shown(0.999)} ms, ${turns.length} turns`
}

/** A rate of one byte a second is a pass that stands still. */
async function setCleaner(set: Readonly<Record<string, string>>): Promise<void> {
  orThrow(await admin.alterConfigs([{ kind: 'broker', name: '', set }]))
}

async function compacting(): Promise<void> {
  const [rssBefore, before] = [rssMb(), sizeMb()]
  const rateKey = 'log.cleaner.io.max.bytes.per.second'
  const [still, working]: number[][][] = [[], []]
  let [rssMost, workedMs] = [0, 0]
  const isOver = () => {
    rssMost = Math.max(rssMost, rssMb())
    return readdirSync(data).includes('cleaner-offset-checkpoint')
  }
  await setCleaner({ [rateKey]: '1', 'log.cleaner.threads': '1' })
  while (!isOver()) {
    still!.push(await paced(seconds!))
    await setCleaner({ [rateKey]: '1e300' })
    const beganMs = performance.now()
    const took = await paced(seconds!, isOver)
    workedMs += performance.now() - beganMs
    if (took.length > 100) working!.push(took)
    await setCleaner({ [rateKey]: '1' })
  }
  print('without compaction', latencies(still!))
  print('with compaction', latencies(working!))
  print('the pass', `${(workedMs / 1000).toFixed(1)} s, ${before} MB to ${sizeMb()} MB`)
  print('memory', `${rssBefore} MB before, at most ${rssMost} MB during it`)
}

function rssMb(): number {
  const status = readFileSync(`/proc/${broker.pid}/status`, 'utf8')
  return Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024)
}

function sizeMb(): number {
  const folder = join(data, 'large-0')
  const names = readdirSync(folder).filter(name => name.endsWith('.log'))
  return Math.round(names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0) / 1e6)
}
