/**
 * What the leader of a partition knows of its followers, and what follows from it: the high watermark
 * and the in-sync replicas it wants (replication.md §6, §7). Pure; `partition.ts` owns the log and
 * those who wait, `isr-changes.ts` brings proposals to the store.
 *
 * The watermark is the smallest end of the counted members. Counted are those of the ISR as it is in
 * the store *and* as proposed, from the moment of sending until the outcome is definite: an expansion
 * that seems to have failed may still arrive, and the store may then elect whom nobody waited for. A
 * member counts with what it said in this leader epoch at the broker epoch of its entry (H2). The
 * watermark stands still while the ISR in the store is below `minIsr` (H1); within an epoch it never
 * falls.
 */
import type { Known } from '../cluster/image.ts'
import type { Member, PartitionState, Usable } from '../cluster/partition-state.ts'
import { KafkaError } from '../protocol/errors.ts'

/** A state of the partition, and the revision that a compare needs. */
export type KnownState = Pick<Known<PartitionState>, 'value' | 'modRevision'>

/** An ISR that the leader wants; one at a time, until its outcome is definite. */
export interface IsrProposal {
  /** What it changes: the compare is on its revision. */
  readonly from: KnownState
  readonly isr: readonly Member[]
  /** Whose registration must still be what it is when they join. */
  readonly added: readonly Member[]
}

/** What the driver has to do next. */
export interface LeaderEffects {
  readonly highWatermark?: number
  readonly propose?: IsrProposal
}

/** What a leadership asks about the cluster: answered from the image, which may lag. */
export interface ClusterView {
  readonly usable: Usable
  /** Undefined while it is not registered. */
  broker(brokerId: number): { readonly brokerEpoch: bigint } | undefined
  /** replica.lag.time.max.ms, as it is now. */
  lagTimeMs(): number
}

/** Where a leadership begins. */
export interface LeadershipStart {
  readonly self: Member
  readonly known: KnownState
  /** Where this epoch starts in the log (LESO). */
  readonly epochStartOffset: number
  readonly highWatermark: number
  readonly cluster: ClusterView
  /** Monotonic: the ISR counts as caught up then. */
  readonly nowMs: number
}

/** A follower's last valid fetch in this leader epoch. */
interface Follower {
  readonly brokerEpoch: bigint
  endOffset: number
  logStartOffset: number
  /** When it last held all that the leader had; −∞: never. */
  caughtUpMs: number
  fetchedMs: number
  /** Where the leader's log ended then. */
  leaderEnd: number
}

/** How far a member of the ISR has come. */
export interface MemberEnd {
  readonly brokerId: number
  readonly endOffset: number
  /** Monotonic, when it last held all that the leader had. */
  readonly caughtUpMs: number
}

const nothing: LeaderEffects = {}

/** A leader whose disk is full leads so long before it makes way: all disks may be full. */
const patienceWithoutRoomMs = 15_000

/** One leadership of one partition: made anew for each leader epoch. */
export class LeaderState {
  readonly leaderEpoch: number
  readonly epochStartOffset: number
  readonly self: Member
  readonly #cluster: ClusterView
  readonly #startedMs: number
  /** Those that fetched in this epoch; most partitions are idle or have one replica. */
  #followers: Map<number, Follower> | undefined
  #committed: KnownState
  #pending: IsrProposal | undefined
  #ownEnd = 0
  #highWatermark: number

  constructor(start: LeadershipStart) {
    const { self, known, epochStartOffset, highWatermark, cluster, nowMs } = start
    this.leaderEpoch = known.value.leaderEpoch
    this.epochStartOffset = epochStartOffset
    this.self = self
    this.#committed = known
    this.#cluster = cluster
    this.#startedMs = nowMs
    this.#highWatermark = highWatermark
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** As it is in the store, as far as is known for certain. */
  get committed(): PartitionState {
    return this.#committed.value
  }

  /** Of the proposal whose outcome is not certain yet. */
  get pending(): IsrProposal | undefined {
    return this.#pending
  }

  /** The ISR is large enough for the watermark to move: acks=all can be accepted. */
  get hasEnoughReplicas(): boolean {
    return this.committed.isr.length >= this.committed.minIsr
  }

  /** The watermark covers everything of earlier epochs: what it says is the whole truth. */
  get isWatermarkKnown(): boolean {
    return this.#highWatermark >= this.epochStartOffset
  }

  /** Some replica is not in the ISR. */
  get isUnderReplicated(): boolean {
    return this.committed.isr.length < this.committed.replicas.length
  }

  /** Those whose ends the watermark waits for, by broker id: the ISR in the store and as proposed. */
  maximalIsr(): Member[] {
    const { isr } = this.committed
    const joining = this.#pending?.isr.filter(([id]) => !isr.some(([other]) => other === id)) ?? []
    return [...isr, ...joining]
  }

  /** Members of the ISR that hold the record at `offset`, or will hold it next. */
  *membersHolding(offset: number): Iterable<MemberEnd> {
    for (const member of this.committed.isr) {
      const follower = this.#followerOf(member)
      if (follower === undefined) continue
      const { endOffset, logStartOffset, caughtUpMs } = follower
      if (logStartOffset > offset || endOffset < offset) continue
      yield { brokerId: member[0], endOffset, caughtUpMs }
    }
  }

  /** Last end it reported in this leader epoch; undefined before its first fetch. */
  followerEnd(brokerId: number): number | undefined {
    return this.#followers?.get(brokerId)?.endOffset
  }

  /** Records below `endOffset` are held here: written, or synced where the policy says so (H3). */
  onOwnEnd(endOffset: number, nowMs: number): LeaderEffects {
    if (endOffset > this.#ownEnd) this.#ownEnd = endOffset
    return this.#advance(nowMs)
  }

  /**
   * Throws NOT_LEADER_OR_FOLLOWER for a broker that is no replica of this partition, or fetches with
   * an older registration than its present one.
   */
  refuseUnlessReplica([brokerId, brokerEpoch]: Member): void {
    if (!this.committed.replicas.includes(brokerId) || brokerId === this.self[0]) {
      throw new KafkaError('NOT_LEADER_OR_FOLLOWER', `broker ${brokerId} has no replica of it`)
    }
    const newest = this.#cluster.broker(brokerId)?.brokerEpoch ?? brokerEpoch
    const known = this.#followers?.get(brokerId)?.brokerEpoch ?? brokerEpoch
    if (brokerEpoch < newest || brokerEpoch < known) {
      throw new KafkaError('NOT_LEADER_OR_FOLLOWER', `broker ${brokerId} registered anew`)
    }
  }

  /**
   * Follower `member` fetched in `leaderEpoch`, and holds every record below `endOffset` that its log
   * did not lose from its start.
   */
  onFollowerEnd(
    member: Member,
    leaderEpoch: number,
    endOffset: number,
    nowMs: number,
    logStartOffset = 0,
  ): LeaderEffects {
    if (leaderEpoch !== this.leaderEpoch) return nothing
    const follower = this.#followerOf(member) ?? this.#newFollower(member)
    const hasMoved = follower.endOffset !== endOffset
    if (endOffset >= this.#ownEnd) follower.caughtUpMs = nowMs
    else if (endOffset >= follower.leaderEnd) {
      follower.caughtUpMs = Math.max(follower.caughtUpMs, follower.fetchedMs)
    }
    follower.endOffset = endOffset
    follower.logStartOffset = logStartOffset
    follower.fetchedMs = nowMs
    follower.leaderEnd = this.#ownEnd
    const propose = this.#mayJoin(member) ? this.#propose([...this.committed.isr, member]) : nothing
    // Idle followers ask again and again; but who was waited for may be given up by now.
    const mayAdvance = hasMoved || this.#highWatermark < this.#ownEnd
    return mayAdvance ? { ...propose, ...this.#advance(nowMs) } : propose
  }

  #newFollower(member: Member): Follower {
    const [brokerId, brokerEpoch] = member
    const follower = {
      brokerEpoch,
      endOffset: -1,
      logStartOffset: 0,
      caughtUpMs: this.#caughtUpMs(member),
      fetchedMs: Number.NEGATIVE_INFINITY,
      leaderEnd: Number.POSITIVE_INFINITY,
    }
    this.#followers ??= new Map()
    this.#followers.set(brokerId, follower)
    return follower
  }

  /** From time to time: members that do not keep up leave. */
  onLagCheck(nowMs: number): LeaderEffects {
    if (this.#pending !== undefined) return nothing
    const { isr } = this.committed
    const keeping = isr.filter(member => member[0] === this.self[0] || this.#keepsUp(member, nowMs))
    return keeping.length === isr.length ? nothing : this.#propose(keeping)
  }

  /**
   * Nothing can be written here: another member of the ISR is to lead. This one leaves the ISR for
   * that, complete as it is, and comes back as any follower.
   */
  onFullDisk(nowMs: number): LeaderEffects {
    const isEarly = nowMs - this.#startedMs < patienceWithoutRoomMs
    if (this.#pending !== undefined || isEarly) return nothing
    const others = this.committed.isr.filter(([id]) => id !== this.self[0])
    const canLead = others.some(([id, epoch]) => this.#cluster.usable(id) === epoch)
    return canLead ? this.#propose(others) : nothing
  }

  /**
   * A later state in the store, of this same leadership; an earlier one changes nothing. A proposal
   * under way cannot succeed any more: its compare is on what was before.
   */
  onCommitted(known: KnownState, nowMs: number): LeaderEffects {
    if (!this.isNews(known)) return nothing
    this.#committed = known
    this.#pending = undefined
    this.#forgetLeft()
    return this.#advance(nowMs)
  }

  /** Of a later revision than the one known. */
  isNews({ modRevision }: KnownState): boolean {
    return modRevision > this.#committed.modRevision
  }

  /** `proposal` was refused for certain, and no later state is known. */
  onRefused(proposal: IsrProposal, nowMs: number): LeaderEffects {
    if (this.#pending !== proposal) return nothing
    this.#pending = undefined
    return this.#advance(nowMs)
  }

  #propose(isr: readonly Member[]): LeaderEffects {
    const added = isr.filter(([id]) => !this.committed.isr.some(([other]) => other === id))
    this.#pending = { from: this.#committed, isr, added }
    return { propose: this.#pending }
  }

  /** I1–I5; that the fetch was of this epoch (I3), the caller has seen. */
  #mayJoin([brokerId, brokerEpoch]: Member): boolean {
    const { isr, replicas } = this.committed
    if (this.#pending !== undefined || isr.some(([id]) => id === brokerId)) return false
    const follower = this.#followers!.get(brokerId)!
    return (
      replicas.includes(brokerId) &&
      this.#holdsEnough(follower) &&
      this.#cluster.usable(brokerId) === brokerEpoch
    )
  }

  /** I1, I2: a new leader's own watermark may lag the true one, its epoch starts above it. */
  #holdsEnough({ endOffset }: Follower): boolean {
    return endOffset >= this.#highWatermark && endOffset >= this.epochStartOffset
  }

  #keepsUp(member: Member, nowMs: number): boolean {
    if (this.#endOf(member) === this.#ownEnd) return true
    return nowMs - this.#caughtUpMs(member) <= this.#cluster.lagTimeMs()
  }

  #advance(nowMs: number): LeaderEffects {
    if (!this.hasEnoughReplicas) return nothing
    let everywhere = this.#ownEnd
    if (this.committed.replicas.length > 1) {
      for (const member of this.maximalIsr()) {
        if (member[0] !== this.self[0]) everywhere = Math.min(everywhere, this.#endOf(member))
      }
      everywhere = Math.min(everywhere, this.#endOfJoining(nowMs))
    }
    if (everywhere <= this.#highWatermark) return nothing
    this.#highWatermark = everywhere
    return { highWatermark: everywhere }
  }

  /** Of those that are caught up and may join: they would fall behind while another proposal is sent. */
  #endOfJoining(nowMs: number): number {
    let end = Number.POSITIVE_INFINITY
    const { isr } = this.committed
    for (const [brokerId, follower] of this.#followers ?? []) {
      if (isr.some(([id]) => id === brokerId) || !this.#holdsEnough(follower)) continue
      const member: Member = [brokerId, follower.brokerEpoch]
      const isUsable = this.#cluster.usable(brokerId) === follower.brokerEpoch
      if (isUsable && this.#keepsUp(member, nowMs)) end = Math.min(end, follower.endOffset)
    }
    return end
  }

  /** A restarted broker may have lost its tail: what it said at another epoch is nothing (KIP-903). */
  #followerOf([brokerId, brokerEpoch]: Member): Follower | undefined {
    const known = this.#followers?.get(brokerId)
    return known?.brokerEpoch === brokerEpoch ? known : undefined
  }

  #endOf(member: Member): number {
    return this.#followerOf(member)?.endOffset ?? 0
  }

  #caughtUpMs(member: Member): number {
    const known = this.#followerOf(member)
    if (known !== undefined) return known.caughtUpMs
    const isInSync = this.committed.isr.some(
      ([id, epoch]) => id === member[0] && epoch === member[1],
    )
    return isInSync ? this.#startedMs : Number.NEGATIVE_INFINITY
  }

  /** A replica that left and comes back starts empty. */
  #forgetLeft(): void {
    for (const brokerId of this.#followers?.keys() ?? []) {
      if (!this.committed.replicas.includes(brokerId)) this.#followers!.delete(brokerId)
    }
  }
}
