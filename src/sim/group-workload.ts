/**
 * Members of consumer groups, in the history with everything they were told: which partitions they
 * own in which generation, which commits were acknowledged, which offsets they were given to resume
 * from. A member lives for a while; then it leaves, vanishes without a word, or stalls for longer
 * than its session and commits as if nothing had happened.
 */
import type { Cluster } from '../client/cluster.ts'
import { ConnectionError } from '../client/connection.ts'
import type { Io } from '../io/io.ts'
import { errorCode, errorName, KafkaError } from '../protocol/errors.ts'
import {
  findCoordinatorRequest,
  findCoordinatorResponse,
} from '../protocol/messages/find-coordinator.ts'
import { heartbeatRequest, heartbeatResponse } from '../protocol/messages/heartbeat.ts'
import { joinGroupRequest, joinGroupResponse } from '../protocol/messages/join-group.ts'
import { leaveGroupRequest, leaveGroupResponse } from '../protocol/messages/leave-group.ts'
import { offsetCommitRequest, offsetCommitResponse } from '../protocol/messages/offset-commit.ts'
import { offsetFetchRequest, offsetFetchResponse } from '../protocol/messages/offset-fetch.ts'
import { syncGroupRequest, syncGroupResponse } from '../protocol/messages/sync-group.ts'
import type { GroupHistory } from './group-checker.ts'
import type { Prng } from './random.ts'
import { nameOf, type PartitionName } from './workload.ts'

/** What all members of a run share. */
export interface GroupWorkload {
  readonly partitions: readonly (PartitionName & { readonly topicId: string })[]
  readonly history: GroupHistory
  /** Set once: members leave their groups and return. */
  stopping: boolean
}

const sessionTimeoutMs = 6_000
const rebalanceTimeoutMs = 8_000
const protocolType = 'consumer'
const protocolName = 'spread'

/** Waiting for the coordinator helps against these; the other errors are for the member to act on. */
const coordinatorErrors = new Set(
  (['COORDINATOR_LOAD_IN_PROGRESS', 'COORDINATOR_NOT_AVAILABLE', 'NOT_COORDINATOR'] as const).map(
    errorCode,
  ),
)
const onlyCoordinator = ({ errorCode: code }: { errorCode: number }) =>
  coordinatorErrors.has(code) ? code : 0

/** One membership after another, each on a connection of its own, until the workload stops. */
export async function joinUntilStopped(
  io: Io,
  connect: () => Cluster,
  chance: Prng,
  workload: GroupWorkload,
  groupId: string,
  instanceId: string | null,
): Promise<void> {
  while (!workload.stopping) {
    const cluster = connect()
    const member = new Member(io, cluster, chance, workload, groupId, instanceId)
    const lifeEndMs = io.clock.monotonicMs() + chance.between(500, 6_000)
    try {
      await member.live(lifeEndMs)
      const end = workload.stopping ? 0 : chance.below(10)
      if (end < 4) await member.leave()
      else if (end < 7) await member.stallAndCommit()
    } catch (error) {
      const isOver = error instanceof MembershipOver || error instanceof KafkaError
      if (!isOver && !(error instanceof ConnectionError)) throw error
    } finally {
      cluster.close()
    }
    await pause(io, chance.below(500))
  }
}

/** The committed offset of every partition, after all members have gone. */
export async function readCommitted(
  cluster: Cluster,
  workload: GroupWorkload,
  groupId: string,
): Promise<void> {
  await fetchCommitted(cluster, workload, groupId, workload.partitions)
}

/** What a commit says, and by whom. */
interface Said {
  readonly memberId: string
  readonly generationId: number
  readonly partition: string
  readonly offset: number
}

/** Fenced, or refused for good: the next membership begins anew. */
class MembershipOver extends Error {
  override readonly name = 'MembershipOver'
}

class Member {
  readonly #io: Io
  readonly #cluster: Cluster
  readonly #chance: Prng
  readonly #workload: GroupWorkload
  readonly #groupId: string
  readonly #groupInstanceId: string | null
  #memberId = ''
  #generationId = -1
  /** Next offset to commit, by name of the owned partition. */
  #positions = new Map<string, number>()
  /** The last commit, as it could still be on its way when the next generation stands. */
  #late: Said | undefined
  #mustJoin = true

  constructor(
    io: Io,
    cluster: Cluster,
    chance: Prng,
    workload: GroupWorkload,
    groupId: string,
    groupInstanceId: string | null,
  ) {
    this.#io = io
    this.#cluster = cluster
    this.#chance = chance
    this.#workload = workload
    this.#groupId = groupId
    this.#groupInstanceId = groupInstanceId
  }

  /** Joins as often as it is told to; heartbeats and commits in between. */
  async live(endMs: number): Promise<void> {
    await this.#findCoordinator()
    while (!this.#workload.stopping && this.#io.clock.monotonicMs() < endMs) {
      if (this.#mustJoin) {
        await this.#join()
        continue
      }
      await pause(this.#io, this.#chance.between(5, 150))
      if (this.#chance.chance(0.8)) this.#obey(await this.#commit())
      if (!this.#mustJoin) this.#obey(await this.#heartbeat())
    }
  }

  async leave(): Promise<void> {
    const { memberId, groupInstanceId } = this.#self
    await this.#cluster.call(
      leaveGroupRequest,
      leaveGroupResponse,
      { groupId: this.#groupId, memberId: '', members: [{ memberId, groupInstanceId }] },
      onlyCoordinator,
    )
  }

  /** A process that was paused: it does not know that its session is over. */
  async stallAndCommit(): Promise<void> {
    await pause(this.#io, this.#chance.between(1_000, 3 * sessionTimeoutMs))
    await this.#commit()
  }

  get #self() {
    return {
      groupId: this.#groupId,
      memberId: this.#memberId,
      groupInstanceId: this.#groupInstanceId,
    }
  }

  /** The first one asked makes the internal topic. */
  async #findCoordinator(): Promise<void> {
    await this.#cluster.call(
      findCoordinatorRequest,
      findCoordinatorResponse,
      { keyType: 0, coordinatorKeys: [this.#groupId] },
      ({ coordinators: [found] }) => onlyCoordinator(found!),
    )
  }

  async #join(): Promise<void> {
    const joined = await this.#cluster.call(
      joinGroupRequest,
      joinGroupResponse,
      {
        ...this.#self,
        sessionTimeoutMs,
        rebalanceTimeoutMs,
        protocolType,
        protocols: [{ name: protocolName, metadata: new Uint8Array(0) }],
      },
      onlyCoordinator,
    )
    if (joined.errorCode === errorCode('MEMBER_ID_REQUIRED')) this.#memberId = joined.memberId
    if (joined.errorCode !== 0) return this.#obey(joined.errorCode)
    this.#memberId = joined.memberId
    this.#generationId = joined.generationId
    const isLeader = joined.leader === joined.memberId
    await this.#sync(isLeader ? this.#spread(joined.members.map(each => each.memberId)) : [])
  }

  /** The leader's work: partitions dealt out in turn. */
  #spread(memberIds: readonly string[]): { memberId: string; assignment: Uint8Array }[] {
    const names = this.#workload.partitions.map(nameOf)
    const first = this.#chance.below(memberIds.length)
    return memberIds.map((memberId, index) => {
      const mine = names.filter((_, n) => (n + first) % memberIds.length === index)
      return { memberId, assignment: new TextEncoder().encode(JSON.stringify(mine)) }
    })
  }

  async #sync(assignments: { memberId: string; assignment: Uint8Array }[]): Promise<void> {
    const synced = await this.#cluster.call(
      syncGroupRequest,
      syncGroupResponse,
      { ...this.#self, generationId: this.#generationId, protocolType, protocolName, assignments },
      onlyCoordinator,
    )
    if (synced.errorCode !== 0) return this.#obey(synced.errorCode)
    const text = new TextDecoder().decode(synced.assignment)
    const names: string[] = text === '' ? [] : JSON.parse(text)
    const { history } = this.#workload
    const at = ++history.moment
    for (const partition of names) {
      history.owned.push({ ...this.#self, generationId: this.#generationId, partition, at })
    }
    this.#mustJoin = false
    if (this.#chance.chance(0.3)) await this.#commitLate()
    const owned = this.#workload.partitions.filter(each => names.includes(nameOf(each)))
    this.#positions = await fetchCommitted(this.#cluster, this.#workload, this.#groupId, owned)
  }

  async #heartbeat(): Promise<number> {
    const answer = await this.#cluster.call(
      heartbeatRequest,
      heartbeatResponse,
      { ...this.#self, generationId: this.#generationId },
      onlyCoordinator,
    )
    return answer.errorCode
  }

  /** A commit that its sender has long given up must not count in the new generation. */
  async #commitLate(): Promise<void> {
    const late = this.#late
    if (late !== undefined) await this.#sendCommit({ ...late, offset: late.offset + 1 })
  }

  /** Commits a little further on one owned partition. Answers the error. */
  async #commit(): Promise<number> {
    const names = [...this.#positions.keys()]
    if (names.length === 0) return 0
    const partition = names[this.#chance.below(names.length)]!
    const offset = this.#positions.get(partition)! + 1 + this.#chance.below(5)
    const said = { memberId: this.#memberId, generationId: this.#generationId, partition, offset }
    this.#late = said
    const code = await this.#sendCommit(said)
    if (code === 0) this.#positions.set(partition, offset)
    return code
  }

  async #sendCommit(said: Said): Promise<number> {
    const { generationId, memberId, partition, offset } = said
    const where = this.#workload.partitions.find(each => nameOf(each) === partition)!
    const { history } = this.#workload
    const attempt = {
      groupId: this.#groupId,
      ...said,
      from: ++history.moment,
      until: Number.POSITIVE_INFINITY,
      outcome: 'unknown' as 'unknown' | 'ok' | 'refused',
    }
    history.commits.push(attempt)
    const partitions = [
      { partitionIndex: where.partition, committedOffset: offset, committedMetadata: '' },
    ]
    const topics = [{ name: where.topic, topicId: where.topicId, partitions }]
    const answer = await this.#cluster.call(
      offsetCommitRequest,
      offsetCommitResponse,
      { ...this.#self, memberId, generationIdOrMemberEpoch: generationId, topics },
      ({ topics: [topic] }) => onlyCoordinator(topic!.partitions[0]!),
    )
    const code = answer.topics[0]!.partitions[0]!.errorCode
    attempt.until = ++history.moment
    attempt.outcome = code === 0 ? 'ok' : 'refused'
    return code
  }

  /** What a client does about an error. Throws when this membership is at its end. */
  #obey(code: number): void {
    switch (errorName(code)) {
      case 'NONE':
        return
      case 'UNKNOWN_MEMBER_ID':
        this.#memberId = ''
        break
      case 'REBALANCE_IN_PROGRESS':
      case 'ILLEGAL_GENERATION':
      case 'MEMBER_ID_REQUIRED':
        break
      default:
        throw new MembershipOver(`${this.#memberId} of ${this.#groupId}: ${errorName(code)}`)
    }
    this.#mustJoin = true
    this.#positions.clear()
  }
}

/** Committed offsets by partition, 0 where there is none; noted in the history. */
async function fetchCommitted(
  cluster: Cluster,
  { history }: GroupWorkload,
  groupId: string,
  partitions: GroupWorkload['partitions'],
): Promise<Map<string, number>> {
  const from = ++history.moment
  const topics = [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, mine]) => ({
    name,
    topicId: mine[0]!.topicId,
    partitionIndexes: mine.map(({ partition }) => partition),
  }))
  const answer = await cluster.call(
    offsetFetchRequest,
    offsetFetchResponse,
    { groupId: '', topics: [], groups: [{ groupId, topics }] },
    ({ groups: [group] }) => onlyCoordinator(group!),
  )
  const until = ++history.moment
  const found = new Map<string, number>()
  for (const topic of answer.groups[0]!.topics) {
    for (const { partitionIndex, committedOffset } of topic.partitions) {
      const named = partitions.find(each => each.topicId === topic.topicId)!
      const partition = nameOf({ topic: named.topic, partition: partitionIndex })
      history.reads.push({ groupId, partition, offset: committedOffset, from, until })
      found.set(partition, Math.max(0, committedOffset))
    }
  }
  return found
}

function pause(io: Io, ms: number): Promise<void> {
  return new Promise(resolve => io.clock.timer(ms, resolve))
}
