/**
 * Partition assigners as kafkajs has them: an assigner says what a member tells its leader, and the
 * leader's assigner deals out the partitions. In the group they stand beside members that run kafkajs
 * itself: the same names, the same bytes.
 */
import type { Cluster as OttlaCluster } from '../client/cluster.ts'
import type { AssignableMember, OwnAssignor } from '../client/consumer/assignors/assignor.ts'
import { compare } from '../client/consumer/assignors/assignor.ts'
import { decode, encode } from '../protocol/compile.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../protocol/messages/consumer-protocol.ts'
import type { Logger } from './logger.ts'
import { type PartitionMetadata, topicMetadataOf } from './topic-metadata.ts'

export type Assignment = { [topic: string]: number[] }
export type GroupMember = { memberId: string; memberMetadata: Buffer }
export type GroupMemberAssignment = { memberId: string; memberAssignment: Buffer }
export type GroupState = { name: string; metadata: Buffer }

export type Assigner = {
  /** By which members agree on it. */
  name: string
  version: number
  assign(group: { members: GroupMember[]; topics: string[] }): Promise<GroupMemberAssignment[]>
  protocol(subscription: { topics: string[] }): GroupState
}

/** What an assigner can ask while it assigns. */
export type Cluster = {
  /** Of a topic that some member subscribes to. */
  findTopicPartitionMetadata(topic: string): PartitionMetadata[]
}

export type PartitionAssigner = (config: {
  cluster: Cluster
  groupId: string
  logger: Logger
}) => Assigner

export interface ISerializer<T> {
  encode(value: T): Buffer
  decode(buffer: Buffer): T | null
}
export type MemberMetadata = { version: number; topics: string[]; userData: Buffer }
export type MemberAssignment = { version: number; assignment: Assignment; userData: Buffer }

const nothing = Buffer.alloc(0)

function versioned(version: number, body: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(2)
  head.writeInt16BE(version)
  return Buffer.concat([head, ...body])
}

/** `userData` may be left out. */
type Serializer<T> = {
  encode(value: Omit<T, 'userData'> & { userData?: Buffer }): Buffer
  decode(buffer: Buffer): T | null
}

/**
 * The bytes that members and their leader exchange. The version is only carried: what is written and
 * read is version 0, with which later ones begin.
 */
export const AssignerProtocol: {
  MemberMetadata: Serializer<MemberMetadata>
  MemberAssignment: Serializer<MemberAssignment>
} = {
  MemberMetadata: {
    encode: ({ version, topics, userData = nothing }) =>
      versioned(version, encode(consumerProtocolSubscription, 0, { topics, userData })),
    decode(buffer) {
      if (buffer.length < 2) return null
      const said = decode(consumerProtocolSubscription, 0, buffer, 2, { trailing: true })
      const version = buffer.readInt16BE(0)
      return { version, topics: [...said.topics], userData: Buffer.from(said.userData ?? nothing) }
    },
  },
  MemberAssignment: {
    encode({ version, assignment, userData = nothing }) {
      const assignedPartitions = Object.entries(assignment).map(([topic, partitions]) => ({
        topic,
        partitions,
      }))
      return versioned(
        version,
        encode(consumerProtocolAssignment, 0, { assignedPartitions, userData }),
      )
    },
    decode(buffer) {
      if (buffer.length < 2) return null
      const said = decode(consumerProtocolAssignment, 0, buffer, 2, { trailing: true })
      return {
        version: buffer.readInt16BE(0),
        assignment: Object.fromEntries(
          said.assignedPartitions.map(({ topic, partitions }) => [topic, [...partitions]]),
        ),
        userData: Buffer.from(said.userData ?? nothing),
      }
    },
  },
}

/** One partition after another to one member after another, of those that subscribe to its topic. */
const roundRobin: PartitionAssigner = ({ cluster }) => ({
  name: 'RoundRobinAssigner',
  version: 0,
  async assign({ members, topics }) {
    const known = members
      .map(({ memberId, memberMetadata }) => ({
        memberId,
        topics: AssignerProtocol.MemberMetadata.decode(memberMetadata)?.topics ?? [],
        assignment: {} as Assignment,
      }))
      .toSorted((a, b) => compare(a.memberId, b.memberId))
    let turn = 0
    for (const topic of topics) {
      const takers = known.filter(each => each.topics.includes(topic))
      if (takers.length === 0) continue
      for (const { partitionId } of cluster.findTopicPartitionMetadata(topic)) {
        const { assignment } = takers[turn++ % takers.length]!
        ;(assignment[topic] ??= []).push(partitionId)
      }
    }
    return known.map(({ memberId, assignment }) => ({
      memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({ version: 0, assignment }),
    }))
  },
  protocol: ({ topics }) => ({
    name: 'RoundRobinAssigner',
    metadata: AssignerProtocol.MemberMetadata.encode({ version: 0, topics }),
  }),
})

export const PartitionAssigners = { roundRobin }

/** What an assigner of kafkajs needs of the consumer it works for. */
export interface AssignerContext {
  readonly cluster: OttlaCluster
  readonly groupId: string
  readonly logger: Logger
  /** Topics as they are subscribed to, where they are named. */
  readonly topics: readonly string[]
  /** '' before it has joined. */
  memberId(): string
  /** This member is the leader: its assigner is asked. */
  leads(): void
}

/** The same assigner for Ottla's consumer. */
export function assignorOf(make: PartitionAssigner, context: AssignerContext): OwnAssignor {
  const found = new Map<string, PartitionMetadata[]>()
  const assigner = make({
    groupId: context.groupId,
    logger: context.logger,
    cluster: { findTopicPartitionMetadata: topic => found.get(topic) ?? [] },
  })
  return {
    name: assigner.name,
    isCooperative: false,
    userData() {
      const { metadata } = assigner.protocol({ topics: [...context.topics] })
      return AssignerProtocol.MemberMetadata.decode(metadata)?.userData ?? nothing
    },
    async assign(members, counts) {
      context.leads()
      found.clear()
      const { topics } = await context.cluster.metadata([...counts.keys()])
      for (const { name, partitions } of topics.map(topicMetadataOf)) found.set(name, partitions)
      const own = members.find(({ memberId }) => memberId === context.memberId())
      const dealt = await assigner.assign({
        topics: [...(own?.topics ?? counts.keys())],
        members: members.map(memberOf),
      })
      return new Map(members.map(({ memberId }) => [memberId, partitionsOf(memberId, dealt)]))
    },
  }
}

function memberOf({ memberId, topics, userData }: AssignableMember): GroupMember {
  const metadata = { version: 0, topics: [...topics], userData: Buffer.from(userData ?? nothing) }
  return { memberId, memberMetadata: AssignerProtocol.MemberMetadata.encode(metadata) }
}

function partitionsOf(memberId: string, dealt: readonly GroupMemberAssignment[]) {
  const mine = dealt.find(each => each.memberId === memberId)?.memberAssignment ?? nothing
  const { assignment = {} } = AssignerProtocol.MemberAssignment.decode(mine) ?? {}
  return Object.entries(assignment).flatMap(([topic, partitions]) =>
    partitions.map(partition => ({ topic, partition })),
  )
}
