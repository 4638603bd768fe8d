/** What members of a group say to their leader, and what it answers: bytes that the broker only carries. */
import { decode, encode } from '../../protocol/compile.ts'
import { KafkaError } from '../../protocol/errors.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../../protocol/messages/consumer-protocol.ts'
import type { Fields, IncomingFields, Message, OutgoingFields } from '../../protocol/schema.ts'
import type { AssignableMember } from './assignors/assignor.ts'
import type { TopicPartition } from './options.ts'

/** What a member brings when it joins. */
export interface Bringing {
  readonly topics: readonly string[]
  readonly owned: readonly TopicPartition[]
  readonly generation: number
  readonly userData: Uint8Array | null
  readonly rack: string | null
}

export function subscriptionBytes(bringing: Bringing): Uint8Array {
  return versioned(consumerProtocolSubscription, {
    topics: [...bringing.topics],
    userData: bringing.userData,
    ownedPartitions: byTopic(bringing.owned),
    generationId: bringing.generation,
    rackId: bringing.rack,
  })
}

export function assignmentBytes(partitions: readonly TopicPartition[]): Uint8Array {
  return versioned(consumerProtocolAssignment, {
    assignedPartitions: byTopic(partitions),
    userData: null,
  })
}

/** A member as it says itself; one that cannot be understood subscribes to nothing. */
export function memberOf(
  memberId: string,
  instanceId: string | null,
  bytes: Uint8Array,
): AssignableMember {
  const said = read(consumerProtocolSubscription, bytes)
  return {
    memberId,
    instanceId,
    topics: said?.topics ?? [],
    owned: said === undefined ? [] : flat(said.ownedPartitions),
    generation: said?.generationId ?? -1,
    userData: said?.userData ?? null,
  }
}

/** Throws KafkaError INCONSISTENT_GROUP_PROTOCOL when the leader's bytes are no assignment. */
export function assignedIn(bytes: Uint8Array): TopicPartition[] {
  if (bytes.length === 0) return []
  const said = read(consumerProtocolAssignment, bytes)
  if (said !== undefined) return flat(said.assignedPartitions)
  const problem = 'what the leader of the group assigned cannot be read: is it a consumer?'
  throw new KafkaError('INCONSISTENT_GROUP_PROTOCOL', problem)
}

function versioned<F extends Fields>(message: Message<F>, value: OutgoingFields<F>): Uint8Array {
  const version = message.versions.last
  const head = Buffer.alloc(2)
  head.writeInt16BE(version)
  return Buffer.concat([head, ...encode(message, version, value)])
}

/**
 * Undefined when these bytes are none: they come from other members, of any program. A version above
 * ours is read as ours, and what is behind it passed over, as Kafka's clients do. What does not read as
 * the version it says is read as the first: assigners for kafkajs (NestJS's) say 1 and write 0.
 */
function read<F extends Fields>(
  message: Message<F>,
  bytes: Uint8Array,
): IncomingFields<F> | undefined {
  if (bytes.length < 2) return undefined
  const version = new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getInt16(0)
  const known = Math.max(0, Math.min(version, message.versions.last))
  for (const each of new Set([known, 0])) {
    try {
      return decode(message, each, bytes, 2, { trailing: true })
    } catch {
      // The next one, or none.
    }
  }
  return undefined
}

function byTopic(partitions: readonly TopicPartition[]) {
  return [...Map.groupBy(partitions, ({ topic }) => topic)].map(([topic, mine]) => ({
    topic,
    partitions: mine.map(({ partition }) => partition),
  }))
}

function flat(
  topics: readonly { readonly topic: string; readonly partitions: readonly number[] }[],
): TopicPartition[] {
  return topics.flatMap(({ topic, partitions }) =>
    partitions.map(partition => ({ topic, partition })),
  )
}
