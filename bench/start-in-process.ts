/**
 * Brokers in the process of a test: node --expose-gc bench/start-in-process.ts [--storage memory]
 *
 * One after the other: how long `Broker.start` takes, with three partitions of a topic, how long until
 * a first client has the cluster's metadata, and how long `close` takes while it is connected. Then
 * many at once: the memory that each takes, and what is left when all are closed. Nothing else may
 * run meanwhile.
 */
import { parseArgs } from 'node:util'
import { Broker, type BrokerOptions } from '../src/broker/broker.ts'
import { Cluster } from '../src/client/cluster.ts'
import { nodeIo } from '../src/io/node.ts'

const { values } = parseArgs({
  options: {
    storage: { type: 'string', default: 'memory' },
    starts: { type: 'string', default: '100' },
    alive: { type: 'string', default: '200' },
  },
})
const storage = values.storage as NonNullable<BrokerOptions['storage']>
const options: BrokerOptions = { storage, topics: { orders: { partitions: 3 } } }
const io = nodeIo()
const { gc } = globalThis
if (gc === undefined) throw new Error('node --expose-gc bench/start-in-process.ts')

function line(name: string, times: readonly number[]): void {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number) => sorted[Math.ceil(share * sorted.length) - 1]!.toFixed(2)
  console.log(`${name.padEnd(16)} median ${at(0.5)} ms  p99 ${at(0.99)} ms  max ${at(1)} ms`)
}

const mib = (bytes: number) => `${(bytes / 2 ** 20).toFixed(1)} MiB`
const kib = (bytes: number) => `${(bytes / 2 ** 10).toFixed(0)} KiB`

async function quiet(): Promise<NodeJS.MemoryUsage> {
  await new Promise(resolve => setTimeout(resolve, 50))
  for (let round = 0; round < 3; round++) {
    gc!()
    await new Promise(resolve => setImmediate(resolve))
  }
  return process.memoryUsage()
}

async function connected(broker: Broker): Promise<Cluster> {
  const cluster = new Cluster(io, { bootstrap: [broker.address] })
  await cluster.metadata(['orders'])
  return cluster
}

async function oneAfterTheOther(count: number): Promise<void> {
  const starts: number[] = []
  const clients: number[] = []
  const closes: number[] = []
  for (let index = 0; index < count; index++) {
    const beginMs = performance.now()
    const broker = await Broker.start(options)
    const startedMs = performance.now()
    const cluster = await connected(broker)
    const connectedMs = performance.now()
    await broker.close()
    closes.push(performance.now() - connectedMs)
    starts.push(startedMs - beginMs)
    clients.push(connectedMs - startedMs)
    cluster.close()
  }
  console.log(`${count} brokers, one after the other, storage ${storage}`)
  console.log(`  ${'first start'.padEnd(14)} ${starts[0]!.toFixed(2)} ms`)
  line('  start', starts)
  line('  first client', clients)
  line('  close', closes)
}

async function allAtOnce(count: number): Promise<void> {
  const before = await quiet()
  const handlesBefore = process.getActiveResourcesInfo().toSorted().join(' ')
  const beginMs = performance.now()
  const brokers = await Promise.all(Array.from({ length: count }, () => Broker.start(options)))
  const startedMs = performance.now() - beginMs
  const alive = await quiet()
  const clients = await Promise.all(brokers.map(connected))
  const withClients = await quiet()
  const closingMs = performance.now()
  await Promise.all(brokers.map(broker => broker.close()))
  const closedMs = performance.now() - closingMs
  for (const cluster of clients) cluster.close()
  brokers.length = 0
  clients.length = 0
  const after = await quiet()
  const handlesAfter = process.getActiveResourcesInfo().toSorted().join(' ')
  const each = (usage: NodeJS.MemoryUsage, field: 'heapUsed' | 'rss' | 'arrayBuffers') =>
    kib((usage[field] - before[field]) / count)
  console.log(
    `${count} brokers at once: started in ${startedMs.toFixed(0)} ms, closed in ${closedMs.toFixed(0)} ms`,
  )
  console.log(
    `  each           heap ${each(alive, 'heapUsed')}, buffers ${each(alive, 'arrayBuffers')}, resident ${each(alive, 'rss')}`,
  )
  console.log(
    `  with a client  heap ${each(withClients, 'heapUsed')}, buffers ${each(withClients, 'arrayBuffers')}, resident ${each(withClients, 'rss')}`,
  )
  console.log(`  heap           before ${mib(before.heapUsed)}, after ${mib(after.heapUsed)}`)
  console.log(`  handles        before [${handlesBefore}], after [${handlesAfter}]`)
}

await oneAfterTheOther(Number(values.starts))
await allAtOnce(Number(values.alive))
