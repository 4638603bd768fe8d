import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterNode, type ClusterNodeOptions } from '../sim/cluster-node.ts'
import { simulated, type World } from '../sim/world.ts'
import type { PartitionState } from './partition-state.ts'
import { reportLogEnds } from './reports.ts'

const single = { name: 't', partitionCount: 1, replicationFactor: 1, configs: new Map() }

/** A broker with a topic stops, or dies, and starts again with what its directories say then. */
async function restarted(
  world: World,
  isClean: boolean,
  options: (previousEpoch: bigint) => Partial<ClusterNodeOptions>,
): Promise<{ before: PartitionState; node: ClusterNode }> {
  const first = await new ClusterNode(world, { brokerId: 1 }).start()
  await first.controller.createTopics([single], { deadlineMs: Number.MAX_SAFE_INTEGER })
  const before = first.image.topicByName('t')!.partitions[0]!
  const previousEpoch = first.membership.brokerEpoch!
  if (isClean) await first.stop()
  else world.kill('1')
  const known = { brokerId: 1, clusterId: 'cluster-id', previousEpoch }
  const node = await new ClusterNode(world, { ...known, ...options(previousEpoch) }).start()
  await world.sleep(100)
  return { before, node }
}

test('a restart without loss leads again, in a higher epoch', async () => {
  for (const isClean of [true, false]) {
    await simulated().run(async world => {
      const { before, node } = await restarted(world, isClean, () => ({ lossless: true }))
      const after = node.image.topicByName('t')!.partitions[0]!
      assert.deepEqual(after.leader, [1, node.membership.brokerEpoch])
      assert.ok(after.leaderEpoch > before.leaderEpoch)
      assert.deepEqual([after.isr, after.elr, after.lastKnown], [[after.leader], [], []])
      await node.stop()
    })
  }
})

test('a restart with loss leads only after it said where its log ends', async () => {
  const losses: Partial<ClusterNodeOptions>[] = [
    { lossless: false },
    { lossless: true, previousEpoch: 1n },
  ]
  for (const loss of losses) {
    await simulated().run(async world => {
      const { before, node } = await restarted(world, false, () => loss)
      const lost = node.image.topicByName('t')!
      const state = lost.partitions[0]!
      assert.deepEqual([state.leader, state.isr, state.elr], [null, [], []])
      assert.deepEqual(state.lastKnown, [1])
      const ends = [{ topicId: lost.topicId, index: 0, lastEpoch: 0, endOffset: 17 }]
      await reportLogEnds(node.transactor, 1, node.membership.registration!, ends)
      await world.sleep(100)
      const after = lost.partitions[0]!
      assert.deepEqual(after.leader, [1, node.membership.brokerEpoch])
      assert.ok(after.leaderEpoch > before.leaderEpoch)
      assert.ok(world.reported.some(({ message }) => message.includes('may have lost records')))
      await node.stop()
    })
  }
})

test('unclean election, where the topic allows it, does not wait for log ends', () =>
  simulated().run(async world => {
    const rules = { uncleanElection: () => true }
    const { node } = await restarted(world, false, () => ({ lossless: false, rules }))
    assert.deepEqual(node.image.topicByName('t')!.partitions[0]!.leader, [
      1,
      node.membership.brokerEpoch,
    ])
    await node.stop()
  }))

test('of several that lost records the one that kept most leads, once all have spoken', () =>
  simulated().run(async world => {
    const start = (brokerId: number, options: Partial<ClusterNodeOptions> = {}) =>
      new ClusterNode(world, { brokerId, ...options }).start()
    const first = await start(1)
    await start(2)
    await start(3)
    const assignments = new Map([[0, [2, 3]]])
    const wanted = { ...single, partitionCount: -1, replicationFactor: -1, assignments }
    const configs = new Map([['min.insync.replicas', '2']])
    const options = { deadlineMs: Number.MAX_SAFE_INTEGER }
    await first.controller.createTopics([{ ...wanted, configs }], options)
    for (const host of ['2', '3']) world.kill(host)
    await world.sleep(15_000)
    const second = await start(2, { clusterId: 'cluster-id' })
    const third = await start(3, { clusterId: 'cluster-id' })
    await world.sleep(100)
    const topic = first.image.topicByName('t')!
    assert.deepEqual([...topic.partitions[0]!.lastKnown].sort(), [2, 3])
    const report = async (node: ClusterNode, lastEpoch: number, endOffset: number) => {
      const { brokerId, registration } = node.membership
      const ends = [{ topicId: topic.topicId, index: 0, lastEpoch, endOffset }]
      await reportLogEnds(node.transactor, brokerId, registration!, ends)
      await world.sleep(100)
    }
    await report(second, 0, 100)
    assert.equal(topic.partitions[0]!.leader, null)
    await report(third, 1, 50)
    assert.deepEqual(topic.partitions[0]!.leader, [3, third.membership.brokerEpoch])
    for (const node of [first, second, third]) node.abandon()
  }))
