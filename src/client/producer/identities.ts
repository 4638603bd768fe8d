/** The producer id that the partitions of a producer share, and a new one when it is used up. */

import type { Clock, Timer } from '../../io/io.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { Cluster } from '../cluster.ts'

/** What wants an id; see `SequenceState`. */
export interface Unidentified {
  /** What it used up; −1: it had none. */
  readonly producerId: number
  identify(producerId: number, producerEpoch: number): void
}

export class Identities {
  readonly #clock: Clock
  readonly #cluster: Cluster
  readonly #onNews: (refusal?: KafkaError) => void
  #current: { readonly producerId: number; readonly producerEpoch: number } | undefined
  #isAsking = false
  #attempts = 0
  #timer: Timer | undefined
  #isClosed = false
  /** Why there is none. */
  lastError: Error | undefined

  /** `onNews` is called when there is an id, or with the refusal that waiting will not change. */
  constructor(clock: Clock, cluster: Cluster, onNews: (refusal?: KafkaError) => void) {
    this.#clock = clock
    this.#cluster = cluster
    this.#onNews = onNews
  }

  /** Gives it an id other than the one it used up; false: asked for, `onNews` will tell. */
  identify(one: Unidentified): boolean {
    const current = this.#current
    if (current !== undefined && current.producerId !== one.producerId) {
      one.identify(current.producerId, current.producerEpoch)
      return true
    }
    this.#current = undefined
    this.ask()
    return false
  }

  /** Asks for an id, unless there is one or the question is under way. */
  ask(): void {
    if (this.#isAsking || this.#isClosed || this.#current !== undefined) return
    this.#isAsking = true
    this.#cluster.initProducerId().then(
      ({ producerId, producerEpoch }) => {
        this.#isAsking = false
        this.#attempts = 0
        this.lastError = undefined
        this.#current = { producerId, producerEpoch }
        this.#onNews()
      },
      error => {
        if (this.#isClosed) return
        this.lastError = error as Error
        const refusal = error instanceof KafkaError && !error.retriable ? error : undefined
        this.#timer = this.#clock.timer(this.#cluster.nextBackoffMs(this.#attempts++), () => {
          this.#isAsking = false
          this.#onNews(refusal)
        })
      },
    )
  }

  /** Asks no more. */
  close(): void {
    this.#isClosed = true
    this.#timer?.cancel()
  }
}
