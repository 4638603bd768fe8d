/** Produces messages of which each has a value of its own, a few to many partitions at a time. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../../src/client/cluster.ts'
import { buildBatch } from '../../src/protocol/records/build.ts'
import type { Prng } from '../../src/sim/random.ts'
import type { Checks } from './checks.ts'

const batchesAtOnce = 50
const messagesInBatch = 2

export class Feed {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #partitions: number
  readonly #checks: Checks
  readonly #random: Prng
  #stopping = false
  readonly #everyMs: number
  /** Not acknowledged: stored or not, nobody knows. */
  unknown = 0

  constructor(
    cluster: Cluster,
    topic: string,
    partitions: number,
    checks: Checks,
    random: Prng,
    everyMs = 500,
  ) {
    this.#cluster = cluster
    this.#topic = topic
    this.#partitions = partitions
    this.#checks = checks
    this.#random = random
    this.#everyMs = everyMs
  }

  stop(): void {
    this.#stopping = true
  }

  /** Resolves when it was stopped and its last batches are answered. */
  async run(): Promise<void> {
    while (!this.#stopping) {
      await Promise.all([this.#send(), delay(this.#everyMs)])
    }
  }

  async #send(): Promise<void> {
    const start = this.#random.below(this.#partitions)
    const count = Math.min(batchesAtOnce, this.#partitions)
    const batches = Array.from({ length: count }, (_, i) => {
      const partition = (start + i) % this.#partitions
      const values = Array.from({ length: messagesInBatch }, () => this.#checks.send(partition))
      const timestamp = Date.now()
      const records = values.map(value => ({ timestamp, value: String(value) }))
      return { topic: this.#topic, partition, values, records: buildBatch({}, records) }
    })
    const answers = await this.#cluster.produce(batches, { acks: -1 })
    for (const [i, { partition, values }] of batches.entries()) {
      const answer = answers[i]
      if (answer === undefined || answer instanceof Error) {
        this.unknown += values.length
        continue
      }
      for (const [nth, value] of values.entries()) {
        this.#checks.acknowledge(partition, answer.baseOffset + nth, value)
      }
    }
  }
}
