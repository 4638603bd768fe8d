/**
 * Where records without a key go (KIP-794). Pure.
 *
 * All go to one partition, so that they share batches; after a batch, or as many bytes, to another.
 * Of two that chance names the one with less waiting is taken: even among equals, and a partition that
 * is slow gets less. Those without a leader are passed over while there are others.
 */
export class StickyState {
  readonly #batchBytes: number
  #partition = -1
  #bytes = 0

  /** A partition is left after `batchBytes`. */
  constructor(batchBytes: number) {
    this.#batchBytes = batchBytes
  }

  /**
   * The partition, below `count`, of the next record, which has `bytes`. `available` are those with a
   * leader, in order; `random` gives whole numbers from 0; `waitingBytes` what waits in a partition.
   */
  next(
    bytes: number,
    count: number,
    available: readonly number[],
    random: () => number,
    waitingBytes: (partition: number) => number,
  ): number {
    if (this.#partition < 0 || this.#bytes >= this.#batchBytes) {
      this.#partition = choose(count, available, random, waitingBytes)
      this.#bytes = 0
    }
    this.#bytes += bytes
    return this.#partition
  }

  /** A batch of `partition` is sent, or its leader is gone. */
  leave(partition: number): void {
    if (partition === this.#partition) this.#partition = -1
  }
}

function choose(
  count: number,
  available: readonly number[],
  random: () => number,
  waitingBytes: (partition: number) => number,
): number {
  if (count === 1) return 0
  if (available.length === 0) return random() % count
  const first = available[random() % available.length]!
  const second = available[random() % available.length]!
  return waitingBytes(second) < waitingBytes(first) ? second : first
}
