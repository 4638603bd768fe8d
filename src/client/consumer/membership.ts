/**
 * Membership in a classic group: joins, is assigned partitions, heartbeats, joins again when it has to.
 *
 * One loop joins and waits, one chain of timers heartbeats beside it; so a member stays alive while
 * user code finishes its work before a revocation, which the broker waits for up to the rebalance
 * time-out. Requests that a broker holds until other members have come (JoinGroup, SyncGroup) go over
 * a lane of their own (see connections.ts), so that no commit waits behind them. Heartbeats, which stop
 * meanwhile, go there too, so that none waits behind a Produce of the same client.
 *
 * With an eager assignor a member gives up all it has before it joins; when all its assignors are
 * cooperative it keeps it, gives up what the leader wants for others, and joins again (KIP-429).
 *
 * Its leader deals out the partitions of all topics that any member reads, and asks from time to time
 * whether they are still as many.
 *
 * When user code blocks the event loop no heartbeat leaves, and after the session time-out the
 * broker takes the member out; the first heartbeat after that says so.
 *
 * When the group goes on without this member (its session was over, it is of an old generation) its
 * partitions are lost: others have them already, nothing of them can be committed; it joins anew.
 */
import type { Io, Timer } from '../../io/io.ts'
import { pause } from '../../io/pause.ts'
import { type ErrorName, errorName, KafkaError } from '../../protocol/errors.ts'
import { heartbeatRequest, heartbeatResponse } from '../../protocol/messages/heartbeat.ts'
import { joinGroupRequest, joinGroupResponse } from '../../protocol/messages/join-group.ts'
import { leaveGroupRequest, leaveGroupResponse } from '../../protocol/messages/leave-group.ts'
import { syncGroupRequest, syncGroupResponse } from '../../protocol/messages/sync-group.ts'
import type { Incoming } from '../../protocol/schema.ts'
import { type Cluster, type LaneOptions, refused } from '../cluster.ts'
import { ConnectionError } from '../connection.ts'
import { alterOffsets } from '../groups.ts'
import type { OwnAssignor, PartitionCounts } from './assignors/assignor.ts'
import { committedOffsets } from './commits.ts'
import { keyOf } from './committer.ts'
import type { Group, GroupHandlers } from './core.ts'
import { assignedIn, assignmentBytes, memberOf, subscriptionBytes } from './group-protocol.ts'
import type { TopicPartition, TopicPartitionOffset } from './options.ts'

export interface MembershipOptions {
  readonly groupId: string
  /** Of a static member (KIP-345); null: dynamic. */
  readonly groupInstanceId: string | null
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly rack: string | null
  /** In order of preference; at least one. */
  readonly assignors: readonly OwnAssignor[]
  /** How often the leader looks whether topics of the group have other partitions. */
  readonly metadataMaxAgeMs: number
  /** For a broker to answer, beside the rebalance time-out where it holds the request. */
  readonly requestTimeoutMs: number
  /** The lane of requests that are held, and of heartbeats. */
  readonly lane: string
  /** The topics subscribed to, as they are now. */
  topics(): Promise<PartitionCounts>
}

type JoinAnswer = Incoming<typeof joinGroupResponse>

/** What a member does not survive as a member; it joins again. */
const removed: ReadonlySet<ErrorName> = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION'])
/** The coordinator is elsewhere, or not ready: the call is made again. */
const moved: ReadonlySet<ErrorName> = new Set([
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
])
const whenMoved = ({ errorCode }: { readonly errorCode: number }) =>
  moved.has(errorName(errorCode)) ? errorCode : 0

/** After a failure that may pass, before the next attempt to join. */
const pauseMs = 500

export class Membership implements Group {
  readonly #io: Io
  readonly #cluster: Cluster
  readonly #options: MembershipOptions
  readonly #handlers: GroupHandlers
  readonly #isCooperative: boolean
  #memberId = ''
  #generationId = -1
  #isLeader = false
  /** Topics as it joined with. */
  #topics: readonly string[] = []
  #owned: readonly TopicPartition[] = []
  /**
   * When it was given what it owns: that is the word's age to a leader, not the generation it joined
   * last, whose assignment it may never have seen (KIP-792). −1: it owns nothing.
   */
  #ownedSince = -1
  /** What sticky assignors are told by an eager member, which owns nothing when it joins. */
  #previous = { partitions: [] as readonly TopicPartition[], generation: -1 }
  /**
   * It has asked for a new generation, so what is said of the old one is no news: an answer to an earlier
   * heartbeat or commit may come before the new generation does.
   */
  #isJoining = false
  #reason = 'the member is new'
  #heartbeat: Timer | undefined
  /** Of the leader, for topics that change. */
  #look: Timer | undefined
  #wake = Promise.withResolvers<void>()
  /** Ends what is under way in the lane, when it leaves. */
  readonly #stopLane = new AbortController()
  readonly #prompt: LaneOptions
  /** For requests that are held. */
  readonly #held: LaneOptions
  #leaving: Promise<void> | undefined
  #running: Promise<void> | undefined

  constructor(io: Io, cluster: Cluster, options: MembershipOptions, handlers: GroupHandlers) {
    this.#io = io
    this.#cluster = cluster
    this.#options = options
    const { lane, rebalanceTimeoutMs, requestTimeoutMs } = options
    const timeoutMs = rebalanceTimeoutMs + requestTimeoutMs
    this.#prompt = { lane, signal: this.#stopLane.signal }
    this.#held = { ...this.#prompt, timeoutMs }
    this.#handlers = handlers
    this.#isCooperative = options.assignors.every(({ isCooperative }) => isCooperative)
  }

  /** −1 while it is in none. */
  get generationId(): number {
    return this.#generationId
  }

  get member(): { readonly memberId: string; readonly generationId: number } {
    return { memberId: this.#memberId, generationId: this.#generationId }
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Only the leader, or a member whose own topics are others, has a reason that counts. */
  rejoin(reason: string): void {
    void this.#options.topics().then(
      topics => {
        const isSame = this.#topics.length === topics.size && this.#topics.every(t => topics.has(t))
        if (this.#isLeader || !isSame) this.#joinAgain(reason)
      },
      () => {}, // It will be asked again.
    )
  }

  /** Rejects with ClientError; UNKNOWN_MEMBER_ID and ILLEGAL_GENERATION: others have the partitions. */
  async commit(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    const { groupId, groupInstanceId } = this.#options
    const member = {
      memberId: this.#memberId,
      generationId: this.#generationId,
      instanceId: groupInstanceId,
    }
    if (member.generationId < 0) {
      throw new KafkaError('UNKNOWN_MEMBER_ID', `this consumer is no member of ${groupId} now`)
    }
    const outcomes = await alterOffsets(this.#cluster, groupId, offsets, member)
    const failed = outcomes.find(({ error }) => error !== undefined)?.error
    if (failed === undefined) return
    const isCurrent = !this.#isJoining && member.generationId === this.#generationId
    if (removed.has(failed.error) && isCurrent) {
      this.#remove(failed.error)
    }
    throw failed
  }

  /** Tries until there is an answer or it leaves: what is assigned is read when the broker is back. */
  async committed(partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]> {
    for (;;) {
      try {
        return await committedOffsets(this.#cluster, this.#options.groupId, partitions)
      } catch (error) {
        if (this.#hasLeft || !mayPass(error)) throw error
        await pause(this.#io.clock, pauseMs)
      }
    }
  }

  /** A static member stays a member until its session is over: its next process takes its place. */
  leave(): Promise<void> {
    this.#leaving ??= this.#leave()
    return this.#leaving
  }

  async #leave(): Promise<void> {
    this.#stop()
    this.#wake.resolve()
    this.#stopLane.abort()
    this.#cluster.closeLane(this.#options.lane)
    const { groupId, groupInstanceId } = this.#options
    const memberId = this.#memberId
    if (memberId === '' || groupInstanceId !== null) return
    this.#generationId = -1
    await this.#cluster.callCoordinator(
      groupId,
      leaveGroupRequest,
      leaveGroupResponse,
      version =>
        version < 3
          ? { groupId, memberId }
          : {
              groupId,
              members: [{ memberId, groupInstanceId, reason: 'the consumer was closed' }],
            },
      whenMoved,
    )
  }

  get #hasLeft(): boolean {
    return this.#leaving !== undefined
  }

  async #run(): Promise<void> {
    while (!this.#hasLeft) {
      try {
        await this.#join()
        await this.#wake.promise
      } catch (error) {
        if (this.#hasLeft) return
        if (!mayPass(error)) {
          this.#fail(error)
          return
        }
        await pause(this.#io.clock, pauseMs)
      }
    }
  }

  #stop(): void {
    this.#heartbeat?.cancel()
    this.#look?.cancel()
  }

  /** It is no member any more, and does not become one again. */
  #fail(error: unknown): void {
    this.#stop()
    if (error instanceof KafkaError && error.error === 'FENCED_INSTANCE_ID') this.#lose()
    this.#handlers.error(error)
  }

  /** Joins, until a generation stands and its partitions are taken over. */
  async #join(): Promise<void> {
    if (!this.#isCooperative) await this.#giveUp(this.#owned)
    this.#topics = [...(await this.#options.topics()).keys()]
    this.#stop()
    this.#wake = Promise.withResolvers()
    this.#isJoining = true
    const joined = await this.#ask().finally(() => {
      this.#isJoining = false
    })
    if (joined === undefined || this.#hasLeft) return
    const assigned = await this.#sync(joined)
    if (assigned === undefined || this.#hasLeft) return
    this.#beatLater()
    await this.#takeOver(assigned)
  }

  /** Undefined: it has to ask again. */
  async #ask(): Promise<JoinAnswer | undefined> {
    const { groupId, groupInstanceId, assignors } = this.#options
    const { sessionTimeoutMs, rebalanceTimeoutMs } = this.#options
    const answer = await this.#cluster.callCoordinator(
      groupId,
      joinGroupRequest,
      joinGroupResponse,
      {
        groupId,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        memberId: this.#memberId,
        groupInstanceId,
        protocolType: 'consumer',
        protocols: assignors.map(assignor => ({
          name: assignor.name,
          metadata: this.#bringing(assignor),
        })),
        reason: this.#reason,
      },
      whenMoved,
      this.#held,
    )
    switch (errorName(answer.errorCode)) {
      case 'NONE':
        this.#memberId = answer.memberId
        this.#generationId = answer.generationId
        this.#isLeader = answer.leader === answer.memberId
        return answer
      case 'MEMBER_ID_REQUIRED':
        this.#memberId = answer.memberId
        this.#joinAgain('the member id was given')
        return undefined
      default:
        return this.#refused(answer.errorCode, 'JoinGroup')
    }
  }

  #bringing(assignor: OwnAssignor): Uint8Array {
    const owned = this.#isCooperative ? this.#owned : []
    return subscriptionBytes({
      topics: this.#topics,
      owned,
      generation: this.#ownedSince,
      userData: assignor.userData?.(this.#previous.partitions, this.#previous.generation) ?? null,
      rack: this.#options.rack,
    })
  }

  async #sync(joined: JoinAnswer): Promise<readonly TopicPartition[] | undefined> {
    const { groupId, groupInstanceId } = this.#options
    const assignments = this.#isLeader && !joined.skipAssignment ? await this.#dealOut(joined) : []
    const answer = await this.#cluster.callCoordinator(
      groupId,
      syncGroupRequest,
      syncGroupResponse,
      {
        groupId,
        generationId: this.#generationId,
        memberId: this.#memberId,
        groupInstanceId,
        protocolType: 'consumer',
        protocolName: joined.protocolName,
        assignments,
      },
      whenMoved,
      this.#held,
    )
    if (answer.errorCode !== 0) return this.#refused(answer.errorCode, 'SyncGroup')
    return assignedIn(answer.assignment)
  }

  /** The leader's work. */
  async #dealOut(joined: JoinAnswer) {
    const { assignors } = this.#options
    const assignor = assignors.find(({ name }) => name === joined.protocolName)
    if (assignor === undefined) {
      throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL', `no assignor ${joined.protocolName}`)
    }
    const members = joined.members.map(({ memberId, groupInstanceId, metadata }) =>
      memberOf(memberId, groupInstanceId, metadata),
    )
    // As they are now: others have been waited for since this member asked.
    const counts = await this.#counts([...new Set(members.flatMap(({ topics }) => topics))])
    this.#lookLater(counts)
    const dealt = await assignor.assign(members, counts)
    return [...dealt].map(([memberId, partitions]) => ({
      memberId,
      assignment: assignmentBytes(partitions),
    }))
  }

  /** Of each topic; 0 for one that does not exist. Throws what may pass. */
  async #counts(names: readonly string[]): Promise<PartitionCounts> {
    const counts = new Map(names.map(name => [name, 0]))
    if (names.length === 0) return counts
    const { topics } = await this.#cluster.metadata(names)
    for (const { errorCode, name, partitions } of topics) {
      const error = refused(errorCode, `topic ${name}: ${errorName(errorCode)}`)
      if (error === undefined && name !== null) counts.set(name, partitions.length)
      if (error?.retriable && error.error !== 'UNKNOWN_TOPIC_OR_PARTITION') throw error
    }
    return counts
  }

  #lookLater(dealt: PartitionCounts): void {
    this.#look = this.#io.clock.timer(this.#options.metadataMaxAgeMs, () => {
      this.#counts([...dealt.keys()]).then(
        now => {
          if (this.#hasLeft || this.#isJoining || !this.#isLeader) return
          if ([...now].some(([name, count]) => dealt.get(name) !== count)) {
            this.#joinAgain('topics of the group have changed')
          } else this.#lookLater(dealt)
        },
        () => this.#hasLeft || this.#lookLater(dealt),
      )
    })
  }

  /** Throws what this member does not survive. */
  #refused(code: number, what: string): undefined {
    const error = errorName(code)
    if (removed.has(error)) this.#remove(error)
    else if (error === 'REBALANCE_IN_PROGRESS') this.#joinAgain('the group rebalanced meanwhile')
    else throw KafkaError.of(error, `${what} of group ${this.#options.groupId}`)
    return undefined
  }

  async #takeOver(assigned: readonly TopicPartition[]): Promise<void> {
    const had = new Set(this.#owned.map(keyOf))
    const has = new Set(assigned.map(keyOf))
    const gone = this.#owned.filter(each => !has.has(keyOf(each)))
    const added = assigned.filter(each => !had.has(keyOf(each)))
    if (gone.length > 0) {
      await this.#giveUp(gone)
      this.#joinAgain('it gave up partitions, which others may have now')
    }
    const generation = this.#generationId
    if (generation < 0 || this.#hasLeft) return
    this.#previous = { partitions: assigned, generation }
    this.#owned = assigned
    this.#ownedSince = generation
    if (added.length > 0 || !this.#isCooperative) await this.#handlers.assign(added)
  }

  /** Work on them is finished and committed when this resolves, or time is up. */
  async #giveUp(partitions: readonly TopicPartition[]): Promise<void> {
    if (partitions.length === 0) return
    const patience = new AbortController()
    const timer = this.#io.clock.timer(this.#options.rebalanceTimeoutMs, () => patience.abort())
    try {
      await this.#handlers.revoke(partitions, patience.signal)
    } finally {
      timer.cancel()
    }
    const keys = new Set(partitions.map(keyOf))
    this.#owned = this.#owned.filter(each => !keys.has(keyOf(each)))
  }

  #joinAgain(reason: string): void {
    this.#reason = reason
    this.#wake.resolve()
  }

  /** The group goes on without it. */
  #remove(error: ErrorName): void {
    if (error === 'UNKNOWN_MEMBER_ID') this.#memberId = ''
    this.#stop()
    this.#lose()
    this.#joinAgain(`the group went on without it: ${error}`)
  }

  #lose(): void {
    this.#generationId = -1
    const lost = this.#owned
    this.#owned = []
    this.#ownedSince = -1
    if (lost.length > 0) this.#handlers.lost(lost)
  }

  #beatLater(): void {
    this.#heartbeat?.cancel()
    this.#heartbeat = this.#io.clock.timer(this.#options.heartbeatIntervalMs, () => this.#beat())
  }

  #beat(): void {
    const { groupId, groupInstanceId } = this.#options
    const generationId = this.#generationId
    const memberId = this.#memberId
    this.#cluster
      .callCoordinator(
        groupId,
        heartbeatRequest,
        heartbeatResponse,
        { groupId, generationId, memberId, groupInstanceId },
        whenMoved,
        this.#prompt,
      )
      .then(
        ({ errorCode }) => {
          if (errorCode === 0) this.#handlers.beat?.()
          this.#onBeat(errorCode, generationId)
        },
        () => this.#onBeat(0, generationId), // No answer: the next one will tell.
      )
  }

  #onBeat(code: number, generationId: number): void {
    // An answer to an earlier membership says nothing of this one.
    if (this.#hasLeft || this.#isJoining || generationId !== this.#generationId) return
    const error = errorName(code)
    if (removed.has(error)) {
      this.#remove(error)
      return
    }
    const failure = code === 0 ? undefined : KafkaError.of(error, `group ${this.#options.groupId}`)
    if (error === 'REBALANCE_IN_PROGRESS') {
      this.#joinAgain('the group rebalances')
    } else if (failure !== undefined && !mayPass(failure)) {
      this.#fail(failure)
      return
    }
    // Also while it is about to join: until then its work goes on, and it must not be removed.
    this.#beatLater()
  }
}

/** Of what a broker says, or of a connection: trying again can help. */
function mayPass(error: unknown): boolean {
  return error instanceof ConnectionError || (error instanceof KafkaError && error.retriable)
}
