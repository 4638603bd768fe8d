/** Consumers as members of a group, on machines of their own, with a real broker. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker } from '../../broker/broker.ts'
import { buildBatch } from '../../protocol/records/build.ts'
import { World } from '../../sim/world.ts'
import { Cluster } from '../cluster.ts'
import { Consumer } from '../consumer.ts'
import { createTopics } from '../topics.ts'
import type { ConsumerSettings, TopicPartition } from './options.ts'

const host = 'broker'
const port = 9092
const topic = 'orders'
const partitions = 4

function startBroker(world: World): Promise<Broker> {
  const properties = {
    listeners: `PLAINTEXT://${host}:${port}`,
    'log.dirs': '/data',
    'offsets.topic.num.partitions': '2',
  }
  return Broker.start({ io: world.io(host), properties })
}

interface Setting {
  readonly world: World
  produce(count: number): Promise<void>
  /** Everything produced so far. */
  readonly sent: string[]
}

function inWorld(seed: number, scenario: (setting: Setting) => Promise<void>): Promise<void> {
  const world = new World(seed)
  return world.run(async () => {
    const broker = await startBroker(world)
    const cluster = new Cluster(world.io('producer'), { bootstrap: [{ host, port }] })
    await createTopics(cluster, [{ name: topic, partitions }])
    const sent: string[] = []
    const produce = async (count: number) => {
      for (let i = 0; i < count; i++) {
        const value = `m${sent.length}`
        const records = buildBatch({}, [{ value, timestamp: 0 }])
        const partition = sent.length % partitions
        const [result] = await cluster.produce([{ topic, partition, records }], { acks: -1 })
        if (result instanceof Error) throw result
        sent.push(value)
      }
    }
    await scenario({ world, produce, sent })
    cluster.close()
    await broker.close()
  })
}

/** A consumer that notes what it has, sees, gives up and loses. */
class Reader {
  readonly has = new Set<number>()
  readonly revoked: number[] = []
  readonly lost: number[] = []
  readonly seen: string[] = []
  readonly consumer: Consumer
  /** When the loop has ended. */
  readonly ended: Promise<void>

  constructor(world: World, machine: string, options: Partial<ConsumerSettings> = {}) {
    this.consumer = new Consumer({
      bootstrap: `${host}:${port}`,
      io: world.io(machine),
      groupId: 'readers',
      topics: topic,
      offsetReset: 'earliest',
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 500,
      autoCommitMs: 300,
      onAssigned: all => this.#note(all, partition => this.has.add(partition)),
      onRevoked: all =>
        this.#note(all, partition => {
          this.has.delete(partition)
          this.revoked.push(partition)
        }),
      onLost: all =>
        this.#note(all, partition => {
          this.has.delete(partition)
          this.lost.push(partition)
        }),
      ...options,
    })
    this.ended = this.#read()
    this.ended.catch(() => {}) // Looked at later.
  }

  async close(): Promise<void> {
    await this.consumer.close()
    await this.ended
  }

  async #read(): Promise<void> {
    for await (const { value } of this.consumer) this.seen.push(String(value))
  }

  #note(all: readonly TopicPartition[], note: (partition: number) => void): void {
    for (const { partition } of all) note(partition)
  }
}

async function until(world: World, what: string, isSo: () => boolean): Promise<void> {
  const latestMs = world.nowMs + 60_000
  while (!isSo()) {
    assert.ok(world.nowMs < latestMs, `after 60 s it is still not so: ${what}`)
    await world.sleep(20)
  }
}

const all = (readers: readonly Reader[]) => readers.flatMap(({ has }) => [...has]).sort()

async function untilShared(world: World, readers: readonly Reader[]): Promise<void> {
  await until(world, 'every partition has one reader', () => {
    const found = all(readers)
    const isWhole = found.length === partitions && new Set(found).size === partitions
    return isWhole && readers.every(({ has }) => has.size > 0)
  })
}

for (const assignor of ['range', 'roundrobin', 'sticky', 'cooperative-sticky'] as const) {
  test(`${assignor}: members share the partitions, and take over what a leaving one had`, () =>
    inWorld(1, async ({ world, produce, sent }) => {
      const assignors = [assignor]
      const first = new Reader(world, 'one', { assignors })
      await untilShared(world, [first])
      await produce(20)
      const second = new Reader(world, 'two', { assignors })
      await untilShared(world, [first, second])
      await produce(20)
      await until(world, 'all is read', () => first.seen.length + second.seen.length >= sent.length)
      await first.close()
      await untilShared(world, [second])
      await produce(20)
      await until(world, 'all is read', () =>
        sent.every(v => [...first.seen, ...second.seen].includes(v)),
      )
      await second.close()
      assert.deepEqual([first.lost, second.lost], [[], []])
      // Each closed after what it had finished with was committed, so nothing came twice.
      assert.deepEqual([...first.seen, ...second.seen].toSorted(), sent.toSorted())
    }))
}

test('with cooperative members only what moves is given up', () =>
  inWorld(2, async ({ world }) => {
    const assignors = ['cooperative-sticky'] as const
    const first = new Reader(world, 'one', { assignors })
    await untilShared(world, [first])
    const second = new Reader(world, 'two', { assignors })
    await untilShared(world, [first, second])
    assert.equal(first.revoked.length, 2)
    assert.deepEqual(second.revoked, [])
    await Promise.all([first.close(), second.close()])
  }))

test('members of different assignors agree on one they all know', () =>
  inWorld(3, async ({ world }) => {
    const first = new Reader(world, 'one')
    const second = new Reader(world, 'two', { assignors: ['roundrobin', 'cooperative-sticky'] })
    await untilShared(world, [first, second])
    await Promise.all([first.close(), second.close()])
  }))

test('a group without a common assignor is an error that the loop throws', () =>
  inWorld(4, async ({ world }) => {
    const first = new Reader(world, 'one', { assignors: ['range'] })
    await untilShared(world, [first])
    const second = new Reader(world, 'two', { assignors: ['roundrobin'] })
    await assert.rejects(second.ended, { error: 'INCONSISTENT_GROUP_PROTOCOL' })
    await first.close()
  }))

test('a member whose machine is gone is replaced before its session is over', () =>
  inWorld(5, async ({ world, produce, sent }) => {
    const first = new Reader(world, 'one')
    const second = new Reader(world, 'two')
    await untilShared(world, [first, second])
    await produce(8)
    const fromMs = world.nowMs
    world.kill('one')
    await untilShared(world, [second])
    assert.ok(world.nowMs - fromMs < 3_000, `${world.nowMs - fromMs} ms`)
    await until(world, 'all is read', () =>
      sent.every(v => [...first.seen, ...second.seen].includes(v)),
    )
    await second.close()
  }))

test('a member that heartbeats late loses its partitions, and joins again', () =>
  inWorld(6, async ({ world, produce, sent }) => {
    const slow = new Reader(world, 'one', { heartbeatIntervalMs: 20_000, groupInstanceId: 'slow' })
    await untilShared(world, [slow])
    await until(world, 'it has lost them', () => slow.lost.length === partitions)
    await untilShared(world, [slow])
    await produce(4)
    await until(world, 'all is read', () => sent.every(value => slow.seen.includes(value)))
    await slow.close()
  }))

test('a static member that comes back in time causes no rebalance', () =>
  inWorld(7, async ({ world }) => {
    const first = new Reader(world, 'one', { groupInstanceId: 'one' })
    const second = new Reader(world, 'two', { groupInstanceId: 'two' })
    await untilShared(world, [first, second])
    const had = [...first.has]
    const revoked = second.revoked.length
    await first.close()
    const again = new Reader(world, 'one', { groupInstanceId: 'one' })
    await until(world, 'it has what it had', () => again.has.size === had.length)
    assert.deepEqual([...again.has], had)
    assert.equal(second.revoked.length, revoked)
    await Promise.all([again.close(), second.close()])
  }))

test('a second process with the same instance id fences the first', () =>
  inWorld(8, async ({ world }) => {
    const first = new Reader(world, 'one', { groupInstanceId: 'one' })
    await untilShared(world, [first])
    const second = new Reader(world, 'two', { groupInstanceId: 'one' })
    await untilShared(world, [second])
    await assert.rejects(first.ended, { error: 'FENCED_INSTANCE_ID' })
    await second.close()
  }))
