import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cluster } from '../client/cluster.ts'
import { createTopics } from '../client/topics.ts'
import { batches } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { clientOf, hostOf, startBroker, startBrokers } from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'

const topic = 'words'

function batchOf(...values: string[]): Uint8Array {
  return buildBatch(
    {},
    values.map(value => ({ timestamp: 1_767_225_600_000, value })),
  )
}

async function create(cluster: Cluster, configs: Record<string, string> = {}): Promise<void> {
  await createTopics(cluster, [
    { name: topic, partitions: 1, replicationFactor: 3, configs: new Map(Object.entries(configs)) },
  ])
}

/** Acknowledged by all; tried until it is. */
async function produce(cluster: Cluster, ...values: string[]): Promise<void> {
  const [result] = await cluster.produce([{ topic, partition: 0, records: batchOf(...values) }], {
    acks: -1,
  })
  if (result instanceof Error) throw result
}

/** What lies in the first segment of a broker's replica. */
async function valuesOn(world: World, brokerId: number): Promise<string[]> {
  const path = `/data/${topic}-0/00000000000000000000.log`
  const bytes = await world.io(hostOf(brokerId)).disk.readFile(path, 1e9)
  return [...batches(bytes ?? new Uint8Array(0))].flatMap(batch =>
    [...recordsOf(batch, 1e6)].map(({ value }) => Buffer.from(value!).toString()),
  )
}

test('what acks=all acknowledged is on all three brokers', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 3)
    const cluster = clientOf(world, [1])
    await create(cluster)
    for (let index = 0; index < 20; index++) await produce(cluster, `${index}`)
    const expected = Array.from({ length: 20 }, (_, index) => `${index}`)
    for (const id of [1, 2, 3])
      assert.deepEqual(await valuesOn(world, id), expected, `broker ${id}`)
    cluster.close()
    for (const broker of brokers) await broker.close()
  }))

test('another replica leads where one was killed, with all of it, and the killed one catches up', () =>
  simulated().run(async world => {
    await startBrokers(world, 3, { 'broker.session.timeout.ms': '2000' })
    const cluster = clientOf(world, [1, 2, 3])
    await create(cluster, { 'min.insync.replicas': '2' })
    await produce(cluster, 'a', 'b')
    world.kill(hostOf(1))
    await produce(cluster, 'c')
    world.kill(hostOf(2))
    await startBroker(world, 1)
    await produce(cluster, 'd')
    await startBroker(world, 2)
    await world.sleep(5000)
    for (const id of [1, 2, 3]) {
      assert.deepEqual(await valuesOn(world, id), ['a', 'b', 'c', 'd'], `broker ${id}`)
    }
    cluster.close()
  }))

test('a leader whose disk is full makes way for a broker that has room, and follows it later', () =>
  simulated().run(async world => {
    await startBrokers(world, 3)
    const cluster = clientOf(world, [1, 2, 3])
    await create(cluster, { 'min.insync.replicas': '2' })
    await produce(cluster, 'a')
    await world.sleep(20_000)
    const { topics } = await cluster.metadata()
    const [partition] = topics.find(({ name }) => name === topic)!.partitions
    const leader = partition!.leaderId
    const disk = world.disk(hostOf(leader))
    disk.fault = (operation, path) =>
      operation === 'write' && path.endsWith('.log') ? 'ENOSPC' : undefined
    const fromMs = world.nowMs
    await produce(cluster, 'b')
    assert.ok(world.nowMs - fromMs < 5000, `written after ${world.nowMs - fromMs} ms`)
    await produce(cluster, 'c')
    assert.deepEqual(await valuesOn(world, leader), ['a'])
    disk.fault = undefined
    await world.sleep(5000)
    for (const id of [1, 2, 3]) {
      assert.deepEqual(await valuesOn(world, id), ['a', 'b', 'c'], `broker ${id}`)
    }
    cluster.close()
  }))

test('a new topic whose leader has no room for it is led by another, and copied when there is room', () =>
  simulated().run(async world => {
    await startBrokers(world, 3)
    const cluster = clientOf(world, [1, 2, 3])
    for (const id of [1, 2, 3]) {
      world.disk(hostOf(id)).fault = (operation, path) =>
        operation === 'write' && path.includes(`/${topic}-0`) ? 'ENOSPC' : undefined
    }
    await create(cluster, { 'min.insync.replicas': '2' })
    const { topics } = await cluster.metadata()
    const leader = topics.find(({ name }) => name === topic)!.partitions[0]!.leaderId
    for (const id of [1, 2, 3].filter(other => other !== leader)) {
      world.disk(hostOf(id)).fault = undefined
    }
    await world.sleep(25_000)
    await produce(cluster, 'a')
    world.disk(hostOf(leader)).fault = undefined
    await world.sleep(10_000)
    for (const id of [1, 2, 3]) assert.deepEqual(await valuesOn(world, id), ['a'], `broker ${id}`)
    cluster.close()
  }))

test('a follower that a start finds damaged leaves the ISR, is copied anew from there, and comes back', () =>
  simulated().run(async world => {
    await startBrokers(world, 3, { 'broker.session.timeout.ms': '2000' })
    const cluster = clientOf(world, [1, 2, 3])
    await create(cluster, { 'min.insync.replicas': '2' })
    const values = Array.from({ length: 10 }, (_, index) => `${index}`)
    for (const value of values) await produce(cluster, value)
    world.kill(hostOf(3))
    const path = `/data/${topic}-0/00000000000000000000.log`
    const size = (await world.io(hostOf(3)).disk.stat(path))!.size
    world.kill(hostOf(3))
    world.disk(hostOf(3)).flip(path, Math.floor(size / 2) + 5)
    await startBroker(world, 3)
    await produce(cluster, 'more')
    await world.sleep(5000)
    assert.deepEqual(await valuesOn(world, 3), [...values, 'more'])
    assert.ok(world.reported.some(({ message }) => /cut where it is damaged/.test(message)))
    const isWhole = await world.io(hostOf(3)).disk.readFile(path, 1e9)
    assert.deepEqual(isWhole, await world.io(hostOf(1)).disk.readFile(path, 1e9))
    // Alone with it, the second one is enough: it is back in the ISR.
    world.kill(hostOf(1))
    await produce(cluster, 'last')
    cluster.close()
  }))
