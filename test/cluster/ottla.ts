/** Brokers of Ottla, and three members of etcd. */
import { join } from 'node:path'
import { freePort } from '../../src/cli/cluster-etcd.ts'
import { LiveEtcd } from '../live-etcd.ts'
import { BrokerDisk } from './disk.ts'
import { ServerProcess } from './server-process.ts'
import {
  type BrokerNode,
  brokerPort,
  diskBytes,
  type System,
  type SystemOptions,
} from './system.ts'

/** `bin`: the program that `node` runs. */
export async function startOttla(
  { directory, net, brokers: count, replication, settings }: SystemOptions,
  bin: string,
): Promise<System> {
  const etcdPlaces = [1, 2, 3].map(number => net.place(`e${number}`))
  const etcd = await LiveEtcd.start({
    members: 3,
    hosts: etcdPlaces.map(({ host }) => host),
    within: index => etcdPlaces[index]!.within,
  })
  const endpoints: string[] = []
  for (const [index, { endpoint, pid }] of etcd.members.entries()) {
    net.claim(etcdPlaces[index]!, pid)
    endpoints.push(await net.front(etcdPlaces[index]!, endpoint))
  }
  const brokers: BrokerNode[] = []
  for (let id = 1; id <= count; id++) {
    const place = net.place(`b${id}`)
    const local = place.within.length === 0
    const listen = `${place.host}:${local ? await freePort() : brokerPort}`
    const address = await net.front(place, listen)
    const disk = new BrokerDisk(join(directory, `b${id}`), diskBytes)
    const all = {
      'broker.id': String(id),
      'metadata.store': `etcd://${endpoints.join(',')}`,
      listeners: `PLAINTEXT://${listen}`,
      'advertised.listeners': `PLAINTEXT://${address}`,
      'log.dirs': join(disk.directory, 'data'),
      'default.replication.factor': String(replication),
      'min.insync.replicas': String(Math.min(2, replication)),
      ...settings,
    }
    const words = Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${value}`])
    const command = [process.execPath, bin, 'start', ...words]
    const logFile = join(directory, `b${id}.log`)
    brokers.push({
      id,
      address,
      disk,
      server: new ServerProcess(net, place, `broker ${id}`, command, logFile),
    })
  }
  for (const { server } of brokers) server.spawn()
  return {
    label: 'ottla',
    net,
    brokers,
    etcd,
    etcdPlaces,
    endsWithFullDisk: false,
    async remove() {
      await Promise.all(brokers.map(({ server }) => server.kill()))
      await etcd.remove()
      for (const { disk } of brokers) disk.remove()
    },
  }
}
