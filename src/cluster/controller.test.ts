import assert from 'node:assert/strict'
import { test } from 'node:test'
import { ClusterNode, type ClusterNodeOptions, UnreliableStore } from '../sim/cluster-node.ts'
import { simulated, type World } from '../sim/world.ts'
import type { CreatedTopic, NewTopic, Outcome } from './admin.ts'
import { codecs, keys } from './keys.ts'

const topic = (name: string, parts: Partial<NewTopic> = {}): NewTopic => ({
  name,
  partitionCount: 1,
  replicationFactor: 1,
  configs: new Map(),
  ...parts,
})

const soon = (node: ClusterNode) => ({ deadlineMs: node.io.clock.monotonicMs() + 5000 })
const errorsOf = (outcomes: readonly Outcome[]) => outcomes.map(({ error }) => error?.error)

async function create(node: ClusterNode, ...topics: NewTopic[]): Promise<CreatedTopic[]> {
  return node.controller.createTopics(topics, soon(node))
}

function onNode(
  scenario: (node: ClusterNode, world: World) => Promise<void>,
  options: Partial<ClusterNodeOptions> = {},
): Promise<void> {
  return simulated().run(async world => {
    const node = await new ClusterNode(world, { brokerId: 1, ...options }).start()
    await scenario(node, world)
    assert.deepEqual(node.fatal, [])
    await node.stop()
  })
}

test('one broker registers, becomes controller, and admits itself', () =>
  onNode(async node => {
    assert.equal(node.image.controllerId, 1)
    assert.equal(node.image.clusterId, 'cluster-id')
    assert.equal(node.image.usable(1), node.membership.brokerEpoch)
  }))

test('a created topic is in the image when it is answered, led by this broker', () =>
  onNode(async node => {
    const [created] = await create(
      node,
      topic('orders', { partitionCount: 3, configs: new Map([['retention.ms', '5']]) }),
    )
    assert.equal(created!.error, undefined)
    assert.equal(created!.partitionCount, 3)
    assert.equal(created!.replicationFactor, 1)
    const found = node.image.topicByName('orders')!
    assert.equal(found.topicId, created!.topicId)
    assert.match(found.topicId, /^[A-Za-z0-9_-]{22}$/)
    const self = [1, node.membership.brokerEpoch!]
    for (const state of found.partitions) {
      assert.deepEqual(state.leader, self)
      assert.deepEqual(state.isr, [self])
      assert.deepEqual([state.leaderEpoch, state.minIsr], [0, 1])
    }
    assert.deepEqual([...node.image.configs('topic', 'orders')], [['retention.ms', '5']])
  }))

test('what a topic may not be is refused by its own error', () =>
  onNode(async node => {
    await create(node, topic('a.b'))
    const refused: [NewTopic, string][] = [
      [topic('a.b'), 'TOPIC_ALREADY_EXISTS'],
      [topic('a_b'), 'INVALID_TOPIC_EXCEPTION'],
      [topic(''), 'INVALID_TOPIC_EXCEPTION'],
      [topic('..'), 'INVALID_TOPIC_EXCEPTION'],
      [topic('a/b'), 'INVALID_TOPIC_EXCEPTION'],
      [topic('x'.repeat(250)), 'INVALID_TOPIC_EXCEPTION'],
      [topic('t', { partitionCount: 0 }), 'INVALID_PARTITIONS'],
      [topic('t', { partitionCount: 10_001 }), 'POLICY_VIOLATION'],
      [topic('t', { replicationFactor: 0 }), 'INVALID_REPLICATION_FACTOR'],
      [topic('t', { replicationFactor: 2 }), 'INVALID_REPLICATION_FACTOR'],
      [topic('t', { assignments: new Map([[0, [1]]]) }), 'INVALID_REQUEST'],
      [assigned([[1, [1]]]), 'INVALID_REPLICA_ASSIGNMENT'],
      [assigned([[0, []]]), 'INVALID_REPLICA_ASSIGNMENT'],
      [assigned([[0, [1, 1]]]), 'INVALID_REPLICA_ASSIGNMENT'],
      [assigned([[0, [2]]]), 'INVALID_REPLICA_ASSIGNMENT'],
      [topic('t', { configs: new Map([['bogus', '1']]) }), 'INVALID_CONFIG'],
      [topic('t', { configs: new Map([['retention.ms', null]]) }), 'INVALID_CONFIG'],
    ]
    for (const [wanted, error] of refused) {
      assert.deepEqual(errorsOf(await create(node, wanted)), [error], `${error} ${wanted.name}`)
    }
    assert.deepEqual(errorsOf(await create(node, topic('d'), topic('d'), topic('e'))), [
      'INVALID_REQUEST',
      'INVALID_REQUEST',
      undefined,
    ])
    assert.equal(node.image.topicCount, 2)
  }))

function assigned(assignments: [number, number[]][]): NewTopic {
  return topic('t', {
    partitionCount: -1,
    replicationFactor: -1,
    assignments: new Map(assignments),
  })
}

test('validateOnly says what would be and changes nothing', () =>
  onNode(async node => {
    const [answer] = await node.controller.createTopics([topic('t', { partitionCount: -1 })], {
      ...soon(node),
      validateOnly: true,
    })
    assert.deepEqual([answer!.partitionCount, answer!.topicId], [1, 'A'.repeat(22)])
    assert.equal(node.image.topicByName('t'), undefined)
    assert.equal(node.image.partitionCount, 0)
  }))

test('a topic of more than a hundred partitions shows whole or not at all', () =>
  onNode(async node => {
    const counts = new Set<number>()
    node.image.subscribe(() => counts.add(node.image.topicByName('big')?.partitions.length ?? 0))
    await create(node, topic('big', { partitionCount: 250 }))
    assert.deepEqual([...counts], [0, 250])
    assert.equal(node.image.partitionCount, 250)
  }))

test('a deleted topic is gone, its id stays dead, and the name can be had again', () =>
  onNode(async node => {
    const [first] = await create(node, topic('t', { configs: new Map([['retention.ms', '5']]) }))
    const remove = (ref: { name: string } | { topicId: string }) =>
      node.controller.deleteTopics([ref], soon(node))
    assert.deepEqual(await remove({ name: 't' }), [{ name: 't', topicId: first!.topicId }])
    assert.equal(node.image.topicByName('t'), undefined)
    assert.equal(node.image.partitionCount, 0)
    assert.equal(node.image.configs('topic', 't').size, 0)
    assert.deepEqual(node.image.deletedTopic(first!.topicId!)?.value.waiting, [1])
    assert.deepEqual(errorsOf(await remove({ name: 't' })), ['UNKNOWN_TOPIC_OR_PARTITION'])
    assert.deepEqual(errorsOf(await remove({ topicId: first!.topicId! })), ['UNKNOWN_TOPIC_ID'])
    const [second] = await create(node, topic('t'))
    assert.notEqual(second!.topicId, first!.topicId)
    assert.deepEqual(await remove({ topicId: second!.topicId! }), [
      { name: 't', topicId: second!.topicId },
    ])
  }))

test('partitions are added, never taken away', () =>
  onNode(async node => {
    await create(node, topic('t', { partitionCount: 2 }))
    const grow = async (count: number, assignments?: number[][]) => {
      const request = { name: 't', count, ...(assignments && { assignments }) }
      return errorsOf(await node.controller.createPartitions([request], soon(node)))[0]
    }
    assert.equal(await grow(2), 'INVALID_PARTITIONS')
    assert.equal(await grow(1), 'INVALID_PARTITIONS')
    assert.equal(await grow(4, [[1]]), 'INVALID_REPLICA_ASSIGNMENT')
    assert.equal(await grow(3, [[9]]), 'INVALID_REPLICA_ASSIGNMENT')
    assert.equal(await grow(3, [[1]]), undefined)
    const counts = new Set<number>()
    node.image.subscribe(() => counts.add(node.image.topicByName('t')!.partitions.length))
    assert.equal(await grow(150), undefined)
    assert.deepEqual([...counts], [3, 150])
    assert.ok(Array.from(node.image.topicByName('t')!.partitions).every(state => state?.leader))
    const unknown = await node.controller.createPartitions([{ name: 'u', count: 2 }], soon(node))
    assert.deepEqual(errorsOf(unknown), ['UNKNOWN_TOPIC_OR_PARTITION'])
  }))

test('config changes follow the rules of each operation', () =>
  onNode(async node => {
    await create(node, topic('t'))
    const resource = { type: 'topic', name: 't' } as const
    const change = async (
      ...ops: [string, 'SET' | 'DELETE' | 'APPEND' | 'SUBTRACT', string?][]
    ) => {
      const changes = ops.map(([key, op, value]) => ({ key, op, value: value ?? null }))
      const request = [{ resource, ops: changes }]
      return errorsOf(await node.controller.incrementalAlterConfigs(request, soon(node)))[0]
    }
    const stored = () => Object.fromEntries(node.image.configs('topic', 't'))
    assert.equal(await change(['retention.ms', 'SET', '7']), undefined)
    assert.equal(await change(['cleanup.policy', 'APPEND', 'compact']), undefined)
    assert.deepEqual(stored(), { 'retention.ms': '7', 'cleanup.policy': 'delete,compact' })
    assert.equal(await change(['cleanup.policy', 'SUBTRACT', 'delete']), undefined)
    assert.equal(await change(['retention.ms', 'DELETE']), undefined)
    assert.deepEqual(stored(), { 'cleanup.policy': 'compact' })
    assert.equal(await change(['retention.ms', 'APPEND', '1']), 'INVALID_CONFIG')
    assert.equal(await change(['bogus', 'SET', '1']), 'INVALID_CONFIG')
    assert.equal(await change(['retention.ms', 'SET']), 'INVALID_REQUEST')
    assert.equal(await change(['a', 'DELETE'], ['a', 'DELETE']), 'INVALID_REQUEST')
    const all = new Map([['retention.ms', '9']])
    await node.controller.alterConfigs([{ resource, configs: all }], soon(node))
    assert.deepEqual(stored(), { 'retention.ms': '9' })
    await node.controller.alterConfigs([{ resource, configs: new Map() }], soon(node))
    assert.deepEqual(stored(), {})
    const others = ['topic', 'broker', 'broker'] as const
    const names = ['unknown', 'one', '7']
    const requests = others.map((type, i) => ({ resource: { type, name: names[i]! }, ops: [] }))
    assert.deepEqual(
      errorsOf(await node.controller.incrementalAlterConfigs(requests, soon(node))),
      ['UNKNOWN_TOPIC_OR_PARTITION', 'INVALID_REQUEST', 'INVALID_REQUEST'],
    )
  }))

test('a change of min.insync.replicas has reached the partitions when it is answered', () =>
  simulated().run(async world => {
    const nodes = [1, 2].map(brokerId => new ClusterNode(world, { brokerId }))
    for (const node of nodes) await node.start()
    const [node] = nodes
    await create(node!, topic('t', { replicationFactor: 2 }))
    const resource = { type: 'topic', name: 't' } as const
    const configs = new Map([['min.insync.replicas', '3']])
    await node!.controller.alterConfigs([{ resource, configs }], soon(node!))
    assert.equal(node!.image.topicByName('t')!.partitions[0]!.minIsr, 2)
    for (const each of nodes) each.abandon()
  }))

test('every answer of the store may be lost: each request still takes effect once', async () => {
  const endings = [['lost'], ['unanswered'], ['unanswered', 'lost', 'unanswered']] as const
  for (const fates of endings) {
    await simulated().run(async world => {
      const store = new UnreliableStore(world.store('1'))
      const node = await new ClusterNode(world, { brokerId: 1, store }).start()
      const seqs = new Set<number>()
      node.image.subscribe(() => seqs.add(node.image.controllerSeq!.value.request))
      await world.sleep(100)
      const before = node.image.controllerSeq!.value.request
      store.fates.push(...fates)
      assert.deepEqual(errorsOf(await create(node, topic('t'))), [undefined])
      store.fates.push(...fates)
      const deleted = await node.controller.deleteTopics([{ name: 't' }], soon(node))
      assert.deepEqual(errorsOf(deleted), [undefined])
      store.fates.push(...fates)
      assert.deepEqual(errorsOf(await create(node, topic('t'))), [undefined])
      assert.equal(node.image.controllerSeq!.value.request, before + 3)
      await node.stop()
    })
  }
})

test('a late copy of a creation does not bring a deleted topic back', () =>
  onNode(async (node, world) => {
    // The copy is recorded as it passes, and sent again after the topic was deleted.
    const copies: Parameters<typeof node.store.txn>[] = []
    const { txn } = node.store
    node.store.txn = (...transaction) => {
      copies.push(transaction)
      return txn.apply(node.store, transaction)
    }
    await create(node, topic('t'))
    const copy = copies.at(-1)!
    await node.controller.deleteTopics([{ name: 't' }], soon(node))
    const epoch = node.image.controller!.createRevision
    for (const [compares] of copies) {
      const own = { key: keys.controller, target: 'createRevision', equals: epoch } as const
      assert.deepEqual(compares[0], own)
    }
    const late = await txn.apply(node.store, copy)
    assert.equal(late.succeeded, false)
    await world.sleep(100)
    assert.equal(node.image.topicByName('t'), undefined)
  }))

test('a request times out while the store is away, and may happen later', () =>
  simulated().run(async world => {
    const store = new UnreliableStore(world.store('1'))
    const node = await new ClusterNode(world, { brokerId: 1, store }).start()
    store.fates.push(...Array<'lost'>(10).fill('lost'))
    assert.deepEqual(errorsOf(await create(node, topic('t'))), ['REQUEST_TIMED_OUT'])
    await world.sleep(30_000)
    assert.notEqual(node.image.topicByName('t'), undefined)
    await node.stop()
  }))

test('the controller drops what an earlier one left of an unfinished topic', () =>
  simulated().run(async world => {
    const info = codecs.info.encode({ name: 'half', partitionCount: 200, createdMs: 0 })
    await world.store('other').txn([], [{ put: keys.info('half-id'), value: info }])
    const node = await new ClusterNode(world, { brokerId: 1 }).start()
    await create(node, topic('t'))
    assert.deepEqual([...node.image.unnamedTopics()], [])
    await node.stop()
  }))

test('when the controller dies another takes over, fences it, and elects from the ISR', () =>
  simulated().run(async world => {
    const first = await new ClusterNode(world, { brokerId: 1 }).start()
    const second = await new ClusterNode(world, { brokerId: 2 }).start()
    const configs = new Map([['min.insync.replicas', '2']])
    const assignments = new Map([[0, [1, 2]]])
    const wanted = { partitionCount: -1, replicationFactor: -1, assignments, configs }
    assert.deepEqual(errorsOf(await create(first, topic('t', wanted))), [undefined])
    await assert.rejects(create(second, topic('u')), { error: 'NOT_CONTROLLER' })
    await world.sleep(100)
    const before = second.image.topicByName('t')!.partitions[0]!
    world.kill('1')
    await world.sleep(15_000)
    assert.equal(second.image.controllerId, 2)
    const after = second.image.topicByName('t')!.partitions[0]!
    assert.deepEqual(after.leader, [2, second.membership.brokerEpoch])
    assert.equal(after.leaderEpoch, before.leaderEpoch + 1)
    assert.deepEqual(after.isr, [after.leader])
    assert.deepEqual(after.elr, [before.leader])
    assert.deepEqual(errorsOf(await create(second, topic('u'))), [undefined])
    second.abandon()
  }))

test('a topic can be made while a broker of the cluster is away; it has its place and no part', () =>
  simulated().run(async world => {
    const first = await new ClusterNode(world, { brokerId: 1 }).start()
    const second = await new ClusterNode(world, { brokerId: 2 }).start()
    await second.stop()
    await world.sleep(100)
    const wanted = topic('t', { partitionCount: 2, replicationFactor: 2 })
    assert.deepEqual(errorsOf(await create(first, wanted)), [undefined])
    const self = [1, first.membership.brokerEpoch]
    for (const { leader, replicas, isr } of first.image.topicByName('t')!.partitions) {
      assert.deepEqual(replicas, [1, 2])
      assert.deepEqual([leader, isr], [self, [self]])
    }
    const more = topic('u', { replicationFactor: 3 })
    assert.deepEqual(errorsOf(await create(first, more)), ['INVALID_REPLICATION_FACTOR'])
    await first.stop()
  }))

test('replicas are spread over racks', () =>
  simulated().run(async world => {
    const nodes: ClusterNode[] = []
    for (const [brokerId, rack] of [
      [1, 'a'],
      [2, 'a'],
      [3, 'b'],
      [4, 'b'],
    ] as const) {
      nodes.push(await new ClusterNode(world, { brokerId, rack }).start())
    }
    await world.sleep(100)
    const [first] = nodes
    await create(first!, topic('t', { partitionCount: 8, replicationFactor: 2 }))
    for (const { replicas } of first!.image.topicByName('t')!.partitions) {
      assert.equal(replicas.filter(id => id <= 2).length, 1, String(replicas))
    }
    for (const node of nodes) node.abandon()
  }))

test('a broker whose late attempt got the role, after another had it for a moment, takes it up', () =>
  simulated().run(async world => {
    const first = await new ClusterNode(world, { brokerId: 1 }).start()
    const second = await new ClusterNode(world, { brokerId: 2 }).start()
    const third = await new ClusterNode(world, { brokerId: 3 }).start()
    const late = new Set(['2'])
    world.metadata.lateMs = { min: 300, max: 300 }
    world.metadata.fault = (kind, host) =>
      kind === 'txn' && first.membership.registration === undefined && late.delete(host)
        ? 'late'
        : undefined
    await first.stop()
    while (third.image.controllerId !== 3) await world.sleep(1)
    await world.sleep(100) // The second one is told that it came too late.
    await third.stop()
    await world.sleep(2000)
    assert.equal(second.image.controllerId, 2)
    assert.equal(late.size, 0)
    assert.deepEqual(errorsOf(await create(second, topic('t'))), [undefined])
    await second.stop()
  }))
