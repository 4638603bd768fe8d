/** What is paused: whole topics, with exceptions, or single partitions. It outlives rebalances. */
import type { TopicPartition } from '../client/consumer/options.ts'
import { KafkaJSNonRetriableError } from './errors.ts'

type Selection = readonly { topic: string; partitions?: readonly number[] }[]

export class Pauses {
  /** For each topic whether all of it is paused, and which partitions are not as all. */
  readonly #topics = new Map<string, { readonly all: boolean; readonly others: Set<number> }>()

  has({ topic, partition }: TopicPartition): boolean {
    const found = this.#topics.get(topic)
    return found !== undefined && found.all !== found.others.has(partition)
  }

  /** Throws KafkaJSNonRetriableError for what is no selection. */
  set(selection: Selection, isPaused: boolean): void {
    check(selection)
    for (const { topic, partitions } of selection) {
      if (partitions === undefined) {
        this.#topics.set(topic, { all: isPaused, others: new Set() })
        continue
      }
      const { all, others } = this.#topics.get(topic) ?? { all: false, others: new Set<number>() }
      this.#topics.set(topic, { all, others })
      for (const partition of partitions) {
        if (all === isPaused) others.delete(partition)
        else others.add(partition)
      }
    }
  }
}

function check(selection: Selection): void {
  for (const each of selection) {
    if (!each?.topic) throw new KafkaJSNonRetriableError(`topic is ${each?.topic}: give its name`)
    const { topic, partitions } = each
    if (partitions === undefined) continue
    if (!Array.isArray(partitions) || partitions.some(partition => !Number.isInteger(partition))) {
      throw new KafkaJSNonRetriableError(`partitions of ${topic}: give an array of numbers`)
    }
  }
}
