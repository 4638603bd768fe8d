/**
 * One classic group, as its members see it: what each request means in each phase. The phases
 * themselves are in `rebalance-state.ts`, committed offsets in `offsets-state.ts`. Behaviour is that
 * of Apache Kafka 4.4 where nothing else is said.
 */
import { KafkaError } from '../../protocol/errors.ts'
import type {
  CommitOffsets,
  DescribedGroup,
  GroupPhase,
  Heartbeat,
  JoinGroup,
  LeaveGroup,
  LeavingMember,
  Left,
  MemberProtocol,
  SyncGroup,
} from './commands.ts'
import type { GroupRecord, StoredGroup, StoredOffset } from './group-records.ts'
import {
  type Member,
  metadataOf,
  noBytes,
  type Pending,
  sameProtocols,
} from './membership-state.ts'
import { OffsetsState } from './offsets-state.ts'
import { RebalanceState } from './rebalance-state.ts'
import { subscribedTopics } from './subscription.ts'
import { answer, refuse, type Turn } from './turn.ts'

/** Ours: ids given away that nobody has come back with; Kafka has no bound. */
export const maxPendingMembers = 10_000
/** The protocol type whose subscriptions a coordinator can read. */
const consumer = 'consumer'
const never = Number.POSITIVE_INFINITY

/** Copies, for the request's bytes are lent (`slice` of a Buffer would not); of two of one name the first counts. */
function copied(protocols: readonly MemberProtocol[]): MemberProtocol[] {
  const byName = new Map<string, MemberProtocol>()
  for (const { name, metadata } of protocols) {
    if (!byName.has(name)) byName.set(name, { name, metadata: new Uint8Array(metadata) })
  }
  return [...byName.values()]
}

/** See above. */
export class GroupState {
  readonly groupId: string
  readonly offsets: OffsetsState
  /** Replicated, so written by `GroupsState.apply` alone; undefined: there is no record. */
  stored: StoredGroup | undefined
  readonly #rebalance: RebalanceState

  constructor(groupId: string) {
    this.groupId = groupId
    this.offsets = new OffsetsState(groupId)
    this.#rebalance = new RebalanceState(groupId)
  }

  get phase(): GroupPhase {
    return this.#rebalance.phase
  }

  get protocolType(): string {
    return this.#rebalance.protocolType ?? ''
  }

  /** Nothing is lost if it is forgotten. */
  get isVacant(): boolean {
    const { pending } = this.#rebalance.membership
    const isStored = this.stored !== undefined || this.offsets.size > 0
    return !isStored && this.phase === 'Empty' && pending.size === 0
  }

  nextDeadlineMs(): number {
    return this.#rebalance.nextDeadlineMs()
  }

  /** The log has been read. */
  loaded(turn: Turn): void {
    if (this.stored !== undefined) this.#rebalance.restore(turn, this.stored)
  }

  expire(turn: Turn): void {
    this.#rebalance.expire(turn)
  }

  /**
   * Throws INCONSISTENT_GROUP_PROTOCOL, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, INVALID_REQUEST;
   * answers GROUP_MAX_SIZE_REACHED, for then a member may have lost its place.
   */
  join(turn: Turn, command: JoinGroup, waiter: number): void {
    const { membership } = this.#rebalance
    if (!this.#hasPlaceFor(turn, command)) {
      refuse(turn, waiter, new KafkaError('GROUP_MAX_SIZE_REACHED'))
      this.#dispossess(turn, command.memberId)
      return
    }
    this.#checkProtocols(command)
    if (command.memberId === '') {
      this.#joinAsNew(turn, command, waiter)
    } else if (membership.pending.has(command.memberId)) {
      if (command.groupInstanceId !== null) {
        throw new KafkaError('INVALID_REQUEST', 'this member id was given to a dynamic member')
      }
      this.#add(turn, command, command.memberId, waiter)
    } else {
      const member = membership.member(command.memberId, command.groupInstanceId)
      this.#rejoin(turn, command, member, waiter)
    }
  }

  /**
   * Throws UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, INCONSISTENT_GROUP_PROTOCOL,
   * REBALANCE_IN_PROGRESS.
   */
  sync(turn: Turn, command: SyncGroup, waiter: number): void {
    const rebalance = this.#rebalance
    const { memberId, protocolType, protocolName } = command
    const member = rebalance.membership.member(memberId, command.groupInstanceId)
    this.#checkGeneration(command.generationId)
    const isOfType = protocolType === null || protocolType === rebalance.protocolType
    const isOfName = protocolName === null || protocolName === rebalance.protocolName
    if (!isOfType || !isOfName) throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL')
    rebalance.heard(turn, member, command.connection)
    if (this.phase === 'PreparingRebalance') throw new KafkaError('REBALANCE_IN_PROGRESS')
    rebalance.hasSynced(member)
    if (this.phase === 'Stable') {
      answer(turn, waiter, rebalance.synced(member))
      return
    }
    refuse(turn, member.syncing, new KafkaError('REBALANCE_IN_PROGRESS'))
    member.syncing = waiter
    if (rebalance.membership.leader === memberId) rebalance.assign(turn, command.assignments)
  }

  /** O(1). Throws UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS. */
  heartbeat(turn: Turn, command: Heartbeat): void {
    const { membership } = this.#rebalance
    const member = membership.member(command.memberId, command.groupInstanceId)
    this.#checkGeneration(command.generationId)
    this.#rebalance.heard(turn, member, command.connection)
    if (this.phase === 'PreparingRebalance') throw new KafkaError('REBALANCE_IN_PROGRESS')
  }

  leave(turn: Turn, command: LeaveGroup): Left {
    const rebalance = this.#rebalance
    let hasMemberLeft = false
    const members = command.members.map(leaving => {
      const { memberId, groupInstanceId } = leaving
      try {
        const pending = rebalance.membership.pending.get(memberId)
        if (pending !== undefined) {
          rebalance.dropPending(turn, pending)
        } else {
          rebalance.drop(turn, this.#leaving(leaving))
          hasMemberLeft = true
        }
        return { memberId, groupInstanceId, error: 'NONE' as const }
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        return { memberId, groupInstanceId, error: error.error }
      }
    })
    if (hasMemberLeft) rebalance.changed(turn)
    else rebalance.endJoinIfComplete(turn)
    return { members }
  }

  /** The connection of one of its members, or pending ones, closed. */
  disconnected(turn: Turn, memberId: string, graceMs: number): void {
    const { members, pending } = this.#rebalance.membership
    const gone = members.get(memberId) ?? pending.get(memberId)
    if (gone !== undefined) gone.graceDeadlineMs = turn.times.nowMs + graceMs
  }

  /**
   * A commit by a member keeps its session alive; one without member is for groups without members.
   * Throws UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, ILLEGAL_GENERATION, REBALANCE_IN_PROGRESS.
   */
  checkCommit(turn: Turn, command: CommitOffsets): void {
    const { memberId, groupInstanceId, generationId } = command
    if (generationId < 0 && this.phase === 'Empty') return
    if (generationId < 0 && memberId === '' && groupInstanceId === null) {
      throw new KafkaError('UNKNOWN_MEMBER_ID', 'the group has members: only they may commit')
    }
    const member = this.#rebalance.membership.member(memberId, groupInstanceId)
    this.#checkGeneration(generationId)
    // Valid, but without its assignment it cannot have read anything in this generation.
    if (this.phase === 'CompletingRebalance') throw new KafkaError('REBALANCE_IN_PROGRESS')
    // Clients with several connections commit on any: that one says nothing about the member's,
    // unless the member's is closed.
    const isCutOff = member.graceDeadlineMs !== never
    this.#rebalance.heard(
      turn,
      member,
      isCutOff ? command.connection : (member.connection ?? command.connection),
    )
  }

  /** Throws NON_EMPTY_GROUP where the coordinator cannot know the subscriptions. */
  checkDeleteOffsets(): void {
    if (this.phase !== 'Empty' && this.#rebalance.protocolType !== consumer) {
      throw new KafkaError('NON_EMPTY_GROUP')
    }
  }

  /** Says of topics whether a member subscribes to them; when in doubt, yes. */
  subscriptions(): (topic: string) => boolean {
    const { membership, protocolName, protocolType } = this.#rebalance
    if (protocolType !== consumer) return () => false
    if (membership.members.size === 0) return () => false
    const topics = membership.subscribedTopics(protocolName)
    return topic => topics?.has(topic) ?? true
  }

  /** The group goes with all that it holds, ids given away too. Throws NON_EMPTY_GROUP. */
  delete(turn: Turn): void {
    if (this.phase !== 'Empty') throw new KafkaError('NON_EMPTY_GROUP')
    const { records } = turn
    for (const pending of this.#rebalance.membership.pending.values()) {
      this.#rebalance.dropPending(turn, pending)
    }
    for (const tombstone of this.offsets.tombstones(() => true)) records.push(tombstone)
    this.#bury(records)
  }

  /** Tombstones of offsets that had their time, and of a group that has nothing left (KIP-211). */
  expireOffsets({ records, settings, times: { wallMs } }: Turn): void {
    const since = this.#retainedSince()
    let left = this.offsets.size
    if (left > 0 && since !== undefined) {
      const isSubscribed = this.subscriptions()
      const isExpired = (topic: string, offset: StoredOffset): boolean => {
        if (isSubscribed(topic)) return false
        if (offset.expireTimestampMs !== -1) return wallMs >= offset.expireTimestampMs
        return wallMs - since(offset) >= settings.offsetsRetentionMs
      }
      for (const tombstone of this.offsets.tombstones(isExpired)) {
        records.push(tombstone)
        left--
      }
    }
    const isAwaited = this.#rebalance.membership.pending.size > 0
    if (left === 0 && this.phase === 'Empty' && !isAwaited) this.#bury(records)
  }

  describe(): DescribedGroup {
    const { membership, generationId } = this.#rebalance
    const isStable = this.phase === 'Stable'
    const protocolName = isStable ? this.#rebalance.protocolName : null
    return {
      groupId: this.groupId,
      phase: this.phase,
      generationId,
      protocolType: this.protocolType,
      protocolName: protocolName ?? '',
      members: Array.from(membership.members.values(), member => ({
        memberId: member.memberId,
        groupInstanceId: member.groupInstanceId,
        clientId: member.clientId,
        clientHost: member.clientHost,
        metadata: metadataOf(member, protocolName) ?? noBytes,
        assignment: member.assignment,
      })),
    }
  }

  #checkGeneration(generationId: number): void {
    if (generationId !== this.#rebalance.generationId) throw new KafkaError('ILLEGAL_GENERATION')
  }

  #checkProtocols({ protocolType, protocols }: JoinGroup): void {
    const { membership } = this.#rebalance
    const isPossible =
      membership.members.size === 0
        ? protocolType !== '' && protocols.length > 0
        : protocolType === this.#rebalance.protocolType && membership.supportsOneOf(protocols)
    if (!isPossible) throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL')
  }

  /**
   * Members have a place. While they join again it is who comes first: a bound that was lowered
   * meanwhile is met like that.
   */
  #hasPlaceFor({ settings }: Turn, { memberId, groupInstanceId }: JoinGroup): boolean {
    const { membership } = this.#rebalance
    const member = membership.members.get(memberId) ?? membership.static(groupInstanceId)
    switch (this.phase) {
      case 'PreparingRebalance':
        return member?.joining !== undefined || membership.joiningCount < settings.maxSize
      case 'CompletingRebalance':
      case 'Stable':
        return member !== undefined || membership.members.size < settings.maxSize
      case 'Empty':
      case 'Dead':
        return true
    }
  }

  #dispossess(turn: Turn, memberId: string): void {
    const rebalance = this.#rebalance
    const { members, pending } = rebalance.membership
    const member = members.get(memberId)
    const waiting = pending.get(memberId)
    if (member !== undefined) rebalance.drop(turn, member)
    else if (waiting !== undefined) rebalance.dropPending(turn, waiting)
    rebalance.endJoinIfComplete(turn)
  }

  #joinAsNew(turn: Turn, command: JoinGroup, waiter: number): void {
    const { membership } = this.#rebalance
    const { newMemberId, groupInstanceId } = command
    const known = membership.static(groupInstanceId)
    if (known !== undefined) {
      this.#replaceStatic(turn, command, known, waiter)
    } else if (groupInstanceId !== null || !command.requireKnownMemberId) {
      this.#add(turn, command, newMemberId, waiter)
    } else {
      if (membership.pending.size >= maxPendingMembers) {
        throw new KafkaError('GROUP_MAX_SIZE_REACHED', 'too many members are about to join')
      }
      const pending: Pending = {
        groupId: this.groupId,
        memberId: newMemberId,
        connection: undefined,
        sessionDeadlineMs: turn.times.nowMs + command.sessionTimeoutMs,
        graceDeadlineMs: never,
      }
      membership.pending.set(newMemberId, pending)
      turn.connections.hear(pending, command.connection)
      answer(turn, waiter, { memberIdRequired: newMemberId })
    }
  }

  #add(turn: Turn, command: JoinGroup, memberId: string, waiter: number): void {
    const rebalance = this.#rebalance
    if (rebalance.membership.members.size === 0) rebalance.protocolType = command.protocolType
    const member: Member = {
      groupId: this.groupId,
      memberId,
      groupInstanceId: command.groupInstanceId,
      clientId: command.clientId,
      clientHost: command.clientHost,
      protocols: copied(command.protocols),
      assignment: noBytes,
      sessionTimeoutMs: command.sessionTimeoutMs,
      rebalanceTimeoutMs: command.rebalanceTimeoutMs,
      sessionDeadlineMs: never,
      graceDeadlineMs: never,
      connection: undefined,
      joining: undefined,
      syncing: undefined,
      isNew: true,
      isHeard: true,
    }
    rebalance.add(turn, member, command.connection, waiter)
  }

  /**
   * Who says the same as before, and is not the leader, is given the running generation: it may have
   * missed the answer. The leader may want a rebalance for reasons of its own, such as partitions
   * that were added.
   */
  #rejoin(turn: Turn, command: JoinGroup, member: Member, waiter: number): void {
    const rebalance = this.#rebalance
    const isSame = sameProtocols(member.protocols, command.protocols)
    const isLeader = rebalance.membership.leader === member.memberId
    const isGiven = this.phase === 'CompletingRebalance' ? isSame : isSame && !isLeader
    if (this.phase !== 'PreparingRebalance' && isGiven) {
      rebalance.heard(turn, member, command.connection)
      answer(turn, waiter, rebalance.joined(member))
      return
    }
    this.#update(turn, command, member, waiter)
    rebalance.changed(turn)
  }

  #update(turn: Turn, command: JoinGroup, member: Member, waiter: number): void {
    const { membership } = this.#rebalance
    if (!sameProtocols(member.protocols, command.protocols)) {
      membership.setProtocols(member, copied(command.protocols))
    }
    member.sessionTimeoutMs = command.sessionTimeoutMs
    member.rebalanceTimeoutMs = command.rebalanceTimeoutMs
    this.#rebalance.park(turn, member, waiter)
    this.#rebalance.heard(turn, member, command.connection)
  }

  /**
   * A static member was restarted and has lost its member id: the new id takes the place of the old
   * one, which is fenced (KIP-345). In a stable group nobody else notices, unless the protocol or,
   * beyond Kafka, the member's topics are others.
   */
  #replaceStatic(turn: Turn, command: JoinGroup, old: Member, waiter: number): void {
    const rebalance = this.#rebalance
    const { membership } = rebalance
    const formerLeader = membership.leader
    const member: Member = {
      ...old,
      memberId: command.newMemberId,
      clientId: command.clientId,
      clientHost: command.clientHost,
      joining: undefined,
      syncing: undefined,
    }
    rebalance.release(turn, old, new KafkaError('FENCED_INSTANCE_ID'))
    rebalance.hasSynced(old)
    membership.replace(old, member)
    this.#update(turn, command, member, waiter)
    const isQuiet =
      this.phase === 'Stable' &&
      membership.elect() === rebalance.protocolName &&
      this.#subscribesAlike(old, member) &&
      rebalance.canStore(turn)
    if (!isQuiet) {
      rebalance.changed(turn)
      return
    }
    membership.setJoining(member, undefined)
    rebalance.store(turn)
    const joined = rebalance.joined(member)
    const isLeader = membership.leader === member.memberId
    // A leader that cannot be told to skip the assignment must not know that it leads (KIP-814).
    const said = command.supportsSkippingAssignment
      ? { ...joined, skipAssignment: isLeader }
      : { ...joined, leader: formerLeader ?? '', members: [] }
    answer(turn, waiter, said)
  }

  #subscribesAlike(old: Member, member: Member): boolean {
    const { protocolName, protocolType } = this.#rebalance
    if (protocolType !== consumer) return true
    const before = subscribedTopics(metadataOf(old, protocolName) ?? noBytes)
    const after = subscribedTopics(metadataOf(member, protocolName) ?? noBytes)
    if (before === undefined || after === undefined) return true
    const known = new Set(before)
    const topics = new Set(after)
    return known.size === topics.size && after.every(topic => known.has(topic))
  }

  /** An administrator names a static member by its instance id alone. */
  #leaving({ memberId, groupInstanceId }: LeavingMember): Member {
    const { membership } = this.#rebalance
    if (memberId !== '') return membership.member(memberId, groupInstanceId)
    const member = membership.static(groupInstanceId)
    if (member === undefined) throw new KafkaError('UNKNOWN_MEMBER_ID')
    return member
  }

  /**
   * Since when an offset is retained: the commit, or the time the group became empty. Undefined:
   * for ever, while the members are at work on what cannot be told.
   */
  #retainedSince(): ((offset: StoredOffset) => number) | undefined {
    const byCommit = (offset: StoredOffset): number => offset.commitTimestampMs
    const { protocolType, protocolName, membership } = this.#rebalance
    if (protocolType === null) return byCommit
    if (this.phase === 'Empty') {
      const emptySinceMs = this.stored?.stateTimestampMs ?? -1
      return emptySinceMs === -1 ? byCommit : () => emptySinceMs
    }
    const isKnown = protocolType === consumer && membership.subscribedTopics(protocolName)
    return this.phase === 'Stable' && isKnown ? byCommit : undefined
  }

  #bury(records: GroupRecord[]): void {
    if (this.stored === undefined) return
    records.push({ kind: 'group', groupId: this.groupId, value: null })
  }
}
