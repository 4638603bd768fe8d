import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker } from '../broker/broker.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { simulated, type World } from '../sim/world.ts'
import { Cluster } from './cluster.ts'
import type { AssignorName, ConsumerSettings } from './consumer/options.ts'
import { Consumer } from './consumer.ts'
import { createTopics } from './topics.ts'

const host = 'broker'
const port = 9092
const partitionCount = 4
const text = (bytes: Buffer | null) => String(bytes)

function start(world: World): Promise<Broker> {
  const properties = {
    listeners: `PLAINTEXT://${host}:${port}`,
    'log.dirs': '/data',
    'group.initial.rebalance.delay.ms': '0',
  }
  return Broker.start({ io: world.io(host), properties })
}

interface Setting {
  readonly world: World
  /** What members have handled: 'partition@offset', by member. */
  readonly handled: Map<string, string[]>
  readonly events: string[]
  produce(count: number): Promise<void>
  /** A member on a machine of its own, named so. */
  member(
    name: string,
    options?: Partial<ConsumerSettings<Buffer | null, string>>,
  ): Consumer<Buffer | null, string>
  /** Reads until it is closed; handling takes `ms`. */
  work(name: string, member: Consumer<Buffer | null, string>, ms?: number): Promise<void>
  /** Waits until `isTrue`, at most a minute. */
  until(isTrue: () => boolean): Promise<void>
}

function inWorld(scenario: (setting: Setting) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    await start(world)
    const bootstrap = `${host}:${port}`
    const cluster = new Cluster(world.io('other'), { bootstrap: [{ host, port }] })
    await createTopics(cluster, [{ name: 'orders', partitions: partitionCount }])
    const handled = new Map<string, string[]>()
    const events: string[] = []
    await scenario({
      world,
      handled,
      events,
      async produce(count) {
        const items = Array.from({ length: partitionCount }, (_, partition) => ({
          topic: 'orders',
          partition,
          records: buildBatch(
            {},
            Array.from({ length: count }, () => ({ value: 'x' })),
          ),
        }))
        for (const result of await cluster.produce(items, { acks: -1 })) {
          if (result instanceof Error) throw result
        }
      },
      member: (name, options) =>
        new Consumer({
          bootstrap,
          io: world.io(name),
          groupId: 'billing',
          topics: 'orders',
          offsetReset: 'earliest',
          value: text,
          sessionTimeoutMs: 10_000,
          onAssigned: partitions =>
            void events.push(`${name} + ${partitions.map(({ partition }) => partition).join('')}`),
          onRevoked: partitions =>
            void events.push(`${name} - ${partitions.map(({ partition }) => partition).join('')}`),
          ...options,
        }),
      async work(name, member, ms = 1) {
        const mine: string[] = []
        handled.set(name, mine)
        const { clock } = world.io(name)
        await member.run({
          concurrency: 4,
          async each({ partition, offset }) {
            // Work that ends with its process.
            await new Promise<void>(resolve => void clock.timer(ms, resolve))
            mine.push(`${partition}@${offset}`)
          },
        })
      },
      async until(isTrue) {
        const endMs = world.nowMs + 60_000
        while (!isTrue()) {
          assert.ok(world.nowMs < endMs, `still not after a minute: ${events.join(', ')}`)
          await world.sleep(20)
        }
      },
    })
  })
}

const all = (handled: ReadonlyMap<string, string[]>) => [...handled.values()].flat()

for (const assignor of [
  'range',
  'roundrobin',
  'sticky',
  'cooperative-sticky',
] satisfies AssignorName[]) {
  test(`members share partitions by ${assignor}, and each message is handled once`, () =>
    inWorld(async ({ produce, member, work, handled, until }) => {
      await produce(20)
      const options = { assignors: [assignor] }
      const one = member('one', options)
      const first = work('one', one, 10)
      await until(() => all(handled).length >= 10)
      const two = member('two', options)
      const second = work('two', two, 10)
      await until(() => two.assignment().length === 2 && one.assignment().length === 2)
      await produce(20)
      await until(() => all(handled).length >= 160)
      await two.close()
      await second
      await produce(20)
      await until(() => all(handled).length >= 240)
      await one.close()
      await first
      assert.equal(all(handled).length, 240)
      assert.equal(new Set(all(handled)).size, 240)
      assert.ok(handled.get('two')!.length >= 20)
    }))
}

test('with cooperative-sticky the partitions that stay are not stopped', () =>
  inWorld(async ({ member, work, events, until }) => {
    const options = { assignors: ['cooperative-sticky'] as const }
    const one = member('one', options)
    const first = work('one', one)
    await until(() => one.assignment().length === 4)
    const two = member('two', options)
    const second = work('two', two)
    await until(() => two.assignment().length === 2)
    const [all, revoked, given] = events
    assert.equal(all, 'one + 0123')
    assert.match(revoked!, /^one - ..$/)
    assert.equal(given, revoked!.replace('one -', 'two +'))
    await Promise.all([one.close(), two.close()])
    await Promise.all([first, second])
  }))

test('when a member is killed the others go on with its partitions, from what it committed', () =>
  inWorld(async ({ world, produce, member, work, handled, until }) => {
    await produce(30)
    const one = member('one', { autoCommitMs: 100 })
    void work('one', one, 20)
    await until(() => all(handled).length >= 60)
    world.kill('one')
    const two = member('two')
    const second = work('two', two)
    await until(() => new Set(all(handled)).size === 120)
    await two.close()
    await second
    const twice = all(handled).length - 120
    assert.ok(twice > 0 && twice <= 40, `${twice} messages came again`)
  }))

test('a member that works for long on a message stays in the group and finishes before it gives it up', () =>
  inWorld(async ({ world, produce, member, work, handled, until }) => {
    await produce(3)
    const one = member('one', { sessionTimeoutMs: 6_000 })
    const first = work('one', one, 20_000)
    await until(() => one.assignment().length === 4)
    await world.sleep(1_000)
    const two = member('two')
    const second = work('two', two, 10)
    await until(() => two.assignment().length === 2)
    assert.deepEqual(handled.get('one')!.toSorted(), ['0@0', '1@0', '2@0', '3@0'])
    await until(() => all(handled).length >= 12)
    await Promise.all([one.close(), two.close()])
    await Promise.all([first, second])
    assert.equal(new Set(all(handled)).size, all(handled).length)
  }))

for (const outageMs of [500, 300_000]) {
  test(`a group goes on where it was when the broker was away for ${outageMs} ms`, () =>
    inWorld(async ({ world, produce, member, work, handled, until }) => {
      await produce(10)
      const one = member('one')
      const first = work('one', one, 10)
      await until(() => all(handled).length >= 20)
      world.kill(host)
      await world.sleep(outageMs)
      await start(world)
      await produce(10)
      await until(() => new Set(all(handled)).size === 80)
      await one.close()
      await first
      assert.equal(all(handled).length, 80)
    }))
}

test('a static member that is closed and comes back finds its partitions, and no rebalance', () =>
  inWorld(async ({ member, work, events, until }) => {
    const options = { groupInstanceId: 'a' }
    const one = member('one', options)
    const first = work('one', one)
    const two = member('two', { groupInstanceId: 'b' })
    const second = work('two', two)
    await until(() => one.assignment().length === 2 && two.assignment().length === 2)
    await until(() => events.some(event => event.startsWith('two +')))
    await one.close()
    await first
    const before = events.filter(event => event.startsWith('two')).length
    const again = member('again', options)
    const third = work('again', again)
    await until(() => again.assignment().length === 2)
    assert.equal(events.filter(event => event.startsWith('two')).length, before)
    await Promise.all([again.close(), two.close()])
    await Promise.all([second, third])
  }))
