/** Several brokers on one metadata store, in a simulated world: for tests. */

import { Broker } from '../broker/broker.ts'
import { Cluster, type ClusterOptions } from '../client/cluster.ts'
import { Connection } from '../client/connection.ts'
import type { World } from './world.ts'

const port = 9092
const patienceMs = 60_000

/** Name of the machine of a broker. */
export function hostOf(brokerId: number): string {
  return `b${brokerId}`
}

/** Starts broker `brokerId` on its machine, a further time if need be. */
export function startBroker(
  world: World,
  brokerId: number,
  properties: Readonly<Record<string, string>> = {},
): Promise<Broker> {
  const host = hostOf(brokerId)
  return Broker.start({
    io: world.io(host),
    store: world.store(host),
    properties: {
      listeners: `PLAINTEXT://${host}:${port}`,
      'log.dirs': '/data',
      'node.id': String(brokerId),
      'offsets.topic.num.partitions': '4',
      'offsets.topic.replication.factor': '1',
      ...properties,
    },
  })
}

/** One after the other: the first becomes the controller. */
export async function startBrokers(
  world: World,
  count: number,
  properties: Readonly<Record<string, string>> = {},
): Promise<Broker[]> {
  const brokers: Broker[] = []
  for (let id = 1; id <= count; id++) brokers.push(await startBroker(world, id, properties))
  return brokers
}

/** A client on a machine of its own that begins at some of the brokers. */
export function clientOf(
  world: World,
  brokerIds: readonly number[],
  options: Partial<ClusterOptions> = {},
): Cluster {
  const bootstrap = brokerIds.map(brokerId => ({ host: hostOf(brokerId), port }))
  return new Cluster(world.io('client'), { bootstrap, timeoutMs: 30_000, ...options })
}

/** One connection to one broker: what is asked there goes nowhere else. */
export function connectTo(world: World, brokerId: number, at = port): Promise<Connection> {
  const io = world.io('client')
  const deadlineMs = late(world)
  return Connection.open(io, { host: hostOf(brokerId), port: at, clientId: 'client', deadlineMs })
}

/** A deadline that is far away. */
export function late(world: World): number {
  return world.io('client').clock.monotonicMs() + patienceMs
}

/** Resolves when `isTrue` holds; looks every five milliseconds, for a minute. */
export async function until(world: World, isTrue: () => boolean): Promise<void> {
  for (let waitedMs = 0; !isTrue(); waitedMs += 5) {
    if (waitedMs > patienceMs) throw new Error('waited for a minute')
    await world.sleep(5)
  }
}
