/** The load: about 500 small messages a second over all partitions of a topic, each with its time. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../../src/client/cluster.ts'
import { buildBatch } from '../../src/protocol/records/build.ts'

const everyMs = 10
const messagesAtOnce = 5
const value = Buffer.alloc(100, 'x')

export class Feed {
  readonly #cluster: Cluster
  readonly #topic: string
  readonly #partitions: number
  readonly #ended: Promise<void>
  #isStopped = false

  /** Runs from now on. */
  constructor(cluster: Cluster, topic: string, partitions: number) {
    this.#cluster = cluster
    this.#topic = topic
    this.#partitions = partitions
    this.#ended = this.#run()
  }

  /** Rejects when something was refused. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#ended
  }

  async #run(): Promise<void> {
    for (let partition = 0; !this.#isStopped; partition = (partition + 1) % this.#partitions) {
      const timestamp = Date.now()
      const records = Array.from({ length: messagesAtOnce }, () => ({ timestamp, value }))
      const batch = { topic: this.#topic, partition, records: buildBatch({}, records) }
      const [answers] = await Promise.all([
        this.#cluster.produce([batch], { acks: -1 }),
        delay(everyMs),
      ])
      for (const answer of answers) if (answer instanceof Error) throw answer
    }
  }
}
