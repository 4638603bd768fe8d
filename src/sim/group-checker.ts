/**
 * Judges the groups of a run by what their members were told; knows nothing of the broker. It is
 * invariant 15 of replication.md §12, GroupExclusive. Moments number the members' steps: what ended
 * at a moment before another began has really happened before it.
 */

/** A member was told that it owns a partition in a generation. */
export interface Owned {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  /** A static member's; its next process takes over in the same generation (KIP-345). */
  readonly groupInstanceId: string | null
  readonly partition: string
  readonly at: number
}

/** An OffsetCommit. `unknown`: there was no answer. */
export interface Commit {
  readonly groupId: string
  readonly generationId: number
  readonly memberId: string
  readonly partition: string
  readonly offset: number
  readonly from: number
  until: number
  outcome: 'ok' | 'refused' | 'unknown'
}

/** An OffsetFetch and its answer; −1: nothing committed. */
export interface CommittedRead {
  readonly groupId: string
  readonly partition: string
  readonly offset: number
  readonly from: number
  readonly until: number
}

export interface GroupHistory {
  readonly owned: Owned[]
  readonly commits: Commit[]
  readonly reads: CommittedRead[]
  moment: number
}

/** Breaches, one sentence each; empty when all holds. */
export function checkGroups(history: GroupHistory): string[] {
  return [
    ...exclusive(history),
    ...fenced(history),
    ...neverBack(history),
    ...onlyCommitted(history),
  ]
}

/** In a generation each partition has at most one owner. */
function exclusive({ owned }: GroupHistory): string[] {
  const owners = new Map<string, string>()
  return owned.flatMap(({ groupId, generationId, partition, memberId, groupInstanceId }) => {
    const self = groupInstanceId ?? memberId
    const key = `${partition} of ${groupId} in generation ${generationId}`
    const owner = owners.get(key)
    owners.set(key, self)
    return owner === undefined || owner === self
      ? []
      : [`GroupExclusive: ${key} was given to ${owner} and to ${self}`]
  })
}

/** Once a generation stands, no commit of an older one is accepted. */
function fenced({ owned, commits }: GroupHistory): string[] {
  return commits
    .filter(({ outcome }) => outcome === 'ok')
    .flatMap(({ groupId, generationId, memberId, partition, offset, from }) => {
      const newer = owned.find(
        each => each.groupId === groupId && each.generationId > generationId && each.at < from,
      )
      return newer === undefined
        ? []
        : [
            `GroupExclusive: ${memberId} committed ${partition}@${offset} in generation ${generationId} of ${groupId}, when ${newer.generationId} stood`,
          ]
    })
}

/** What was acknowledged before a read began is in it, or something later. */
function neverBack({ commits, reads }: GroupHistory): string[] {
  return reads.flatMap(({ groupId, partition, offset, from }) =>
    commits
      .filter(
        commit =>
          commit.outcome === 'ok' &&
          commit.until < from &&
          commit.groupId === groupId &&
          commit.partition === partition &&
          commit.offset > offset,
      )
      .map(
        commit =>
          `CommittedOffset: ${groupId} had committed ${partition}@${commit.offset} and was then given ${offset}`,
      ),
  )
}

/** Nobody is given an offset that no member tried to commit. */
function onlyCommitted({ commits, reads }: GroupHistory): string[] {
  return reads.flatMap(({ groupId, partition, offset, until }) => {
    const isKnown =
      offset === -1 ||
      commits.some(
        commit =>
          commit.groupId === groupId &&
          commit.partition === partition &&
          commit.offset === offset &&
          commit.outcome !== 'refused' &&
          commit.from < until,
      )
    return isKnown
      ? []
      : [`CommittedOffset: ${groupId} was given ${partition}@${offset}, which nobody committed`]
  })
}
