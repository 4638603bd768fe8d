import assert from 'node:assert/strict'
import { test } from 'node:test'
import { describeCluster } from '../client/admin/brokers.ts'
import { AdminCall } from '../client/admin/call.ts'
import {
  alterPartitionReassignments,
  electLeaders,
  listPartitionReassignments,
  unregisterBroker,
  upgradeFeatures,
} from '../client/admin/reassignments.ts'
import type { Cluster } from '../client/cluster.ts'
import { createTopics } from '../client/topics.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { clientOf, hostOf, startBrokers } from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'

const place = { topic: 'words', partition: 0 }
const call = (cluster: Cluster) => new AdminCall(cluster, 30_000)

async function produce(cluster: Cluster, value: string): Promise<number> {
  const records = buildBatch({}, [{ timestamp: 1_767_225_600_000, value }])
  const [result] = await cluster.produce([{ ...place, records }], { acks: -1 })
  if (result instanceof Error) throw result
  return result!.baseOffset
}

async function partitionOf(cluster: Cluster) {
  const { topics } = await cluster.metadata(['words'])
  return topics[0]!.partitions[0]!
}

/** Brokers that may come back; without asking for them nobody is told. */
async function fencedIn(cluster: Cluster): Promise<number[]> {
  const { brokers } = await describeCluster(cluster, false)
  const all = await describeCluster(cluster, true)
  const fenced = all.brokers.filter(({ isFenced }) => isFenced)
  assert.deepEqual(
    brokers,
    all.brokers.filter(({ isFenced }) => !isFenced),
  )
  for (const { brokerId, host, port } of fenced) {
    assert.deepEqual([host, port], [hostOf(brokerId), 9092])
  }
  return fenced.map(({ brokerId }) => brokerId)
}

async function untilStill(world: World, cluster: Cluster): Promise<void> {
  for (let waits = 0; waits < 60; waits++) {
    if ((await listPartitionReassignments(call(cluster), undefined)).length === 0) return
    await world.sleep(1000)
  }
  assert.fail('a move does not end')
}

test('a partition moves under load from two brokers to two others, and nothing is lost', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 4)
    // A broker that is not the controller has to ask it.
    const cluster = clientOf(world, [1, 2, 3, 4])
    const created = await createTopics(cluster, [
      { name: 'words', partitions: 1, replicationFactor: 2, configs: new Map() },
    ])
    assert.equal(created[0]!.error, undefined)
    const before = (await partitionOf(cluster)).replicaNodes
    const target = [1, 2, 3, 4].filter(id => !before.includes(id))
    const offsets: number[] = []
    for (let index = 0; index < 10; index++) offsets.push(await produce(cluster, `${index}`))
    const [begun] = await alterPartitionReassignments(
      call(cluster),
      [{ ...place, replicas: target }],
      true,
    )
    assert.equal(begun!.error, undefined)
    for (let index = 10; index < 20; index++) offsets.push(await produce(cluster, `${index}`))
    await untilStill(world, cluster)
    const after = await partitionOf(cluster)
    assert.deepEqual(after.replicaNodes, target)
    assert.ok(target.includes(after.leaderId))
    offsets.push(await produce(cluster, 'last'))
    assert.deepEqual(
      offsets,
      offsets.map((_, index) => index),
    )
    await world.sleep(3000)
    for (const id of before) {
      const left = await world.io(hostOf(id)).disk.list('/data')
      assert.ok(!left.some(name => String(name).startsWith('words-0')), `broker ${id}: ${left}`)
    }
    cluster.close()
    for (const broker of brokers) await broker.close()
  }))

test('a broker is emptied, stopped and removed for good', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 3)
    const cluster = clientOf(world, [1, 2, 3])
    await createTopics(cluster, [
      { name: 'words', partitions: 1, replicationFactor: 2, configs: new Map() },
    ])
    await produce(cluster, 'a')
    const { replicaNodes } = await partitionOf(cluster)
    const leaving = replicaNodes[0]!
    const other = [1, 2, 3].find(id => !replicaNodes.includes(id))!
    await assert.rejects(unregisterBroker(call(cluster), leaving), { error: 'INVALID_REQUEST' })
    await assert.rejects(unregisterBroker(call(cluster), 17), {
      error: 'BROKER_ID_NOT_REGISTERED',
    })
    const replicas = [other, replicaNodes[1]!]
    await alterPartitionReassignments(call(cluster), [{ ...place, replicas }], false)
    await untilStill(world, cluster)
    const remaining = clientOf(
      world,
      [1, 2, 3].filter(id => id !== leaving),
    )
    await brokers[leaving - 1]!.close()
    assert.deepEqual(await fencedIn(remaining), [leaving])
    await unregisterBroker(call(remaining), leaving)
    assert.deepEqual(await fencedIn(remaining), [])
    await assert.rejects(unregisterBroker(call(remaining), leaving), {
      error: 'BROKER_ID_NOT_REGISTERED',
    })
    assert.equal(await produce(remaining, 'b'), 1)
    cluster.close()
    remaining.close()
    for (const broker of brokers) await broker.close()
  }))

test('leaders go back to the replicas that are preferred, and levels of features are told', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 2)
    const cluster = clientOf(world, [1, 2])
    await createTopics(cluster, [
      { name: 'words', partitions: 1, replicationFactor: 2, configs: new Map() },
    ])
    const { replicaNodes, leaderId } = await partitionOf(cluster)
    assert.equal(leaderId, replicaNodes[0])
    const replicas = replicaNodes.toReversed()
    await alterPartitionReassignments(call(cluster), [{ ...place, replicas }], true)
    await untilStill(world, cluster)
    assert.deepEqual((await partitionOf(cluster)).replicaNodes, replicas)
    assert.deepEqual(await electLeaders(call(cluster), 'preferred', undefined), [place])
    assert.equal((await partitionOf(cluster)).leaderId, replicas[0])
    const [again] = await electLeaders(call(cluster), 'preferred', [place])
    assert.equal(again!.error!.error, 'ELECTION_NOT_NEEDED')
    await upgradeFeatures(call(cluster), { 'ottla.version': 1 }, false)
    await assert.rejects(upgradeFeatures(call(cluster), { 'ottla.version': 2 }, false), {
      error: 'INVALID_UPDATE_VERSION',
    })
    cluster.close()
    for (const broker of brokers) await broker.close()
  }))
