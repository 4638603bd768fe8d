/**
 * Three brokers of Ottla beside three of Apache Kafka: node bench/cluster/compare.ts [options of ../shared/bench/compare]
 *
 * Replication factor 3, acks=all, min.insync.replicas=2, all on loopback, everything else by default.
 * Ottla's brokers stand on one member of etcd, whose CPU is told of at the end: Kafka's brokers keep
 * their metadata themselves. BENCH names another folder than ../shared/bench.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../src/cli/cluster-etcd.ts'
import { Loopback } from '../../test/cluster/loopback.ts'
import { ServerProcess } from '../../test/cluster/server-process.ts'
import { createTopics } from '../../test/cluster/topics.ts'
import { LiveEtcd } from '../../test/live-etcd.ts'

const bench = process.env['BENCH'] ?? join(import.meta.dirname, '../../../shared/bench')
const bin = join(import.meta.dirname, '../../src/bin.js')
/** What Linux counts CPU time in. */
const ticksPerSecond = 100

async function startOttla(etcd: LiveEtcd, directory: string): Promise<[string, ServerProcess[]]> {
  const net = new Loopback()
  const addresses: string[] = []
  const servers: ServerProcess[] = []
  for (const id of [1, 2, 3]) {
    const address = `127.0.0.1:${await freePort()}`
    const settings = {
      'broker.id': String(id),
      'metadata.store': etcd.url,
      listeners: `PLAINTEXT://${address}`,
      'log.dirs': join(directory, `b${id}`),
    }
    const words = Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`])
    const command = [process.execPath, bin, 'start', ...words]
    const log = join(directory, `b${id}.log`)
    const server = new ServerProcess(net, net.place(`b${id}`), `broker ${id}`, command, log)
    server.spawn()
    servers.push(server)
    addresses.push(address)
  }
  const bootstrap = addresses.join(',')
  await createTopics(bootstrap, [{ topic: 'ready', partitions: 1, replicationFactor: 3 }])
  return [bootstrap, servers]
}

function cpuSeconds(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond
}

const directory = mkdtempSync(join(tmpdir(), 'ottla-bench-cluster-'))
process.setMaxListeners(0)
const etcd = await LiveEtcd.start()
const kafkaPort = String(await freePort())
let servers: ServerProcess[] = []
try {
  const [bootstrap, started] = await startOttla(etcd, directory)
  servers = started
  const kafka = execFileSync(join(bench, 'kafka-start'), ['3', kafkaPort], { encoding: 'utf8' })
  const nodes = [...kafka.matchAll(/pid (\d+) (\S+)/g)]
  const child = spawn(
    join(bench, 'compare'),
    [
      ...[bootstrap, servers.map(({ pid }) => pid).join(',')],
      ...[nodes.map(each => each[2]).join(','), nodes.map(each => each[1]).join(',')],
      ...['--rf', '3', '--a-label', 'ottla', '--b-label', 'kafka', ...process.argv.slice(2)],
    ],
    { stdio: 'inherit' },
  )
  // Then this one goes on, and takes everything away.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => child.kill(signal))
  const [status] = await once(child, 'exit')
  console.log(`etcd: ${cpuSeconds(etcd.members[0]!.pid).toFixed(1)} s of CPU in all`)
  process.exitCode = status ?? 1
} finally {
  spawnSync(join(bench, 'kafka-stop'), [kafkaPort, '--purge'], { stdio: 'ignore' })
  await Promise.all(servers.map(server => server.kill()))
  await etcd.remove()
  rmSync(directory, { recursive: true, force: true })
}
