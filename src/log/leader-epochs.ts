/**
 * Which leader epoch began at which offset (KIP-101): the table that `leader-epoch-checkpoint` holds.
 * Entries rise in epoch and in start offset. Pure; `log.ts` keeps the file.
 */

export interface EpochEntry {
  readonly epoch: number
  readonly startOffset: number
}

/** The epoch table of one log. */
export class LeaderEpochs {
  #entries: EpochEntry[]

  constructor(entries: readonly EpochEntry[] = []) {
    this.#entries = [...entries]
  }

  get entries(): readonly EpochEntry[] {
    return this.#entries
  }

  /** The newest epoch; −1 when there is none. */
  get latest(): number {
    return this.#entries.at(-1)?.epoch ?? -1
  }

  /**
   * `epoch` starts at `startOffset`. An epoch that is known changes nothing; entries that the new one
   * contradicts (same or later start) go. True when the table changed.
   */
  assign(epoch: number, startOffset: number): boolean {
    if (epoch <= this.latest) return false
    this.truncateFromEnd(startOffset)
    // Not pushed: that makes room for sixteen more, and most logs have one.
    this.#entries = this.#entries.concat({ epoch, startOffset })
    return true
  }

  /**
   * The largest epoch ≤ `epoch` and its end: the start of the next one, or `logEndOffset`.
   * Undefined when every known epoch is newer.
   */
  endOf(epoch: number, logEndOffset: number): { epoch: number; endOffset: number } | undefined {
    const next = this.#entries.findIndex(entry => entry.epoch > epoch)
    const found = this.#entries.at(next === -1 ? -1 : next - 1)
    if (found === undefined || next === 0) return undefined
    return { epoch: found.epoch, endOffset: this.#entries[next]?.startOffset ?? logEndOffset }
  }

  /** The epoch in which the record at `offset` was written; −1 when the table does not reach so far back. */
  epochAt(offset: number): number {
    return this.#entries.findLast(entry => entry.startOffset <= offset)?.epoch ?? -1
  }

  /** The log was cut: it ends at `endOffset`. True when the table changed. */
  truncateFromEnd(endOffset: number): boolean {
    const before = this.#entries.length
    this.#entries = this.#entries.filter(entry => entry.startOffset < endOffset)
    return this.#entries.length !== before
  }

  /**
   * The log starts at `startOffset` now: older epochs go, the one that covers it starts there.
   * True when the table changed.
   */
  truncateFromStart(startOffset: number): boolean {
    const covering = this.#entries.findLastIndex(entry => entry.startOffset <= startOffset)
    const entry = this.#entries[covering]
    if (entry === undefined || (covering === 0 && entry.startOffset === startOffset)) return false
    this.#entries = [{ epoch: entry.epoch, startOffset }, ...this.#entries.slice(covering + 1)]
    return true
  }
}
