import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peers } from '../../client/peers.ts'
import type { GroupConfig } from '../../config/group-config.ts'
import type { LogConfig } from '../../config/log-config.ts'
import { cleanerConfig, config as defaults } from '../../log/fixture.ts'
import { LogDirectory } from '../../log/log-directory.ts'
import { buildBatch } from '../../protocol/records/build.ts'
import { fetcherConfig, throttleConfig } from '../../replica/fixture.ts'
import { lastRun } from '../../replica/last-run.ts'
import { Replicas } from '../../replica/replicas.ts'
import { ClusterNode } from '../../sim/cluster-node.ts'
import { simulated, type World } from '../../sim/world.ts'
import { InternalTopic } from '../internal-topic.ts'
import { type Caller, GroupCoordinator, partitionOf } from './group-coordinator.ts'

const groupConfig: GroupConfig = {
  minSessionTimeoutMs: 6000,
  maxSessionTimeoutMs: 1_800_000,
  maxSize: 1000,
  initialRebalanceDelayMs: 0,
  disconnectGraceMs: 500,
  offsetMetadataMaxBytes: 4096,
  offsetsRetentionMs: 604_800_000,
  offsetsRetentionCheckMs: 600_000,
  commitTimeoutMs: 5000,
  loadBytes: 1024,
  compression: 'none',
  partitionCount: 4,
  replicationFactor: 1,
  segmentBytes: 1024 * 1024,
}

/** A broker without sockets. */
class Machine {
  readonly world: World
  readonly node: ClusterNode
  readonly replicas: Replicas
  readonly groups: GroupCoordinator
  config = groupConfig

  private constructor(world: World, node: ClusterNode, replicas: Replicas) {
    this.world = world
    this.node = node
    this.replicas = replicas
    const topic = new InternalTopic(node.io, node.image, node.controller, {
      name: '__consumer_offsets',
      settled: topicId => replicas.settled(topicId),
      spec: () => ({ ...this.config, configs: new Map() }),
    })
    this.groups = new GroupCoordinator(node.io, node.image, replicas, {
      topic,
      config: () => this.config,
      maxBatchBytes: 1024 * 1024,
    })
  }

  static async start(world: World, changes: Partial<LogConfig> = {}): Promise<Machine> {
    const logConfig = { ...defaults, ...changes }
    const io = world.io('1')
    const directory = await LogDirectory.open(io, '/data')
    await directory.settle(logConfig)
    const reader = new ClusterNode(world, { brokerId: 1 })
    await reader.feed.start()
    const proof = lastRun(reader.image, 1, [directory])
    reader.feed.close()
    const node = new ClusterNode(world, {
      brokerId: 1,
      ...proof,
      directories: [directory.directoryId],
      onRegistered: identity =>
        directory.begin({ ...identity, directoryIds: [directory.directoryId] }),
    })
    const replicas = new Replicas(io, node.image, node.membership, node.transactor, {
      directories: [directory],
      logConfig: () => logConfig,
      retentionCheckMs: 300_000,
      cleaner: () => ({ ...cleanerConfig, backoffMs: 100 }),
      scrubber: () => ({ maxBytesPerSecond: 0, intervalMs: 0 }),
      peers: new Peers(io, { clientId: 'broker-1', addressOf: () => undefined }),
      fetcher: () => fetcherConfig,
      lagTimeMs: () => 30_000,
      throttle: () => throttleConfig,
      onLastOffline: error => void node.fatal.push(error),
    })
    await node.start(replicas)
    const machine = new Machine(world, node, replicas)
    await replicas.start()
    machine.groups.start()
    await replicas.leading(5000)
    return machine
  }

  async stop(): Promise<void> {
    this.groups.close()
    await this.node.membership.stopLeading()
    await this.replicas.close()
    await this.node.membership.close()
    this.node.abandon()
  }

  caller(connection = 1, waitMs = 30_000): Caller {
    const deadlineMs = this.node.io.clock.monotonicMs() + waitMs
    return { connection, deadlineMs, clientId: 'me', clientHost: '/127.0.0.1' }
  }

  ready(groupId = 'g'): Promise<number> {
    return this.groups.coordinatorOf(groupId, this.caller().deadlineMs)
  }

  commit(offset: number, groupId = 'g', topic = 't') {
    const partitions = [{ partition: 0, offset, leaderEpoch: -1, metadata: 'm' }]
    const topics = [{ name: topic, topicId: 'AAAAAAAAAAAAAAAAAAAAAA', partitions }]
    const simple = { memberId: '', groupInstanceId: null, generationId: -1 }
    const command = { ...simple, groupId, retentionMs: undefined, topics }
    return this.groups.commitOffsets(command, this.caller())
  }

  async committed(groupId = 'g', topic = 't'): Promise<number | undefined> {
    const command = { groupId, topics: null }
    const { topics } = await this.groups.fetchOffsets(command, this.caller())
    return topics.find(({ name }) => name === topic)?.partitions[0]?.offset
  }

  async join(memberId: string, connection = 1, groupId = 'g') {
    const answer = await this.groups.joinGroup(
      {
        groupId,
        memberId,
        groupInstanceId: null,
        requireKnownMemberId: false,
        supportsSkippingAssignment: true,
        sessionTimeoutMs: 45_000,
        rebalanceTimeoutMs: 60_000,
        protocolType: 'consumer',
        protocols: [{ name: 'range', metadata: Buffer.from('s') }],
        reason: null,
      },
      this.caller(connection, 120_000),
    )
    assert.ok(!('memberIdRequired' in answer))
    return answer
  }

  /** Joins alone and gets an assignment. */
  async enter(connection = 1, groupId = 'g') {
    const joined = await this.join('', connection, groupId)
    const { memberId, generationId } = joined
    const member = { groupId, memberId, groupInstanceId: null, generationId }
    const protocol = { protocolType: null, protocolName: null }
    const assignments = [{ memberId, assignment: Buffer.from('a') }]
    await this.groups.syncGroup({ ...member, ...protocol, assignments }, this.caller(connection))
    return member
  }

  describe(groupId = 'g') {
    return this.groups.describeGroup(groupId, this.caller())
  }
}

function onMachine(scenario: (machine: Machine, world: World) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const machine = await Machine.start(world)
    await scenario(machine, world)
    await machine.stop()
  })
}

/** Again while shards are loaded, as clients do. */
async function patiently<T>(world: World, ask: () => Promise<T>): Promise<T> {
  for (let attempt = 0; ; attempt++) {
    try {
      return await ask()
    } catch (error) {
      const isLoading = (error as { error?: string }).error === 'COORDINATOR_LOAD_IN_PROGRESS'
      if (!isLoading || attempt > 100) throw error
      await world.sleep(100)
    }
  }
}

test('a group belongs to the partition that Java says', () => {
  // Math.abs("…".hashCode()) % 50, with Integer.MIN_VALUE as 0.
  const known = { g: 3, test: 48, 'console-consumer-1': 24, 'my-group': 12, grüße: 23, '': 0 }
  for (const [groupId, partition] of Object.entries(known)) {
    assert.equal(partitionOf(groupId, 50), partition, groupId)
  }
  assert.equal(partitionOf('polygenelubricants', 50), 0)
})

test('before there is a topic nobody coordinates; the first question makes it', () =>
  onMachine(async machine => {
    await assert.rejects(machine.commit(1), { error: 'NOT_COORDINATOR' })
    assert.equal(await machine.ready(), 1)
    await patiently(machine.world, () => machine.commit(1))
    assert.equal(await machine.committed(), 1)
  }))

test('groups and offsets survive a graceful restart', () =>
  simulated().run(async world => {
    const first = await Machine.start(world)
    await first.ready()
    await patiently(world, () => first.commit(7, 'simple'))
    const member = await first.enter()
    await first.stop()
    const second = await Machine.start(world)
    await second.ready()
    assert.equal(await patiently(world, () => second.committed('simple')), 7)
    await patiently(world, () => second.groups.heartbeat(member, second.caller(9)))
    const { phase, generationId, members } = await second.describe()
    assert.deepEqual([phase, generationId], ['Stable', member.generationId])
    assert.deepEqual(
      members.map(({ memberId }) => memberId),
      [member.memberId],
    )
    await second.stop()
  }))

test('a stable group survives a kill, and what was acknowledged is not lost', () =>
  simulated().run(async world => {
    const first = await Machine.start(world)
    await first.ready()
    const member = await patiently(world, () => first.enter())
    let acknowledged = -1
    const commits = Array.from({ length: 50 }, async (_, offset) => {
      await first.commit(offset, 'simple')
      acknowledged = Math.max(acknowledged, offset)
    })
    for (const commit of commits) commit.catch(() => {})
    while (acknowledged < 5) await world.sleep(0.1)
    world.kill('1')
    const second = await Machine.start(world)
    assert.ok(((await patiently(world, () => second.committed('simple'))) ?? -1) >= acknowledged)
    await patiently(world, () => second.groups.heartbeat(member, second.caller(9)))
    assert.equal((await second.describe()).phase, 'Stable')
    await second.stop()
  }))

test('a member whose connection closes leaves after the grace time, unless it comes back', () =>
  onMachine(async (machine, world) => {
    await machine.ready()
    const member = await patiently(world, () => machine.enter(4))
    machine.groups.disconnected(4)
    await world.sleep(400)
    await machine.groups.heartbeat(member, machine.caller(5))
    await world.sleep(2000)
    assert.equal((await machine.describe()).members.length, 1)
    machine.groups.disconnected(4)
    await world.sleep(2000)
    assert.equal((await machine.describe()).members.length, 1)
    machine.groups.disconnected(5)
    await world.sleep(600)
    assert.equal((await machine.describe()).phase, 'Empty')
  }))

test('connections that close because the broker stops mean nothing', () =>
  simulated().run(async world => {
    const first = await Machine.start(world)
    await first.ready()
    const member = await patiently(world, () => first.enter(4))
    first.groups.stop()
    first.groups.disconnected(4)
    await world.sleep(2000)
    await first.stop()
    const second = await Machine.start(world)
    await patiently(world, () => second.groups.heartbeat(member, second.caller(9)))
    await second.stop()
  }))

test('a stop answers who is parked at once', () =>
  onMachine(async (machine, world) => {
    await machine.ready()
    await patiently(world, () => machine.enter(4))
    const parked = machine.join('', 5)
    await world.sleep(100)
    machine.groups.stop()
    const startMs = world.nowMs
    await assert.rejects(parked, { error: 'NOT_COORDINATOR' })
    assert.equal(world.nowMs, startMs)
    await assert.rejects(machine.describe(), { error: 'NOT_COORDINATOR' })
    await assert.rejects(machine.ready(), { error: 'COORDINATOR_NOT_AVAILABLE' })
  }))

test('offsets of a topic that is deleted go, those of others stay', () =>
  onMachine(async (machine, world) => {
    await machine.ready()
    const soon = () => ({ deadlineMs: machine.caller().deadlineMs })
    const wanted = { partitionCount: 1, replicationFactor: 1, configs: new Map() }
    const topics = ['t', 'u'].map(name => ({ name, ...wanted }))
    await machine.node.controller.createTopics(topics, soon())
    await patiently(world, () => machine.commit(5))
    await machine.commit(6, 'g', 'u')
    await machine.node.controller.deleteTopics([{ name: 't' }], soon())
    assert.equal(await machine.committed(), undefined)
    assert.equal(await machine.committed('g', 'u'), 6)
  }))

test('offsets expire by themselves', () =>
  onMachine(async (machine, world) => {
    machine.config = { ...groupConfig, offsetsRetentionMs: 60_000, offsetsRetentionCheckMs: 1000 }
    await machine.ready()
    await patiently(world, () => machine.commit(5))
    await world.sleep(50_000)
    assert.equal(await machine.committed(), 5)
    await world.sleep(15_000)
    assert.equal(await machine.committed(), undefined)
  }))

test('when the topic of the groups is deleted they are gone, and it is made anew', () =>
  onMachine(async (machine, world) => {
    await machine.ready()
    await patiently(world, () => machine.commit(5))
    const options = { deadlineMs: machine.caller().deadlineMs }
    await machine.node.controller.deleteTopics([{ name: '__consumer_offsets' }], options)
    await assert.rejects(machine.committed(), { error: 'NOT_COORDINATOR' })
    await machine.ready()
    assert.equal(await patiently(world, () => machine.committed()), undefined)
    await machine.commit(1)
    assert.equal(await machine.committed(), 1)
  }))

test('compressed records are read again', () =>
  simulated().run(async world => {
    const first = await Machine.start(world)
    first.config = { ...groupConfig, compression: 'gzip' }
    await first.ready()
    await patiently(world, () => first.commit(7))
    await first.stop()
    const second = await Machine.start(world)
    assert.equal(await patiently(world, () => second.committed()), 7)
    await second.stop()
  }))

test('a shard that cannot be loaded does not take the others out of service', () =>
  simulated().run(async world => {
    const machine = await Machine.start(world)
    await machine.ready()
    await patiently(world, () => machine.commit(1, 'a'))
    await machine.commit(1, 'b')
    const damaged = machine.replicas.leader('__consumer_offsets', partitionOf('a', 4))
    // An offset key of a known kind that ends in the middle of its group id.
    const records = [{ key: Buffer.from([0, 1, 0, 9, 1]), value: 'v', timestamp: 0 }]
    damaged.append(buildBatch({}, records), -1)
    await machine.stop()
    const next = await Machine.start(world)
    await next.ready('b')
    assert.equal(await patiently(world, () => next.committed('b')), 1)
    const refused = patiently(world, () => next.committed('a'))
    await assert.rejects(refused, { error: 'NOT_COORDINATOR', message: /offset 1 / })
    const listed = await next.groups.listGroups({ phases: [], types: [] }, next.caller())
    assert.deepEqual(
      listed.map(({ groupId }) => groupId),
      ['b'],
    )
    await next.stop()
  }))

test('groups of all shards are listed', () =>
  onMachine(async (machine, world) => {
    await machine.ready()
    const ids = ['a', 'b', 'c', 'd', 'e']
    for (const id of ids) await patiently(world, () => machine.commit(1, id))
    const listed = await machine.groups.listGroups({ phases: [], types: [] }, machine.caller())
    assert.deepEqual(listed.map(({ groupId }) => groupId).sort(), ids)
  }))

test('a commit that is not replicated in time is refused', () =>
  onMachine(async (machine, world) => {
    await machine.ready()
    await patiently(world, () => machine.commit(1))
    const disk = world.disk('1')
    const { callMs } = disk
    disk.callMs = { min: 20_000, max: 20_001 }
    const startMs = world.nowMs
    await assert.rejects(machine.commit(2), { error: 'COORDINATOR_NOT_AVAILABLE' })
    assert.ok(world.nowMs - startMs < 5100, `${world.nowMs - startMs} ms`)
    disk.callMs = callMs
    await world.sleep(30_000)
  }))

test('offsets are what they were after the log that holds them was compacted', async () => {
  const compacted = {
    cleanupDelete: false,
    cleanupCompact: true,
    minCleanableRatio: 0.01,
    deleteRetentionMs: 500,
    segmentBytes: 3000,
  }
  await simulated().run(async world => {
    const machine = await Machine.start(world, compacted)
    await machine.ready()
    const groupIds = ['a', 'b', 'c', 'd', 'e', 'gone']
    for (let round = 1; round <= 60; round++) {
      await Promise.all(groupIds.map(id => machine.commit(round, id)))
      await Promise.all(groupIds.map(id => machine.commit(round * 2, id, 'other')))
      await world.sleep(50)
    }
    await machine.groups.deleteGroup('gone', machine.caller())
    for (let round = 61; round <= 120; round++) {
      await Promise.all(groupIds.slice(0, 5).map(id => machine.commit(round, id)))
      await world.sleep(50)
    }
    for (const { logEndOffset, sizeBytes } of machine.replicas.all()) {
      if (logEndOffset > 100) assert.ok(sizeBytes < 10_000, `${sizeBytes} of ${logEndOffset}`)
    }
    await machine.stop()
    const again = await Machine.start(world, compacted)
    await again.groups.loaded()
    for (const id of groupIds.slice(0, 5)) {
      assert.equal(await again.committed(id), 120)
      assert.equal(await again.committed(id, 'other'), 120)
    }
    assert.equal(await again.committed('gone'), undefined)
    await again.stop()
  })
})
