/** For tests: a partition that takes and refuses batches by the rules of Kafka. */

/** Who sends, and which sequences. */
export interface AppendedRange {
  readonly producerId: number
  readonly epoch: number
  readonly first: number
  readonly last: number
}

interface Known {
  readonly epoch: number
  batches: (AppendedRange & { readonly offset: number })[]
}

/** Five batches of a producer are remembered; a sequence has to follow the newest one. */
export class ReplicatedLog {
  readonly values: string[] = []
  readonly #producers = new Map<number, Known>()

  /** Where it is stored, now or before; or why not. */
  append(
    range: AppendedRange,
    values: readonly string[],
  ): { offset: number } | 'INVALID_PRODUCER_EPOCH' | 'OUT_OF_ORDER_SEQUENCE_NUMBER' {
    const { producerId, epoch, first, last } = range
    const known = this.#producers.get(producerId)
    if (known !== undefined) {
      if (epoch < known.epoch) return 'INVALID_PRODUCER_EPOCH'
      if (epoch === known.epoch) {
        const repeated = known.batches.find(each => each.first === first && each.last === last)
        if (repeated !== undefined) return { offset: repeated.offset }
      }
      const next = epoch > known.epoch ? 0 : known.batches.at(-1)!.last + 1
      if (first !== next) return 'OUT_OF_ORDER_SEQUENCE_NUMBER'
    }
    const offset = this.values.length
    const before = known?.epoch === epoch ? known.batches.slice(-4) : []
    this.#producers.set(producerId, { epoch, batches: [...before, { ...range, offset }] })
    this.values.push(...values)
    return { offset }
  }

  /** What a snapshot keeps: of each producer the newest batch. */
  restart(): void {
    for (const each of this.#producers.values()) each.batches = each.batches.slice(-1)
  }

  /** Loses all from `offset` on, which is the first of a batch. */
  truncate(offset: number): void {
    this.values.length = Math.min(this.values.length, offset)
    for (const each of this.#producers.values()) {
      each.batches = each.batches.filter(batch => batch.offset < offset)
    }
  }
}
