import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterNode, UnreliableStore } from '../sim/cluster-node.ts'
import { simulated, type World } from '../sim/world.ts'
import { codecs, keys } from './keys.ts'

async function aliveOf(world: World, brokerId: number) {
  const { entries } = await world.store('reader').get({ key: keys.alive(brokerId) })
  return entries[0] && { ...entries[0], value: codecs.alive.decode(entries[0].value) }
}

test('a registration says who and where, and its revision is the broker epoch', () =>
  simulated().run(async world => {
    const node = await new ClusterNode(world, { brokerId: 3, rack: 'north' }).start()
    const alive = (await aliveOf(world, 3))!
    assert.equal(alive.createRevision, node.membership.brokerEpoch)
    assert.equal(alive.value.rack, 'north')
    assert.equal(alive.value.listeners[0]!.port, 9092)
    assert.deepEqual([alive.value.previousEpoch, alive.value.lossless], [null, false])
    await node.stop()
    assert.equal(await aliveOf(world, 3), undefined)
  }))

test('a registration whose answer was lost is recognised as our own', () =>
  simulated().run(async world => {
    const store = new UnreliableStore(world.store('1'))
    store.fates.push('unanswered', 'unanswered', 'unanswered')
    const node = await new ClusterNode(world, { brokerId: 1, store }).start()
    assert.equal((await aliveOf(world, 1))!.createRevision, node.membership.brokerEpoch)
    await node.stop()
  }))

test('the lease is kept: a broker stays registered at one epoch', () =>
  simulated().run(async world => {
    const node = await new ClusterNode(world, { brokerId: 1 }).start()
    const epoch = node.membership.brokerEpoch
    for (let i = 0; i < 60; i++) {
      await world.sleep(1000)
      assert.ok(node.membership.validUntilMs > node.io.clock.monotonicMs())
    }
    assert.equal(node.membership.brokerEpoch, epoch)
    await node.stop()
  }))

test('a lost lease fences the broker, which registers anew and leads in a newer epoch', () =>
  simulated().run(async world => {
    const told: bigint[] = []
    const node = await new ClusterNode(world, {
      brokerId: 1,
      onRegistered: async ({ brokerEpoch }) => void told.push(brokerEpoch),
    }).start()
    const options = { deadlineMs: node.io.clock.monotonicMs() + 5000 }
    const wanted = { name: 't', partitionCount: 1, replicationFactor: 1, configs: new Map() }
    await node.controller.createTopics([wanted], options)
    const before = node.image.topicByName('t')!.partitions[0]!
    const lost = node.membership.brokerEpoch!
    const epochs: (bigint | undefined)[] = []
    node.membership.subscribe(() => epochs.push(node.membership.brokerEpoch))

    await world.store('other').revokeLease((await aliveOf(world, 1))!.lease)
    await world.sleep(20_000)

    const now = node.membership.brokerEpoch!
    assert.deepEqual(epochs, [undefined, now])
    assert.deepEqual(told, [lost, now])
    const alive = (await aliveOf(world, 1))!
    assert.deepEqual([alive.value.previousEpoch, alive.value.lossless], [lost, true])
    const after = node.image.topicByName('t')!.partitions[0]!
    assert.deepEqual(after.leader, [1, now])
    assert.deepEqual(after.isr, [[1, now]])
    assert.ok(after.leaderEpoch > before.leaderEpoch)
    assert.equal(node.image.controllerId, 1)
    assert.equal(node.controller.isActive, true)
    await node.stop()
  }))

test('what is valid is counted from when the last successful call was sent', () =>
  simulated().run(async world => {
    const node = await new ClusterNode(world, { brokerId: 1 }).start()
    await world.sleep(10_000)
    // From here on the store is out of reach.
    const { validUntilMs } = node.membership
    world.metadata.delayMs = { min: 60_000, max: 60_001 }
    await world.sleep(9_000)
    assert.equal(node.membership.validUntilMs, validUntilMs)
    assert.ok(node.io.clock.monotonicMs() > validUntilMs)
    node.abandon()
  }))

test('an answer that was long under way makes nothing valid for longer', () =>
  simulated().run(async world => {
    const node = await new ClusterNode(world, { brokerId: 1 }).start()
    world.metadata.delayMs = { min: 1500, max: 1501 }
    let extended = 0
    let { validUntilMs } = node.membership
    for (let i = 0; i < 300; i++) {
      await world.sleep(100)
      if (node.membership.validUntilMs === validUntilMs) continue
      validUntilMs = node.membership.validUntilMs
      // What was sent before the delay began was answered at once: only the first may be one.
      if (extended++ > 0) assert.ok(validUntilMs <= node.io.clock.monotonicMs() + 9000 - 3000)
    }
    assert.ok(extended > 2)
    node.abandon()
  }))

test('our own earlier process is replaced at once, for we hold its lock', () =>
  simulated().run(async world => {
    const first = await new ClusterNode(world, { brokerId: 1 }).start()
    const before = first.membership.brokerEpoch!
    world.kill('1')
    const startMs = world.nowMs
    const second = await new ClusterNode(world, { brokerId: 1, clusterId: 'cluster-id' }).start()
    assert.ok(world.nowMs - startMs < 1000)
    assert.ok(second.membership.brokerEpoch! > before)
    await second.stop()
  }))

test('another process with the same id is waited for, and then this one gives up', () =>
  simulated().run(async world => {
    const first = await new ClusterNode(world, { brokerId: 1 }).start()
    const options = { brokerId: 1, store: world.store('2'), directories: ['another'] }
    const startMs = world.nowMs
    await assert.rejects(new ClusterNode(world, options).start(), {
      error: 'DUPLICATE_BROKER_REGISTRATION',
    })
    assert.ok(world.nowMs - startMs >= 60_000)
    await first.stop()
  }))

test('a second process takes the id over when the first one is dead and its lease has run out', () =>
  simulated().run(async world => {
    await new ClusterNode(world, { brokerId: 1 }).start()
    world.kill('1')
    const options = { brokerId: 1, store: world.store('2'), directories: ['another'] }
    const second = await new ClusterNode(world, options).start()
    await second.stop()
  }))

test('directories of another cluster are refused, and those of a cluster whose store is gone', () =>
  simulated().run(async world => {
    const alone = new ClusterNode(world, { brokerId: 1, clusterId: 'lost-cluster' })
    await assert.rejects(alone.start(), { error: 'INCONSISTENT_CLUSTER_ID' })
    const founder = await new ClusterNode(world, { brokerId: 1 }).start()
    const stranger = new ClusterNode(world, { brokerId: 2, clusterId: 'another-cluster' })
    await assert.rejects(stranger.start(), { error: 'INCONSISTENT_CLUSTER_ID' })
    await founder.stop()
  }))

test('controlled shutdown hands leaderships over, leaves the ISR, and only then the cluster', () =>
  simulated().run(async world => {
    const first = await new ClusterNode(world, { brokerId: 1 }).start()
    const second = await new ClusterNode(world, { brokerId: 2 }).start()
    const options = { deadlineMs: first.io.clock.monotonicMs() + 5000 }
    const assignments = new Map([[0, [2, 1]]])
    const counts = { partitionCount: -1, replicationFactor: -1 }
    await first.controller.createTopics(
      [{ name: 't', ...counts, assignments, configs: new Map() }],
      options,
    )
    await world.sleep(100)
    const before = second.image.topicByName('t')!.partitions[0]!
    assert.equal(before.leader![0], 2)
    await second.membership.stopLeading()
    const after = second.image.topicByName('t')!.partitions[0]!
    assert.equal(after.leader![0], 1)
    assert.equal(after.leaderEpoch, before.leaderEpoch + 1)
    assert.deepEqual(
      after.isr.map(([id]) => id),
      [1],
    )
    await second.membership.close()
    second.abandon()
    await first.stop()
  }))

test('a registration that somebody ended is replaced at once, not at the next sign of life', () =>
  simulated().run(async world => {
    const node = await new ClusterNode(world, { brokerId: 1 }).start()
    await world.sleep(10_000)
    const { brokerEpoch, lease } = node.membership.registration!
    await world.store('other').revokeLease(lease.id)
    await world.sleep(50)
    assert.ok(node.membership.brokerEpoch! > brokerEpoch)
    // Also one that has just begun.
    await world.store('other').revokeLease(node.membership.registration!.lease.id)
    await world.sleep(1000)
    const again = node.membership.registration!
    assert.ok(again.brokerEpoch > brokerEpoch)
    assert.equal(node.image.usable(1), again.brokerEpoch)
    assert.equal(node.image.controllerId, 1)
    assert.deepEqual(node.fatal, [])
    await node.stop()
  }))

test('a stop waits a few seconds for a store that is away, and hands over when it comes back', () =>
  simulated().run(async world => {
    const first = await new ClusterNode(world, { brokerId: 1 }).start()
    world.metadata.fault = () => 'lost'
    const startMs = world.nowMs
    const stopping = first.membership.stopLeading()
    await world.sleep(2500)
    world.metadata.fault = undefined
    assert.equal(await stopping, true)

    world.metadata.fault = () => 'lost'
    const goneMs = world.nowMs
    assert.ok(goneMs - startMs < 5000, `${goneMs - startMs} ms`)
    assert.equal(await first.membership.stopLeading(), false)
    assert.ok(world.nowMs - goneMs < 5000, `${world.nowMs - goneMs} ms`)
    first.abandon()
  }))
