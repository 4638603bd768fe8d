/** How the leader of a group deals out partitions. All of it is pure: the same members, the same result. */
import type { TopicPartition } from '../options.ts'

/** A member, as the leader sees it. */
export interface AssignableMember {
  readonly memberId: string
  /** Of a static member (KIP-345). */
  readonly instanceId: string | null
  /** What it subscribes to. */
  readonly topics: readonly string[]
  /** What it had in `generation`, by its own word; may contradict what others say. */
  readonly owned: readonly TopicPartition[]
  /** −1: it does not say. */
  readonly generation: number
  /** Of the assignor chosen; what foreign clients put there may be anything. */
  readonly userData: Uint8Array | null
}

/** Numbers of partitions by topic; a topic that does not exist is not there. */
export type PartitionCounts = ReadonlyMap<string, number>

/** Partitions by member id; every member is there. */
export type Assignment = Map<string, TopicPartition[]>

/** A way to deal out partitions. */
export interface Assignor {
  /** The name by which members agree on it; Kafka's. */
  readonly name: string
  /**
   * True: a member keeps what it has while it joins again, and nothing goes from one member to another in
   * one step (KIP-429).
   */
  readonly isCooperative: boolean
  /** What a member tells the leader beside its topics, of what it had last. */
  userData?(owned: readonly TopicPartition[], generation: number): Uint8Array
  /** Deals out every partition of what members subscribe to. */
  assign(members: readonly AssignableMember[], counts: PartitionCounts): Assignment
}

/** An assignor of one's own: what it answers may take time. */
export interface OwnAssignor extends Omit<Assignor, 'assign'> {
  /** Deals out every partition of what members subscribe to, each to one of these. */
  assign(
    members: readonly AssignableMember[],
    counts: PartitionCounts,
  ): Assignment | Promise<Assignment>
}

/** Nothing yet for anybody. */
export function nothingFor(members: readonly AssignableMember[]): Assignment {
  return new Map(members.map(({ memberId }) => [memberId, []]))
}

/** Static members first, by instance id; so that a restart, with its new member id, changes nothing. */
export function inOrder(members: readonly AssignableMember[]): AssignableMember[] {
  return members.toSorted((a, b) => {
    if (a.instanceId !== null && b.instanceId !== null) return compare(a.instanceId, b.instanceId)
    if (a.instanceId !== null) return -1
    if (b.instanceId !== null) return 1
    return compare(a.memberId, b.memberId)
  })
}

export function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}

/** The topics of any member that exist, in order of names. */
export function topicsOf(members: readonly AssignableMember[], counts: PartitionCounts): string[] {
  const topics = new Set(members.flatMap(member => member.topics))
  return [...topics].filter(topic => counts.has(topic)).sort(compare)
}
