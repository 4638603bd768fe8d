/**
 * Members of a group that come, leave and are killed, each on a machine of its own, while messages are
 * produced and the broker dies: everything is handled at least once, by each owner in order and without
 * gaps; and while the broker lives, no partition has two owners at a time.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker } from '../broker/broker.ts'
import { buildBatch } from '../protocol/records/build.ts'
import type { Prng } from '../sim/random.ts'
import { World } from '../sim/world.ts'
import { Cluster } from './cluster.ts'
import type { AssignorName, TopicPartition } from './consumer/options.ts'
import { Consumer } from './consumer.ts'
import { createTopics } from './topics.ts'

const host = 'broker'
const port = 9092
const bootstrap = `${host}:${port}`
const partitionCount = 5
const perPartition = 120

class Scenario {
  readonly #world: World
  readonly #random: Prng
  readonly #killsBroker: boolean
  readonly #assignor: AssignorName
  readonly #seen = Array.from({ length: partitionCount }, () => new Set<number>())
  readonly #owners = new Map<number, string>()
  readonly #failures: unknown[] = []
  #lives = 0

  constructor(seed: number) {
    this.#world = new World(seed)
    this.#random = this.#world.random('scenario')
    this.#killsBroker = seed % 2 === 0
    this.#assignor = seed % 3 === 0 ? 'range' : 'cooperative-sticky'
  }

  async run(): Promise<void> {
    await this.#world.run(async () => {
      await this.#startBroker()
      const cluster = new Cluster(this.#world.io('other'), { bootstrap: [{ host, port }] })
      await createTopics(cluster, [{ name: 'orders', partitions: partitionCount }])
      const slots = [0, 1, 2].map(slot => this.#slot(slot))
      await Promise.all([...slots, this.#produce(cluster), this.#fail()])
      assert.deepEqual(this.#failures, [])
      for (const seen of this.#seen) assert.equal(seen.size, perPartition)
    })
  }

  get #isDone(): boolean {
    return this.#failures.length > 0 || this.#seen.every(({ size }) => size === perPartition)
  }

  async #startBroker(): Promise<void> {
    const properties = {
      listeners: `PLAINTEXT://${host}:${port}`,
      'log.dirs': '/data',
      'group.initial.rebalance.delay.ms': '0',
    }
    await Broker.start({ io: this.#world.io(host), properties })
  }

  async #produce(cluster: Cluster): Promise<void> {
    for (let made = 0; made < perPartition; made += 4) {
      for (let partition = 0; partition < partitionCount; partition++) {
        const records = buildBatch({}, Array(4).fill({ value: 'x' }))
        for (;;) {
          const [result] = await cluster.produce([{ topic: 'orders', partition, records }], {
            acks: -1,
          })
          if (!(result instanceof Error)) break
        }
      }
      await this.#world.sleep(this.#random.below(400))
    }
  }

  async #fail(): Promise<void> {
    while (this.#killsBroker && !this.#isDone) {
      await this.#world.sleep(5_000 + this.#random.below(10_000))
      this.#world.kill(host)
      await this.#world.sleep(this.#random.below(3_000))
      await this.#startBroker()
    }
  }

  /** One machine, on which one member after the other lives. */
  async #slot(slot: number): Promise<void> {
    await this.#world.sleep(this.#random.below(3_000))
    while (!this.#isDone) {
      await this.#life(`member${slot}`)
      await this.#world.sleep(this.#random.below(1_000))
    }
  }

  async #life(machine: string): Promise<void> {
    const name = `${machine}/${++this.#lives}`
    const io = this.#world.io(machine)
    const next = new Map<number, number>()
    const consumer = new Consumer({
      bootstrap,
      io,
      groupId: 'billing',
      topics: 'orders',
      offsetReset: 'earliest',
      assignors: [this.#assignor],
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 500,
      autoCommitMs: 200,
      onAssigned: partitions => this.#assigned(name, partitions, next),
      onRevoked: partitions => this.#gone(name, partitions),
      onLost: partitions => this.#gone(name, partitions),
    })
    const stop = new AbortController()
    const running = consumer.run({
      concurrency: 1 + this.#random.below(3),
      signal: stop.signal,
      each: async ({ partition, offset }) => {
        assert.equal(offset, next.get(partition) ?? offset, `${name} of partition ${partition}`)
        next.set(partition, offset + 1)
        const ms = this.#random.below(20)
        await new Promise<void>(resolve => void io.clock.timer(ms, resolve))
        this.#seen[partition]!.add(offset)
      },
    })
    running.catch(error => this.#failures.push(error))
    const untilMs = this.#world.nowMs + 2_000 + this.#random.below(20_000)
    while (this.#world.nowMs < untilMs && !this.#isDone) await this.#world.sleep(100)
    if (this.#random.chance(0.5)) {
      stop.abort()
      await running
      return
    }
    this.#world.kill(machine)
    this.#gone(
      name,
      [...this.#owners.keys()].map(partition => ({ topic: 'orders', partition })),
    )
  }

  #assigned(name: string, partitions: readonly TopicPartition[], next: Map<number, number>): void {
    for (const { partition } of partitions) {
      next.delete(partition)
      const owner = this.#owners.get(partition)
      if (!this.#killsBroker) assert.equal(owner, undefined, `${partition} for ${name}`)
      this.#owners.set(partition, name)
    }
  }

  #gone(name: string, partitions: readonly TopicPartition[]): void {
    for (const { partition } of partitions) {
      if (this.#owners.get(partition) === name) this.#owners.delete(partition)
    }
  }
}

for (let seed = 1; seed <= 12; seed++) {
  test(`a group handles everything, whoever comes and goes (seed ${seed})`, () =>
    new Scenario(seed).run())
}
