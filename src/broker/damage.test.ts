import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Cluster } from '../client/cluster.ts'
import { createTopics } from '../client/topics.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { clientOf, hostOf, startBrokers } from '../sim/several-brokers.ts'
import { simulated, type World } from '../sim/world.ts'

const topic = 'words'
const ids = [1, 2, 3]
const first = `/data/${topic}-0/00000000000000000000.log`

/** Segments of two batches each, on so many brokers. */
async function fill(cluster: Cluster, replicationFactor: number): Promise<void> {
  const configs = new Map([
    ['segment.bytes', '1048576'],
    ['min.insync.replicas', String(Math.min(2, replicationFactor))],
  ])
  await createTopics(cluster, [{ name: topic, partitions: 1, replicationFactor, configs }])
  for (const letter of ['a', 'b', 'c', 'd', 'e']) await produce(cluster, letter.repeat(400_000))
}

async function produce(cluster: Cluster, value: string): Promise<void> {
  const records = buildBatch({}, [{ timestamp: 1_767_225_600_000, value }])
  const [result] = await cluster.produce([{ topic, partition: 0, records }], { acks: -1 })
  if (result instanceof Error) throw result
}

async function stateOf(cluster: Cluster) {
  const { topics } = await cluster.metadata()
  const { leaderId, isrNodes } = topics.find(({ name }) => name === topic)!.partitions[0]!
  return { leaderId, isr: [...isrNodes].sort() }
}

/** All files of records of a broker's replica, one after the other. */
async function bytesOn(world: World, brokerId: number): Promise<Buffer> {
  const { disk } = world.io(hostOf(brokerId))
  const names = (await disk.list(`/data/${topic}-0`)).map(({ name }) => name)
  const logs = names.filter(name => name.endsWith('.log')).sort()
  const parts = logs.map(name => disk.readFile(`/data/${topic}-0/${name}`, 1e9))
  return Buffer.concat((await Promise.all(parts)).map(part => part ?? new Uint8Array(0)))
}

function isrChangesOf(world: World): string[] {
  return world.reported
    .filter(({ message }) => message === 'the ISR changed')
    .map(({ fields }) => String(fields['isr']))
}

test('a follower whose scrubber finds damage leaves the ISR, fetches it again, and comes back', () =>
  simulated().run(async world => {
    await startBrokers(world, 3)
    const cluster = clientOf(world, ids)
    await fill(cluster, 3)
    const { leaderId, isr } = await stateOf(cluster)
    assert.deepEqual(isr, ids)
    const follower = ids.find(id => id !== leaderId)!
    const before = isrChangesOf(world).length
    world.disk(hostOf(follower)).flip(first, 500_000)
    await world.sleep(90_000)
    await produce(cluster, 'more')
    await world.sleep(1000)
    assert.equal(isrChangesOf(world).length, before + 1, 'it joined once more')
    assert.deepEqual(await stateOf(cluster), { leaderId, isr: ids })
    for (const id of ids) {
      assert.deepEqual(await bytesOn(world, id), await bytesOn(world, leaderId), `broker ${id}`)
    }
    cluster.close()
  }))

test('a leader whose scrubber finds damage leads no more, and has what the others have soon', () =>
  simulated().run(async world => {
    await startBrokers(world, 3, { 'auto.leader.rebalance.enable': 'false' })
    const cluster = clientOf(world, ids)
    await fill(cluster, 3)
    const { leaderId } = await stateOf(cluster)
    const other = ids.find(id => id !== leaderId)!
    const whole = await bytesOn(world, other)
    world.disk(hostOf(leaderId)).flip(first, 500_000)
    await world.sleep(90_000)
    const after = await stateOf(cluster)
    assert.notEqual(after.leaderId, leaderId)
    assert.deepEqual(after.isr, ids)
    for (const id of ids) assert.deepEqual(await bytesOn(world, id), whole, `broker ${id}`)
    cluster.close()
  }))

test('a sole replica goes on around its damage, which it does not serve', () =>
  simulated().run(async world => {
    const brokers = await startBrokers(world, 1)
    const cluster = clientOf(world, [1])
    await fill(cluster, 1)
    world.disk(hostOf(1)).flip(first, 500_000)
    await world.sleep(90_000)
    assert.deepEqual((await stateOf(cluster)).isr, [1])
    await produce(cluster, 'more')
    const read = async (offset: number) => {
      const fetched = await cluster.fetch([{ topic, partition: 0, offset }], { maxWaitMs: 0 })
      return fetched[0]!
    }
    assert.ok(!((await read(0)) instanceof Error))
    assert.match(String(await read(1)), /its CRC is wrong/)
    assert.ok(!((await read(2)) instanceof Error))
    const told = world.reported.filter(({ message }) => /damage/.test(message))
    assert.ok(told.length >= 1)
    cluster.close()
    for (const broker of brokers) await broker.close()
  }))
