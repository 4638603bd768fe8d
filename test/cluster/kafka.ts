/** Brokers of Apache Kafka, each also a controller (KRaft), from what ../shared/bench/kafka-setup got. */
import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '../../src/cli/cluster-etcd.ts'
import { BrokerDisk } from './disk.ts'
import { ServerProcess } from './server-process.ts'
import {
  type BrokerNode,
  brokerPort,
  diskBytes,
  type System,
  type SystemOptions,
} from './system.ts'

const state = process.env['OTTLA_BENCH_DIR'] ?? join(homedir(), '.cache/ottla-bench')
/** What the distribution's own scripts pass, with a smaller heap: three run on one machine. */
const java = [
  ...['java', '-server', '-Xmx1G', '-Xms1G', '-XX:+UseG1GC', '-XX:MaxGCPauseMillis=20'],
  ...['-XX:InitiatingHeapOccupancyPercent=35', '-XX:+ExplicitGCInvokesConcurrent'],
  ...['-Djava.awt.headless=true', `-Dlog4j2.configurationFile=${state}/broker-log4j2.properties`],
  ...['-cp', `${state}/libs/*`],
]

export async function startKafka(options: SystemOptions): Promise<System> {
  const { directory, net, brokers: count, replication, settings } = options
  const clusterId = randomBytes(16).toString('base64url')
  const ids = Array.from({ length: count }, (_, index) => index + 1)
  const nodes = []
  for (const id of ids) {
    const place = net.place(`b${id}`)
    const local = place.within.length === 0
    const listen = `${place.host}:${local ? await freePort() : brokerPort}`
    const control = `${place.host}:${local ? await freePort() : brokerPort + 1}`
    const [address, voter] = [await net.front(place, listen), await net.front(place, control)]
    nodes.push({ id, place, listen, control, address, voter })
  }
  const voters = nodes.map(({ id, voter }) => `${id}@${voter}`).join(',')
  const minIsr = String(Math.min(2, replication))
  const brokers = nodes.map(({ id, place, listen, control, address }): BrokerNode => {
    const disk = new BrokerDisk(join(directory, `b${id}`), diskBytes)
    const properties = {
      'process.roles': 'broker,controller',
      'node.id': String(id),
      'controller.quorum.voters': voters,
      listeners: `PLAINTEXT://${listen},CONTROLLER://${control}`,
      'advertised.listeners': `PLAINTEXT://${address}`,
      'controller.listener.names': 'CONTROLLER',
      'listener.security.protocol.map': 'CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT',
      'log.dirs': join(disk.directory, 'data'),
      'default.replication.factor': String(replication),
      'min.insync.replicas': minIsr,
      'offsets.topic.replication.factor': String(replication),
      'transaction.state.log.replication.factor': String(replication),
      'transaction.state.log.min.isr': minIsr,
      'share.coordinator.state.topic.replication.factor': String(replication),
      'share.coordinator.state.topic.min.isr': minIsr,
      ...settings,
    }
    mkdirSync(join(disk.directory, 'data'), { recursive: true })
    const file = join(directory, `b${id}.properties`)
    const lines = Object.entries(properties).map(([key, value]) => `${key}=${value}\n`)
    writeFileSync(file, lines.join(''))
    const format = ['kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file]
    const [command = '', ...words] = [...java, ...format]
    execFileSync(command, words, { stdio: ['ignore', 'ignore', 'inherit'] })
    const logFile = join(directory, `b${id}.log`)
    const run = [...java, 'kafka.Kafka', file]
    const server = new ServerProcess(net, place, `broker ${id}`, run, logFile)
    return { id, address, disk, server }
  })
  for (const { server } of brokers) server.spawn()
  return {
    label: 'kafka',
    net,
    brokers,
    etcd: undefined,
    etcdPlaces: [],
    endsWithFullDisk: true,
    async remove() {
      await Promise.all(brokers.map(({ server }) => server.kill()))
      for (const { disk } of brokers) disk.remove()
    },
  }
}
