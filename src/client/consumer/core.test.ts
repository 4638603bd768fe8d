import assert from 'node:assert/strict'
import { test } from 'node:test'
import { KafkaError } from '../../protocol/errors.ts'
import { ScriptedCluster } from '../../sim/scripted-cluster.ts'
import { simulated, type World } from '../../sim/world.ts'
import type { Group, GroupHandlers } from './core.ts'
import { brokersOf, type TestConsumer, type TestOptions, testConsumer } from './fixture.ts'
import type { Message } from './message.ts'
import type { TopicPartition, TopicPartitionOffset } from './options.ts'
import { Subscription } from './subscription.ts'
import { messageWork, work } from './workers.ts'

/** A group of one member, which the test assigns to and revokes from. */
class TestGroup implements Group {
  readonly offsets = new Map<string, TopicPartitionOffset>()
  readonly commits: string[] = []
  handlers: GroupHandlers | undefined
  refusal: Error | undefined
  hasLeft = false
  readonly first: readonly TopicPartition[]

  constructor(first: readonly TopicPartition[]) {
    this.first = first
  }
  start(): void {
    void this.handlers!.assign(this.first)
  }
  rejoin(): void {}
  async commit(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    if (this.refusal !== undefined) throw this.refusal
    for (const each of offsets) {
      this.offsets.set(`${each.topic}/${each.partition}`, each)
      this.commits.push(`${each.partition}@${each.offset}`)
    }
  }
  async committed(partitions: readonly TopicPartition[]): Promise<TopicPartitionOffset[]> {
    return partitions.flatMap(
      ({ topic, partition }) => this.offsets.get(`${topic}/${partition}`) ?? [],
    )
  }
  async leave(): Promise<void> {
    this.hasLeft = true
  }
}

interface Setting {
  readonly world: World
  readonly cluster: ScriptedCluster
  readonly group: TestGroup
  consumer(options?: TestOptions): TestConsumer
}

/** Two partitions of orders with `count` messages each, and a group that is assigned both. */
function inWorld(count: number, scenario: (setting: Setting) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const cluster = new ScriptedCluster(world)
    await cluster.start()
    const logs = cluster.topic('orders', [1, 1])
    for (const log of logs) {
      for (let i = 0; i < count; i++) log.append([{ value: `m${i}`, timestamp: 1 }])
    }
    const group = new TestGroup(logs.map(({ partition }) => ({ topic: 'orders', partition })))
    const io = world.io('client')
    const consumer = (options: TestOptions = {}) =>
      testConsumer(io, brokersOf(io, 'broker1', 9092), {
        group: handlers => {
          group.handlers = handlers
          return group
        },
        subscription: new Subscription(
          io.clock,
          async () => [{ name: 'orders', partitions: 2, isInternal: false }],
          'orders',
          300_000,
        ),
        ...options,
      })
    await scenario({ world, cluster, group, consumer })
  })
}

const only0 = { assignment: [{ topic: 'orders', partition: 0 }] }

test('automatic commits count what the loop has finished with, not what it has in hands', () =>
  inWorld(5, async ({ world, group, consumer }) => {
    const { core, messages } = consumer({ ...only0, autoCommitMs: 1_000 })
    for (let i = 0; i < 3; i++) await messages.next()
    await world.sleep(1_500)
    assert.deepEqual(group.commits, ['0@2'])
    await messages.next()
    await world.sleep(1_000)
    assert.deepEqual(group.commits, ['0@2', '0@3'])
    await core.close()
    assert.ok(group.hasLeft)
  }))

test('leaving the loop commits what is finished, closes, and the message in hands comes again', () =>
  inWorld(5, async ({ group, consumer }) => {
    const first: number[] = []
    for await (const { offset } of consumer(only0).messages) {
      first.push(offset)
      if (offset === 2) break
    }
    assert.deepEqual([first, group.commits, group.hasLeft], [[0, 1, 2], ['0@2'], true])
    const again = consumer(only0)
    assert.equal((await again.messages.next()).value.offset, 2)
    await again.core.close()
    assert.deepEqual(await again.messages.next(), { value: undefined, done: true })
  }))

test('an error in the loop closes the consumer and stays that error', () =>
  inWorld(3, async ({ group, consumer }) => {
    const mine = new Error('mine')
    await assert.rejects(async () => {
      for await (const message of consumer(only0).messages) if (message.offset === 1) throw mine
    }, mine)
    assert.deepEqual([group.commits, group.hasLeft], [['0@1'], true])
  }))

test('commit says that everything handed out is done, the message in hands included', () =>
  inWorld(5, async ({ group, consumer }) => {
    await using each = consumer({ ...only0, commit: 'manual' })
    await each.messages.next()
    await each.messages.next()
    await each.core.commitHandedOut()
    await each.core.commitHandedOut()
    assert.deepEqual(group.commits, ['0@2'])
  }))

test('with commit after each batch the offset is stored before the next batch is handed out', () =>
  inWorld(6, async ({ group, consumer }) => {
    await using each = consumer({ ...only0, commit: 'batch', reading: { maxBatchMessages: 2 } })
    for (let i = 0; i < 3; i++) await each.messages.next()
    assert.deepEqual(group.commits, ['0@2'])
  }))

test('before revocation the message in hands is waited for, committed, and no other handed out', () =>
  inWorld(5, async ({ world, group, consumer }) => {
    const order: string[] = []
    await using each = consumer({
      reading: { maxBatchMessages: 5 },
      onRevoked: ([one]) => void order.push(`revoked ${one!.partition}`),
    })
    const held = (await each.messages.next()).value
    const gone = { topic: 'orders', partition: held.partition }
    const revoking = group
      .handlers!.revoke([gone], new AbortController().signal)
      .then(() => order.push('let go'))
    await world.sleep(2_000)
    assert.deepEqual(order, [])
    const rest: Message[] = []
    for (let i = 0; i < 5; i++) rest.push((await each.messages.next()).value)
    await revoking
    assert.deepEqual(order, [`revoked ${held.partition}`, 'let go'])
    assert.ok(rest.every(({ partition }) => partition === 1 - held.partition))
    assert.deepEqual(group.commits, [`${held.partition}@1`])
  }))

test('a revocation whose time is over does not wait, and what finishes later is not committed', () =>
  inWorld(5, async ({ world, group, consumer }) => {
    await using each = consumer({ ...only0, autoCommitMs: 1_000 })
    await each.messages.next()
    const patience = new AbortController()
    const revoking = group.handlers!.revoke([{ topic: 'orders', partition: 0 }], patience.signal)
    patience.abort()
    await revoking
    void each.messages.next()
    await world.sleep(5_000)
    assert.deepEqual(group.commits, ['0@0'])
  }))

test('of a lost partition nothing is handed out or committed any more, also what is under way', () =>
  inWorld(5, async ({ world, cluster, group, consumer }) => {
    const lost: number[] = []
    await using each = consumer({
      autoCommitMs: 1_000,
      onLost: partitions => void lost.push(...partitions.map(({ partition }) => partition)),
    })
    const { partition } = (await each.messages.next()).value
    const other = 1 - partition
    group.handlers!.lost([{ topic: 'orders', partition }])
    cluster.logs[partition]!.append([{ value: 'late' }])
    for (let i = 0; i < 5; i++) {
      const next = (await each.messages.next()).value
      assert.deepEqual([next.partition, next.offset], [other, i])
    }
    await world.sleep(1_500)
    assert.deepEqual([lost, group.commits], [[partition], [`${other}@4`]])
  }))

test('run works on partitions side by side and on the messages of each in order', () =>
  inWorld(20, async ({ world, group, consumer }) => {
    const each = consumer({ reading: { maxBatchMessages: 3 } })
    const seen: number[][] = [[], []]
    let active = 0
    let most = 0
    await run(each, 4, async ({ partition, offset }) => {
      most = Math.max(most, ++active)
      await world.sleep(10 + ((offset * 7) % 5))
      active--
      seen[partition]!.push(offset)
      if (seen[0]!.length + seen[1]!.length === 40) each.core.stop()
    })
    const all = Array.from({ length: 20 }, (_, offset) => offset)
    assert.deepEqual([seen, most], [[all, all], 2])
    await each.core.close()
    assert.deepEqual(group.commits.toSorted(), ['0@20', '1@20'])
  }))

test('an error of each stops run with it; the message is not committed, finished ones are', () =>
  inWorld(5, async ({ group, consumer }) => {
    const each = consumer(only0)
    const mine = new Error('mine')
    await assert.rejects(
      run(each, 2, async ({ offset }) => {
        if (offset === 3) throw mine
      }),
      mine,
    )
    await each.core.close()
    assert.deepEqual(group.commits, ['0@3'])
  }))

test('closing aborts the signal of running work and waits for it, but not for ever', () =>
  inWorld(5, async ({ world, group, consumer }) => {
    const each = consumer({ ...only0, closeTimeoutMs: 3_000 })
    let isAborted = false
    const running = run(each, 1, async (_, signal) => {
      signal.addEventListener('abort', () => {
        isAborted = true
      })
      await world.sleep(1_000)
    })
    await world.sleep(500)
    await Promise.all([each.core.close(), running])
    assert.deepEqual([isAborted, group.commits], [true, ['0@1']])
    const stuck = consumer({ ...only0, closeTimeoutMs: 3_000 })
    const never = run(stuck, 1, () => new Promise<void>(() => {}))
    await world.sleep(500)
    const startMs = world.nowMs
    await stuck.core.close()
    assert.ok(world.nowMs - startMs >= 3_000)
    void never
  }))

test('pausing in the loop keeps the rest of the batch for later', () =>
  inWorld(4, async ({ world, consumer }) => {
    await using each = consumer(only0)
    const partition = () => [each.core.partitions.get('orders/0')!]
    assert.equal((await each.messages.next()).value.offset, 0)
    each.core.pause(partition())
    const next = each.messages.next()
    await world.sleep(2_000)
    each.core.resume(partition())
    assert.equal((await next).value.offset, 1)
    each.core.pause(partition())
    each.core.resume(partition())
    assert.equal((await each.messages.next()).value.offset, 2)
  }))

test('the watchdog names a message that is held too long, and partitions that are not fetched', () =>
  inWorld(2, async ({ world, consumer }) => {
    await using each = consumer({ ...only0, maxProcessingMs: 1_000, maxUnfetchedMs: 2_000 })
    await each.messages.next()
    await world.sleep(1_800)
    assert.deepEqual(
      each.said.filter(line => line.startsWith('held')),
      ['held orders-0@0'],
    )
    await each.messages.next()
    const more = each.messages.next()
    world.kill('broker1')
    await world.sleep(3_000)
    assert.deepEqual(
      each.said.filter(line => line.startsWith('unfetched')),
      ['unfetched orders-0@2'],
    )
    void more
  }))

test('an automatic commit that fails is said, and tried again', () =>
  inWorld(3, async ({ world, group, consumer }) => {
    await using each = consumer({ ...only0, autoCommitMs: 1_000 })
    await each.messages.next()
    await each.messages.next()
    group.refusal = new KafkaError('COORDINATOR_NOT_AVAILABLE')
    await world.sleep(1_500)
    assert.ok(each.said.some(line => line.startsWith('commit failed')))
    group.refusal = undefined
    await world.sleep(1_000)
    assert.deepEqual(group.commits, ['0@1'])
  }))

function run(
  { core }: TestConsumer,
  concurrency: number,
  each: (message: Message, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  core.waitForWork()
  const unitWork = messageWork(async (message, { signal }) => {
    await each(message as Message, signal)
  })
  return core.start().then(() => work(core, concurrency, unitWork, error => core.stop(error)))
}
