import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterNode } from '../sim/cluster-node.ts'
import { simulated } from '../sim/world.ts'
import { LeaderBalance } from './leader-balance.ts'

test('a leadership goes back to the preferred replica at the next look, unless that is off', () =>
  simulated().run(async world => {
    const nodes: ClusterNode[] = []
    for (const brokerId of [1, 2]) {
      nodes.push(await new ClusterNode(world, { brokerId }).start())
    }
    const [first] = nodes as [ClusterNode]
    const { controller, image, io } = first
    const options = () => ({ deadlineMs: io.clock.monotonicMs() + 5000 })
    const assignments = new Map([[0, [1, 2]]])
    const wanted = { name: 't', partitionCount: -1, replicationFactor: -1, assignments }
    await controller.createTopics([{ ...wanted, configs: new Map() }], options())
    const moved = { ...options(), mayChangeFactor: true }
    await controller.alterReassignments([{ topic: 't', index: 0, replicas: [2, 1] }], moved)
    const leader = () => image.topicByName('t')!.partitions[0]!.leader![0]
    let isEnabled = false
    const balances = nodes.map(
      node =>
        new LeaderBalance(node.io, node.image, node.controller, () => ({
          isEnabled,
          intervalMs: 60_000,
        })),
    )
    await world.sleep(150_000)
    assert.equal(leader(), 1)
    isEnabled = true
    await world.sleep(20_000)
    assert.equal(leader(), 1, 'not before it is time')
    await world.sleep(60_000)
    assert.equal(leader(), 2)
    const { request } = image.controllerSeq!.value
    await world.sleep(300_000)
    assert.equal(image.controllerSeq!.value.request, request, 'nothing to do any more')
    for (const balance of balances) balance.close()
    for (const node of nodes) node.abandon()
  }))
