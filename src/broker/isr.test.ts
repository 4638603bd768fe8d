/** In-sync replicas of real brokers: who is cut off leaves, who comes back joins. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cluster } from '../client/cluster.ts'
import { createTopics } from '../client/topics.ts'
import { codecs, keys } from '../cluster/keys.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { clientOf, hostOf, startBrokers, until } from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'

const topic = 'words'
const lag = { 'replica.lag.time.max.ms': '2000' }

async function create(cluster: Cluster, minIsr: number): Promise<string> {
  const configs = new Map([['min.insync.replicas', String(minIsr)]])
  await createTopics(cluster, [{ name: topic, partitions: 1, replicationFactor: 3, configs }])
  const { topics } = await cluster.metadata([topic])
  return topics[0]!.topicId
}

/** Ids in the store, the leader first. */
async function isrOf(world: World, topicId: string): Promise<number[]> {
  const { entries } = await world.store('client').get({ key: keys.partition(topicId, 0) })
  const { leader, isr } = codecs.partition.decode(entries[0]!.value)
  const ids = isr.map(([id]) => id)
  return [leader![0], ...ids.filter(id => id !== leader![0]).sort()]
}

/** Resolves to how long the acknowledgement took. */
async function produce(world: World, cluster: Cluster, acks: 1 | -1 = -1): Promise<number> {
  const { clock } = world.io('client')
  const startMs = clock.monotonicMs()
  const records = buildBatch({}, [{ timestamp: 1000, value: 'a' }])
  const [result] = await cluster.produce([{ topic, partition: 0, records }], { acks })
  if (result instanceof Error) throw result
  return clock.monotonicMs() - startMs
}

function cutBetween(world: World, a: number, b: number): void {
  world.network.cut(hostOf(a), hostOf(b))
  world.network.cut(hostOf(b), hostOf(a))
}

test('a follower that is cut off from its leader leaves the ISR, and joins again when it has caught up', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 3, lag)
    const cluster = clientOf(world, [1, 2, 3])
    const topicId = await create(cluster, 2)
    assert.ok((await produce(world, cluster)) < 1000)
    const [leader, near, far] = await isrOf(world, topicId)
    cutBetween(world, leader!, far!)
    const waitedMs = await produce(world, cluster)
    assert.ok(waitedMs > 1000 && waitedMs < 4000, `${waitedMs} ms`)
    assert.deepEqual(await isrOf(world, topicId), [leader, near])
    assert.ok((await produce(world, cluster)) < 1000, 'nobody waits for it any more')

    world.network.heal()
    let isr: number[] = []
    await until(world, () => {
      void isrOf(world, topicId).then(ids => {
        isr = ids
      })
      return isr.length === 3
    })
    assert.ok((await produce(world, cluster)) < 1000)
    cluster.close()
    for (const broker of brokers) await broker.close()
  }))

test('below min.insync.replicas nothing is acknowledged by all, and all is once the ISR is large enough', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 3, lag)
    const cluster = clientOf(world, [1, 2, 3])
    const topicId = await create(cluster, 2)
    await produce(world, cluster)
    const [leader, ...followers] = await isrOf(world, topicId)
    for (const follower of followers) cutBetween(world, leader!, follower)
    await produce(world, cluster, 1)
    await world.sleep(5000)
    assert.deepEqual(await isrOf(world, topicId), [leader])
    let isAcknowledged = false
    const produced = produce(world, cluster).then(() => {
      isAcknowledged = true
    })
    await world.sleep(5000)
    assert.equal(isAcknowledged, false)
    world.network.heal()
    await produced
    assert.ok((await isrOf(world, topicId)).length >= 2)
    cluster.close()
    for (const broker of brokers) await broker.close()
  }))
