/**
 * A follower's side of a fetch session (KIP-227): the leader remembers what was asked, so that a
 * request names only what is new, what changed, and what is not asked for any more.
 *
 * What the leader remembers is known only while each request is answered: after anything else the next
 * one begins a new session, in the place of the old one.
 */
import type { FetchPosition } from './follower-state.ts'

/** A partition as a Fetch names it. */
export interface FetchedPartition {
  readonly topicId: string
  readonly index: number
}

/** What one request has to say of partitions. */
export interface SessionRequest<P> {
  readonly sessionId: number
  readonly sessionEpoch: number
  readonly asked: ReadonlyMap<P, FetchPosition>
  readonly forgotten: readonly FetchedPartition[]
}

const maxEpoch = 0x7fffffff

export class FetchSession<P extends FetchedPartition> {
  #sessionId = 0
  /** Of the next request; 0: it names all. */
  #epoch = 0
  /** What the leader knows, when it has seen the last request. */
  #known = new Map<P, FetchPosition>()

  /** The next request, for these partitions from these positions. */
  next(positions: ReadonlyMap<P, FetchPosition>): SessionRequest<P> {
    const sessionId = this.#sessionId
    const sessionEpoch = this.#epoch
    const isNew = sessionEpoch === 0
    const asked = isNew ? positions : new Map(this.#changed(positions))
    const forgotten = isNew ? [] : this.#left(positions)
    this.#known = new Map(positions)
    return { sessionId, sessionEpoch, asked, forgotten }
  }

  /** The request was answered, without an error of its own. */
  answered(sessionId: number): void {
    this.#sessionId = sessionId
    if (sessionId === 0) this.#epoch = 0
    else this.#epoch = this.#epoch === maxEpoch ? 1 : this.#epoch + 1
  }

  /** It was not: the next one names all. */
  restart(): void {
    this.#epoch = 0
  }

  *#changed(positions: ReadonlyMap<P, FetchPosition>): Iterable<[P, FetchPosition]> {
    for (const [partition, position] of positions) {
      const known = this.#known.get(partition)
      if (known === undefined || !isSame(known, position)) yield [partition, position]
    }
  }

  /** By topic id and index: another following of the same partition takes its place there. */
  #left(positions: ReadonlyMap<P, FetchPosition>): FetchedPartition[] {
    const wanted = new Set([...positions.keys()].map(nameOf))
    return [...this.#known.keys()].filter(
      partition => !positions.has(partition) && !wanted.has(nameOf(partition)),
    )
  }
}

function nameOf({ topicId, index }: FetchedPartition): string {
  return `${topicId}/${index}`
}

function isSame(a: FetchPosition, b: FetchPosition): boolean {
  return (
    a.fetchOffset === b.fetchOffset &&
    a.lastFetchedEpoch === b.lastFetchedEpoch &&
    a.leaderEpoch === b.leaderEpoch &&
    a.logStartOffset === b.logStartOffset
  )
}
