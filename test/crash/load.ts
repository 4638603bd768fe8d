/** Writes to all partitions through our Producer, and deletes records through our Admin, until paused. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Admin, Client, Producer } from '../../src/index.ts'
import { type CrashTopic, contentAt, partitionsOfEach, topics } from './content.ts'

const everyMs = 5
const recordsAtOnce = 6
const maxUnacknowledged = 500
const deleteEveryMs = 300
/** So many stay behind what is deleted. */
const recordsKept = 2000

/** One partition, and what has been done to it. */
export interface LoadedPartition {
  readonly topic: CrashTopic
  readonly partition: number
  /** Records that were given to the producer: the offset of the next one. */
  sent: number
  acknowledged: number
  /** The log start that DeleteRecords was asked for at most, and the one that was answered. */
  deletionAsked: number
  deletionAnswered: number
}

export class Load {
  readonly partitions: readonly LoadedPartition[] = topics.flatMap(topic =>
    Array.from({ length: partitionsOfEach }, (_, partition) => ({
      ...{ topic, partition, sent: 0, acknowledged: 0, deletionAsked: 0, deletionAnswered: 0 },
    })),
  )
  /** What must not have been: a send that failed, an offset that is not the one it must be. */
  readonly failures: string[] = []
  deletions = 0
  readonly #producer: Producer
  readonly #admin: Admin
  #running: Promise<unknown> = Promise.resolve()
  #isPaused = true

  constructor(client: Client) {
    this.#producer = client.producer()
    this.#admin = client.admin()
  }

  resume(): void {
    this.#isPaused = false
    this.#running = Promise.all([this.#send(), this.#delete()])
  }

  /** Resolves when all that was sent is acknowledged. */
  async pause(): Promise<void> {
    this.#isPaused = true
    await this.#running
    await this.#producer.flush()
  }

  async close(): Promise<void> {
    await this.#producer.close()
    await this.#admin.close()
  }

  async #send(): Promise<void> {
    while (!this.#isPaused) {
      for (const each of this.partitions) {
        for (let count = 0; count < recordsAtOnce; count++) {
          if (each.sent - each.acknowledged < maxUnacknowledged) this.#sendTo(each)
        }
      }
      await delay(everyMs)
    }
  }

  #sendTo(to: LoadedPartition): void {
    const expected = to.sent++
    const { topic, partition } = to
    const content = contentAt(topic, partition, expected)
    const where = `${topic.topic}-${partition}`
    this.#producer.send({ topic: topic.topic, partition, ...content }).then(
      ({ offset }) => {
        to.acknowledged++
        // −1: the broker had it already, and did not say where.
        if (offset === expected || offset === -1) return
        this.failures.push(`${where}: record ${expected} was acknowledged at ${offset}`)
      },
      (error: Error) => this.failures.push(`${where}: record ${expected}: ${error.message}`),
    )
  }

  async #delete(): Promise<void> {
    const deleted = this.partitions.filter(({ topic }) => topic.topic === 'deleted')
    while (!this.#isPaused) {
      await delay(deleteEveryMs)
      await Promise.all(deleted.map(each => this.#deleteFrom(each)))
    }
  }

  async #deleteFrom(from: LoadedPartition): Promise<void> {
    const { topic, partition, acknowledged } = from
    if (acknowledged <= recordsKept) return
    const beforeOffset = acknowledged - recordsKept
    from.deletionAsked = Math.max(from.deletionAsked, beforeOffset)
    try {
      const asked = { topic: topic.topic, partition, beforeOffset }
      const [answer] = await this.#admin.deleteRecords([asked], { timeoutMs: 10_000 })
      if (answer?.logStartOffset === undefined) return
      this.deletions++
      from.deletionAnswered = Math.max(from.deletionAnswered, answer.logStartOffset)
    } catch {
      // The broker was killed meanwhile: deleted or not, both are right.
    }
  }
}
