import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { NewRecord } from '../../protocol/records/build.ts'
import { ScriptedCluster } from '../../sim/scripted-cluster.ts'
import { simulated, type World } from '../../sim/world.ts'
import { DamagedBatchError, LogTruncationError, OffsetOutOfRangeError } from './errors.ts'
import { brokersOf, type TestConsumer, type TestOptions, testConsumer } from './fixture.ts'

function records(from: number, count: number): NewRecord[] {
  return Array.from({ length: count }, (_, index) => ({ value: `m${from + index}`, timestamp: 1 }))
}

async function started(world: World, brokerIds: readonly number[] = [1]): Promise<ScriptedCluster> {
  const cluster = new ScriptedCluster(world, brokerIds)
  await cluster.start()
  return cluster
}

function consumerOf(world: World, options: TestOptions): TestConsumer {
  const io = world.io('client')
  return testConsumer(io, brokersOf(io, 'broker1', 9092), options)
}

/** The next `count` messages, as 'topic-partition@offset value'. */
async function take({ messages }: TestConsumer, count: number): Promise<string[]> {
  const taken: string[] = []
  while (taken.length < count) {
    const { value, done } = await messages.next()
    if (done) break
    taken.push(`${value.topic}-${value.partition}@${value.offset} ${value.value}`)
  }
  return taken
}

function expected(topic: string, partition: number, from: number, count: number): string[] {
  return records(from, count).map(
    ({ value }, index) => `${topic}-${partition}@${from + index} ${value}`,
  )
}

const orders0 = [{ topic: 'orders', partition: 0, offset: 0 }]

test('messages come in order, over a session that names only what has changed', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const [zero] = cluster.topic('orders', [1, 1])
    zero!.append(records(0, 3))
    await using consumer = consumerOf(world, {
      assignment: [...orders0, { topic: 'orders', partition: 1, offset: 0 }],
    })
    assert.deepEqual(await take(consumer, 3), expected('orders', 0, 0, 3))
    zero!.append(records(3, 2))
    assert.deepEqual(await take(consumer, 2), expected('orders', 0, 3, 2))
    const [first, second] = cluster.fetches
    assert.deepEqual(first!.named, ['orders-0@0', 'orders-1@0'])
    assert.equal(first!.sessionEpoch, 0)
    assert.deepEqual(second!.named, ['orders-0@3'])
    assert.deepEqual([second!.sessionId, second!.sessionEpoch], [1, 1])
  }))

test('a session that the broker has lost is begun anew, and nothing is missed', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const [log] = cluster.topic('orders', [1])
    log!.append(records(0, 1))
    await using consumer = consumerOf(world, { assignment: orders0 })
    await take(consumer, 1)
    cluster.forgetSessions()
    log!.append(records(1, 1))
    assert.deepEqual(await take(consumer, 1), expected('orders', 0, 1, 1))
    log!.append(records(2, 1))
    assert.deepEqual(await take(consumer, 1), expected('orders', 0, 2, 1))
    const full = cluster.fetches.filter(({ sessionEpoch }) => sessionEpoch === 0)
    assert.deepEqual(
      full.map(({ sessionId, named }) => [sessionId, named.length]),
      [
        [0, 1],
        [0, 1],
      ],
    )
  }))

test('a paused partition is left out of the session until it is resumed', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const [zero, one] = cluster.topic('orders', [1, 1])
    await using consumer = consumerOf(world, {
      assignment: [...orders0, { topic: 'orders', partition: 1, offset: 0 }],
    })
    const { core } = consumer
    const first = take(consumer, 1)
    await world.sleep(100)
    core.pause([core.partitions.get('orders/1')!])
    zero!.append(records(0, 1))
    await first
    await world.sleep(100)
    assert.deepEqual(cluster.fetches.at(-1)!.forgotten, ['orders-1'])
    one!.append(records(0, 1))
    core.resume([core.partitions.get('orders/1')!])
    assert.deepEqual(await take(consumer, 1), expected('orders', 1, 0, 1))
  }))

test('what is fetched ahead is bounded, over all partitions of a broker', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const logs = cluster.topic('orders', [1, 1, 1, 1])
    const big = () => [{ value: 'x'.repeat(1000), timestamp: 1 }]
    for (const log of logs) for (let i = 0; i < 50; i++) log.append(big())
    await using consumer = consumerOf(world, {
      assignment: logs.map(({ partition }) => ({ topic: 'orders', partition, offset: 0 })),
      fetch: { maxBytes: 20_000, partitionMaxBytes: 4_000 },
      reading: { maxBatchMessages: 2 },
    })
    const { core } = consumer
    let most = 0
    for (let taken = 0; taken < 200; taken++) {
      await consumer.messages.next()
      const buffered = [...core.partitions.values()].map(({ bufferedBytes }) => bufferedBytes)
      most = Math.max(
        most,
        buffered.reduce((sum, bytes) => sum + bytes, 0),
      )
    }
    assert.ok(most > 4_000 && most <= 20_000, `${most} bytes`)
    assert.ok(cluster.fetches.every(({ maxBytes }) => maxBytes <= 20_000))
  }))

test('partitions with much to read do not starve one another', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const logs = cluster.topic('orders', [1, 1, 1])
    for (const log of logs) for (let i = 0; i < 100; i++) log.append(records(i, 1))
    await using consumer = consumerOf(world, {
      assignment: logs.map(({ partition }) => ({ topic: 'orders', partition, offset: 0 })),
      reading: { maxBatchMessages: 10 },
    })
    const taken = await take(consumer, 90)
    for (const { partition } of logs) {
      const mine = taken.filter(each => each.startsWith(`orders-${partition}@`))
      assert.equal(mine.length, 30)
    }
  }))

test('after a change of leader the new one is asked, and nothing is lost or given twice', () =>
  simulated().run(async world => {
    const cluster = await started(world, [1, 2])
    const [log] = cluster.topic('orders', [1])
    log!.append(records(0, 2))
    await using consumer = consumerOf(world, { assignment: orders0 })
    await take(consumer, 2)
    log!.lead(2)
    log!.append(records(2, 2))
    assert.deepEqual(await take(consumer, 2), expected('orders', 0, 2, 2))
    assert.equal(cluster.fetches.at(-1)!.brokerId, 2)
  }))

test('a broker that dies and comes back is read on from where it was', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const [log] = cluster.topic('orders', [1])
    log!.append(records(0, 2))
    await using consumer = consumerOf(world, { assignment: orders0 })
    await take(consumer, 2)
    world.kill('broker1')
    log!.append(records(2, 2))
    const rest = take(consumer, 2)
    await world.sleep(500)
    await cluster.start()
    assert.deepEqual(await rest, expected('orders', 0, 2, 2))
  }))

test('records that a new leader does not have are a LogTruncationError when nothing else is said', () =>
  simulated().run(async world => {
    const cluster = await started(world, [1, 2])
    const [log] = cluster.topic('orders', [1])
    log!.append(records(0, 2))
    log!.append(records(2, 2))
    const consumer = consumerOf(world, { assignment: orders0, offsetReset: 'none' })
    await take(consumer, 4)
    log!.truncate(2)
    log!.lead(2)
    log!.append(records(2, 5))
    await assert.rejects(take(consumer, 1), (error: unknown) => {
      assert.ok(error instanceof LogTruncationError)
      assert.deepEqual([error.partition, error.offset, error.divergentOffset], [0, 4, 2])
      return true
    })
  }))

test('with a reset, reading goes on where the logs part, and says so', () =>
  simulated().run(async world => {
    const cluster = await started(world, [1, 2])
    const [log] = cluster.topic('orders', [1])
    log!.append(records(0, 2))
    log!.append(records(2, 2))
    await using consumer = consumerOf(world, { assignment: orders0 })
    await take(consumer, 4)
    log!.truncate(2)
    log!.lead(2)
    log!.append([{ value: 'new', timestamp: 1 }])
    assert.deepEqual(await take(consumer, 1), ['orders-0@2 new'])
    assert.ok(consumer.said.some(line => line.includes('is gone from the log')))
  }))

test('an offset outside the log is reset as configured, or a typed error', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const [log] = cluster.topic('orders', [1])
    log!.append(records(0, 4))
    log!.startOffset = 2
    const far = [{ topic: 'orders', partition: 0, offset: 99 }]
    await using earliest = consumerOf(world, { assignment: far, offsetReset: 'earliest' })
    assert.deepEqual(await take(earliest, 2), expected('orders', 0, 2, 2))
    const none = consumerOf(world, { assignment: far, offsetReset: 'none' })
    await assert.rejects(take(none, 1), (error: unknown) => {
      assert.ok(error instanceof OffsetOutOfRangeError)
      assert.equal(error.offset, 99)
      return true
    })
    assert.ok(none.core.isClosed)
  }))

test('a reader with a rack follows the leader to another replica, and comes back when that fails', () =>
  simulated().run(async world => {
    const cluster = await started(world, [1, 2])
    const [log] = cluster.topic('orders', [1])
    log!.preferredReplica = 2
    log!.append(records(0, 2))
    await using consumer = consumerOf(world, { assignment: orders0, fetch: { rack: 'west' } })
    assert.deepEqual(await take(consumer, 2), expected('orders', 0, 0, 2))
    assert.equal(cluster.fetches.at(-1)!.brokerId, 2)
    log!.preferredReplica = -1
    log!.append(records(2, 1))
    assert.deepEqual(await take(consumer, 1), expected('orders', 0, 2, 1))
    assert.equal(cluster.fetches.at(-1)!.brokerId, 1)
  }))

test('a replica is preferred only for a while', () =>
  simulated().run(async world => {
    const cluster = await started(world, [1, 2])
    const [log] = cluster.topic('orders', [1])
    log!.preferredReplica = 2
    await using consumer = consumerOf(world, {
      assignment: orders0,
      fetch: { rack: 'west', preferredReplicaMs: 2_000 },
    })
    const waiting = take(consumer, 1)
    await world.sleep(6_000)
    const toLeader = cluster.fetches.filter(({ brokerId }) => brokerId === 1)
    assert.ok(toLeader.length >= 3 && toLeader.length <= 5, `${toLeader.length} times`)
    log!.append(records(0, 1))
    await waiting
  }))

test('with read_committed aborted messages and markers are left out, and positions pass over them', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const [log] = cluster.topic('orders', [1])
    const of = (producerId: number) => ({ producerId, producerEpoch: 0, transactional: true })
    const marker = (type: number) => [{ key: Buffer.from([0, 0, 0, type]), value: Buffer.alloc(6) }]
    log!.append([{ value: 'a1' }], of(7))
    log!.append([{ value: 'b1' }], of(8))
    log!.append([{ value: 'plain' }])
    log!.append(marker(0), { ...of(7), control: true })
    log!.append([{ value: 'a2' }], of(7))
    log!.append(marker(1), { ...of(8), control: true })
    log!.append(marker(1), { ...of(7), control: true })
    log!.aborted = [{ producerId: 7, firstOffset: 0 }]
    await using committed = consumerOf(world, {
      assignment: orders0,
      fetch: { readCommitted: true },
    })
    assert.deepEqual(await take(committed, 3), [
      'orders-0@1 b1',
      'orders-0@2 plain',
      'orders-0@4 a2',
    ])
    const more = take(committed, 1)
    await world.sleep(50)
    assert.equal(committed.core.partitions.get('orders/0')!.position, 7)
    log!.append([{ value: 'last' }])
    assert.deepEqual(await more, ['orders-0@7 last'])
    await using all = consumerOf(world, { assignment: orders0 })
    assert.equal((await take(all, 5)).length, 5)
  }))

test('a damaged batch is named, after the messages before it; it can be skipped', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const [log] = cluster.topic('orders', [1])
    log!.append(records(0, 2))
    log!.append(records(2, 2), { compression: 'gzip' })
    log!.append(records(4, 1))
    log!.batches[1]![70]! ^= 0xff
    const strict = consumerOf(world, { assignment: orders0 })
    assert.deepEqual(await take(strict, 2), expected('orders', 0, 0, 2))
    await assert.rejects(take(strict, 1), (error: unknown) => {
      assert.ok(error instanceof DamagedBatchError)
      assert.deepEqual([error.topic, error.partition, error.offset], ['orders', 0, 2])
      assert.equal(error.nextOffset, 4)
      return true
    })
    await using lenient = consumerOf(world, { assignment: orders0, reading: { skips: () => true } })
    assert.deepEqual(await take(lenient, 3), [
      ...expected('orders', 0, 0, 2),
      ...expected('orders', 0, 4, 1),
    ])
  }))

test('a batch that expands beyond its bound is refused before the memory is taken', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const [log] = cluster.topic('orders', [1])
    log!.append([{ value: Buffer.alloc(2_000_000) }], { compression: 'zstd' })
    const consumer = consumerOf(world, { assignment: orders0 })
    await assert.rejects(take(consumer, 1), /expands to more than 1048576 bytes/)
  }))

test('a seek drops what was fetched and what is under way', () =>
  simulated().run(async world => {
    const cluster = await started(world)
    const [log] = cluster.topic('orders', [1])
    for (let i = 0; i < 10; i++) log!.append(records(i, 1))
    await using consumer = consumerOf(world, { assignment: orders0 })
    assert.deepEqual(await take(consumer, 2), expected('orders', 0, 0, 2))
    const partition = consumer.core.partitions.get('orders/0')!
    consumer.core.seek(partition, 7)
    assert.equal(partition.position, 7)
    assert.deepEqual(await take(consumer, 3), expected('orders', 0, 7, 3))
    const pending = take(consumer, 1)
    await world.sleep(100)
    consumer.core.seek(partition, 1)
    assert.deepEqual(await pending, expected('orders', 0, 1, 1))
  }))
