/**
 * One producer, a consumer that is killed, seeks, pauses and stops, brokers that die and lead in turn:
 * what it hands out is in order and without gaps, and everything comes at least once.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Prng } from '../../sim/random.ts'
import { ScriptedCluster } from '../../sim/scripted-cluster.ts'
import { World } from '../../sim/world.ts'
import type { Group } from './core.ts'
import { brokersOf, type TestConsumer, testConsumer } from './fixture.ts'
import type { TopicPartitionOffset } from './options.ts'

const partitions = [0, 1, 2]
const total = 150

/** Committed offsets that outlive consumers. */
class Offsets implements Group {
  readonly stored = new Map<number, TopicPartitionOffset>()
  start(): void {}
  rejoin(): void {}
  async commit(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    for (const each of offsets) this.stored.set(each.partition, each)
  }
  async committed(): Promise<TopicPartitionOffset[]> {
    return [...this.stored.values()]
  }
  async leave(): Promise<void> {}
}

class Scenario {
  readonly #world: World
  readonly #random: Prng
  readonly #cluster: ScriptedCluster
  readonly #offsets = new Offsets()
  readonly #seen = partitions.map(() => new Set<number>())
  /** What has to come next of each partition. */
  #next: number[] = []

  constructor(seed: number) {
    this.#world = new World(seed)
    this.#random = this.#world.random('scenario')
    this.#cluster = new ScriptedCluster(this.#world, [1, 2])
  }

  async run(): Promise<void> {
    await this.#world.run(async () => {
      await this.#cluster.start()
      this.#cluster.topic('orders', [1, 2, 1])
      const producing = this.#produce()
      const faults = this.#fail()
      while (!this.#isDone) await this.#life()
      await Promise.all([producing, faults])
      for (const seen of this.#seen) assert.equal(seen.size, total)
    })
  }

  get #isDone(): boolean {
    return this.#seen.every(({ size }) => size === total)
  }

  async #produce(): Promise<void> {
    for (const log of this.#cluster.logs) {
      for (let made = 0; made < total; ) {
        const count = Math.min(total - made, 1 + this.#random.below(5))
        const compression = this.#random.chance(0.3) ? 'gzip' : 'none'
        log.append(
          Array.from({ length: count }, (_, i) => ({ value: `${made + i}` })),
          { compression },
        )
        made += count
        if (this.#random.chance(0.2)) await this.#world.sleep(this.#random.below(50))
      }
    }
  }

  /** Leaders move, brokers die and come back, sessions are forgotten. */
  async #fail(): Promise<void> {
    while (!this.#isDone) {
      await this.#world.sleep(50 + this.#random.below(400))
      const log = this.#cluster.logs[this.#random.below(3)]!
      const which = this.#random.below(4)
      if (which === 0) log.lead(1 + this.#random.below(2))
      if (which === 1) this.#cluster.forgetSessions()
      if (which === 2) this.#world.network.reset('client')
      if (which === 3) {
        const id = 1 + this.#random.below(2)
        this.#world.kill(`broker${id}`)
        await this.#world.sleep(this.#random.below(300))
        await this.#cluster.start(id)
      }
    }
  }

  /** One consumer, from its start to its end. */
  async #life(): Promise<void> {
    this.#next = partitions.map(each => this.#offsets.stored.get(each)?.offset ?? 0)
    const io = this.#world.io('client')
    const host = `broker${1 + this.#random.below(2)}`
    const consumer = testConsumer(io, brokersOf(io, host, 9092), {
      assignment: partitions.map(partition => ({ topic: 'orders', partition })),
      group: () => this.#offsets,
      autoCommitMs: 100,
      fetch: { maxBytes: 2_000, partitionMaxBytes: 400, maxWaitMs: 100 },
      reading: { maxBatchMessages: 1 + this.#random.below(8) },
    })
    const lifetime = this.#random.below(120)
    for (let handed = 0; handed < lifetime && !this.#isDone; handed++) {
      const isMeddling = this.#random.chance(0.1)
      const { value, done } = await (isMeddling
        ? this.#whilePaused(consumer)
        : consumer.messages.next())
      if (done) return
      this.#handed(value.partition, value.offset, String(value.value))
      if (this.#random.chance(0.1)) await this.#world.sleep(this.#random.below(60))
      if (this.#random.chance(0.03)) this.#seek(consumer)
    }
    if (this.#random.chance(0.5)) await consumer.messages.return()
    else this.#world.kill('client')
  }

  /** The next message, with some partitions paused, of which the last one may be one. */
  async #whilePaused({ core, messages }: TestConsumer) {
    const mine = [...core.partitions.values()].filter(() => this.#random.chance(0.5))
    core.pause(mine)
    const next = messages.next()
    await this.#world.sleep(this.#random.below(100))
    core.resume(mine)
    return await next
  }

  #handed(partition: number, offset: number, value: string): void {
    assert.equal(value, String(offset))
    assert.equal(offset, this.#next[partition], `partition ${partition}`)
    this.#next[partition] = offset + 1
    this.#seen[partition]!.add(offset)
  }

  #seek({ core }: TestConsumer): void {
    const partition = this.#random.below(3)
    const offset = this.#random.below(this.#next[partition]! + 1)
    core.seek(core.partitions.get(`orders/${partition}`)!, offset)
    this.#next[partition] = offset
  }
}

for (let seed = 1; seed <= 10; seed++) {
  test(`everything comes in order, without gaps, at least once (seed ${seed})`, () =>
    new Scenario(seed).run())
}
