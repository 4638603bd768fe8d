/** From which replica a consumer had better read (KIP-392). Pure. */

import type { MemberEnd } from './leader-state.ts'

/** A follower that holds what the consumer asks for. */
export interface ReadReplica extends MemberEnd {
  readonly rack: string | null
}

/** One in the consumer's rack, the furthest of several. Undefined: the leader. */
export function nearestReplica(
  followers: readonly ReadReplica[],
  leaderRack: string | null,
  rack: string,
): ReadReplica | undefined {
  if (rack === '' || rack === leaderRack) return undefined
  return followers.filter(follower => follower.rack === rack).toSorted(furthestFirst)[0]
}

function furthestFirst(a: ReadReplica, b: ReadReplica): number {
  return b.endOffset - a.endOffset || b.caughtUpMs - a.caughtUpMs || b.brokerId - a.brokerId
}
