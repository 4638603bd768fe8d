/** Sizes of topics and partitions, as far as the brokers told them. */
import type { ReplicaSizes } from '../client/log-dirs.ts'
import { bytesText } from './output.ts'

export class Sizes {
  readonly #found: ReplicaSizes
  readonly #byReplica: ReadonlyMap<string, number>

  constructor(found: ReplicaSizes) {
    this.#found = found
    this.#byReplica = new Map(
      found.sizes.map(each => [`${each.brokerId}/${each.topic}/${each.partition}`, each.bytes]),
    )
  }

  /** Bytes of all copies together; null when no broker told. */
  ofTopic(topic: string): number | null {
    const mine = this.#found.sizes.filter(each => each.topic === topic)
    return mine.length === 0 ? null : mine.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  /** Bytes of the copy on one broker; null when it did not tell. */
  ofReplica(brokerId: number, topic: string, partition: number): number | null {
    return this.#byReplica.get(`${brokerId}/${topic}/${partition}`) ?? null
  }

  /** Says on standard error which sizes are missing, and why. */
  sayGaps(): void {
    for (const gap of this.#found.gaps) console.error(`ottla: no sizes from ${gap}`)
  }
}

/** A size, or a mark where it is not known. */
export function sizeText(bytes: number | null): string {
  return bytes === null ? '?' : bytesText(bytes)
}
