/**
 * The phases of a classic group, and the time in them.
 *
 *     Empty ──► PreparingRebalance ──► CompletingRebalance ──► Stable
 *                  ▲   (join phase)         (sync phase)          │
 *                  └──────────────────────────┴───────────────────┘  someone came, left or changed
 *
 * The join phase ends when all members wait in JoinGroup and nobody is pending, or at the rebalance
 * time-out, which removes those who did not come; the first one of an empty group ends after the
 * initial delay instead, which grows while members arrive. The sync phase ends when the leader
 * brings the assignments; whoever has not asked for his within the rebalance time-out is removed.
 *
 * What is replicated is the group as a stable generation or its end left it: a record at the one
 * transition to Stable, and at the one to Empty. Everything here is the living group, which mirrors
 * those records and holds beside them what a restart may lose: the join phase, deadlines, waiters.
 *
 * A member that waits in JoinGroup or SyncGroup cannot send heartbeats, so its session stands still;
 * only in its first join, when it does not know its id yet, it may wait for five minutes at most.
 */
import { assert } from '../../base/assert.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { GroupPhase, Joined, Synced, SyncGroup } from './commands.ts'
import type { StoredGroup, StoredMember } from './group-records.ts'
import {
  type Member,
  MembershipState,
  metadataOf,
  noBytes,
  type Pending,
} from './membership-state.ts'
import { answer, refuse, type Turn } from './turn.ts'

/** How long a first JoinGroup may be parked, as in Kafka. */
const newMemberJoinMs = 5 * 60_000
/** Ours: how long a rebalance waits for members that only the log knows, where there is a grace. */
const ghostMs = 6000
const never = Number.POSITIVE_INFINITY

/** The first join phase of an empty group. */
interface InitialDelay {
  /** Of the step that runs now. */
  readonly delayMs: number
  /** By how much it may grow. */
  readonly remainingMs: number
  /** Someone came in this step. */
  hasGrown: boolean
}

/** When this one is removed if nothing is heard. */
function deadlineOf({ sessionDeadlineMs, graceDeadlineMs }: Pending): number {
  return Math.min(sessionDeadlineMs, graceDeadlineMs)
}

function memberDeadline(member: Member): number {
  const waits = (member.joining !== undefined && !member.isNew) || member.syncing !== undefined
  return waits ? member.graceDeadlineMs : deadlineOf(member)
}

/** About how many bytes the record takes; never less. */
function recordBytes(groupId: string, group: StoredGroup): number {
  const { protocolType, protocolName, leader } = group
  let bytes = 256 + 3 * `${groupId}${protocolType}${protocolName}${leader}`.length
  for (const member of group.members) {
    const { memberId, groupInstanceId, clientId, clientHost } = member
    const units = `${memberId}${groupInstanceId}${clientId}${clientHost}`.length
    bytes += 64 + 3 * units + member.subscription.length + member.assignment.length
  }
  return bytes
}

/** See above. */
export class RebalanceState {
  readonly groupId: string
  readonly membership = new MembershipState()
  protocolType: string | null = null
  #phase: GroupPhase = 'Empty'
  #generationId = 0
  #protocolName: string | null = null
  #initial: InitialDelay | undefined
  /** Who has not asked for an assignment in this generation. */
  readonly #owing = new Set<Member>()
  #joinDeadlineMs = never
  #syncDeadlineMs = never
  #ghostDeadlineMs = never

  constructor(groupId: string) {
    this.groupId = groupId
  }

  get phase(): GroupPhase {
    return this.#phase
  }

  get generationId(): number {
    return this.#generationId
  }

  get protocolName(): string | null {
    return this.#protocolName
  }

  /** Monotonic, never late: O(members). */
  nextDeadlineMs(): number {
    let nextMs = Math.min(this.#joinDeadlineMs, this.#syncDeadlineMs, this.#ghostDeadlineMs)
    for (const pending of this.membership.pending.values()) {
      nextMs = Math.min(nextMs, deadlineOf(pending))
    }
    for (const member of this.membership.members.values()) {
      nextMs = Math.min(nextMs, memberDeadline(member))
    }
    return nextMs
  }

  /** A new member, or a pending one that came back, waits for its first generation. */
  add(turn: Turn, member: Member, connection: number, waiter: number): void {
    const { membership } = this
    const pending = membership.pending.get(member.memberId)
    if (pending !== undefined) turn.connections.forget(pending)
    membership.add(member)
    this.heard(turn, member, connection)
    member.isNew = true
    member.sessionDeadlineMs = turn.times.nowMs + newMemberJoinMs
    membership.setJoining(member, waiter)
    if (this.#initial !== undefined) this.#initial.hasGrown = true
    this.changed(turn)
  }

  /** It is alive, and speaks over this connection. */
  heard(turn: Turn, member: Member, connection: number): void {
    this.#renew(turn, member)
    member.isHeard = true
    member.graceDeadlineMs = never
    if (member.groupInstanceId === null) turn.connections.hear(member, connection)
  }

  /** It waits in JoinGroup; an earlier request of its, which it cannot be waiting for, is answered. */
  park(turn: Turn, member: Member, waiter: number): void {
    refuse(turn, member.joining, new KafkaError('REBALANCE_IN_PROGRESS'))
    this.membership.setJoining(member, waiter)
  }

  /** Removes it, and tells it if it waits. What follows for the group is for `changed`. */
  drop(turn: Turn, member: Member, error = new KafkaError('UNKNOWN_MEMBER_ID')): void {
    this.release(turn, member, error)
    this.membership.remove(member)
    turn.connections.forget(member)
  }

  /** Whatever it waits for is refused. */
  release(turn: Turn, member: Member, error: KafkaError): void {
    refuse(turn, member.joining, error)
    refuse(turn, member.syncing, error)
    this.membership.setJoining(member, undefined)
    member.syncing = undefined
    this.#owing.delete(member)
  }

  dropPending(turn: Turn, pending: Pending): void {
    this.membership.pending.delete(pending.memberId)
    turn.connections.forget(pending)
  }

  /** Who belongs to the group is not what it was: rebalances, or ends the join phase if it can. */
  changed(turn: Turn): void {
    if (this.#phase === 'PreparingRebalance') this.endJoinIfComplete(turn)
    else this.prepare(turn)
  }

  /** Ends the join phase when it waits for nobody; the first one of an empty group has its time. */
  endJoinIfComplete(turn: Turn): void {
    if (this.#phase !== 'PreparingRebalance' || this.#initial !== undefined) return
    if (this.membership.haveAllJoined) this.#endJoin(turn)
  }

  /** Begins a rebalance: who waits for an assignment has to join again. */
  prepare(turn: Turn): void {
    const { membership } = this
    const { nowMs } = turn.times
    for (const member of membership.members.values()) {
      if (this.#phase === 'CompletingRebalance') member.assignment = noBytes
      if (member.syncing === undefined) continue
      refuse(turn, member.syncing, new KafkaError('REBALANCE_IN_PROGRESS'))
      member.syncing = undefined
      this.#renew(turn, member)
    }
    this.#owing.clear()
    this.#syncDeadlineMs = never
    const isInitial = this.#phase === 'Empty'
    this.#phase = 'PreparingRebalance'
    if (isInitial) {
      const delayMs = turn.settings.initialRebalanceDelayMs
      const remainingMs = Math.max(membership.rebalanceTimeoutMs - delayMs, 0)
      this.#initial = { delayMs, remainingMs, hasGrown: false }
      this.#joinDeadlineMs = nowMs + delayMs
      if (delayMs <= 0) this.#endJoin(turn)
      return
    }
    this.#joinDeadlineMs = nowMs + membership.rebalanceTimeoutMs
    this.#ghostDeadlineMs = this.#ghosts(turn).length > 0 ? nowMs + ghostMs : never
    this.endJoinIfComplete(turn)
  }

  /** What JoinGroup answers in this generation. */
  joined(member: Member): Joined {
    const { memberId } = member
    const { leader } = this.membership
    return {
      memberId,
      generationId: this.#generationId,
      protocolType: this.protocolType,
      protocolName: this.#protocolName,
      leader: leader ?? '',
      skipAssignment: false,
      members: memberId === leader ? this.joinedMembers() : [],
    }
  }

  joinedMembers(): Joined['members'] {
    return Array.from(this.membership.members.values(), member => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      metadata: metadataOf(member, this.#protocolName) ?? noBytes,
    }))
  }

  synced(member: Member): Synced {
    const { protocolType } = this
    return { protocolType, protocolName: this.#protocolName, assignment: member.assignment }
  }

  /** It has asked for its assignment. */
  hasSynced(member: Member): void {
    this.#owing.delete(member)
    if (this.#owing.size === 0) this.#syncDeadlineMs = never
  }

  /** The leader's assignments end the sync phase; a member without one is assigned nothing. */
  assign(turn: Turn, assignments: SyncGroup['assignments']): void {
    assert(this.#phase === 'CompletingRebalance', 'assignments end the sync phase')
    const byMember = new Map(assignments.map(each => [each.memberId, each.assignment]))
    const { members } = this.membership
    for (const member of members.values()) {
      member.assignment = new Uint8Array(byMember.get(member.memberId) ?? noBytes)
    }
    if (!this.canStore(turn)) {
      const error = new KafkaError('UNKNOWN_SERVER_ERROR', 'the assignments do not fit in a record')
      for (const member of members.values()) {
        refuse(turn, member.syncing, error)
        member.syncing = undefined
        this.#renew(turn, member)
      }
      this.prepare(turn)
      return
    }
    this.#phase = 'Stable'
    this.store(turn)
    for (const member of members.values()) {
      if (member.syncing === undefined) continue
      answer(turn, member.syncing, this.synced(member))
      member.syncing = undefined
      this.#renew(turn, member)
    }
  }

  /** Whether the group as it is now fits in a record. */
  canStore(turn: Turn): boolean {
    return recordBytes(this.groupId, this.#stored(turn)) <= turn.settings.maxRecordBytes
  }

  /** A stable generation, or the end of one. */
  store(turn: Turn): void {
    turn.records.push({ kind: 'group', groupId: this.groupId, value: this.#stored(turn) })
  }

  /** Whatever deadline has come. */
  expire(turn: Turn): void {
    const { nowMs } = turn.times
    const { members, pending } = this.membership
    for (const each of pending.values()) if (deadlineOf(each) <= nowMs) this.dropPending(turn, each)
    const gone = new Set([...members.values()].filter(member => memberDeadline(member) <= nowMs))
    if (this.#ghostDeadlineMs <= nowMs) {
      this.#ghostDeadlineMs = never
      for (const ghost of this.#ghosts(turn)) gone.add(ghost)
    }
    for (const member of gone) this.drop(turn, member)
    if (gone.size > 0) this.changed(turn)
    else this.endJoinIfComplete(turn)
    if (this.#joinDeadlineMs <= nowMs) this.#joinTimeIsUp(turn)
    if (this.#syncDeadlineMs <= nowMs) {
      for (const member of [...this.#owing]) this.drop(turn, member)
      this.prepare(turn)
    }
  }

  /** As the log has it: every member's session begins now. */
  restore(turn: Turn, stored: StoredGroup): void {
    const { membership } = this
    this.protocolType = stored.protocolType === '' ? null : stored.protocolType
    this.#generationId = stored.generationId
    this.#protocolName = stored.protocolName
    for (const member of stored.members) membership.add(this.#restored(turn, member))
    if (stored.leader !== null && membership.members.has(stored.leader)) {
      membership.leader = stored.leader
    }
    if (membership.members.size === 0) return
    this.#phase = 'Stable'
    if (membership.members.size > turn.settings.maxSize) this.prepare(turn)
  }

  #restored(turn: Turn, stored: StoredMember): Member {
    const { memberId, groupInstanceId, clientId, clientHost, subscription } = stored
    return {
      groupId: this.groupId,
      memberId,
      groupInstanceId,
      clientId,
      clientHost,
      protocols: [{ name: this.#protocolName ?? '', metadata: subscription }],
      assignment: stored.assignment,
      sessionTimeoutMs: stored.sessionTimeoutMs,
      rebalanceTimeoutMs: stored.rebalanceTimeoutMs,
      sessionDeadlineMs: turn.times.nowMs + stored.sessionTimeoutMs,
      graceDeadlineMs: never,
      connection: undefined,
      joining: undefined,
      syncing: undefined,
      isNew: false,
      isHeard: false,
    }
  }

  #renew(turn: Turn, member: Member): void {
    member.sessionDeadlineMs = turn.times.nowMs + member.sessionTimeoutMs
  }

  /** Dynamic members that only the log knows, where there is a grace at all. */
  #ghosts({ settings }: Turn): Member[] {
    if (settings.disconnectGraceMs === undefined) return []
    const members = [...this.membership.members.values()]
    return members.filter(({ isHeard, groupInstanceId }) => !isHeard && groupInstanceId === null)
  }

  #joinTimeIsUp(turn: Turn): void {
    const initial = this.#initial
    if (initial === undefined || !initial.hasGrown || initial.remainingMs === 0) {
      this.#endJoin(turn)
      return
    }
    const delayMs = Math.min(turn.settings.initialRebalanceDelayMs, initial.remainingMs)
    const remainingMs = Math.max(initial.remainingMs - initial.delayMs, 0)
    this.#initial = { delayMs, remainingMs, hasGrown: false }
    this.#joinDeadlineMs = turn.times.nowMs + delayMs
  }

  /** The next generation: of those who came, and of static members whether they came or not. */
  #endJoin(turn: Turn): void {
    const { membership } = this
    const { nowMs } = turn.times
    this.#initial = undefined
    this.#joinDeadlineMs = this.#ghostDeadlineMs = never
    for (const member of [...membership.members.values()]) {
      const isAbsent = member.joining === undefined && member.groupInstanceId === null
      if (isAbsent) this.drop(turn, member)
    }
    if (!membership.electLeader() && membership.members.size > 0) {
      // Static members alone, and none of them has come: their sessions decide. A time-out that a
      // client made zero must not keep us busy.
      this.#joinDeadlineMs = nowMs + Math.max(membership.rebalanceTimeoutMs, 1000)
      return
    }
    this.#generationId++
    if (membership.members.size === 0) {
      this.#phase = 'Empty'
      this.#protocolName = null
      this.store(turn)
      return
    }
    this.#phase = 'CompletingRebalance'
    this.#protocolName = membership.elect()
    this.#syncDeadlineMs = nowMs + membership.rebalanceTimeoutMs
    for (const member of membership.members.values()) {
      if (member.joining !== undefined) answer(turn, member.joining, this.joined(member))
      membership.setJoining(member, undefined)
      member.isNew = false
      this.#owing.add(member)
      this.#renew(turn, member)
    }
  }

  #stored({ times }: Turn): StoredGroup {
    return {
      protocolType: this.protocolType ?? '',
      generationId: this.#generationId,
      protocolName: this.#protocolName,
      leader: this.membership.leader,
      stateTimestampMs: times.wallMs,
      members: Array.from(this.membership.members.values(), member => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        rebalanceTimeoutMs: member.rebalanceTimeoutMs,
        sessionTimeoutMs: member.sessionTimeoutMs,
        subscription: metadataOf(member, this.#protocolName) ?? noBytes,
        assignment: member.assignment,
      })),
    }
  }
}
