/**
 * What the leader of a partition knows of its followers, and the high watermark that follows from
 * it: replication.md §6. Pure; `partition.ts` owns the log and those who wait.
 *
 * The watermark is the smallest end of the counted members. It waits for every follower of the ISR
 * (H2: only progress made in this leader epoch, at the broker epoch of its entry, counts) and for
 * one that is caught up and may join; it stands still while the ISR is below `minIsr` (H1); within
 * an epoch it never falls.
 */
import type { Member, PartitionState, Usable } from '../cluster/partition-state.ts'

/** What the driver has to do next. */
export interface LeaderEffects {
  readonly highWatermark?: number
}

/** Where a leadership begins. */
export interface LeadershipStart {
  readonly self: Member
  readonly state: PartitionState
  /** Where this epoch starts in the log (LESO). */
  readonly epochStartOffset: number
  readonly highWatermark: number
  readonly usable: Usable
}

const nothing: LeaderEffects = {}

interface FollowerEnd {
  readonly brokerEpoch: bigint
  readonly endOffset: number
}

/** One leadership of one partition: made anew for each leader epoch. */
export class LeaderState {
  readonly leaderEpoch: number
  readonly epochStartOffset: number
  readonly #self: Member
  readonly #usable: Usable
  /** Of followers that fetched in this epoch. */
  #ends: Map<number, FollowerEnd> | undefined
  #committed: PartitionState
  #ownEnd = 0
  #highWatermark: number

  constructor({ self, state, epochStartOffset, highWatermark, usable }: LeadershipStart) {
    this.leaderEpoch = state.leaderEpoch
    this.epochStartOffset = epochStartOffset
    this.#self = self
    this.#committed = state
    this.#usable = usable
    this.#highWatermark = highWatermark
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** The ISR is large enough for the watermark to move: acks=all can be accepted. */
  get hasEnoughReplicas(): boolean {
    return this.#committed.isr.length >= this.#committed.minIsr
  }

  /** The watermark covers everything of earlier epochs: what it says is the whole truth. */
  get isWatermarkKnown(): boolean {
    return this.#highWatermark >= this.epochStartOffset
  }

  /** Records below `endOffset` are held here: written, or synced where the policy says so (H3). */
  onOwnEnd(endOffset: number): LeaderEffects {
    if (endOffset > this.#ownEnd) this.#ownEnd = endOffset
    return this.#advance()
  }

  /** Follower `member` fetched in `leaderEpoch`, and holds every record below `endOffset`. */
  onFollowerEnd(member: Member, leaderEpoch: number, endOffset: number): LeaderEffects {
    if (leaderEpoch !== this.leaderEpoch) return nothing
    const [brokerId, brokerEpoch] = member
    this.#ends ??= new Map()
    this.#ends.set(brokerId, { brokerEpoch, endOffset })
    return this.#advance()
  }

  /** The state in the store, of this same leadership: only ISR, ELR and minIsr differ. */
  onCommitted(state: PartitionState): LeaderEffects {
    this.#committed = state
    return this.#advance()
  }

  #advance(): LeaderEffects {
    if (!this.hasEnoughReplicas) return nothing
    let everywhere = this.#ownEnd
    if (this.#committed.replicas.length > 1) {
      for (const member of this.#counted()) everywhere = Math.min(everywhere, this.#endOf(member))
    }
    if (everywhere <= this.#highWatermark) return nothing
    this.#highWatermark = everywhere
    return { highWatermark: everywhere }
  }

  /** Followers the watermark waits for. */
  *#counted(): Iterable<Member> {
    const { isr } = this.#committed
    for (const member of isr) if (member[0] !== this.#self[0]) yield member
    for (const [brokerId, { brokerEpoch, endOffset }] of this.#ends ?? []) {
      const isCaughtUp = endOffset >= this.#highWatermark && endOffset >= this.epochStartOffset
      const mayJoin = isCaughtUp && this.#usable(brokerId) === brokerEpoch
      if (mayJoin && !isr.some(([id]) => id === brokerId)) yield [brokerId, brokerEpoch]
    }
  }

  /** A restarted broker may have lost its tail: what it said at another epoch is nothing (KIP-903). */
  #endOf([brokerId, brokerEpoch]: Member): number {
    const known = this.#ends?.get(brokerId)
    return known?.brokerEpoch === brokerEpoch ? known.endOffset : 0
  }
}
