/** Sends messages of which each has a value of its own to all partitions, through our Producer. */
import { setTimeout as delay } from 'node:timers/promises'
import { Producer } from '../../src/index.ts'
import type { Checks } from '../groups/checks.ts'

const messagesAtOnce = 2

export class Feed {
  readonly #producer: Producer<string, string>
  readonly #topic: string
  readonly #partitions: number
  readonly #checks: Checks
  readonly #everyMs: number
  #stopping = false
  /** Why a message was not acknowledged: stored or not, nobody knows. */
  readonly failures: string[] = []

  constructor(
    bootstrap: string,
    topic: string,
    partitions: number,
    checks: Checks,
    everyMs: number,
  ) {
    this.#producer = new Producer({ bootstrap })
    this.#topic = topic
    this.#partitions = partitions
    this.#checks = checks
    this.#everyMs = everyMs
  }

  stop(): void {
    this.#stopping = true
  }

  /** Resolves when it was stopped and all that it sent is settled. */
  async run(): Promise<void> {
    while (!this.#stopping) {
      for (let partition = 0; partition < this.#partitions; partition++) {
        for (let nth = 0; nth < messagesAtOnce; nth++) void this.#send(partition)
      }
      await delay(this.#everyMs)
    }
    await this.#producer.close()
  }

  async #send(partition: number): Promise<void> {
    const value = this.#checks.send(partition)
    try {
      const sent = { topic: this.#topic, partition, value: String(value) }
      const { offset } = await this.#producer.send(sent)
      this.#checks.acknowledge(partition, offset, value)
    } catch (error) {
      this.failures.push(String(error))
    }
  }
}
