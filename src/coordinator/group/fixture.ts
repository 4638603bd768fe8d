/** What tests of groups stand on: a shard without log and clock, and short ways to say commands. */
import { assert } from '../../base/assert.ts'
import { type ErrorName, KafkaError } from '../../protocol/errors.ts'
import { zeroUuid } from '../../protocol/schema.ts'
import type { Answer, Decision, Times, Waiter } from '../shard-state.ts'
import type {
  CommitOffsets,
  DescribedGroup,
  FetchedOffsets,
  GroupSettings,
  Heartbeat,
  JoinAnswer,
  Joined,
  JoinGroup,
  LeaveGroup,
  Left,
  MemberRef,
  PartitionResults,
  Synced,
  SyncGroup,
} from './commands.ts'
import { type GroupRecord, groupRecordCodec } from './group-records.ts'
import { GroupsState } from './groups-state.ts'

/** Kafka's defaults, but for an initial delay of zero, and no grace. */
export const defaults: GroupSettings = {
  minSessionTimeoutMs: 6000,
  maxSessionTimeoutMs: 1_800_000,
  maxSize: 2_147_483_647,
  initialRebalanceDelayMs: 0,
  offsetMetadataMaxBytes: 4096,
  offsetsRetentionMs: 7 * 24 * 3_600_000,
  offsetsRetentionCheckMs: 600_000,
  disconnectGraceMs: undefined,
  maxRecordBytes: 1_000_000,
}

/** Bytes of a text. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

/** A ConsumerProtocolSubscription, v0. */
export function subscription(...topics: string[]): Uint8Array {
  const parts = topics.flatMap(topic => [0, topic.length, ...bytes(topic)])
  return Uint8Array.from([0, 0, 0, 0, 0, topics.length, ...parts, 0, 0, 0, 0])
}

/** What a waiter was told; parked while neither is there. */
export interface Told<Response> {
  response?: Response
  error?: ErrorName
}

type Decide<Response> = (
  state: GroupsState,
  times: Times,
  waiter: Waiter<Response>,
) => Decision<GroupRecord>

/** Stands in for the shard: decides, applies, answers at once, and keeps the records as bytes. */
export class Desk {
  settings: GroupSettings
  state: GroupsState
  nowMs = 1000
  /** All that was ever appended. */
  readonly log: { key: Uint8Array; value: Uint8Array | null }[] = []
  /** As in the log, as they were decided. */
  readonly records: GroupRecord[] = []
  readonly #waiting = new Map<number, Told<unknown>>()
  #waiters = 0
  #members = 0

  constructor(settings: Partial<GroupSettings> = {}) {
    this.settings = { ...defaults, ...settings }
    this.state = new GroupsState(this.settings)
    this.state.loaded(this.times)
  }

  get times(): Times {
    return { nowMs: this.nowMs, wallMs: 1_700_000_000_000 + this.nowMs }
  }

  /** How many wait. */
  get parked(): number {
    return this.#waiting.size
  }

  ask<Response>(decide: Decide<Response>): Told<Response> {
    const waiter = ++this.#waiters
    const told: Told<Response> = {}
    this.#waiting.set(waiter, told as Told<unknown>)
    try {
      this.take(decide(this.state, this.times, waiter))
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      this.#tell({ waiter, error })
    }
    return told
  }

  take({ records, answers }: Decision<GroupRecord>): void {
    for (const record of records) {
      this.state.apply(record)
      this.records.push(record)
      this.log.push(groupRecordCodec.encode(record))
    }
    for (const each of answers) this.#tell(each)
  }

  /** Time passes; whatever is due happens at its moment. */
  pass(ms: number): void {
    const endMs = this.nowMs + ms
    for (let nextMs = this.state.nextDeadlineMs(); nextMs <= endMs; ) {
      this.nowMs = Math.max(this.nowMs, nextMs)
      this.take(this.state.expire(this.times))
      nextMs = this.state.nextDeadlineMs()
      assert(nextMs > this.nowMs, 'a deadline that has been served is over')
    }
    this.nowMs = endMs
  }

  /** The state as the log alone gives it. */
  replayed(): GroupsState {
    const state = new GroupsState(this.settings)
    for (const { key, value } of this.log) {
      const record = groupRecordCodec.decode(key, value)
      assert(record !== undefined, 'the kinds that are written are known')
      state.apply(record)
    }
    state.loaded(this.times)
    return state
  }

  /** The broker restarts: whoever waited hears nothing. */
  restart(): void {
    this.state = this.replayed()
    this.#waiting.clear()
  }

  join(command: Partial<JoinGroup> = {}): Told<JoinAnswer> {
    return this.ask((state, times, waiter) =>
      state.joinGroup(
        {
          ...who(command),
          newMemberId: `m${++this.#members}`,
          clientId: 'client',
          clientHost: '/127.0.0.1',
          requireKnownMemberId: false,
          supportsSkippingAssignment: true,
          sessionTimeoutMs: 10_000,
          rebalanceTimeoutMs: 60_000,
          protocolType: 'consumer',
          protocols: [{ name: 'range', metadata: subscription('t') }],
          reason: null,
          ...command,
        },
        times,
        waiter,
      ),
    )
  }

  sync(command: Partial<SyncGroup>): Told<Synced> {
    const whole = { protocolType: null, protocolName: null, assignments: [], generationId: 1 }
    return this.ask((state, times, waiter) =>
      state.syncGroup({ ...who(command), ...whole, ...command }, times, waiter),
    )
  }

  heartbeat(command: Partial<Heartbeat>): Told<void> {
    const whole = { ...who(command), generationId: 1, ...command }
    return this.ask((state, times, waiter) => state.heartbeat(whole, times, waiter))
  }

  leave(...members: Partial<LeaveGroup['members'][number]>[]): Told<Left> {
    const nobody = { memberId: '', groupInstanceId: null, reason: null }
    const command = { groupId: 'g', members: members.map(each => ({ ...nobody, ...each })) }
    return this.ask((state, times, waiter) => state.leaveGroup(command, times, waiter))
  }

  commit(
    offset: number,
    command: Partial<CommitOffsets> & {
      topic?: string
      partition?: number
      metadata?: string
    } = {},
  ): Told<PartitionResults> {
    const { topic = 't', partition = 0, metadata = '', ...rest } = command
    const whole: CommitOffsets = {
      ...who(rest),
      generationId: -1,
      retentionMs: undefined,
      topics: [
        {
          name: topic,
          topicId: zeroUuid,
          partitions: [{ partition, offset, leaderEpoch: -1, metadata }],
        },
      ],
      ...rest,
    }
    return this.ask((state, times, waiter) => state.commitOffsets(whole, times, waiter))
  }

  describe(groupId = 'g'): Told<DescribedGroup> {
    return this.ask((state, times, waiter) => state.describeGroup(groupId, times, waiter))
  }

  /** The group's phase, or why there is none. */
  phase(groupId = 'g'): string | undefined {
    const { response, error } = this.describe(groupId)
    return response?.phase ?? error
  }

  /** All committed offsets of the group, as `topic-partition`. */
  committed(groupId = 'g', state: GroupsState = this.state): Record<string, number> {
    const { response } = this.ask<FetchedOffsets>((_, times, waiter) =>
      state.fetchOffsets({ groupId, topics: null }, times, waiter),
    )
    assert(response !== undefined, 'offsets are always there')
    return Object.fromEntries(
      response.topics.flatMap(({ name, partitions }) =>
        partitions.map(({ partition, offset }) => [`${name}-${partition}`, offset]),
      ),
    )
  }

  disconnect(connection: number): void {
    this.take(this.state.disconnected(connection, this.times))
  }

  /** A group of so many dynamic members (static: `instances`), each on a connection of its number. */
  stable(count: number, instances: readonly string[] = []): Joined[] {
    const wanted = Array.from({ length: count }, (_, i) => ({
      connection: i,
      groupInstanceId: instances[i] ?? null,
    }))
    const first = wanted.map(each => this.join(each))
    const rejoined = first.map((told, i) => {
      const memberId = joinedOf(told)?.memberId
      return memberId === undefined ? told : this.join({ ...wanted[i]!, memberId })
    })
    const members = rejoined.map(told => {
      const joined = joinedOf(told)
      assert(joined !== undefined, 'the join phase has ended')
      return joined
    })
    for (const [connection, each] of members.entries()) {
      const assignments = members.map(({ memberId }) => ({ memberId, assignment: bytes(memberId) }))
      const groupInstanceId = instances[connection] ?? null
      this.sync({ ...each, groupInstanceId, connection, assignments })
    }
    return members
  }

  #tell({ waiter, response, error }: Answer): void {
    const told = this.#waiting.get(waiter)
    assert(told !== undefined, 'nobody is told twice')
    this.#waiting.delete(waiter)
    if (error !== undefined) told.error = error.error
    else told.response = response
  }
}

/** The answer of a join that has ended. */
export function joinedOf({ response }: Told<JoinAnswer>): Joined | undefined {
  return response !== undefined && 'generationId' in response ? response : undefined
}

/** The member id that a join was answered with (KIP-394). */
export function givenId({ response }: Told<JoinAnswer>): string | undefined {
  return response !== undefined && 'memberIdRequired' in response
    ? response.memberIdRequired
    : undefined
}

function who(command: Partial<MemberRef>): MemberRef {
  return { groupId: 'g', memberId: '', groupInstanceId: null, connection: 1, ...command }
}
