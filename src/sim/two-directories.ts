/** What tests of brokers with several data directories share: a broker on /a and /b, and a client. */

import { Broker } from '../broker/broker.ts'
import { Cluster } from '../client/cluster.ts'
import {
  alterReplicaLogDirsRequest,
  alterReplicaLogDirsResponse,
} from '../protocol/messages/alter-replica-log-dirs.ts'
import {
  describeLogDirsRequest,
  describeLogDirsResponse,
} from '../protocol/messages/describe-log-dirs.ts'
import { batches } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import type { World } from './world.ts'

/** Name of the machine. */
export const host = 'broker'
/** Where the broker listens. */
export const port = 9092
/** The topic of all of them. */
export const topic = 'orders'

/** Lines of report that brokers of a test wrote. */
export type Lines = string[]

/** A broker with these properties besides; what it reports goes into `lines`. */
export function start(
  world: World,
  more: Record<string, string> = {},
  lines: Lines = [],
): Promise<Broker> {
  const line = (_: unknown, message: string) => void lines.push(message)
  const report = { info: line, warn: line, error: line }
  const properties = {
    listeners: `PLAINTEXT://${host}:${port}`,
    'log.dirs': '/a,/b',
    'offsets.topic.num.partitions': '1',
    ...more,
  }
  return Broker.start({ io: { ...world.io(host), report }, properties })
}

/** A client that gives up soon. */
export function client(world: World, timeoutMs = 2000): Cluster {
  return new Cluster(world.io('client'), { bootstrap: [{ host, port }], timeoutMs })
}

/** Answers the offset. */
export async function produce(cluster: Cluster, partition: number, value: string): Promise<number> {
  const records = buildBatch({}, [{ value, timestamp: 1_767_225_600_000 }])
  const [result] = await cluster.produce([{ topic, partition, records }], { acks: -1 })
  if (result === undefined || result instanceof Error) throw result
  return result.baseOffset
}

/** All values of a partition. */
export async function consume(cluster: Cluster, partition: number): Promise<string[]> {
  const [result] = await cluster.fetch([{ topic, partition, offset: 0 }], { maxWaitMs: 0 })
  if (result === undefined || result instanceof Error) throw result
  return valuesOf(result.records)
}

/** The values of some batches. */
export function valuesOf(records: Uint8Array): string[] {
  return [...batches(records)].flatMap(batch =>
    [...recordsOf(batch, 1_000_000)].map(record => Buffer.from(record.value!).toString()),
  )
}

/** What DescribeLogDirs says of the first four partitions; copies on their way apart. */
export async function logDirs(cluster: Cluster) {
  const answer = await cluster.callBroker(
    1,
    describeLogDirsRequest,
    describeLogDirsResponse,
    { topics: [{ topic, partitions: [0, 1, 2, 3] }] },
    ({ errorCode }) => errorCode,
  )
  return answer.results.map(({ logDir, errorCode, topics }) => ({
    logDir,
    errorCode,
    partitions: topics
      .flatMap(({ partitions }) => partitions)
      .filter(({ isFutureKey }) => !isFutureKey)
      .map(({ partitionIndex }) => partitionIndex),
  }))
}

/** Asks for a move; answers the error code. */
export async function move(cluster: Cluster, path: string, index: number, name = topic) {
  const answer = await cluster.callBroker(
    1,
    alterReplicaLogDirsRequest,
    alterReplicaLogDirsResponse,
    { dirs: [{ path, topics: [{ name, partitions: [index] }] }] },
    () => 0,
  )
  return answer.results[0]!.partitions[0]!.errorCode
}
