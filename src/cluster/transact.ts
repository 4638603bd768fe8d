/**
 * Transactions with a definite answer: replication.md §2, "Unknown outcome".
 *
 * A transaction that the store did not answer may have happened, may happen later, or never. So the
 * same one is sent again until an answer is definite: success, or failed compares. A failure may be
 * due to our own earlier copy; every value therefore names who wrote it, and the proof key of each
 * transaction is read when the compares fail: our own name there means success.
 *
 * The proof key is one that the transaction writes, that one of its compares is about, and that is
 * never deleted and made again (or hangs on a lease of ours): else a late copy could apply twice.
 */
import type { Clock, Compare, Entry, MetadataStore, Op } from '../io/io.ts'
import { StoreUnavailableError } from '../io/io.ts'
import type { By } from './keys.ts'

/** What to change, under which conditions. */
export interface Transaction {
  readonly compares: readonly Compare[]
  readonly ops: readonly Op[]
  /** Read when the compares fail. */
  readonly proofKey: string
}

/** What is certain about a transaction. */
export type Definite =
  | { readonly applied: true; readonly revision: bigint }
  /** `found` is the proof key as it is. */
  | { readonly applied: false; readonly found: Entry | undefined; readonly revision: bigint }

const firstRetryMs = 50
const longestRetryMs = 2000

/** The connection to the store as one process uses it. */
export class Transactor {
  readonly #clock: Clock
  readonly #store: MetadataStore
  readonly #incarnation: string
  #requests = 0
  #isClosed = false

  constructor(clock: Clock, store: MetadataStore, incarnation: string) {
    this.#clock = clock
    this.#store = store
    this.#incarnation = incarnation
  }

  /** For one transaction: it goes into the value of the proof key. */
  nextBy(): By {
    return [this.#incarnation, ++this.#requests]
  }

  /**
   * Sends the transaction until its outcome is certain. Throws StoreUnavailableError only after
   * `close`, and StoreRequestError at once.
   */
  async run(transaction: Transaction, by: By): Promise<Definite> {
    const { compares, ops, proofKey } = transaction
    for (let delayMs = firstRetryMs; ; delayMs = Math.min(2 * delayMs, longestRetryMs)) {
      try {
        const { succeeded, revision, responses } = await this.#store.txn(compares, ops, [
          { get: { key: proofKey } },
        ])
        if (succeeded) return { applied: true, revision }
        const found = responses[0]?.[0]
        return found !== undefined && isBy(found.value, by)
          ? { applied: true, revision: found.modRevision }
          : { applied: false, found, revision }
      } catch (error) {
        if (!(error instanceof StoreUnavailableError) || this.#isClosed) throw error
        await new Promise<void>(resolve => void this.#clock.timer(delayMs, resolve))
        if (this.#isClosed) throw error
      }
    }
  }

  /** Transactions under way stay unknown: nobody sends them again. */
  close(): void {
    this.#isClosed = true
  }
}

function isBy(value: Uint8Array, by: By): boolean {
  const json: { by?: unknown } = JSON.parse(new TextDecoder().decode(value))
  return Array.isArray(json.by) && json.by[0] === by[0] && json.by[1] === by[1]
}
