/**
 * What was acknowledged, what readers were shown, and what there is in the end.
 *
 * A value is `PRODUCER:NUMBER`; a producer numbers what it sends to a partition from 0 on.
 */

/** Of all partitions; a breach of what the broker promises when it is not 0. */
export interface Verdict {
  readonly lost: number
  readonly duplicates: number
  readonly outOfOrder: number
  /** Shown to a reader, and not there in the end, or with another value. */
  readonly shownThenGone: number
  /** An offset that a reader was not shown, or not in order. */
  readonly skipped: number
  /** Acknowledged at an offset where it is not. */
  readonly elsewhere: number
}

interface Shown {
  readonly values: string[]
  next: number
}

export class Ledger {
  readonly #partitions: number
  /** By producer and partition: the offset of each number; undefined: not acknowledged. */
  readonly #acknowledged = new Map<string, (number | undefined)[][]>()
  readonly #shown = new Map<string, Shown[]>()
  #acknowledgedCount = 0
  #shownCount = 0
  #skipped = 0
  readonly breaches: string[] = []

  constructor(partitions: number) {
    this.#partitions = partitions
  }

  get acknowledged(): number {
    return this.#acknowledgedCount
  }

  get shown(): number {
    return this.#shownCount
  }

  acknowledge(producer: string, partition: number, number: number, offset: number): void {
    let numbers = this.#acknowledged.get(producer)
    if (numbers === undefined) {
      numbers = Array.from({ length: this.#partitions }, () => [])
      this.#acknowledged.set(producer, numbers)
    }
    numbers[partition]![number] = offset
    this.#acknowledgedCount++
  }

  show(reader: string, partition: number, offset: number, value: string): void {
    let partitions = this.#shown.get(reader)
    if (partitions === undefined) {
      partitions = Array.from({ length: this.#partitions }, () => ({ values: [], next: 0 }))
      this.#shown.set(reader, partitions)
    }
    const shown = partitions[partition]!
    if (offset !== shown.next) {
      this.#skipped++
      this.breach(`${reader} was shown ${partition}/${offset} where ${shown.next} is next`)
    }
    const before = shown.values[offset]
    if (before !== undefined && before !== value) {
      this.breach(`${reader} was shown ${before}, then ${value}, at ${partition}/${offset}`)
    }
    shown.values[offset] = value
    shown.next = offset + 1
    this.#shownCount++
  }

  /** Whether every reader has come to these ends, by partition. */
  hasReached(ends: readonly number[]): boolean {
    return [...this.#shown.values()].every(partitions =>
      partitions.every(({ next }, partition) => next >= ends[partition]!),
    )
  }

  breach(what: string): void {
    if (this.breaches.length < 50) this.breaches.push(what)
  }

  /** `found`: all values that there are, by partition and offset. */
  judge(found: readonly (readonly string[])[]): Verdict {
    const verdict = { lost: 0, duplicates: 0, outOfOrder: 0, shownThenGone: 0, elsewhere: 0 }
    const places = found.map((values, partition) => {
      const offsets = new Map<string, number>()
      const last = new Map<string, number>()
      for (const [offset, value] of values.entries()) {
        const [producer = '', number = ''] = value.split(':')
        if (offsets.has(value)) {
          verdict.duplicates++
          this.breach(
            `${value} is at ${partition}/${offsets.get(value)} and ${partition}/${offset}`,
          )
          continue
        }
        if (Number(number) <= (last.get(producer) ?? -1)) {
          verdict.outOfOrder++
          this.breach(`${value} at ${partition}/${offset} comes after ${last.get(producer)}`)
        }
        offsets.set(value, offset)
        last.set(producer, Number(number))
      }
      return offsets
    })
    this.#judgeAcknowledged(places, verdict)
    this.#judgeShown(found, verdict)
    return { ...verdict, skipped: this.#skipped }
  }

  #judgeAcknowledged(
    places: readonly ReadonlyMap<string, number>[],
    verdict: { lost: number; elsewhere: number },
  ): void {
    for (const [producer, partitions] of this.#acknowledged) {
      for (const [partition, offsets] of partitions.entries()) {
        for (const [number, offset] of offsets.entries()) {
          if (offset === undefined) continue
          const value = `${producer}:${number}`
          const at = places[partition]!.get(value)
          if (at === undefined) {
            verdict.lost++
            this.breach(`${value}, acknowledged at ${partition}/${offset}, is lost`)
          } else if (offset >= 0 && at !== offset) {
            verdict.elsewhere++
            this.breach(`${value}, acknowledged at ${partition}/${offset}, is at ${at}`)
          }
        }
      }
    }
  }

  #judgeShown(found: readonly (readonly string[])[], verdict: { shownThenGone: number }): void {
    for (const [reader, partitions] of this.#shown) {
      for (const [partition, { values }] of partitions.entries()) {
        for (const [offset, value] of values.entries()) {
          if (value === undefined || found[partition]?.[offset] === value) continue
          verdict.shownThenGone++
          const there = found[partition]?.[offset] ?? 'nothing'
          this.breach(`${reader} was shown ${value} at ${partition}/${offset}, where is ${there}`)
        }
      }
    }
  }
}
