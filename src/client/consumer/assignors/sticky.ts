/**
 * Balanced, and with as little moved as that allows: who has a partition keeps it, unless another member
 * that could have it has two or more less. Members may subscribe to different topics.
 *
 * What a member says it has counts only when nobody says so with a later generation: members that
 * were away for a while do not know what has been given to others since.
 */
import { decode, encode } from '../../../protocol/compile.ts'
import { array, int32, message, string } from '../../../protocol/schema.ts'
import type { TopicPartition } from '../options.ts'
import {
  type AssignableMember,
  type Assignment,
  type Assignor,
  compare,
  inOrder,
  type PartitionCounts,
  topicsOf,
} from './assignor.ts'

/** What Kafka's StickyAssignor tells its leader: there, eager members cannot say what they own. */
const stickyUserData = message(
  'StickyAssignorUserData',
  { versions: '0-1', flexible: 'none' },
  {
    previousAssignment: array({ topic: string(), partitions: array(int32()) }),
    generation: int32({ versions: '1+', default: -1, ignorable: true }),
  },
)

/** Members give up all they have before they join; the leader gives most of it back. */
export const sticky: Assignor = {
  name: 'sticky',
  isCooperative: false,
  userData(owned, generation) {
    const previousAssignment = [...Map.groupBy(owned, ({ topic }) => topic)].map(
      ([topic, mine]) => ({ topic, partitions: mine.map(({ partition }) => partition) }),
    )
    return Buffer.concat(encode(stickyUserData, 1, { previousAssignment, generation }))
  },
  assign: (members, counts) => balanced(members.map(withUserData), counts).assignment,
}

/** Members keep what they have; what is to move is given to nobody in this step, and moves in the next. */
export const cooperativeSticky: Assignor = {
  name: 'cooperative-sticky',
  isCooperative: true,
  // As Kafka's, which reads it where a member's word has no generation (before KIP-792).
  userData: (_, generation) => {
    const bytes = Buffer.alloc(4)
    bytes.writeInt32BE(generation)
    return bytes
  },
  assign(members, counts) {
    const { assignment, owners } = balanced(members.map(withGeneration), counts)
    for (const [memberId, partitions] of assignment) {
      const isFree = (key: string) => !owners.has(key) || owners.get(key) === memberId
      assignment.set(
        memberId,
        partitions.filter(each => isFree(keyOf(each))),
      )
    }
    return assignment
  },
}

function withUserData(member: AssignableMember): AssignableMember {
  const { userData } = member
  if (userData === null) return member
  for (const version of [1, 0]) {
    try {
      const { previousAssignment, generation } = decode(stickyUserData, version, userData)
      const owned = previousAssignment.flatMap(({ topic, partitions }) =>
        partitions.map(partition => ({ topic, partition })),
      )
      return { ...member, owned, generation }
    } catch {
      // Of the older version, or no such thing: then the member owns nothing.
    }
  }
  return member
}

function withGeneration(member: AssignableMember): AssignableMember {
  const { userData, generation } = member
  if (generation >= 0 || userData === null || userData.length < 4) return member
  return { ...member, generation: new DataView(userData.buffer, userData.byteOffset).getInt32(0) }
}

interface Partition extends TopicPartition {
  readonly key: string
}

function keyOf({ topic, partition }: TopicPartition): string {
  return `${topic}/${partition}`
}

function balanced(
  members: readonly AssignableMember[],
  counts: PartitionCounts,
): { assignment: Assignment; owners: Owners } {
  const ordered = inOrder(members)
  const subscribers = new Map(
    topicsOf(members, counts).map(topic => [
      topic,
      ordered.filter(({ topics }) => topics.includes(topic)).map(({ memberId }) => memberId),
    ]),
  )
  const owners = ownersOf(ordered, counts)
  const loads = new Map(ordered.map(({ memberId }) => [memberId, new Set<Partition>()]))
  const open: Partition[] = []
  for (const [topic] of subscribers) {
    for (let partition = 0; partition < counts.get(topic)!; partition++) {
      const each = { topic, partition, key: keyOf({ topic, partition }) }
      const owner = owners.get(each.key)
      if (owner === undefined) open.push(each)
      else loads.get(owner)!.add(each)
    }
  }
  // Who can have little is served first.
  open.sort((a, b) => subscribers.get(a.topic)!.length - subscribers.get(b.topic)!.length)
  for (const each of open) loads.get(least(subscribers.get(each.topic)!, loads))!.add(each)
  level(subscribers, loads)
  const assignment = new Map(
    [...loads].map(([memberId, mine]) => [
      memberId,
      [...mine]
        .map(({ topic, partition }) => ({ topic, partition }))
        .sort((a, b) => compare(a.topic, b.topic) || a.partition - b.partition),
    ]),
  )
  return { assignment, owners }
}

/** Who has what by key of partition; undefined: it cannot be given on before it is given up. */
type Owners = ReadonlyMap<string, string | undefined>

function ownersOf(members: readonly AssignableMember[], counts: PartitionCounts): Owners {
  const claims = new Map<string, { memberId: string | undefined; generation: number }>()
  for (const { memberId, topics, owned, generation } of members) {
    for (const each of owned) {
      const exists = each.partition >= 0 && each.partition < (counts.get(each.topic) ?? 0)
      if (!exists) continue
      const key = keyOf(each)
      const claim = claims.get(key)
      if (claim === undefined || claim.generation < generation) {
        const keeps = topics.includes(each.topic)
        claims.set(key, { memberId: keeps ? memberId : undefined, generation })
      } else if (claim.generation === generation && claim.memberId !== memberId) {
        // Two say so, and who is right is not known.
        claims.set(key, { memberId: undefined, generation })
      }
    }
  }
  return new Map([...claims].map(([key, { memberId }]) => [key, memberId]))
}

type Subscribers = ReadonlyMap<string, readonly string[]>
type Loads = ReadonlyMap<string, Set<Partition>>

function least(candidates: readonly string[], loads: Loads): string {
  let found = candidates[0]!
  for (const each of candidates) if (loads.get(each)!.size < loads.get(found)!.size) found = each
  return found
}

/**
 * Moves single partitions, each from the member that has most of those that can give one to a member
 * with two or more less, until there are none. One at a time: a move too many is work that stops.
 */
function level(subscribers: Subscribers, loads: Loads): void {
  for (let hasMoved = true; hasMoved; ) {
    hasMoved = false
    const givers = new Set(loads.values())
    while (givers.size > 0) {
      let most: Set<Partition> | undefined
      for (const each of givers) if (most === undefined || each.size > most.size) most = each
      if (giveOne(most!, subscribers, loads)) hasMoved = true
      else givers.delete(most!)
    }
  }
}

/** What came last goes first: what a member has had for long stays. */
function giveOne(mine: Set<Partition>, subscribers: Subscribers, loads: Loads): boolean {
  const tried = new Set<string>()
  for (const each of [...mine].reverse()) {
    if (tried.has(each.topic)) continue
    tried.add(each.topic)
    const other = loads.get(least(subscribers.get(each.topic)!, loads))!
    if (other.size + 1 >= mine.size) continue
    mine.delete(each)
    other.add(each)
    return true
  }
  return false
}
