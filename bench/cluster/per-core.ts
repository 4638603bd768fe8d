/**
 * One broker beside two on the same machine: node bench/cluster/per-core.ts [options]
 *
 * A broker serves from one thread. Two of them, with the partitions of one topic spread over both
 * (replication factor 1, one etcd), show what a further core brings. They take turns, each with
 * empty directories; the client costs next to nothing (wire.mjs of ../shared/bench, or of BENCH),
 * but it and etcd need the same cores. Printed are medians, and the range of the turns' ratios.
 *
 *   --mb N          to produce, and to consume, in each turn; 1024 by default
 *   --rounds N      turns of each; 3 by default
 *   --partitions N  of the topic; 4 by default
 *   --bin FILE      the broker; that of this tree by default
 */
import { mkdtempSync, rmSync } from 'node:fs'
import type { Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort, isTaken } from '../../src/cli/cluster-etcd.ts'
import { Client, orThrow } from '../../src/index.ts'
import { Loopback } from '../../test/cluster/loopback.ts'
import { ServerProcess } from '../../test/cluster/server-process.ts'
import { createTopics } from '../../test/cluster/topics.ts'
import { LiveEtcd } from '../../test/live-etcd.ts'

const recordBytes = 1024
/** With these a batch is as long as the Java producer's by default. */
const recordsInBatch = 15
const inFlight = 5
const fetchBytes = 2 ** 20
const topic = 'load'
const startDeadlineMs = 60_000

const { values } = parseArgs({
  options: {
    mb: { type: 'string', default: '1024' },
    rounds: { type: 'string', default: '3' },
    partitions: { type: 'string', default: '4' },
    bin: { type: 'string', default: join(import.meta.dirname, '../../src/bin.js') },
  },
})
const [megabytes, rounds, partitions] = [values.mb, values.rounds, values.partitions].map(Number)
if (!(megabytes! > 0 && rounds! > 0 && partitions! > 0)) throw new Error('numbers above 0, please')

interface WireModule {
  readonly Wire: {
    connect(
      host: string,
      port: number,
    ): Promise<{ readonly socket: Socket; produce(frame: Uint8Array): Promise<number> }>
  }
  readonly Drain: {
    connect(
      port: number,
      host: string,
    ): Promise<{ readonly socket: Socket; send(frame: Uint8Array): Promise<number> }>
  }
  recordBatch(count: number, size: number): Buffer
  produceRequest(topic: string, partition: number, batch: Buffer): Buffer
  fetchRequest(topic: string, partition: number, offset: number, maxBytes: number): Buffer
}
interface ProcsModule {
  cpuSeconds(pids: readonly number[]): number
  quiet(seconds: number): Promise<void>
  claimMemory(bytes: number): void
}

const bench = process.env['BENCH'] ?? join(import.meta.dirname, '../../../shared/bench')
const load = (name: string) => import(pathToFileURL(join(bench, name)).href)
const wire: WireModule = await load('wire.mjs')
const procs: ProcsModule = await load('procs.mjs')

const batch = wire.recordBatch(recordsInBatch, recordBytes)
const batchesEach = Math.ceil((megabytes! * 1e6) / batch.length / partitions!)
const totalBytes = batchesEach * partitions! * batch.length

/** Of one turn. */
interface Figures {
  readonly mbPerSecond: number
  /** Of the brokers, and of this process. */
  readonly cpuPerGb: number
  readonly clientCpuPerGb: number
}
type Turn = Readonly<Record<'produce' | 'consume', Figures>>

/** One after the other: each partition's own address. */
type Addresses = readonly { readonly host: string; readonly port: number }[]

async function measured(pids: readonly number[], work: () => Promise<unknown>): Promise<Figures> {
  await procs.quiet(5)
  const [brokers, own, startedAt] = [
    procs.cpuSeconds(pids),
    process.cpuUsage(),
    performance.now(),
  ] as const
  await work()
  const seconds = (performance.now() - startedAt) / 1000
  const { user, system } = process.cpuUsage(own)
  return {
    mbPerSecond: totalBytes / 1e6 / seconds,
    cpuPerGb: (procs.cpuSeconds(pids) - brokers) / (totalBytes / 1e9),
    clientCpuPerGb: (user + system) / 1e6 / (totalBytes / 1e9),
  }
}

/** Five requests under way for each partition, on a connection of its own. */
async function produce(addresses: Addresses, count = batchesEach): Promise<void> {
  const lanes = addresses.map(async ({ host, port }, partition) => {
    const { Wire, produceRequest } = wire
    const connection = await Wire.connect(host, port)
    const frame = produceRequest(topic, partition, batch)
    let left = count
    const lane = async () => {
      while (left-- > 0) await connection.produce(frame)
    }
    await Promise.all(Array.from({ length: inFlight }, lane))
    connection.socket.destroy()
  })
  await Promise.all(lanes)
}

/** Two requests under way for each partition, whole batches each. */
async function consume(addresses: Addresses): Promise<void> {
  const inAnswer = Math.floor(fetchBytes / batch.length)
  const lanes = addresses.map(async ({ host, port }, partition) => {
    const drain = await wire.Drain.connect(port, host)
    let at = 0
    const lane = async () => {
      while (at < batchesEach) {
        const count = Math.min(inAnswer, batchesEach - at)
        const offset = at * recordsInBatch
        at += count
        const bytes = count * batch.length
        const got = await drain.send(wire.fetchRequest(topic, partition, offset, bytes))
        if (got < bytes) throw new Error(`an answer of ${got} bytes, not ${bytes}`)
      }
    }
    await Promise.all([lane(), lane()])
    drain.socket.destroy()
  })
  await Promise.all(lanes)
}

async function startBrokers(
  directory: string,
  count: number,
  store: string,
): Promise<{ readonly bootstrap: string; readonly servers: ServerProcess[] }> {
  const net = new Loopback()
  const ports: number[] = []
  const servers: ServerProcess[] = []
  for (let id = 1; id <= count; id++) {
    const port = await freePort()
    const settings = {
      'node.id': id,
      'metadata.store': store,
      listeners: `PLAINTEXT://127.0.0.1:${port}`,
      'log.dirs': join(directory, `b${id}`),
      'default.replication.factor': 1,
    }
    const words = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])
    const command = [process.execPath, values.bin, 'start', ...words]
    const log = join(directory, `b${id}.log`)
    const server = new ServerProcess(net, net.place(`b${id}`), `broker ${id}`, command, log)
    server.spawn()
    servers.push(server)
    ports.push(port)
  }
  for (const endMs = performance.now() + startDeadlineMs; ; await delay(20)) {
    const there = await Promise.all(ports.map(isTaken))
    if (there.every(Boolean)) break
    if (performance.now() > endMs) throw new Error('the brokers do not start')
  }
  return { bootstrap: ports.map(port => `127.0.0.1:${port}`).join(','), servers }
}

/** Where each partition is led; throws when the brokers do not share them. */
async function leadersOf(bootstrap: string, brokers: number): Promise<Addresses> {
  await using client = new Client({ bootstrap })
  const admin = client.admin()
  const described = orThrow(await admin.describeTopics([topic]))[0]!
  const places = (await admin.describeCluster()).brokers
  const leaders = described.partitions.map(({ leader }) => leader)
  if (new Set(leaders).size !== brokers) throw new Error(`leaders are ${leaders.join(', ')}`)
  return leaders.map(id => places.find(({ brokerId }) => brokerId === id)!)
}

async function turn(brokers: number): Promise<Turn> {
  const directory = mkdtempSync(join(tmpdir(), 'ottla-bench-per-core-'))
  const etcd = await LiveEtcd.start()
  let servers: ServerProcess[] = []
  try {
    const started = await startBrokers(directory, brokers, etcd.url)
    servers = started.servers
    const pids = servers.map(({ pid }) => pid!)
    const { bootstrap } = started
    await createTopics(bootstrap, [{ topic, partitions: partitions!, replicationFactor: 1 }])
    const addresses = await leadersOf(bootstrap, brokers)
    procs.claimMemory(totalBytes)
    // Compiled and warm; what this writes comes first in the log, and is read as well as the rest.
    await produce(addresses, Math.ceil(batchesEach / 10))
    const produced = await measured(pids, () => produce(addresses))
    const consumed = await measured(pids, () => consume(addresses))
    return { produce: produced, consume: consumed }
  } finally {
    await Promise.all(servers.map(server => server.kill()))
    await etcd.remove()
    rmSync(directory, { recursive: true, force: true })
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  return sorted.length % 2 === 1
    ? sorted[Math.floor(middle)]!
    : (sorted[middle - 1]! + sorted[middle]!) / 2
}

const figures = [
  ['MB/s', 'mbPerSecond'],
  ['brokers’ CPU s/GB', 'cpuPerGb'],
  ['client’s CPU s/GB', 'clientCpuPerGb'],
] as const

function print(ones: readonly Turn[], twos: readonly Turn[]): void {
  console.log('| work | figure | one broker | two brokers | ratio | range |')
  console.log('|---|---|--:|--:|--:|--:|')
  for (const work of ['produce', 'consume'] as const) {
    for (const [title, figure] of figures) {
      const [one, two] = [ones, twos].map(turns => turns.map(each => each[work][figure]))
      const ratios = one!.map((value, index) => two![index]! / value)
      const digits = figure === 'mbPerSecond' ? 0 : 2
      const cells = [
        ...[median(one!), median(two!)].map(each => each.toFixed(digits)),
        median(ratios).toFixed(2),
        `${Math.min(...ratios).toFixed(2)}–${Math.max(...ratios).toFixed(2)}`,
      ]
      console.log(`| ${work} | ${title} | ${cells.join(' | ')} |`)
    }
  }
}

process.setMaxListeners(0) // one for each process
// Whoever was started is taken away when the process exits.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
const ones: Turn[] = []
const twos: Turn[] = []
for (let round = 0; round < rounds!; round++) {
  ones.push(await turn(1))
  twos.push(await turn(2))
  console.error(`round ${round + 1} of ${rounds}`)
}
print(ones, twos)
