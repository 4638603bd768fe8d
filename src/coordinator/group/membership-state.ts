/**
 * Who is in a classic group: members, static ones by their instance id too, those who were given an
 * id and have not come back with it (pending, KIP-394), the leader, and the protocols they share.
 * Knows nothing of phases and time.
 */
import { assert } from '../../base/assert.ts'
import { asBuffer } from '../../base/bytes.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { MemberProtocol } from './commands.ts'
import type { Heard } from './connections.ts'
import { subscribedTopics } from './subscription.ts'

/** One who has, or is about to have, a place in the group. Deadlines are monotonic, Infinity: none. */
export interface Pending extends Heard {
  sessionDeadlineMs: number
  /** After its connection closed. */
  graceDeadlineMs: number
}

/** A member. What its request lends is copied: bytes here belong to the state. */
export interface Member extends Pending {
  readonly groupInstanceId: string | null
  clientId: string
  clientHost: string
  sessionTimeoutMs: number
  rebalanceTimeoutMs: number
  protocols: readonly MemberProtocol[]
  assignment: Uint8Array
  /** The parked JoinGroup. Written by `setJoining` alone. */
  joining: number | undefined
  /** The parked SyncGroup. */
  syncing: number | undefined
  /** Its first join is parked: it does not know its id, so it has no session to keep alive. */
  isNew: boolean
  /** Was heard since the group was loaded: what the log alone knows may be a ghost. */
  isHeard: boolean
}

/** Bytes of nothing. */
export const noBytes: Uint8Array = new Uint8Array(0)

/** What the member says in a protocol; undefined: does not know it. */
export function metadataOf(member: Member, protocol: string | null): Uint8Array | undefined {
  return member.protocols.find(({ name }) => name === protocol)?.metadata
}

/** Whether both know the same, in the same order, to the byte. */
export function sameProtocols(
  these: readonly MemberProtocol[],
  those: readonly MemberProtocol[],
): boolean {
  return (
    these.length === those.length &&
    these.every(({ name, metadata }, i) => {
      const other = those[i]!
      return name === other.name && asBuffer(metadata).equals(other.metadata)
    })
  )
}

/** See above. */
export class MembershipState {
  /** By member id, in the order they came; the first who can lead does. */
  readonly members = new Map<string, Member>()
  readonly pending = new Map<string, Pending>()
  leader: string | null = null
  readonly #static = new Map<string, Member>()
  /** How many members know each protocol. */
  readonly #supporters = new Map<string, number>()
  #joiningCount = 0

  /** How many wait for the join phase to end. */
  get joiningCount(): number {
    return this.#joiningCount
  }

  get haveAllJoined(): boolean {
    return this.#joiningCount === this.members.size && this.pending.size === 0
  }

  /** The longest that a member asks for. */
  get rebalanceTimeoutMs(): number {
    let longestMs = 0
    for (const { rebalanceTimeoutMs } of this.members.values()) {
      longestMs = Math.max(longestMs, rebalanceTimeoutMs)
    }
    return longestMs
  }

  static(groupInstanceId: string | null): Member | undefined {
    return groupInstanceId === null ? undefined : this.#static.get(groupInstanceId)
  }

  setJoining(member: Member, waiter: number | undefined): void {
    this.#joiningCount += Number(waiter !== undefined) - Number(member.joining !== undefined)
    member.joining = waiter
  }

  /** Throws UNKNOWN_MEMBER_ID, and FENCED_INSTANCE_ID when another has taken the instance id. */
  member(memberId: string, groupInstanceId: string | null): Member {
    if (groupInstanceId !== null) {
      const owner = this.#static.get(groupInstanceId)
      if (owner === undefined) throw new KafkaError('UNKNOWN_MEMBER_ID')
      if (owner.memberId !== memberId) throw new KafkaError('FENCED_INSTANCE_ID')
    }
    const member = this.members.get(memberId)
    if (member === undefined) throw new KafkaError('UNKNOWN_MEMBER_ID')
    return member
  }

  add(member: Member): void {
    this.pending.delete(member.memberId)
    this.members.set(member.memberId, member)
    if (member.groupInstanceId !== null) this.#static.set(member.groupInstanceId, member)
    this.leader ??= member.memberId
    this.#count(member.protocols, 1)
  }

  /** Whoever waits has been answered. */
  remove(member: Member): void {
    assert(member.joining === undefined, 'a member that leaves has been answered')
    this.members.delete(member.memberId)
    if (member.groupInstanceId !== null) this.#static.delete(member.groupInstanceId)
    this.#count(member.protocols, -1)
    if (this.leader === member.memberId) {
      this.leader = this.members.keys().next().value ?? null
    }
  }

  /** A static member came back: it takes the place of `old`, the leader's too (KIP-345). */
  replace(old: Member, member: Member): void {
    const isLeader = this.leader === old.memberId
    this.remove(old)
    this.add(member)
    if (isLeader) this.leader = member.memberId
  }

  setProtocols(member: Member, protocols: readonly MemberProtocol[]): void {
    this.#count(member.protocols, -1)
    member.protocols = protocols
    this.#count(protocols, 1)
  }

  /** Whether one of them is known to all members. */
  supportsOneOf(protocols: readonly MemberProtocol[]): boolean {
    return protocols.some(({ name }) => this.#isKnownToAll(name))
  }

  /** Every member votes for the first of its protocols that all know; the most votes win. */
  elect(): string {
    const votes = new Map<string, number>()
    for (const { protocols } of this.members.values()) {
      const vote = protocols.find(({ name }) => this.#isKnownToAll(name))?.name
      if (vote !== undefined) votes.set(vote, (votes.get(vote) ?? 0) + 1)
    }
    let elected: string | undefined
    let most = 0
    for (const [name, count] of votes) {
      if (count <= most) continue
      elected = name
      most = count
    }
    assert(elected !== undefined, 'all members share a protocol: JoinGroup sees to it')
    return elected
  }

  /** A leader who has not joined again is replaced by one who has. False: nobody has. */
  electLeader(): boolean {
    if (this.leader === null) return false
    if (this.members.get(this.leader)?.joining !== undefined) return true
    for (const member of this.members.values()) {
      if (member.joining === undefined) continue
      this.leader = member.memberId
      return true
    }
    return false
  }

  /** Topics that the members subscribe to in a protocol of consumers; undefined: they do not say. */
  subscribedTopics(protocol: string | null): ReadonlySet<string> | undefined {
    const topics = new Set<string>()
    for (const member of this.members.values()) {
      const metadata = metadataOf(member, protocol)
      const ofMember = metadata === undefined ? undefined : subscribedTopics(metadata)
      if (ofMember === undefined) return undefined
      for (const topic of ofMember) topics.add(topic)
    }
    return topics
  }

  #isKnownToAll(protocol: string): boolean {
    return (this.#supporters.get(protocol) ?? 0) === this.members.size
  }

  #count(protocols: readonly MemberProtocol[], by: 1 | -1): void {
    for (const { name } of protocols) {
      const count = (this.#supporters.get(name) ?? 0) + by
      if (count === 0) this.#supporters.delete(name)
      else this.#supporters.set(name, count)
    }
  }
}
