/**
 * The client's half of a fetch session (KIP-227), for one broker: what has to be said in the next
 * Fetch so that the broker knows which partitions are wanted, and from where.
 *
 * The first request names all partitions and asks for a session; later ones name what is new, moved
 * or gone. After an error, or an answer that was lost, nobody knows what the broker has noted, so
 * the next request names all again, and its epoch 0 together with the old id ends the old session.
 * A broker that gives no session (id 0) is asked with full requests.
 */

/** One partition as the next Fetch should have it. */
export interface FetchWanted {
  readonly topic: string
  /** Part of the identity: a topic that was made anew is another one. */
  readonly topicId: string
  readonly partition: number
  readonly leaderEpoch: number
  readonly fetchOffset: number
  readonly maxBytes: number
}

export interface SessionRequest {
  readonly sessionId: number
  readonly sessionEpoch: number
  /** In the order in which they came. */
  readonly named: readonly FetchWanted[]
  readonly forgotten: readonly FetchWanted[]
}

const lastEpoch = 0x7fffffff

export class FetchSessionState {
  #id = 0
  #epoch = 0
  #known = new Map<string, FetchWanted>()

  /** Whether the broker has a session of ours, as far as known. */
  get isOpen(): boolean {
    return this.#id !== 0
  }

  /** The next request; `answered` or `lost` must follow before another one. */
  request(wanted: readonly FetchWanted[]): SessionRequest {
    const next = new Map(wanted.map(each => [keyOf(each), each]))
    const isFull = this.#epoch === 0
    const named = isFull ? wanted : wanted.filter(each => this.#isNews(each))
    const forgotten = isFull ? [] : [...this.#known].filter(([key]) => !next.has(key))
    this.#known = next
    return {
      sessionId: this.#id,
      sessionEpoch: this.#epoch,
      named,
      forgotten: forgotten.map(([, each]) => each),
    }
  }

  /** The broker answered without an error. `sessionId` 0: there is no session, or no longer. */
  answered(sessionId: number): void {
    this.#id = sessionId
    if (sessionId === 0) this.#epoch = 0
    else this.#epoch = this.#epoch === lastEpoch ? 1 : this.#epoch + 1
  }

  /** There was no answer, or an error for the whole request. */
  lost({ isUnknown = false }: { isUnknown?: boolean } = {}): void {
    if (isUnknown) this.#id = 0
    this.#epoch = 0
  }

  #isNews(each: FetchWanted): boolean {
    const known = this.#known.get(keyOf(each))
    return (
      known === undefined ||
      known.fetchOffset !== each.fetchOffset ||
      known.leaderEpoch !== each.leaderEpoch ||
      known.maxBytes !== each.maxBytes
    )
  }
}

function keyOf({ topic, topicId, partition }: FetchWanted): string {
  return `${topicId}/${topic}/${partition}`
}
