import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterNode, type ClusterNodeOptions } from '../sim/cluster-node.ts'
import { simulated, type World } from '../sim/world.ts'
import type { NewReplicas, Outcome } from './admin.ts'
import { codecs, keys } from './keys.ts'
import { type Member, nextState } from './partition-state.ts'
import { movingPartitions } from './reassignments.ts'
import { reportLogEnds } from './reports.ts'

const soon = (node: ClusterNode) => ({ deadlineMs: node.io.clock.monotonicMs() + 5000 })
const errorsOf = (outcomes: readonly Outcome[]) => outcomes.map(({ error }) => error?.error)

/** Four brokers and a topic `t` with these replicas; broker 1 is the controller. */
async function cluster(
  world: World,
  assignments: number[][],
  options: Partial<ClusterNodeOptions> & { minIsr?: number } = {},
): Promise<ClusterNode[]> {
  const nodes: ClusterNode[] = []
  for (const brokerId of [1, 2, 3, 4]) {
    nodes.push(await new ClusterNode(world, { ...options, brokerId }).start())
  }
  const created = await nodes[0]!.controller.createTopics(
    [
      {
        name: 't',
        partitionCount: -1,
        replicationFactor: -1,
        assignments: new Map(assignments.entries()),
        configs: new Map([['min.insync.replicas', String(options.minIsr ?? 1)]]),
      },
    ],
    soon(nodes[0]!),
  )
  assert.deepEqual(errorsOf(created), [undefined])
  return nodes
}

async function onCluster(
  assignments: number[][],
  scenario: (nodes: ClusterNode[], world: World) => Promise<void>,
  options: Parameters<typeof cluster>[2] = {},
): Promise<void> {
  await simulated().run(async world => {
    const nodes = await cluster(world, assignments, options)
    await scenario(nodes, world)
    for (const node of nodes) {
      assert.deepEqual(node.fatal, [])
      node.abandon()
    }
  })
}

const move = (node: ClusterNode, ...asked: NewReplicas[]) =>
  node.controller.alterReassignments(asked, { ...soon(node), mayChangeFactor: true })

const state = (node: ClusterNode, index = 0) => node.image.topicByName('t')!.partitions[index]!
const ids = (members: readonly Member[]) => members.map(([id]) => id)

/** As the leader would: these brokers are in sync now. */
async function setIsr(world: World, nodes: ClusterNode[], isr: number[], index = 0): Promise<void> {
  const { image, store } = nodes[0]!
  const { topicId } = image.topicByName('t')!
  const known = image.partition(topicId, index)!
  const members = isr.map((id): Member => [id, image.usable(id)!])
  const next = nextState(known.value, { isr: members }, image.usable)
  const key = keys.partition(topicId, index)
  const { succeeded } = await store.txn(
    [{ key, target: 'modRevision', equals: known.modRevision }],
    [{ put: key, value: codecs.partition.encode({ ...known.value, ...next }) }],
  )
  assert.ok(succeeded)
  await world.sleep(200)
}

test('a partition moves: the new replica joins, then the old one leaves with its leadership', () =>
  onCluster([[1, 2]], async (nodes, world) => {
    const [first] = nodes as [ClusterNode]
    const before = state(first)
    assert.deepEqual(errorsOf(await move(first, { topic: 't', index: 0, replicas: [3, 2] })), [
      undefined,
    ])
    const [moving] = movingPartitions(first.image)
    assert.deepEqual([moving!.topic, moving!.index], ['t', 0])
    assert.deepEqual(
      [moving!.state.replicas, moving!.state.adding, moving!.state.removing],
      [[3, 2, 1], [3], [1]],
    )
    await world.sleep(5000)
    assert.deepEqual(state(first).replicas, [3, 2, 1], 'it waits for broker 3')
    await setIsr(world, nodes, [1, 2, 3])
    const after = state(nodes[3]!)
    assert.deepEqual([after.replicas, after.adding, after.removing], [[3, 2], [], []])
    assert.equal(after.leader![0], 3)
    assert.deepEqual(ids(after.isr).sort(), [2, 3])
    assert.ok(after.leaderEpoch > before.leaderEpoch)
    assert.deepEqual(movingPartitions(first.image), [])
    assert.equal(first.image.reassignment(first.image.topicByName('t')!.topicId, 0), undefined)
  }))

test('what cannot be a target is refused, partition by partition', () =>
  onCluster(
    [
      [1, 2],
      [1, 3],
    ],
    async nodes => {
      const [first] = nodes as [ClusterNode]
      const refused: [NewReplicas, string][] = [
        [{ topic: 'no', index: 0, replicas: [1] }, 'UNKNOWN_TOPIC_OR_PARTITION'],
        [{ topic: 't', index: 2, replicas: [1] }, 'UNKNOWN_TOPIC_OR_PARTITION'],
        [{ topic: 't', index: -1, replicas: [1] }, 'UNKNOWN_TOPIC_OR_PARTITION'],
        [{ topic: 't', index: 0, replicas: [] }, 'INVALID_REPLICA_ASSIGNMENT'],
        [{ topic: 't', index: 0, replicas: [1, 1] }, 'INVALID_REPLICA_ASSIGNMENT'],
        [{ topic: 't', index: 0, replicas: [1, 9] }, 'INVALID_REPLICA_ASSIGNMENT'],
        [{ topic: 't', index: 0, replicas: null }, 'NO_REASSIGNMENT_IN_PROGRESS'],
      ]
      const valid = { topic: 't', index: 1, replicas: [2, 1] }
      for (const [asked, error] of refused) {
        assert.deepEqual(errorsOf(await move(first, asked, valid)), [error, undefined], error)
      }
      assert.deepEqual(state(first, 1).replicas, [2, 1, 3])
      const fixed = { ...soon(first), mayChangeFactor: false }
      const asked = [
        { topic: 't', index: 0, replicas: [1, 2, 3] },
        { topic: 't', index: 1, replicas: [4, 2] },
      ]
      const outcomes = await first.controller.alterReassignments(asked, fixed)
      assert.deepEqual(errorsOf(outcomes), ['INVALID_REPLICATION_FACTOR', undefined])
      assert.match(outcomes[0]!.error!.message, /changed from 2 to 3/)
      await assert.rejects(move(first, valid, valid), { error: 'INVALID_REQUEST' })
    },
  ))

test('a move is cancelled, and the partition has the replicas it had', () =>
  onCluster(
    [[1, 2]],
    async (nodes, world) => {
      const [first] = nodes as [ClusterNode]
      await move(first, { topic: 't', index: 0, replicas: [3, 4] })
      await setIsr(world, nodes, [1, 2, 3])
      assert.deepEqual(errorsOf(await move(first, { topic: 't', index: 0, replicas: null })), [
        undefined,
      ])
      const after = state(first)
      assert.deepEqual(
        [after.replicas, ids(after.isr), after.adding, after.removing],
        [[1, 2], [1, 2], [], []],
      )
      assert.deepEqual(movingPartitions(first.image), [])
    },
    { minIsr: 2 },
  ))

test('a cancel that would leave nobody in sync is refused; one that leaves too few waits', () =>
  onCluster(
    [[1, 2]],
    async (nodes, world) => {
      const [first] = nodes as [ClusterNode]
      const cancel = { topic: 't', index: 0, replicas: null }
      // min.insync.replicas is 2: the move to three cannot end without broker 4.
      await move(first, { topic: 't', index: 0, replicas: [3, 4] })
      await setIsr(world, nodes, [3])
      assert.deepEqual(errorsOf(await move(first, cancel)), ['INVALID_REPLICA_ASSIGNMENT'])
      await setIsr(world, nodes, [3, 1])
      assert.deepEqual(errorsOf(await move(first, cancel)), [undefined])
      assert.deepEqual(state(first).removing, [3, 4])
      assert.deepEqual([...state(first).replicas], [1, 2, 3, 4])
      await setIsr(world, nodes, [3, 1, 2])
      assert.deepEqual(
        [state(first).replicas, ids(state(first).isr)],
        [
          [1, 2],
          [1, 2],
        ],
      )
    },
    { minIsr: 2 },
  ))

test('a broker that dies while it is copied to is waited for, and others serve', () =>
  onCluster([[1, 2]], async (nodes, world) => {
    const [first] = nodes as [ClusterNode]
    await move(first, { topic: 't', index: 0, replicas: [1, 3] })
    world.kill('3')
    await world.sleep(15_000)
    assert.deepEqual(movingPartitions(first.image).length, 1)
    assert.equal(state(first).leader![0], 1)
    const third = await new ClusterNode(world, { brokerId: 3, clusterId: 'cluster-id' }).start()
    nodes[2]!.abandon()
    nodes[2] = third
    await setIsr(world, nodes, [1, 2, 3])
    assert.deepEqual(state(first).replicas, [1, 3])
  }))

test('the leader of a partition dies while it moves: another one leads, and the move ends', () =>
  onCluster([[2, 3]], async (nodes, world) => {
    const [first] = nodes as [ClusterNode]
    await move(first, { topic: 't', index: 0, replicas: [4, 3] })
    world.kill('2')
    await world.sleep(15_000)
    assert.equal(state(first).leader![0], 3)
    await setIsr(world, nodes, [3, 4])
    assert.deepEqual([state(first).replicas, movingPartitions(first.image)], [[4, 3], []])
  }))

test('another controller goes on with a move', () =>
  onCluster([[2, 3]], async (nodes, world) => {
    await move(nodes[0]!, { topic: 't', index: 0, replicas: [4] })
    world.kill('1')
    await world.sleep(15_000)
    const next = nodes.find(
      ({ controller }) => controller.isActive && nodes[0]!.controller !== controller,
    )!
    assert.notEqual(next.image.controllerId, 1)
    const others = nodes.slice(1)
    await setIsr(world, others, [2, 3, 4])
    assert.deepEqual([state(next).replicas, state(next).leader![0]], [[4], 4])
  }))

test('a topic that is deleted while it moves leaves nothing behind', () =>
  onCluster(
    [
      [1, 2],
      [1, 3],
    ],
    async (nodes, world) => {
      const [first] = nodes as [ClusterNode]
      const { topicId } = first.image.topicByName('t')!
      await move(
        first,
        { topic: 't', index: 0, replicas: [3, 4] },
        { topic: 't', index: 1, replicas: [2] },
      )
      await first.controller.deleteTopics([{ name: 't' }], soon(first))
      assert.deepEqual([...first.image.reassignments()], [])
      const left = await first.store.get({ prefix: keys.reassignments(topicId) })
      assert.deepEqual(left.entries, [])
      const waiting = first.image.deletedTopic(topicId)!.value.waiting
      assert.deepEqual([...waiting].sort(), [1, 2, 3, 4])
      await world.sleep(1000)
    },
  ))

test('partitions added meanwhile have as many replicas as the topic is to have', () =>
  onCluster([[1, 2]], async nodes => {
    const [first] = nodes as [ClusterNode]
    await move(first, { topic: 't', index: 0, replicas: [3, 4] })
    const grown = await first.controller.createPartitions([{ name: 't', count: 2 }], soon(first))
    assert.deepEqual(errorsOf(grown), [undefined])
    assert.equal(state(first, 1).replicas.length, 2)
  }))

test('a hundred and fifty partitions move, sixty in a transaction', () =>
  onCluster(
    Array.from({ length: 150 }, () => [1]),
    async (nodes, world) => {
      const [first] = nodes as [ClusterNode]
      const before = first.image.controllerSeq!.value.request
      const asked = Array.from({ length: 150 }, (_, index) => ({
        topic: 't',
        index,
        replicas: [2],
      }))
      const outcomes = await move(first, ...asked)
      assert.ok(errorsOf(outcomes).every(error => error === undefined))
      assert.equal(first.image.controllerSeq!.value.request - before, 3)
      assert.equal(movingPartitions(first.image).length, 150)
      for (let index = 0; index < 150; index++) {
        const { topicId } = first.image.topicByName('t')!
        const known = first.image.partition(topicId, index)!
        const isr = [1, 2].map((id): Member => [id, first.image.usable(id)!])
        const next = nextState(known.value, { isr }, first.image.usable)
        await first.store.txn(
          [],
          [
            {
              put: keys.partition(topicId, index),
              value: codecs.partition.encode({ ...known.value, ...next }),
            },
          ],
        )
      }
      await world.sleep(2000)
      assert.deepEqual(movingPartitions(first.image), [])
      for (let index = 0; index < 150; index++) assert.deepEqual(state(first, index).replicas, [2])
    },
  ))

test('the preferred leader is elected when it is in sync, and not when it is not', () =>
  onCluster(
    [
      [1, 2],
      [3, 1],
      [2, 1],
    ],
    async (nodes, world) => {
      const [first] = nodes as [ClusterNode]
      await setIsr(world, nodes, [2], 0)
      await setIsr(world, nodes, [2, 1], 0)
      await setIsr(world, nodes, [1], 1)
      assert.deepEqual(
        [0, 1, 2].map(index => state(first, index).leader![0]),
        [2, 1, 2],
      )
      const asked = [0, 1, 2, 3].map(index => ({ topic: 't', index }))
      const outcomes = await first.controller.electLeaders('preferred', asked, soon(first))
      assert.deepEqual(errorsOf(outcomes), [
        undefined,
        'PREFERRED_LEADER_NOT_AVAILABLE',
        'ELECTION_NOT_NEEDED',
        'UNKNOWN_TOPIC_OR_PARTITION',
      ])
      assert.deepEqual(
        [0, 1, 2].map(index => state(first, index).leader![0]),
        [1, 1, 2],
      )
    },
  ))

test('an unclean election is for partitions without a leader, and is told of', () =>
  onCluster(
    [
      [3, 4],
      [1, 2],
    ],
    async (nodes, world) => {
      const [first] = nodes as [ClusterNode]
      const asked = [0, 1].map(index => ({ topic: 't', index }))
      await setIsr(world, nodes, [3])
      world.kill('3')
      await world.sleep(15_000)
      assert.equal(state(first).leader, null)
      const outcomes = await first.controller.electLeaders('unclean', asked, soon(first))
      assert.deepEqual(errorsOf(outcomes), [undefined, 'ELECTION_NOT_NEEDED'])
      assert.equal(outcomes[0]!.leader, 4)
      assert.deepEqual([ids(state(first).isr), state(first).elr], [[4], []])
      assert.ok(world.reported.some(({ message }) => message.includes('may have lost records')))
      world.kill('4')
      await world.sleep(15_000)
      const again = await first.controller.electLeaders('unclean', asked.slice(0, 1), soon(first))
      assert.deepEqual(errorsOf(again), ['ELIGIBLE_LEADERS_NOT_AVAILABLE'])
    },
  ))

test('of those that lost records and are here, the one that kept most leads, if somebody says so', () =>
  onCluster(
    [[2, 3, 4]],
    async (nodes, world) => {
      const [first] = nodes as [ClusterNode]
      const { topicId } = first.image.topicByName('t')!
      for (const host of ['2', '3', '4']) world.kill(host)
      await world.sleep(15_000)
      const start = (brokerId: number) =>
        new ClusterNode(world, { brokerId, clusterId: 'cluster-id' }).start()
      const back = [await start(3), await start(4)]
      for (const [at, node] of back.entries()) {
        nodes[at + 2]!.abandon()
        nodes[at + 2] = node
        const { brokerId, registration } = node.membership
        const ends = [{ topicId, index: 0, lastEpoch: 0, endOffset: 10 * brokerId }]
        await reportLogEnds(node.transactor, brokerId, registration!, ends)
      }
      await world.sleep(2000)
      assert.equal(state(first).leader, null, 'broker 2 may have more')
      const asked = [{ topic: 't', index: 0 }]
      const outcomes = await first.controller.electLeaders('unclean', asked, soon(first))
      assert.equal(outcomes[0]!.leader, 4)
    },
    { minIsr: 3 },
  ))
