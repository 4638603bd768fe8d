/**
 * One partition on this broker: the driver of `leader-state.ts`, with the log and those who wait.
 *
 * A write is appended at once and acknowledged later: with acks=1 when it is written here, with
 * acks=all when the high watermark passes it *in the leader epoch of the append*. A change of leader
 * fails all who wait, even if this broker leads again afterwards (replication.md §10).
 */
import { type Member, sameMember } from '../cluster/partition-state.ts'
import type { LogConfig } from '../config/log-config.ts'
import type { Clock } from '../io/io.ts'
import type { Log } from '../log/log.ts'
import type { LogListener } from '../log/log-listener.ts'
import type { LogRead } from '../log/log-reader.ts'
import type { ActiveProducer } from '../log/producer-state.ts'
import type { AbortedTransaction } from '../log/transaction-marker.ts'
import type { Appended } from '../log/write-group.ts'
import { KafkaError } from '../protocol/errors.ts'
import { endOfBatches } from '../protocol/records/batch.ts'
import {
  type ClusterView,
  type IsrProposal,
  type KnownState,
  type LeaderEffects,
  LeaderState,
} from './leader-state.ts'
import { nearestReplica, type ReadReplica } from './read-replica.ts'
import { Waiters } from './waiters.ts'

/** Whether records of open transactions are seen (KIP-98). */
export type Isolation = 'read_uncommitted' | 'read_committed'

/** How far an append reaches, and the leadership it was made under. */
export type AppendEnd = Pick<Appended, 'endOffset'> & { readonly leaderEpoch: number }

/** An append and the leadership it was made under. */
export type PartitionAppend = Appended & AppendEnd

/** What a consumer asks of one partition. */
export interface ReadOptions {
  readonly offset: number
  readonly maxBytes: number
  readonly atLeastOneBatch: boolean
  /** As the client knows it; −1: it does not say. */
  readonly currentLeaderEpoch: number
  readonly isolation: Isolation
}

/** What a follower asks of its leader: it holds every record below `offset`. */
export interface FollowerFetch {
  readonly member: Member
  readonly offset: number
  /** Newest in its own table; −1: its log is empty. */
  readonly lastFetchedEpoch: number
  readonly currentLeaderEpoch: number
  /** Of its own log; without it, or −1: 0. */
  readonly logStartOffset?: number
}

/** Where a log of `offset` records, the last ones of some epoch, parts from the leader's (KIP-595). */
export interface Divergence {
  readonly epoch: number
  readonly endOffset: number
}

/** Brings what a leadership decides to the store, and knows the cluster. */
export interface LeaderDriver extends ClusterView {
  /** Ends in `Partition.onIsrOutcome` when the outcome is certain. */
  propose(partition: Partition, proposal: IsrProposal): void
}

/** Records, and the offsets that a fetch is answered with. */
export interface ReadResult extends LogRead {
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** That overlap the records; only for read_committed. */
  readonly abortedTransactions?: readonly AbortedTransaction[]
}

/** −1 in each where there is none. */
export interface FoundOffset {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

/** What ListOffsets asks for besides a time (KIP-79, 734, 405, 1005, 1023). */
export const offsetSpecs = {
  latest: -1,
  earliest: -2,
  maxTimestamp: -3,
  earliestLocal: -4,
  latestTiered: -5,
  earliestPendingUpload: -6,
} as const

const notFound: FoundOffset = { offset: -1, timestamp: -1, leaderEpoch: -1 }

/** Of the broker: monotonic time until which it may act as a leader. */
export interface Lifetime {
  readonly validUntilMs: number
}

function noOne(): void {}

/** One replica, led by this broker or not. */
export class Partition implements LogListener {
  readonly topic: string
  readonly topicId: string
  readonly index: number
  /** Called when this broker begins or ceases to lead. */
  onLeadership: (partition: Partition) => void = noOne
  /** Called when what lies at an offset cannot be read. */
  reportDamage: (partition: Partition, offset: number) => void = noOne
  readonly #clock: Clock
  readonly #lifetime: Lifetime
  readonly #log: Log
  /** Those who wait, made when somebody does: most partitions are idle. */
  #written: Waiters | undefined
  #replicated: Waiters | undefined
  #watchers: Set<() => void> | undefined
  #config: LogConfig
  #leader: LeaderState | undefined
  #driver: LeaderDriver | undefined
  /** −1: no leader was followed since this broker led. */
  #followedEpoch = -1
  #isLeaving = false
  /** Settles when no records are being deleted. */
  #deleting: Promise<unknown> | undefined
  #offline: Error | undefined
  #ownEnd: number
  #highWatermark: number

  /** Takes over the callbacks of the log; `highWatermark` is the one checkpointed. */
  constructor(
    clock: Clock,
    lifetime: Lifetime,
    log: Log,
    config: LogConfig,
    highWatermark: number,
  ) {
    this.topic = log.topic
    this.topicId = log.topicId
    this.index = log.partition
    this.#clock = clock
    this.#lifetime = lifetime
    this.#log = log
    this.#config = config
    this.#ownEnd = log.logEndOffset
    this.#highWatermark = Math.max(log.logStartOffset, Math.min(highWatermark, log.logEndOffset))
    log.listener = this
  }

  get isLeader(): boolean {
    return this.#leader !== undefined
  }

  get isOffline(): boolean {
    return this.#offline !== undefined
  }

  /** It is led here, and others have it too. */
  get hasFollowers(): boolean {
    return this.#leader !== undefined && this.#leader.committed.replicas.length > 1
  }

  /** It is led here, and the member is in its ISR. */
  isInSync(member: Member): boolean {
    return this.#leader?.committed.isr.some(other => sameMember(other, member)) ?? false
  }

  /** It is led here, and some replica is not in sync. */
  get isUnderReplicated(): boolean {
    return this.#leader?.isUnderReplicated ?? false
  }

  /** For those who look inside; undefined when this broker does not lead. */
  get leadership(): LeaderState | undefined {
    return this.#leader
  }

  /** Of the leadership held here; −1 without. */
  get leaderEpoch(): number {
    return this.#leader?.leaderEpoch ?? -1
  }

  /** Of the leadership held, or followed, here: consumers may read; −1 without. */
  get readableEpoch(): number {
    return this.#leader?.leaderEpoch ?? this.#followedEpoch
  }

  /** The leader epoch in which records are taken now. Throws NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR. */
  servingEpoch(): number {
    return this.#servingLeader().leaderEpoch
  }

  get highWatermark(): number {
    return this.#highWatermark
  }

  /** A transaction is open only where a log of Kafka's was taken over so: this release refuses them. */
  get lastStableOffset(): number {
    return Math.min(
      this.#highWatermark,
      Math.max(this.#log.openTransactionOffset, this.logStartOffset),
    )
  }

  get logStartOffset(): number {
    return this.#log.logStartOffset
  }

  get logEndOffset(): number {
    return this.#log.logEndOffset
  }

  get sizeBytes(): number {
    return this.#log.sizeBytes
  }

  /** The largest batch that is taken. */
  get maxBatchBytes(): number {
    return Math.min(this.#config.maxMessageBytes, this.#config.segmentBytes)
  }

  activeProducers(): ActiveProducer[] {
    return this.#log.activeProducers()
  }

  /**
   * For what producers send: the broker's own records have the rest of the disk. Throws
   * KAFKA_STORAGE_ERROR when it is nearly full.
   */
  refuseWithoutRoom(bytes: number): void {
    try {
      this.#log.refuseWithoutRoom(bytes)
    } catch (error) {
      this.#onFullDisk()
      throw error
    }
  }

  /**
   * Gives the records their offsets, at once. Throws INVALID_REQUIRED_ACKS, KAFKA_STORAGE_ERROR,
   * NOT_LEADER_OR_FOLLOWER, NOT_ENOUGH_REPLICAS, and what the log finds wrong with the records.
   */
  append(records: Uint8Array, acks: number): PartitionAppend {
    if (acks !== -1 && acks !== 1 && acks !== 0) throw new KafkaError('INVALID_REQUIRED_ACKS')
    const leader = this.#servingLeader()
    if (acks === -1 && !leader.hasEnoughReplicas) throw new KafkaError('NOT_ENOUGH_REPLICAS')
    const { leaderEpoch } = leader
    const { baseOffset, endOffset, logAppendTimeMs, duplicate } = this.#log.append(
      records,
      leaderEpoch,
    )
    return { baseOffset, endOffset, logAppendTimeMs, duplicate, leaderEpoch }
  }

  /**
   * Resolves when the append is acknowledged by as many as `acks` says. Rejects with
   * REQUEST_TIMED_OUT at the monotonic deadline, NOT_LEADER_OR_FOLLOWER, KAFKA_STORAGE_ERROR,
   * NOT_ENOUGH_REPLICAS_AFTER_APPEND: all of them mean "unknown", not "not written".
   */
  acknowledged(appended: AppendEnd, acks: number, deadlineMs: number): Promise<void> {
    if (this.#leader?.leaderEpoch !== appended.leaderEpoch) {
      return Promise.reject(this.#offlineError() ?? new KafkaError('NOT_LEADER_OR_FOLLOWER'))
    }
    if (acks === 0) return Promise.resolve()
    return this.#waiters(acks).wait(appended.endOffset, deadlineMs)
  }

  #waiters(acks: number): Waiters {
    if (acks === 1) return (this.#written ??= new Waiters(this.#clock, this.#ownEnd))
    return (this.#replicated ??= new Waiters(this.#clock, this.#highWatermark))
  }

  /**
   * Whole batches from `offset` up to what the isolation may see; none above it. A follower serves
   * what its leader said is replicated (KIP-392). Throws OFFSET_OUT_OF_RANGE outside [log start, LEO],
   * NOT_LEADER_OR_FOLLOWER, FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH.
   */
  async read(options: ReadOptions): Promise<ReadResult> {
    this.#refuseOtherEpoch(options.currentLeaderEpoch)
    this.#refuseOutside(options.offset)
    const { offset, isolation } = options
    const segments = this.#log.segments.filter(({ hasAborted }) => hasAborted)
    const read = await this.#readBelow(this.#visibleEnd(isolation), options)
    if (isolation === 'read_uncommitted' || segments.length === 0 || read.bytes === 0) return read
    const end = endOfBatches(read.chunks.at(-1)!)
    const abortedTransactions = await this.#log.abortedTransactions(offset, end, segments)
    // Compaction took aborted records out, and what is known of them: they may be in what was read.
    if (abortedTransactions === undefined) return await this.read(options)
    return { ...read, abortedTransactions }
  }

  /**
   * Notes how far a follower has come, before it waits for more; a fetch that is refused, or whose log
   * parts from ours, changes nothing. Throws, checked in this order: NOT_LEADER_OR_FOLLOWER,
   * FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, NOT_LEADER_OR_FOLLOWER for who has no replica or an
   * older registration, OFFSET_OUT_OF_RANGE.
   */
  onFollowerFetch(fetch: FollowerFetch): Divergence | undefined {
    const { member, offset, lastFetchedEpoch, currentLeaderEpoch, logStartOffset = 0 } = fetch
    // A follower says in which epoch it is: without that its progress could not be counted.
    const leader = this.#leaderIn(currentLeaderEpoch)
    leader.refuseUnlessReplica(member)
    const divergence = this.divergence(lastFetchedEpoch, offset)
    if (divergence !== undefined) return divergence
    this.#refuseOutside(offset)
    const nowMs = this.#clock.monotonicMs()
    const { leaderEpoch } = leader
    this.#apply(leader.onFollowerEnd(member, leaderEpoch, offset, nowMs, logStartOffset))
    return undefined
  }

  /**
   * Whole batches from `offset` up to the end of what is written here, after `onFollowerFetch`. No
   * records where the logs part.
   */
  async readForFollower(
    fetch: FollowerFetch & Pick<ReadOptions, 'maxBytes' | 'atLeastOneBatch'>,
  ): Promise<ReadResult & { readonly divergence: Divergence | undefined }> {
    const divergence = this.onFollowerFetch(fetch)
    const end = divergence === undefined ? this.#ownEnd : 0
    return { ...(await this.#readBelow(end, fetch)), divergence }
  }

  async #readBelow(
    end: number,
    { offset, maxBytes, atLeastOneBatch }: Omit<ReadOptions, 'currentLeaderEpoch' | 'isolation'>,
  ): Promise<ReadResult> {
    const { highWatermark, lastStableOffset, logStartOffset } = this
    const read =
      offset < end
        ? await this.#log.read(offset, end, maxBytes, atLeastOneBatch)
        : { chunks: [], bytes: 0 }
    return { ...read, highWatermark, lastStableOffset, logStartOffset }
  }

  #refuseOutside(offset: number): void {
    if (offset < this.logStartOffset || offset > this.logEndOffset) {
      throw new KafkaError('OFFSET_OUT_OF_RANGE')
    }
  }

  /**
   * Broker id of the in-sync follower from which a consumer in `rack` had better read; undefined: it is
   * right here. `rackOf` is undefined for a broker that cannot be reached.
   */
  preferredReplica(
    offset: number,
    rack: string,
    rackOf: (brokerId: number) => string | null | undefined,
  ): number | undefined {
    const leader = this.#leader
    if (leader === undefined || rack === '') return undefined
    const followers: ReadReplica[] = []
    for (const end of leader.membersHolding(offset)) {
      const rackOfIt = rackOf(end.brokerId)
      if (rackOfIt !== undefined) followers.push({ ...end, rack: rackOfIt })
    }
    return nearestReplica(followers, rackOf(leader.self[0]) ?? null, rack)?.brokerId
  }

  /**
   * Where this log and one parts that ends at `offset` with records of `lastFetchedEpoch`, −1: without
   * any. Throws OFFSET_OUT_OF_RANGE when that epoch is not known here.
   */
  divergence(lastFetchedEpoch: number, offset: number): Divergence | undefined {
    if (lastFetchedEpoch === -1) return undefined
    const isOfThisEpoch = lastFetchedEpoch === this.#log.epochs.latest
    if (isOfThisEpoch && offset <= this.logEndOffset) return undefined
    const known = this.#endOfEpoch(lastFetchedEpoch)
    if (known.endOffset === -1) throw new KafkaError('OFFSET_OUT_OF_RANGE')
    if (known.leaderEpoch === lastFetchedEpoch && known.endOffset >= offset) return undefined
    return { epoch: known.leaderEpoch, endOffset: known.endOffset }
  }

  /**
   * About how many bytes a read at `offset` would find, from the mean size of a record; a follower
   * reads to the end of what is written.
   */
  availableBytes(offset: number, reader: Isolation | 'follower' = 'read_uncommitted'): number {
    const end = reader === 'follower' ? this.#ownEnd : this.#visibleEnd(reader)
    const readable = end - Math.max(offset, this.logStartOffset)
    if (readable <= 0) return 0
    const records = this.logEndOffset - this.logStartOffset
    return Math.max(1, Math.round((readable / records) * this.sizeBytes))
  }

  /** Calls `run` once, when there may be more to read or the leadership changes. */
  onceProgress(run: () => void): () => void {
    this.#watchers ??= new Set()
    this.#watchers.add(run)
    return () => this.#watchers?.delete(run)
  }

  /** By time (ms since the epoch), or one of `offsetSpecs`. Throws OFFSET_NOT_AVAILABLE. */
  async listOffset(
    timestamp: number,
    isolation: Isolation,
    currentLeaderEpoch: number,
  ): Promise<FoundOffset> {
    const leader = this.#leaderFor(currentLeaderEpoch)
    const end = this.#visibleEnd(isolation)
    switch (timestamp) {
      case offsetSpecs.latest:
        if (!leader.isWatermarkKnown) throw new KafkaError('OFFSET_NOT_AVAILABLE')
        return { offset: end, timestamp: -1, leaderEpoch: leader.leaderEpoch }
      case offsetSpecs.earliest:
      case offsetSpecs.earliestLocal: {
        const offset = this.logStartOffset
        return { offset, timestamp: -1, leaderEpoch: this.#log.epochs.epochAt(offset) }
      }
      case offsetSpecs.maxTimestamp:
        return (await this.#log.maxTimestampOffset(end)) ?? notFound
      case offsetSpecs.latestTiered:
      case offsetSpecs.earliestPendingUpload:
        return notFound
    }
    if (timestamp < 0) throw new KafkaError('INVALID_REQUEST', `no offset is called ${timestamp}`)
    const found = await this.#log.offsetForTimestamp(timestamp, end)
    if (found === undefined && !leader.isWatermarkKnown)
      throw new KafkaError('OFFSET_NOT_AVAILABLE')
    return found ?? notFound
  }

  /** Where `leaderEpoch` ended in this log (KIP-101, KIP-320); −1 for epochs newer than any here. */
  offsetForLeaderEpoch(
    currentLeaderEpoch: number,
    leaderEpoch: number,
  ): { leaderEpoch: number; endOffset: number } {
    this.#leaderFor(currentLeaderEpoch)
    return this.#endOfEpoch(leaderEpoch)
  }

  #endOfEpoch(leaderEpoch: number): { leaderEpoch: number; endOffset: number } {
    const { epochs } = this.#log
    if (leaderEpoch < 0 || leaderEpoch > epochs.latest) return { leaderEpoch: -1, endOffset: -1 }
    const found = epochs.endOf(leaderEpoch, this.logEndOffset)
    if (found === undefined) return { leaderEpoch, endOffset: epochs.entries[0]!.startOffset }
    return { leaderEpoch: found.epoch, endOffset: found.endOffset }
  }

  /**
   * Records below `offset` (−1: the high watermark) cannot be read any more. Answers the low
   * watermark. Throws OFFSET_OUT_OF_RANGE, and POLICY_VIOLATION where the topic only compacts.
   */
  async deleteRecords(offset: number): Promise<number> {
    this.#servingLeader()
    if (!this.#config.cleanupDelete) {
      throw new KafkaError('POLICY_VIOLATION', 'cleanup.policy does not allow deletion')
    }
    const wanted = offset === -1 ? this.#highWatermark : offset
    if (wanted < 0 || wanted > this.#highWatermark) throw new KafkaError('OFFSET_OUT_OF_RANGE')
    if (wanted > this.logStartOffset) {
      const deleted = this.#log.advanceLogStart(wanted)
      this.#deleting = Promise.allSettled([this.#deleting, deleted])
      await deleted
    }
    return this.logStartOffset
  }

  /** The epoch is in the log's table by then. What older leaderships waited for has failed. */
  lead(known: KnownState, self: Member, driver: LeaderDriver): void {
    this.resign()
    // What they had seen reached may have been cut since.
    this.#written = undefined
    this.#replicated = undefined
    this.#followedEpoch = -1
    this.#isLeaving = false
    const epochStartOffset = this.#log.logEndOffset
    const highWatermark = this.#highWatermark
    const nowMs = this.#clock.monotonicMs()
    this.#driver = driver
    this.#leader = new LeaderState({
      self,
      known,
      epochStartOffset,
      highWatermark,
      cluster: driver,
      nowMs,
    })
    this.#apply(this.#leader.onOwnEnd(this.#ownEnd, nowMs))
    this.#progress()
    this.onLeadership(this)
  }

  /** The state in the store changed; another leadership than the one held ends it. */
  update(known: KnownState, self: Member | undefined): void {
    const leader = this.#leader
    if (leader === undefined) return
    const isSelf = self !== undefined && sameMember(leader.self, self)
    if (isSelf && !leader.isNews(known)) return
    const { value } = known
    if (!isSelf || !sameMember(value.leader, self) || value.leaderEpoch !== leader.leaderEpoch) {
      this.resign()
      return
    }
    this.#apply(leader.onCommitted(known, this.#clock.monotonicMs()))
    if (!leader.hasEnoughReplicas) {
      this.#replicated?.fail(0, new KafkaError('NOT_ENOUGH_REPLICAS_AFTER_APPEND'))
    }
  }

  /** Another broker leads in this epoch, and is copied from: what it says is replicated can be read. */
  follow(leaderEpoch: number): void {
    this.#followedEpoch = leaderEpoch
    this.#progress()
  }

  /** What came of a proposal, for certain; `known`: the state in the store then. */
  onIsrOutcome(proposal: IsrProposal, known: KnownState | undefined): void {
    const leader = this.#leader
    if (leader === undefined) return
    if (known !== undefined) this.update(known, leader.self)
    if (this.#leader !== leader) return
    this.#apply(leader.onRefused(proposal, this.#clock.monotonicMs()))
  }

  /** Members that do not keep up leave the ISR. */
  checkLag(): void {
    if (this.#leader !== undefined) this.#apply(this.#leader.onLagCheck(this.#clock.monotonicMs()))
  }

  /**
   * Takes no more records; those it took are written, synced and acknowledged when this answers. Then
   * it leads no more, until `lead` is called: here, or on what takes its place.
   */
  async leave(): Promise<void> {
    this.#isLeaving = true
    await this.#deleting
    await this.#log.flush().catch(() => {}) // Who waits is told what came of it.
    this.resign()
  }

  /** This broker does not lead any more: all who wait are told. */
  resign(): void {
    if (this.#leader === undefined) return
    this.#leader = undefined
    this.#failAll(new KafkaError('NOT_LEADER_OR_FOLLOWER'))
    this.onLeadership(this)
  }

  /** Of the log. */
  onDamage(offset: number): void {
    this.reportDamage(this, offset)
  }

  /** Of the log, or its directory: nothing is read or written here until the next start. */
  onOffline(cause: Error): void {
    this.#offline ??= cause
    this.#leader = undefined
    this.#followedEpoch = -1
    this.#failAll(new KafkaError('KAFKA_STORAGE_ERROR'))
    this.onLeadership(this)
  }

  /** Of the leader that is followed: it holds as far as this log reaches, and never falls. */
  onLeaderWatermark(highWatermark: number): void {
    const reached = Math.min(highWatermark, this.#log.logEndOffset)
    if (reached <= this.#highWatermark) return
    this.#highWatermark = reached
    this.#progress()
  }

  /** A follower's log ends earlier now, or begins elsewhere. */
  onCut(): void {
    const { logStartOffset, logEndOffset } = this.#log
    this.#ownEnd = logEndOffset
    this.#highWatermark = Math.max(logStartOffset, Math.min(this.#highWatermark, logEndOffset))
    this.#progress()
  }

  configure(config: LogConfig): void {
    this.#config = config
    this.#log.configure(config)
  }

  #servingLeader(): LeaderState {
    const leader = this.#leader
    if (leader === undefined || this.#isLeaving) {
      throw this.#offlineError() ?? new KafkaError('NOT_LEADER_OR_FOLLOWER')
    }
    if (this.#clock.monotonicMs() >= this.#lifetime.validUntilMs) {
      throw new KafkaError('NOT_LEADER_OR_FOLLOWER', 'the registration of this broker ran out')
    }
    return leader
  }

  /** A self-fenced leader may be read: what lies below its high watermark stays. */
  #leaderFor(currentLeaderEpoch: number): LeaderState {
    return this.#leaderIn(currentLeaderEpoch === -1 ? this.leaderEpoch : currentLeaderEpoch)
  }

  #leaderIn(currentLeaderEpoch: number): LeaderState {
    const leader = this.#leader
    if (leader === undefined) throw this.#offlineError() ?? new KafkaError('NOT_LEADER_OR_FOLLOWER')
    refuseOther(currentLeaderEpoch, leader.leaderEpoch)
    return leader
  }

  /** As a leader and as a follower. */
  #refuseOtherEpoch(currentLeaderEpoch: number): void {
    const { readableEpoch } = this
    if (readableEpoch === -1) {
      throw this.#offlineError() ?? new KafkaError('NOT_LEADER_OR_FOLLOWER')
    }
    if (currentLeaderEpoch !== -1) refuseOther(currentLeaderEpoch, readableEpoch)
  }

  #offlineError(): KafkaError | undefined {
    return this.#offline === undefined ? undefined : new KafkaError('KAFKA_STORAGE_ERROR')
  }

  #visibleEnd(isolation: Isolation): number {
    return isolation === 'read_committed' ? this.lastStableOffset : this.#highWatermark
  }

  /** Of the log. */
  onEnd(end: number): void {
    this.#ownEnd = end
    this.#written?.reach(end)
    if (this.#written?.isIdle) this.#written = undefined
    if (this.#leader !== undefined) {
      this.#apply(this.#leader.onOwnEnd(end, this.#clock.monotonicMs()))
    }
    this.#progress()
  }

  /** Of the log. */
  onUnwritten(end: number, error: KafkaError): void {
    this.#written?.fail(end, error)
    this.#replicated?.fail(end, error)
    this.#onFullDisk()
  }

  /** Where another broker may have room, it should lead. */
  #onFullDisk(): void {
    if (this.#leader !== undefined) this.#apply(this.#leader.onFullDisk(this.#clock.monotonicMs()))
  }

  #apply({ highWatermark, propose }: LeaderEffects): void {
    if (highWatermark !== undefined) {
      this.#highWatermark = highWatermark
      this.#replicated?.reach(highWatermark)
      if (this.#replicated?.isIdle) this.#replicated = undefined
      this.#progress()
    }
    if (propose !== undefined) this.#driver!.propose(this, propose)
  }

  #failAll(error: KafkaError): void {
    this.#written?.fail(0, error)
    this.#replicated?.fail(0, error)
    this.#progress()
  }

  #progress(): void {
    const watchers = this.#watchers
    if (watchers === undefined) return
    this.#watchers = undefined
    for (const run of watchers) run()
  }
}

/** Throws FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH. */
function refuseOther(currentLeaderEpoch: number, leaderEpoch: number): void {
  if (currentLeaderEpoch === leaderEpoch) return
  const isOlder = currentLeaderEpoch < leaderEpoch
  throw new KafkaError(isOlder ? 'FENCED_LEADER_EPOCH' : 'UNKNOWN_LEADER_EPOCH')
}
