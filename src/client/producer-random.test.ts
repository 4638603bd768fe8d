/**
 * Producers on machines of their own, in a world where the broker is killed and restarted, connections
 * break, and requests and answers are held up. Afterwards the log is read: what was acknowledged is in
 * it once, where it was said to be; what was refused for certain is not; records of one producer
 * and partition are in the order of their sends; and every send has settled in its time.
 *
 * `SEEDS=1000-1300 node --test` runs other lives than those of the suite.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Broker } from '../broker/broker.ts'
import { batches, compressions } from '../protocol/records/batch.ts'
import { recordsOf } from '../protocol/records/records.ts'
import type { Prng } from '../sim/random.ts'
import { World } from '../sim/world.ts'
import { Cluster } from './cluster.ts'
import type { ProducerOptions, RecordMetadata } from './producer/options.ts'
import { Producer } from './producer.ts'
import { createTopics } from './topics.ts'

const host = 'broker'
const port = 9092
const bootstrap = `${host}:${port}`
const topic = 'orders'
const slackMs = 50
const recordCount = 300
/** Further ahead than a broker takes. */
const tooLateMs = 365 * 86_400_000

interface Outcome {
  readonly value: string
  readonly idempotent: boolean
  readonly metadata?: RecordMetadata
  readonly error?: Error
}

class Scenario {
  readonly #world: World
  readonly #random: Prng
  readonly #partitions: number
  readonly #outcomes: Outcome[] = []
  #broker: Broker | undefined
  #isDone = false

  constructor(seed: number) {
    this.#world = new World(seed)
    this.#random = this.#world.random('producers')
    this.#partitions = 1 + this.#random.below(4)
  }

  async run(): Promise<void> {
    this.#world.network.delayMs = { min: 0.05, max: this.#random.chance(0.5) ? 1 : 30 }
    await this.#world.run(async () => {
      await this.#start()
      const cluster = new Cluster(this.#world.io('other'), { bootstrap: [{ host, port }] })
      await createTopics(cluster, [{ name: topic, partitions: this.#partitions }])
      const machines = Array.from({ length: 1 + this.#random.below(3) }, (_, n) => `p${n}`)
      const faults = this.#faults(machines)
      await Promise.all(machines.map(machine => this.#produce(machine)))
      this.#isDone = true
      await faults
      // What is still on its way arrives, or is refused.
      await this.#world.sleep(10_000)
      this.#check(await this.#read(cluster))
    })
  }

  async #start(): Promise<void> {
    const properties = { listeners: `PLAINTEXT://${bootstrap}`, 'log.dirs': '/data' }
    this.#broker = await Broker.start({ io: this.#world.io(host), properties })
  }

  async #faults(machines: readonly string[]): Promise<void> {
    const { network } = this.#world
    while (!this.#isDone) {
      await this.#world.sleep(this.#random.below(1_500))
      const machine = machines[this.#random.below(machines.length)]!
      switch (this.#random.below(7)) {
        case 0:
          this.#world.kill(host)
          await this.#restart()
          break
        case 1:
          // Requests arrive, answers do not; then the broker remembers the newest batch alone.
          network.cut(host, machine)
          await this.#world.sleep(this.#random.below(200))
          await this.#broker!.close()
          this.#world.kill(host)
          await this.#restart()
          break
        case 2:
          network.cut(host, machine)
          break
        case 3:
          network.cut(machine, host)
          break
        case 4:
        case 5:
          network.reset(machine)
          break
        case 6:
          network.heal()
      }
      if (this.#random.chance(0.5)) {
        await this.#world.sleep(this.#random.below(1_000))
        network.reset(machine)
        network.heal()
      }
    }
    network.heal()
  }

  async #restart(): Promise<void> {
    await this.#world.sleep(this.#random.below(1_000))
    await this.#start()
  }

  #settings(): Partial<ProducerOptions> & { idempotent: boolean; deliveryTimeoutMs: number } {
    const random = this.#random
    const idempotent = random.chance(0.9)
    return {
      idempotent,
      acks: idempotent || random.chance(0.5) ? 'all' : 1,
      deliveryTimeoutMs: random.chance(0.5) ? 60_000 : 500 + random.below(4_000),
      requestTimeoutMs: 500 + random.below(2_000),
      batchBytes: random.below(random.chance(0.5) ? 200 : 2_000),
      lingerMs: random.chance(0.5) ? 0 : random.below(50),
      maxRequestBytes: 3_000,
      bufferBytes: random.chance(0.5) ? 10_000 : 3_000,
      compression: compressions[random.below(compressions.length)]!,
      maxInFlight: 1 + random.below(6),
    }
  }

  async #produce(machine: string): Promise<void> {
    const random = this.#random
    const io = this.#world.io(machine)
    const settings = this.#settings()
    const producer = new Producer({ bootstrap, io, ...settings })
    const partition = () => (random.chance(0.5) ? undefined : random.below(this.#partitions))
    const sends: Promise<void>[] = []
    for (let n = 0; n < recordCount; n++) {
      const value = `${machine} ${n}`.padEnd(10 + random.below(100))
      const key = random.chance(0.3) ? `k${random.below(10)}` : null
      const sinceMs = io.clock.monotonicMs()
      const timestamp = random.chance(0.02) ? io.clock.wallMs() + tooLateMs : undefined
      const outcome = { value, idempotent: settings.idempotent }
      const settled = () => {
        const tookMs = io.clock.monotonicMs() - sinceMs
        assert.ok(tookMs <= settings.deliveryTimeoutMs + slackMs, `settled after ${tookMs} ms`)
      }
      sends.push(
        producer.send({ topic, key, value, partition: partition(), timestamp }).then(
          metadata => {
            settled()
            this.#outcomes.push({ ...outcome, metadata })
          },
          (error: Error) => {
            settled()
            this.#outcomes.push({ ...outcome, error })
          },
        ),
      )
      assert.ok(producer.metrics().bufferedBytes <= settings.bufferBytes!)
      if (random.chance(0.2)) await this.#world.sleep(random.below(100))
    }
    if (random.chance(0.2)) await producer.close()
    await Promise.all(sends)
    const { bufferedBytes, waitingRecords } = producer.metrics()
    assert.deepEqual([bufferedBytes, waitingRecords], [0, 0])
    await producer.close()
  }

  /** Values by partition, in order. */
  async #read(cluster: Cluster): Promise<string[][]> {
    const logs: string[][] = []
    for (let partition = 0; partition < this.#partitions; partition++) {
      const log: string[] = []
      for (;;) {
        const place = { topic, partition, offset: log.length }
        const [answer] = await cluster.fetch([place], { maxWaitMs: 0 })
        if (answer === undefined || answer instanceof Error) throw answer
        for (const batch of batches(answer.records, { partialTail: 'ignored' })) {
          for (const { offset, value } of recordsOf(batch, 1_000_000)) {
            if (offset === log.length) log.push(Buffer.from(value!).toString())
          }
        }
        if (log.length >= answer.highWatermark) break
      }
      logs.push(log)
    }
    return logs
  }

  #check(logs: readonly string[][]): void {
    const all = logs.flat()
    for (const { value, idempotent, metadata, error } of this.#outcomes) {
      const count = all.filter(each => each === value).length
      if (idempotent) assert.ok(count <= 1, `${value} is stored ${count} times`)
      if (metadata !== undefined) {
        const log = logs[metadata.partition]!
        assert.ok(log.includes(value), `${value} was acknowledged`)
        if (metadata.offset >= 0) assert.equal(log[metadata.offset], value)
        continue
      }
      const mayBeStored = error !== undefined && 'mayBeStored' in error && error.mayBeStored
      if (!mayBeStored) assert.equal(count, 0, `${value} is stored, though: ${error}`)
    }
    const inOrder = new Set(this.#outcomes.flatMap(each => (each.idempotent ? [each.value] : [])))
    for (const log of logs) {
      const last = new Map<string, number>()
      for (const value of log) {
        if (!inOrder.has(value)) continue
        const [machine = '', n = ''] = value.split(' ')
        const before = last.get(machine) ?? -1
        assert.ok(Number(n) > before, `${machine}: ${n} comes behind ${before}`)
        last.set(machine, Number(n))
      }
    }
  }
}

const [first, last] = (process.env['SEEDS'] ?? '1-30').split('-').map(Number)
for (let seed = first!; seed <= last!; seed++) {
  test(`what is acknowledged is stored once and in order (seed ${seed})`, () =>
    new Scenario(seed).run())
}
