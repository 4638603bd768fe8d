/**
 * Many partitions, and one of three brokers is killed: how long until each of them takes a write that
 * was sent after that. A write to all partitions at once is what measures it: one request to each
 * leader, sent again for those that were refused.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { bootstrapAddresses } from '../../src/client/bootstrap.ts'
import { Cluster } from '../../src/client/cluster.ts'
import { nodeIo } from '../../src/io/node.ts'
import { buildBatch } from '../../src/protocol/records/build.ts'
import { bootstrapOf, type System } from './system.ts'
import { createTopics } from './topics.ts'

const topic = 'many'
const replicas = 3
const deadlineMs = 300_000
const pollMs = 100

export interface Failover {
  /** A write to all partitions before, ms. */
  readonly calmMs: number
  /** From the kill to the last acknowledgement, ms. */
  readonly writableMs: number
  /** From the new start of that broker until every partition has all replicas in sync, ms. */
  readonly inSyncMs: number
}

/** Kills each broker once. Throws when a partition does not come back within five minutes. */
export async function measureFailover(
  system: System,
  partitions: number,
  say: (what: string) => void,
): Promise<Failover[]> {
  const bootstrap = bootstrapOf(system)
  await createTopics(bootstrap, [{ topic, partitions, replicationFactor: replicas }])
  const cluster = new Cluster(nodeIo(), {
    bootstrap: bootstrapAddresses(bootstrap),
    retryBackoffMs: 10,
    retryBackoffMaxMs: 100,
    connectTimeoutMs: 1000,
  })
  const found: Failover[] = []
  try {
    await inSync(cluster, partitions)
    await write(cluster, partitions)
    for (const { id, server } of system.brokers) {
      const calmMs = await write(cluster, partitions)
      await server.kill()
      const writableMs = await write(cluster, partitions)
      server.spawn()
      const inSyncMs = await inSync(cluster, partitions)
      found.push({ calmMs, writableMs, inSyncMs })
      say(`broker ${id} killed: ${[calmMs, writableMs, inSyncMs].map(ms => ms.toFixed(0))} ms`)
    }
  } finally {
    cluster.close()
  }
  return found
}

/** One record to each partition; answers how long the last took. */
async function write(cluster: Cluster, partitions: number): Promise<number> {
  const startedAt = performance.now()
  const batches = Array.from({ length: partitions }, (_, partition) => ({
    topic,
    partition,
    records: buildBatch({}, [{ timestamp: Date.now(), value: 'x' }]),
  }))
  const answers = await cluster.produce(batches, { acks: -1, timeoutMs: deadlineMs })
  for (const answer of answers) if (answer instanceof Error) throw answer
  return performance.now() - startedAt
}

async function inSync(cluster: Cluster, partitions: number): Promise<number> {
  const startedAt = performance.now()
  for (;;) {
    const { topics } = await cluster.metadata([topic], false)
    const known = topics[0]?.partitions ?? []
    const whole = known.filter(
      ({ isrNodes, leaderId }) => isrNodes.length === replicas && leaderId >= 0,
    )
    if (whole.length === partitions) return performance.now() - startedAt
    if (performance.now() - startedAt > deadlineMs) {
      throw new Error(`${partitions - whole.length} partitions are not in sync`)
    }
    await delay(pollMs)
  }
}
