/**
 * All classic groups of one shard: what the shard drives.
 *
 * A group exists while it has a record, an offset, a member or somebody about to be one. Replicated
 * are its last stable generation, or its end, and its committed offsets: `apply` alone writes them.
 * All else (the join phase, deadlines, waiters, connections) a restart may lose: it resumes every
 * group in its last stable generation, and members heartbeat on as if nothing had been.
 *
 * Deadlines are lazy: a group says when it wants to be woken, and heartbeats only make that later.
 */
import { assert } from '../../base/assert.ts'
import { type ErrorName, KafkaError } from '../../protocol/errors.ts'
import type { Decision, ShardState, Times, Waiter } from '../shard-state.ts'
import type {
  CommitOffsets,
  DeleteOffsets,
  DescribedGroup,
  FetchedOffsets,
  FetchOffsets,
  GroupSettings,
  Heartbeat,
  JoinAnswer,
  JoinGroup,
  LeaveGroup,
  Left,
  ListedGroup,
  ListGroups,
  PartitionResults,
  Synced,
  SyncGroup,
} from './commands.ts'
import { Connections } from './connections.ts'
import { Deadlines } from './deadlines.ts'
import { type GroupRecord, isStorable } from './group-records.ts'
import { GroupState } from './group-state.ts'
import { OffsetsState } from './offsets-state.ts'
import { answer, type Turn } from './turn.ts'

type Decided = Decision<GroupRecord>

/** Ours: groups of one shard; Kafka has no bound. A new one is refused with POLICY_VIOLATION. */
export const maxGroups = 100_000

function checkStorable(...texts: readonly string[]): void {
  if (texts.every(isStorable)) return
  throw new KafkaError('INVALID_REQUEST', 'a name is longer than the 32767 bytes a record can hold')
}

/** See above. */
export class GroupsState implements ShardState<GroupRecord> {
  /** May be replaced at any time; takes effect with the next command. */
  settings: GroupSettings
  readonly #groups = new Map<string, GroupState>()
  readonly #connections = new Connections()
  readonly #deadlines = new Deadlines<GroupState>()
  #nextCheckMs = 0

  constructor(settings: GroupSettings) {
    this.settings = settings
  }

  apply(record: GroupRecord): void {
    const { groupId, value } = record
    const known = this.#groups.get(groupId)
    if (known === undefined && value === null) return
    const group = known ?? this.#newGroup(groupId)
    if (record.kind === 'group') group.stored = record.value ?? undefined
    else group.offsets.apply(record.topic, record.partition, record.value)
    if (value === null) this.#forgetIfVacant(group)
  }

  loaded(times: Times): void {
    const turn = this.#turn(times)
    for (const group of this.#groups.values()) {
      group.loaded(turn)
      this.#deadlines.wake(group, group.nextDeadlineMs())
    }
    this.#nextCheckMs = times.nowMs + this.settings.offsetsRetentionCheckMs
    assert(turn.records.length === 0, 'loading decides nothing')
  }

  nextDeadlineMs(): number {
    const checkMs = this.#groups.size === 0 ? Number.POSITIVE_INFINITY : this.#nextCheckMs
    return Math.min(this.#deadlines.nextMs, checkMs)
  }

  expire(times: Times): Decided {
    const turn = this.#turn(times)
    for (const group of this.#deadlines.due(times.nowMs)) {
      group.expire(turn)
      this.#settle(turn, group)
    }
    if (times.nowMs >= this.#nextCheckMs) {
      this.#nextCheckMs = times.nowMs + this.settings.offsetsRetentionCheckMs
      for (const group of this.#groups.values()) group.expireOffsets(turn)
    }
    return turn
  }

  /**
   * Throws INVALID_SESSION_TIMEOUT, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID, INVALID_REQUEST,
   * INCONSISTENT_GROUP_PROTOCOL, GROUP_MAX_SIZE_REACHED, POLICY_VIOLATION.
   */
  joinGroup(command: JoinGroup, times: Times, waiter: Waiter<JoinAnswer>): Decided {
    const { sessionTimeoutMs } = command
    const { minSessionTimeoutMs, maxSessionTimeoutMs } = this.settings
    if (sessionTimeoutMs < minSessionTimeoutMs || sessionTimeoutMs > maxSessionTimeoutMs) {
      throw new KafkaError(
        'INVALID_SESSION_TIMEOUT',
        `the session timeout has to be from ${minSessionTimeoutMs} to ${maxSessionTimeoutMs} ms`,
      )
    }
    const { groupId, newMemberId, groupInstanceId, clientId, clientHost, protocolType } = command
    checkStorable(groupId, newMemberId, groupInstanceId ?? '', clientId, clientHost, protocolType)
    for (const { name } of command.protocols) checkStorable(name)
    const known = this.#groups.get(groupId)
    if (known === undefined && command.memberId !== '') throw new KafkaError('UNKNOWN_MEMBER_ID')
    if (known === undefined) this.#checkRoom()
    const group = known ?? this.#newGroup(groupId)
    const turn = this.#turn(times)
    try {
      group.join(turn, command, waiter)
    } finally {
      this.#settle(turn, group)
    }
    return turn
  }

  syncGroup(command: SyncGroup, times: Times, waiter: Waiter<Synced>): Decided {
    const turn = this.#turn(times)
    const group = this.#groupOfMember(command.groupId)
    group.sync(turn, command, waiter)
    this.#settle(turn, group)
    return turn
  }

  /** O(1): the group sleeps on. */
  heartbeat(command: Heartbeat, times: Times, waiter: Waiter<void>): Decided {
    const turn = this.#turn(times)
    this.#groupOfMember(command.groupId).heartbeat(turn, command)
    answer(turn, waiter, undefined)
    return turn
  }

  leaveGroup(command: LeaveGroup, times: Times, waiter: Waiter<Left>): Decided {
    const turn = this.#turn(times)
    const group = this.#groupOfMember(command.groupId)
    answer(turn, waiter, group.leave(turn, command))
    this.#settle(turn, group)
    return turn
  }

  /** The connection closed: its dynamic members have `disconnectGraceMs` left. */
  disconnected(connection: number, times: Times): Decided {
    const turn = this.#turn(times)
    const { disconnectGraceMs } = this.settings
    for (const speaker of [...this.#connections.on(connection)]) {
      this.#connections.forget(speaker)
      const group = this.#groups.get(speaker.groupId)
      if (group === undefined || disconnectGraceMs === undefined) continue
      group.disconnected(turn, speaker.memberId, disconnectGraceMs)
      this.#deadlines.wake(group, times.nowMs + disconnectGraceMs)
    }
    return turn
  }

  listGroups(command: ListGroups, times: Times, waiter: Waiter<readonly ListedGroup[]>): Decided {
    const turn = this.#turn(times)
    const phases = new Set(command.phases.map(phase => phase.toLowerCase()))
    const types = new Set(command.types.map(type => type.toLowerCase()))
    const listed: ListedGroup[] = []
    if (types.size === 0 || types.has('classic')) {
      for (const { groupId, protocolType, phase } of this.#groups.values()) {
        if (phases.size > 0 && !phases.has(phase.toLowerCase())) continue
        listed.push({ groupId, protocolType, phase, groupType: 'classic' })
      }
    }
    answer(turn, waiter, listed)
    return turn
  }

  /** Throws GROUP_ID_NOT_FOUND. */
  describeGroup(groupId: string, times: Times, waiter: Waiter<DescribedGroup>): Decided {
    const turn = this.#turn(times)
    answer(turn, waiter, this.#existing(groupId).describe())
    return turn
  }

  /** Throws GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP. */
  deleteGroup(groupId: string, times: Times, waiter: Waiter<void>): Decided {
    const turn = this.#turn(times)
    const group = this.#existing(groupId)
    group.delete(turn)
    answer(turn, waiter, undefined)
    this.#settle(turn, group)
    return turn
  }

  /**
   * Throws as `GroupState.checkCommit`, GROUP_ID_NOT_FOUND, INVALID_REQUEST, POLICY_VIOLATION;
   * results are OFFSET_METADATA_TOO_LARGE.
   */
  commitOffsets(command: CommitOffsets, times: Times, waiter: Waiter<PartitionResults>): Decided {
    const turn = this.#turn(times)
    const { groupId, retentionMs } = command
    checkStorable(groupId)
    for (const { name } of command.topics) checkStorable(name)
    const group = this.#groups.get(groupId)
    if (group !== undefined) {
      group.checkCommit(turn, command)
    } else {
      // Without generation it is a simple consumer's, whose commit makes the group.
      if (command.generationId >= 0) throw new KafkaError('GROUP_ID_NOT_FOUND')
      this.#checkRoom()
    }
    const { wallMs } = times
    const endMs = wallMs + (retentionMs ?? 0)
    const expireTimestampMs =
      retentionMs === undefined ? -1 : Math.min(endMs, Number.MAX_SAFE_INTEGER)
    const topics = command.topics.map(({ name, topicId, partitions }) => ({
      name,
      partitions: partitions.map(({ partition, offset, leaderEpoch, metadata }) => {
        if (metadata.length > this.settings.offsetMetadataMaxBytes || !isStorable(metadata)) {
          return { partition, error: 'OFFSET_METADATA_TOO_LARGE' as ErrorName }
        }
        turn.records.push({
          kind: 'offset',
          groupId,
          topic: name,
          partition,
          value: {
            offset,
            leaderEpoch,
            metadata,
            commitTimestampMs: wallMs,
            expireTimestampMs,
            topicId,
          },
        })
        return { partition, error: 'NONE' as ErrorName }
      }),
    }))
    answer(turn, waiter, { topics })
    return turn
  }

  /** A group that does not exist has no offsets, and no error. */
  fetchOffsets(command: FetchOffsets, times: Times, waiter: Waiter<FetchedOffsets>): Decided {
    const turn = this.#turn(times)
    const offsets = this.#groups.get(command.groupId)?.offsets ?? new OffsetsState(command.groupId)
    answer(turn, waiter, offsets.fetch(command.topics))
    return turn
  }

  /** Throws GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP; results are GROUP_SUBSCRIBED_TO_TOPIC. */
  deleteOffsets(command: DeleteOffsets, times: Times, waiter: Waiter<PartitionResults>): Decided {
    const turn = this.#turn(times)
    const group = this.#existing(command.groupId)
    group.checkDeleteOffsets()
    const isSubscribed = group.subscriptions()
    const topics = command.topics.map(({ name, partitions }) => {
      const error: ErrorName = isSubscribed(name) ? 'GROUP_SUBSCRIBED_TO_TOPIC' : 'NONE'
      for (const partition of error === 'NONE' ? new Set(partitions) : []) {
        if (!group.offsets.has(name, partition)) continue
        turn.records.push(group.offsets.tombstone(name, partition))
      }
      return { name, partitions: partitions.map(partition => ({ partition, error })) }
    })
    answer(turn, waiter, { topics })
    return turn
  }

  /** Offsets of topics that are gone (names) go. */
  topicsDeleted(names: ReadonlySet<string>, times: Times): Decided {
    const turn = this.#turn(times)
    for (const { offsets } of this.#groups.values()) {
      for (const tombstone of offsets.tombstonesOf(names)) turn.records.push(tombstone)
    }
    return turn
  }

  #turn(times: Times): Turn {
    const { settings } = this
    return { times, settings, connections: this.#connections, records: [], answers: [] }
  }

  #newGroup(groupId: string): GroupState {
    const group = new GroupState(groupId)
    this.#groups.set(groupId, group)
    return group
  }

  #checkRoom(): void {
    if (this.#groups.size >= maxGroups) {
      throw new KafkaError('POLICY_VIOLATION', `there are ${maxGroups} groups: delete some first`)
    }
  }

  /** Throws UNKNOWN_MEMBER_ID: a group that is not there has no such member. */
  #groupOfMember(groupId: string): GroupState {
    const group = this.#groups.get(groupId)
    if (group === undefined) throw new KafkaError('UNKNOWN_MEMBER_ID')
    return group
  }

  #existing(groupId: string): GroupState {
    const group = this.#groups.get(groupId)
    if (group === undefined) throw new KafkaError('GROUP_ID_NOT_FOUND')
    return group
  }

  /** After a command that may have brought a deadline nearer, or ended the group. */
  #settle(turn: Turn, group: GroupState): void {
    // A record that is not applied yet may be all that keeps it.
    if (turn.records.length === 0 && this.#forgetIfVacant(group)) return
    this.#deadlines.wake(group, group.nextDeadlineMs())
  }

  #forgetIfVacant(group: GroupState): boolean {
    if (!group.isVacant) return false
    this.#groups.delete(group.groupId)
    this.#deadlines.forget(group)
    return true
  }
}
