import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Peers } from '../client/peers.ts'
import { removeSelfFrom } from '../cluster/reports.ts'
import type { LogConfig } from '../config/log-config.ts'
import { cleanerConfig } from '../log/fixture.ts'
import { LogDirectory } from '../log/log-directory.ts'
import { batches } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { ClusterNode } from '../sim/cluster-node.ts'
import { simulated, type World } from '../sim/world.ts'
import { fetcherConfig, throttleConfig } from './fixture.ts'
import { lastRun } from './last-run.ts'
import type { Partition } from './partition.ts'
import { Replicas } from './replicas.ts'

const logConfig: LogConfig = {
  cleanupDelete: true,
  cleanupCompact: false,
  deleteRetentionMs: 86_400_000,
  minCleanableRatio: 0.5,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  compressionType: 'producer',
  gzipLevel: 6,
  lz4Level: 9,
  zstdLevel: 3,
  maxMessageBytes: 1_048_588,
  maxDecompressedMessageBytes: 64 * 1024 * 1024,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: Number.MAX_SAFE_INTEGER,
  segmentBytes: 1024 * 1024,
  segmentMs: 604_800_000,
  segmentJitterMs: 0,
  indexIntervalBytes: 4096,
  segmentIndexBytes: 10 * 1024 * 1024,
  fileDeleteDelayMs: 1000,
  retentionMs: -1,
  retentionBytes: -1,
  flushMessages: Number.MAX_SAFE_INTEGER,
  flushMs: Number.MAX_SAFE_INTEGER,
  minInsyncReplicas: 1,
  uncleanLeaderElection: false,
}

/** A broker without sockets. */
interface TestBroker {
  readonly node: ClusterNode
  readonly replicas: Replicas
  readonly directories: readonly LogDirectory[]
  create(name: string, configs?: Record<string, string>, partitionCount?: number): Promise<string>
  remove(name: string): Promise<void>
  stop(): Promise<void>
}

async function startBroker(world: World, paths = ['/data']): Promise<TestBroker> {
  const io = world.io('1')
  const directories: LogDirectory[] = []
  for (const path of paths) directories.push(await LogDirectory.open(io, path))
  for (const directory of directories) await directory.settle(logConfig)
  const directoryIds = directories.map(({ directoryId }) => directoryId)
  const onRegistered = async (identity: {
    clusterId: string
    brokerId: number
    brokerEpoch: bigint
  }) => {
    for (const directory of directories) {
      if (directory.offline === undefined) await directory.begin({ ...identity, directoryIds })
    }
  }
  // The image has to be whole before it can be told what the directories prove.
  const reader = new ClusterNode(world, { brokerId: 1 })
  await reader.feed.start()
  const proof = lastRun(reader.image, 1, directories)
  reader.feed.close()
  const node = new ClusterNode(world, {
    brokerId: 1,
    ...proof,
    directories: directoryIds,
    onRegistered,
  })
  await removeSelfFrom(node.transactor, reader.image, 1, proof.unproven)
  const replicas = new Replicas(io, node.image, node.membership, node.transactor, {
    directories,
    logConfig: overrides => ({
      ...logConfig,
      cleanupDelete: overrides.get('cleanup.policy') !== 'compact',
    }),
    retentionCheckMs: 300_000,
    cleaner: () => cleanerConfig,
    scrubber: () => ({ maxBytesPerSecond: 1024 * 1024, intervalMs: 604_800_000 }),
    peers: new Peers(io, { clientId: 'broker-1', addressOf: () => undefined }),
    fetcher: () => fetcherConfig,
    lagTimeMs: () => 30_000,
    throttle: () => throttleConfig,
    onLastOffline: error => void node.fatal.push(error),
  })
  await node.start(replicas)
  await replicas.start()
  await replicas.leading(5000)
  const soon = () => ({ deadlineMs: io.clock.monotonicMs() + 5000 })
  return {
    node,
    replicas,
    directories,
    async create(name, configs = {}, partitionCount = 1) {
      const map = new Map(Object.entries(configs))
      const wanted = { name, partitionCount, replicationFactor: 1, configs: map }
      const [created] = await node.controller.createTopics([wanted], soon())
      if (created!.error !== undefined) throw created!.error
      return created!.topicId!
    },
    async remove(name) {
      const [deleted] = await node.controller.deleteTopics([{ name }], soon())
      if (deleted!.error !== undefined) throw deleted!.error
    },
    async stop() {
      await node.membership.stopLeading()
      await replicas.close()
      await node.membership.close()
      node.abandon()
    },
  }
}

function onBroker(scenario: (broker: TestBroker, world: World) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const broker = await startBroker(world)
    await scenario(broker, world)
    await broker.stop()
  })
}

/** Appends with acks=all; resolves to the base offset when it is acknowledged. */
async function produce(partition: Partition, ...values: string[]): Promise<number> {
  const records = values.map(value => ({ timestamp: 1_767_225_600_000, value }))
  const appended = partition.append(buildBatch({}, records), -1)
  await partition.acknowledged(appended, -1, Number.MAX_SAFE_INTEGER)
  return appended.baseOffset
}

async function valuesOf(partition: Partition, offset = 0): Promise<string[]> {
  const { chunks } = await partition.read({
    offset,
    maxBytes: 1024 * 1024,
    atLeastOneBatch: true,
    currentLeaderEpoch: -1,
    isolation: 'read_uncommitted',
  })
  const values: string[] = []
  for (const batch of batches(Buffer.concat(chunks))) {
    for (const { value } of recordsOf(batch, 1024 * 1024))
      values.push(Buffer.from(value!).toString())
  }
  return values
}

const folders = async (world: World, path = '/data') =>
  (await world.io('1').disk.list(path)).filter(({ directory }) => directory).map(({ name }) => name)

test('a created topic can be written and read at once', () =>
  onBroker(async ({ create, replicas }) => {
    await create('t', {}, 3)
    for (const index of [0, 1, 2]) {
      const partition = replicas.leader('t', index)
      assert.equal(await produce(partition, 'a', 'b'), 0)
      assert.equal(await produce(partition, 'c'), 2)
      assert.equal(partition.highWatermark, 3)
      assert.deepEqual(await valuesOf(partition), ['a', 'b', 'c'])
    }
    assert.throws(() => replicas.leader('t', 3), { error: 'UNKNOWN_TOPIC_OR_PARTITION' })
    assert.throws(() => replicas.leader('u', 0), { error: 'UNKNOWN_TOPIC_OR_PARTITION' })
  }))

test('a deleted topic has no folder and no partition left when that is answered', () =>
  onBroker(async ({ create, remove, replicas, node }, world) => {
    const topicId = await create('t')
    const partition = replicas.leader('t', 0)
    await produce(partition, 'a')
    await remove('t')
    assert.throws(() => replicas.leader('t', 0), { error: 'UNKNOWN_TOPIC_OR_PARTITION' })
    assert.throws(() => partition.append(buildBatch({}, []), 1), {
      error: 'NOT_LEADER_OR_FOLLOWER',
    })
    assert.deepEqual(
      (await folders(world)).filter(name => name === 't-0'),
      [],
    )
    await world.sleep(2000)
    assert.deepEqual(await folders(world), [])
    assert.equal(node.image.deletedTopic(topicId), undefined)
  }))

test('a topic made anew under its old name is empty', () =>
  onBroker(async ({ create, remove, replicas }) => {
    for (const round of ['first', 'second', 'third']) {
      await create('t')
      const partition = replicas.leader('t', 0)
      assert.equal(await produce(partition, round), 0)
      assert.deepEqual(await valuesOf(partition), [round])
      await remove('t')
    }
  }))

test('a write that waits when its topic goes is told', () =>
  onBroker(async ({ create, remove, replicas }) => {
    await create('t')
    const partition = replicas.leader('t', 0)
    const appended = partition.append(buildBatch({}, [{ timestamp: 1, value: 'a' }]), 1)
    const acknowledged = partition.acknowledged(
      { ...appended, endOffset: 10 },
      -1,
      Number.MAX_SAFE_INTEGER,
    )
    const refused = assert.rejects(acknowledged, { error: 'NOT_LEADER_OR_FOLLOWER' })
    await remove('t')
    await refused
  }))

test('records and leadership survive clean stops and kills, in ever higher epochs', () =>
  simulated().run(async world => {
    let broker = await startBroker(world)
    await broker.create('t')
    const epochs: number[] = []
    const expected: string[] = []
    for (const how of ['stop', 'kill', 'kill', 'stop', 'kill']) {
      const partition = broker.replicas.leader('t', 0)
      epochs.push(partition.leaderEpoch)
      await produce(partition, `before ${how}`)
      expected.push(`before ${how}`)
      if (how === 'stop') await broker.stop()
      else world.kill('1')
      broker = await startBroker(world)
      assert.equal(broker.node.image.broker(1)!.lossless, true, how)
      const again = broker.replicas.leader('t', 0)
      assert.deepEqual(await valuesOf(again), expected)
      assert.equal(again.highWatermark, expected.length)
    }
    assert.deepEqual(
      epochs,
      [...new Set(epochs)].sort((a, b) => a - b),
    )
    assert.equal(epochs.length, 5)
    await broker.stop()
  }))

test('after a power loss the broker that may have lost records says where it ends, and leads', () =>
  simulated().run(async world => {
    const broker = await startBroker(world)
    await broker.create('t')
    await produce(broker.replicas.leader('t', 0), 'a')
    world.powerLoss('1')
    const after = await startBroker(world)
    assert.equal(after.node.image.broker(1)!.lossless, false)
    const partition = after.replicas.leader('t', 0)
    await produce(partition, 'b')
    assert.ok((await valuesOf(partition)).includes('b'))
    await after.stop()
  }))

test('a lost registration fences writes, lets reads go on, and ends in a new leadership', () =>
  onBroker(async ({ create, replicas, node }, world) => {
    const topicId = await create('t')
    const partition = replicas.leader('t', 0)
    await produce(partition, 'a')
    const { leaderEpoch } = partition
    // The store is out of reach for longer than the lease.
    world.metadata.delayMs = { min: 15_000, max: 15_001 }
    await world.sleep(13_000)
    const records = () => buildBatch({}, [{ timestamp: 1, value: 'b' }])
    assert.throws(() => partition.append(records(), 1), { error: 'NOT_LEADER_OR_FOLLOWER' })
    assert.deepEqual(await valuesOf(partition), ['a'])
    world.metadata.delayMs = { min: 0.1, max: 2 }
    await world.sleep(40_000)
    await replicas.settled(topicId)
    assert.ok(partition.leaderEpoch > leaderEpoch)
    assert.ok(node.membership.validUntilMs > node.io.clock.monotonicMs())
    await produce(replicas.leader('t', 0), 'b')
    assert.deepEqual(await valuesOf(partition), ['a', 'b'])
  }))

test('an append of an earlier leadership is not acknowledged by a later one', () =>
  onBroker(async ({ create, replicas, node }, world) => {
    const topicId = await create('t')
    const partition = replicas.leader('t', 0)
    const appended = partition.append(buildBatch({}, [{ timestamp: 1, value: 'a' }]), -1)
    await world.store('other').revokeLease(node.membership.registration!.lease.id)
    await world.sleep(20_000)
    await replicas.settled(topicId)
    assert.ok(partition.highWatermark >= appended.endOffset)
    await assert.rejects(partition.acknowledged(appended, -1, Number.MAX_SAFE_INTEGER), {
      error: 'NOT_LEADER_OR_FOLLOWER',
    })
  }))

test('folders that no topic expects are set aside, and those of deleted topics removed', () =>
  simulated().run(async world => {
    const broker = await startBroker(world)
    await broker.create('kept')
    const { disk } = world.io('1')
    await broker.stop()
    await disk.makeDirectory('/data/unknown-0')
    const again = await startBroker(world)
    const names = await folders(world)
    assert.ok(names.includes('kept-0'))
    assert.ok(!names.includes('unknown-0'))
    assert.ok(names.some(name => name.startsWith('unknown-0.') && name.endsWith('-stray')))
    await again.stop()
  }))

test('new partitions go to the directory that has the fewest', () =>
  simulated().run(async world => {
    const broker = await startBroker(world, ['/one', '/two'])
    await broker.create('t', {}, 6)
    assert.deepEqual(
      broker.replicas.logDirs().map(({ partitions }) => partitions.length),
      [3, 3],
    )
    await broker.stop()
  }))

test('a directory that fails takes its replicas out of their partitions; the rest goes on', () =>
  simulated().run(async world => {
    const broker = await startBroker(world, ['/one', '/two'])
    await broker.create('t', {}, 2)
    const inTwo = broker.replicas.logDirs()[1]!.partitions[0]!
    const inOne = broker.replicas.logDirs()[0]!.partitions[0]!
    await produce(inTwo, 'a')
    world.disk('1').fault = (_, path) => (path.startsWith('/two') ? 'EIO' : undefined)
    await assert.rejects(produce(inTwo, 'b'), { error: 'KAFKA_STORAGE_ERROR' })
    await world.sleep(100)
    const state = broker.node.image.topicByName('t')!.partitions[inTwo.index]!
    assert.deepEqual([state.leader, state.isr, state.elr, state.lastKnown], [null, [], [], [1]])
    assert.throws(() => broker.replicas.leader('t', inTwo.index), { error: 'KAFKA_STORAGE_ERROR' })
    await produce(inOne, 'c')

    // Even a registration lost meanwhile is taken up again with what is left.
    await world.store('other').revokeLease(broker.node.membership.registration!.lease.id)
    await world.sleep(10_000)
    assert.equal(broker.node.image.broker(1)!.lossless, false)
    await produce(inOne, 'd')
    assert.deepEqual(broker.node.fatal, [])

    world.kill('1')
    world.disk('1').fault = undefined
    const again = await startBroker(world, ['/one', '/two'])
    assert.equal(again.node.image.broker(1)!.lossless, false)
    assert.deepEqual(await valuesOf(again.replicas.leader('t', inOne.index)), ['c', 'd'])
    assert.equal((await valuesOf(again.replicas.leader('t', inTwo.index)))[0], 'a')
    await again.stop()
  }))

test('when the last directory fails the broker is told that it cannot go on', () =>
  simulated().run(async world => {
    const broker = await startBroker(world)
    await broker.create('t')
    world.disk('1').fault = () => 'EIO'
    await assert.rejects(produce(broker.replicas.leader('t', 0), 'a'), {
      error: 'KAFKA_STORAGE_ERROR',
    })
    await world.sleep(100)
    assert.equal(broker.node.fatal.length, 1)
  }))

test('a broker ends because of its last disk only when that is noted there, if it can be', () =>
  simulated().run(async world => {
    const broker = await startBroker(world)
    await broker.create('t')
    const disk = world.disk('1')
    disk.syncMs = { min: 200, max: 200 }
    disk.fault = (_, path) => (path.endsWith('.log') ? 'EIO' : undefined)
    await assert.rejects(produce(broker.replicas.leader('t', 0), 'a'), {
      error: 'KAFKA_STORAGE_ERROR',
    })
    while (broker.node.fatal.length === 0) await world.sleep(1)
    world.kill('1')
    disk.fault = undefined
    assert.equal((await LogDirectory.open(world.start('1'), '/data')).isMarkedLossy, true)
  }))

test('what is asked of offsets and records follows the rules of each request', () =>
  onBroker(async ({ create, replicas }) => {
    await create('t')
    await create('compacted', { 'cleanup.policy': 'compact' })
    const partition = replicas.leader('t', 0)
    await produce(partition, 'a', 'b')
    await produce(partition, 'c')
    const { leaderEpoch } = partition
    const offset = async (timestamp: number) =>
      (await partition.listOffset(timestamp, 'read_committed', leaderEpoch)).offset
    const asked = [-1, -2, -3, -4, -5, -6, 0, 1_767_225_600_000, 1_767_225_600_001]
    assert.deepEqual(await Promise.all(asked.map(offset)), [3, 0, 0, 0, -1, -1, 0, 0, -1])
    assert.deepEqual(partition.offsetForLeaderEpoch(-1, leaderEpoch), { leaderEpoch, endOffset: 3 })
    const unknown = { leaderEpoch: -1, endOffset: -1 }
    assert.deepEqual(partition.offsetForLeaderEpoch(-1, leaderEpoch + 1), unknown)
    assert.throws(() => partition.offsetForLeaderEpoch(leaderEpoch + 1, 0), {
      error: 'UNKNOWN_LEADER_EPOCH',
    })
    assert.throws(() => partition.append(new Uint8Array(), 2), { error: 'INVALID_REQUIRED_ACKS' })

    const read = (from: number, currentLeaderEpoch = -1) =>
      partition.read({
        offset: from,
        maxBytes: 1000,
        atLeastOneBatch: true,
        currentLeaderEpoch,
        isolation: 'read_uncommitted',
      })
    assert.equal((await read(3)).bytes, 0)
    await assert.rejects(read(4), { error: 'OFFSET_OUT_OF_RANGE' })
    await assert.rejects(read(0, leaderEpoch + 1), { error: 'UNKNOWN_LEADER_EPOCH' })
    assert.ok(partition.availableBytes(2) > 0)
    assert.equal(partition.availableBytes(3), 0)

    await assert.rejects(partition.deleteRecords(4), { error: 'OFFSET_OUT_OF_RANGE' })
    assert.equal(await partition.deleteRecords(2), 2)
    assert.equal(await partition.deleteRecords(1), 2)
    await assert.rejects(read(1), { error: 'OFFSET_OUT_OF_RANGE' })
    assert.equal(await offset(-2), 2)
    assert.equal(await partition.deleteRecords(-1), 3)
    await assert.rejects(replicas.leader('compacted', 0).deleteRecords(0), {
      error: 'POLICY_VIOLATION',
    })
  }))

test('who waits for progress is woken once', () =>
  onBroker(async ({ create, replicas }) => {
    await create('t')
    const partition = replicas.leader('t', 0)
    let woken = 0
    partition.onceProgress(() => woken++)
    const cancel = partition.onceProgress(() => (woken += 10))
    cancel()
    await produce(partition, 'a')
    await produce(partition, 'b')
    assert.equal(woken, 1)
  }))

test('the high watermark is checkpointed every five seconds', () =>
  onBroker(async ({ create, replicas }, world) => {
    await create('t')
    await produce(replicas.leader('t', 0), 'a')
    await world.sleep(6000)
    const path = '/data/replication-offset-checkpoint'
    const bytes = await world.io('1').disk.readFile(path, 1000)
    assert.match(Buffer.from(bytes!).toString(), /^t 0 1$/m)
  }))

test('who follows leaderships is told when each begins and ends', () =>
  onBroker(async ({ create, remove, replicas }) => {
    const told: [string, number, boolean][] = []
    const cancel = replicas.onLeadership(({ topic, index, isLeader }) => {
      told.push([topic, index, isLeader])
    })
    await create('t', {}, 2)
    assert.deepEqual(told.sort(), [
      ['t', 0, true],
      ['t', 1, true],
    ])
    told.length = 0
    await remove('t')
    assert.deepEqual(told, [
      ['t', 0, false],
      ['t', 1, false],
    ])
    cancel()
    await create('u')
    assert.equal(told.length, 2)
  }))

test('a partition that is made while the disk is full is made when there is room', () =>
  onBroker(async ({ create, replicas }, world) => {
    const disk = world.disk('1')
    disk.fault = (operation, path) =>
      operation === 'write' && path.includes('/t-0') ? 'ENOSPC' : undefined
    await create('t')
    assert.throws(() => replicas.leader('t', 0), { error: 'KAFKA_STORAGE_ERROR' })
    assert.deepEqual(await folders(world), [], 'nothing half made is left')
    await world.sleep(30_000)
    disk.fault = undefined
    await world.sleep(6000)
    assert.equal(await produce(replicas.leader('t', 0), 'a'), 0)
    await world.sleep(30_000)
    const told = world.reported.filter(({ message }) => /out of use|in use|opened/.test(message))
    assert.deepEqual(
      told.map(({ level, message }) => `${level}: ${message}`),
      [
        'error: a partition is out of use until there is room on its disk: free some, it is tried again',
        'info: there is room: the partition is in use',
      ],
    )
  }))

test('a topic that is deleted while its disk is full is tried no more, and its name is free', () =>
  onBroker(async ({ create, remove, replicas }, world) => {
    const disk = world.disk('1')
    disk.fault = (operation, path) =>
      operation === 'write' && path.includes('/t-0') ? 'ENOSPC' : undefined
    await create('t')
    await remove('t')
    disk.fault = undefined
    await world.sleep(30_000)
    assert.deepEqual(await folders(world), [])
    await create('t')
    assert.equal(await produce(replicas.leader('t', 0), 'a'), 0)
  }))

test('a partition that a start cannot open for want of room is opened when there is some', () =>
  simulated().run(async world => {
    const first = await startBroker(world)
    await first.create('t')
    await produce(first.replicas.leader('t', 0), 'a')
    await first.stop()
    world.kill('1')
    const disk = world.disk('1')
    // Recovery cannot put in order what it finds.
    disk.fault = (operation, path) =>
      operation === 'open' && path.includes('/t-0/0') ? 'EDQUOT' : undefined
    const second = await startBroker(world)
    await world.sleep(30_000)
    assert.throws(() => second.replicas.leader('t', 0), { error: 'KAFKA_STORAGE_ERROR' })
    disk.fault = undefined
    await world.sleep(6000)
    assert.deepEqual(await valuesOf(second.replicas.leader('t', 0)), ['a'])
    await second.stop()
  }))
