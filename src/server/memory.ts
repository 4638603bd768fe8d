/**
 * A bound on the memory of requests and answers of all connections together
 * (queued.max.request.bytes).
 *
 * Connections count the bytes they hold: frames that are arriving or being handled, answers that
 * the client has not yet read. Above the limit no socket is read; who waits is called again, first
 * come first served, when something was given back. Requests that are being handled end by their
 * deadlines, so waiting ends, unless the memory is held by clients that send half a request or do
 * not read their answers. Then the one that holds most is closed, so one greedy client cannot stop
 * the others.
 */

/** One connection's part. */
export interface Holder {
  /** Bytes that only the client can free: an unfinished frame, answers it has not read. */
  readonly heldByClient: number
  /** Room is there again. */
  resume(): void
  /** Closed to make room. */
  shed(): void
}

export class Memory {
  readonly #limit: number
  readonly #waiting = new Set<Holder>()
  readonly #holders = new Set<Holder>()
  #used = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  get used(): number {
    return this.#used
  }

  get isFull(): boolean {
    return this.#used > this.#limit
  }

  add(holder: Holder): void {
    this.#holders.add(holder)
  }

  remove(holder: Holder): void {
    this.#holders.delete(holder)
    this.#waiting.delete(holder)
  }

  take(bytes: number): void {
    this.#used += bytes
  }

  /** Gives bytes back and calls those that wait, while there is room. */
  give(bytes: number): void {
    this.#used -= bytes
    for (const holder of this.#waiting) {
      if (this.isFull) return
      this.#waiting.delete(holder)
      holder.resume()
    }
  }

  /** `holder.resume` is called once there is room; somebody is closed if only clients can make it. */
  wait(holder: Holder): void {
    this.#waiting.add(holder)
    let heldByClients = 0
    let largest: Holder | undefined
    for (const other of this.#holders) {
      heldByClients += other.heldByClient
      if (largest === undefined || other.heldByClient > largest.heldByClient) largest = other
    }
    if (heldByClients > this.#limit) largest?.shed()
  }

  /**
   * Bytes that an answer of up to `wanted` may take, taken at once: fewer when memory is short,
   * and 0 when there is none. Given back with `give`.
   */
  grant(wanted: number): number {
    const granted = Math.max(0, Math.min(wanted, this.#limit - this.#used))
    this.#used += granted
    return granted
  }
}
