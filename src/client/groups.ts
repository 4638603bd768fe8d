/**
 * What can be asked of consumer groups, one call each. A group has one broker that coordinates it;
 * its calls go there and follow it when it moves, until the deadline of the cluster's calls.
 */
import { decode } from '../protocol/compile.ts'
import { type ErrorName, errorName, KafkaError } from '../protocol/errors.ts'
import {
  consumerGroupDescribeRequest,
  consumerGroupDescribeResponse,
} from '../protocol/messages/consumer-group-describe.ts'
import {
  consumerProtocolAssignment,
  consumerProtocolSubscription,
} from '../protocol/messages/consumer-protocol.ts'
import { deleteGroupsRequest, deleteGroupsResponse } from '../protocol/messages/delete-groups.ts'
import {
  describeGroupsRequest,
  describeGroupsResponse,
} from '../protocol/messages/describe-groups.ts'
import { leaveGroupRequest, leaveGroupResponse } from '../protocol/messages/leave-group.ts'
import { listGroupsRequest, listGroupsResponse } from '../protocol/messages/list-groups.ts'
import { offsetCommitRequest, offsetCommitResponse } from '../protocol/messages/offset-commit.ts'
import { offsetDeleteRequest, offsetDeleteResponse } from '../protocol/messages/offset-delete.ts'
import { offsetFetchRequest, offsetFetchResponse } from '../protocol/messages/offset-fetch.ts'
import type { Fields, Incoming, IncomingFields, Message } from '../protocol/schema.ts'
import { zeroUuid } from '../protocol/schema.ts'
import { type Caller, refused, type TopicPartition } from './cluster.ts'

/** A group as ListGroups knows it. */
export interface ListedGroup {
  readonly group: string
  /** `consumer` for consumers; '' when offsets were committed without members; else foreign. */
  readonly protocolType: string
  /** `Stable`, `Empty` …; '' from brokers before KIP-518. */
  readonly state: string
  /** `Classic`, `Consumer` (KIP-848) …; '' from brokers before it. */
  readonly type: string
  /** The id of the broker that coordinates it. */
  readonly coordinator: number
}

export interface GroupMember {
  readonly memberId: string
  /** Of a static member (KIP-345). */
  readonly instanceId: string | null
  readonly clientId: string
  readonly host: string
  /** Undefined: the members speak a protocol of their own, or these bytes are no assignment. */
  readonly assigned: readonly TopicPartition[] | undefined
  /** Topics; undefined as above. */
  readonly subscribed: readonly string[] | undefined
}

export interface GroupDescription {
  readonly group: string
  readonly state: string
  readonly type: 'Classic' | 'Consumer'
  readonly protocolType: string
  /** How partitions are assigned: `range`, `cooperative-sticky` …; '' while there are no members. */
  readonly assignor: string
  readonly members: readonly GroupMember[]
}

export interface CommittedOffset extends TopicPartition {
  readonly offset: number
  /** −1 when it was not said (KIP-320). */
  readonly leaderEpoch: number
  readonly metadata: string
}

/** One answer for a partition of a group; `error` when it was refused. */
export interface PartitionOutcome extends TopicPartition {
  readonly error: KafkaError | undefined
}

/** A member to be removed: by instance id when it is static, by member id otherwise. */
export type RemovedMember = Pick<GroupMember, 'memberId' | 'instanceId'>

/** Groups of all brokers, in order of their names. */
export async function listGroups(cluster: Caller): Promise<ListedGroup[]> {
  const { brokers } = await cluster.metadata([])
  const lists = brokers.map(async ({ nodeId }) => {
    const answer = await cluster.callBroker(
      nodeId,
      listGroupsRequest,
      listGroupsResponse,
      {},
      ({ errorCode }) => errorCode,
    )
    return answer.groups.map(({ groupId, protocolType, groupState, groupType }) => ({
      group: groupId,
      protocolType,
      state: groupState,
      type: capitalized(groupType),
      coordinator: nodeId,
    }))
  })
  // A group that moves while it is asked for can be named twice.
  const groups = new Map((await Promise.all(lists)).flat().map(each => [each.group, each]))
  return [...groups.values()].toSorted((a, b) => (a.group < b.group ? -1 : 1))
}

/** State and members of a group; undefined when there is none of that name. Throws KafkaError. */
export async function describeGroup(
  cluster: Caller,
  group: string,
): Promise<GroupDescription | undefined> {
  const answer = await cluster.callCoordinator(
    group,
    describeGroupsRequest,
    describeGroupsResponse,
    { groups: [group] },
    answer => retriable(answer.groups[0]?.errorCode),
  )
  const found = answer.groups[0]
  if (found === undefined) throw silent(group)
  if (found.errorCode === 0 && found.groupState !== 'Dead') return classicGroup(found)
  const error = refused(found.errorCode)
  if (error !== undefined && error.error !== 'GROUP_ID_NOT_FOUND') throw error
  return await describeConsumerGroup(cluster, group)
}

type ClassicGroup = Incoming<typeof describeGroupsResponse>['groups'][number]

function classicGroup(found: ClassicGroup): GroupDescription {
  const isConsumer = found.protocolType === 'consumer'
  return {
    group: found.groupId,
    state: found.groupState,
    type: 'Classic',
    protocolType: found.protocolType,
    assignor: found.protocolData,
    members: found.members.map(member => ({
      memberId: member.memberId,
      instanceId: member.groupInstanceId,
      clientId: member.clientId,
      host: member.clientHost,
      assigned: isConsumer ? assignmentOf(member.memberAssignment) : undefined,
      subscribed: isConsumer
        ? embedded(consumerProtocolSubscription, member.memberMetadata)?.topics
        : undefined,
    })),
  }
}

/** The groups of KIP-848, which the classic question does not find. */
async function describeConsumerGroup(
  cluster: Caller,
  group: string,
): Promise<GroupDescription | undefined> {
  const body = { groupIds: [group], includeAuthorizedOperations: false }
  const [request, response] = [consumerGroupDescribeRequest, consumerGroupDescribeResponse]
  const answer = await cluster
    .callCoordinator(group, request, response, body, ({ groups }) =>
      retriable(groups[0]?.errorCode),
    )
    .catch(error => {
      if (error instanceof KafkaError && error.error === 'UNSUPPORTED_VERSION') return undefined
      throw error
    })
  const found = answer?.groups[0]
  const error = refused(found?.errorCode ?? 0, found?.errorMessage)
  if (found === undefined || error?.error === 'GROUP_ID_NOT_FOUND') return undefined
  if (error !== undefined) throw error
  return {
    group,
    state: found.groupState,
    type: 'Consumer',
    protocolType: 'consumer',
    assignor: found.assignorName,
    members: found.members.map(member => ({
      memberId: member.memberId,
      instanceId: member.instanceId,
      clientId: member.clientId,
      host: member.clientHost,
      assigned: member.assignment.topicPartitions.flatMap(({ topicName, partitions }) =>
        partitions.map(partition => ({ topic: topicName, partition })),
      ),
      subscribed: member.subscribedTopicNames,
    })),
  }
}

/** The partitions in a member's assignment; undefined when these bytes are none. */
function assignmentOf(bytes: Uint8Array): TopicPartition[] | undefined {
  if (bytes.length === 0) return []
  const found = embedded(consumerProtocolAssignment, bytes)
  return found?.assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map(partition => ({ topic, partition })),
  )
}

/**
 * A message behind its version, as members give it to each other. They are any program's bytes:
 * what cannot be read is undefined. A version above ours is read as ours, as Kafka's clients do.
 */
function embedded<F extends Fields>(
  message: Message<F>,
  bytes: Uint8Array,
): IncomingFields<F> | undefined {
  if (bytes.length < 2) return undefined
  const version = new DataView(bytes.buffer, bytes.byteOffset).getInt16(0)
  if (version < 0) return undefined
  try {
    return decode(message, Math.min(version, message.versions.last), bytes, 2)
  } catch {
    return undefined
  }
}

/** All offsets that a group has committed, in order of topic and partition. Throws KafkaError. */
export async function fetchOffsets(cluster: Caller, group: string): Promise<CommittedOffset[]> {
  const answer = await cluster.callCoordinator(
    group,
    offsetFetchRequest,
    offsetFetchResponse,
    version =>
      version >= 8
        ? { groups: [{ groupId: group, topics: null }] }
        : { groupId: group, topics: null },
    answer => answer.groups[0]?.errorCode ?? answer.errorCode,
  )
  const topics = answer.groups[0]?.topics ?? answer.topics.map(each => ({ ...each, topicId: '' }))
  const names = topics.some(({ name }) => name === '') ? await topicNames(cluster) : undefined
  const offsets = topics.flatMap(({ name, topicId, partitions }) =>
    partitions.map(each => ({
      topic: name === '' ? (names?.get(topicId) ?? topicId) : name,
      partition: each.partitionIndex,
      offset: each.committedOffset,
      leaderEpoch: each.committedLeaderEpoch,
      metadata: each.metadata ?? '',
      error: refused(each.errorCode),
    })),
  )
  const failed = offsets.find(({ error }) => error !== undefined)
  if (failed !== undefined) throw failed.error
  return offsets.filter(({ offset }) => offset >= 0).toSorted(byPartition)
}

/** Since v10 offsets are told by topic id (KIP-848). */
async function topicNames(cluster: Caller): Promise<Map<string, string>> {
  const { topics } = await cluster.metadata()
  return new Map(topics.map(({ topicId, name }) => [topicId, name ?? topicId]))
}

/** An offset to commit: that of the next message to read. */
export interface OffsetToCommit extends TopicPartition {
  readonly offset: number
  /** Of the message before it (KIP-320). */
  readonly leaderEpoch?: number | undefined
  /** Free text. */
  readonly metadata?: string | undefined
}

/** A member, by whose right offsets are committed. */
export interface CommittingMember {
  readonly memberId: string
  readonly generationId: number
  readonly instanceId: string | null
}

const nobody: CommittingMember = { memberId: '', generationId: -1, instanceId: null }

/**
 * Commits offsets, by default without membership: then a group that does not exist comes into being,
 * and one with members refuses, UNKNOWN_MEMBER_ID.
 */
export async function alterOffsets(
  cluster: Caller,
  group: string,
  offsets: readonly OffsetToCommit[],
  member: CommittingMember = nobody,
): Promise<PartitionOutcome[]> {
  const byTopic = Map.groupBy(offsets, ({ topic }) => topic)
  const ids = await cluster.topicIds([...byTopic.keys()])
  const answer = await cluster.callCoordinator(
    group,
    offsetCommitRequest,
    offsetCommitResponse,
    {
      groupId: group,
      memberId: member.memberId,
      generationIdOrMemberEpoch: member.generationId,
      groupInstanceId: member.instanceId,
      topics: [...byTopic].map(([name, mine]) => ({
        name,
        topicId: ids.get(name) ?? zeroUuid,
        partitions: mine.map(({ partition, offset, leaderEpoch, metadata }) => ({
          partitionIndex: partition,
          committedOffset: offset,
          committedLeaderEpoch: leaderEpoch ?? -1,
          committedMetadata: metadata ?? '',
        })),
      })),
    },
    ({ topics }) => retriable(topics[0]?.partitions[0]?.errorCode),
  )
  const names = new Map([...ids].map(([name, topicId]) => [topicId, name]))
  const found = outcomes(
    answer.topics.map(topic => ({
      ...topic,
      name: topic.name || (names.get(topic.topicId) ?? ''),
    })),
  )
  // A topic that was made anew has another id: the next call asks for it.
  for (const { topic, error } of found) {
    if (error?.error === 'UNKNOWN_TOPIC_ID') cluster.forget(topic)
  }
  return found
}

/** Deletes committed offsets. Throws KafkaError GROUP_ID_NOT_FOUND and others of the group. */
export async function deleteOffsets(
  cluster: Caller,
  group: string,
  partitions: readonly TopicPartition[],
): Promise<PartitionOutcome[]> {
  const answer = await cluster.callCoordinator(
    group,
    offsetDeleteRequest,
    offsetDeleteResponse,
    {
      groupId: group,
      topics: [...Map.groupBy(partitions, ({ topic }) => topic)].map(([name, mine]) => ({
        name,
        partitions: mine.map(({ partition }) => ({ partitionIndex: partition })),
      })),
    },
    ({ errorCode }) => errorCode,
  )
  return outcomes(answer.topics)
}

function outcomes(
  topics: readonly {
    readonly name: string
    readonly partitions: readonly { readonly partitionIndex: number; readonly errorCode: number }[]
  }[],
): PartitionOutcome[] {
  return topics.flatMap(({ name, partitions }) =>
    partitions.map(({ partitionIndex, errorCode }) => ({
      topic: name,
      partition: partitionIndex,
      error: refused(errorCode),
    })),
  )
}

/** Deletes a group with all its offsets. Throws KafkaError NON_EMPTY_GROUP while it has members. */
export async function deleteGroup(cluster: Caller, group: string): Promise<void> {
  await cluster.callCoordinator(
    group,
    deleteGroupsRequest,
    deleteGroupsResponse,
    { groupsNames: [group] },
    ({ results }) => results[0]?.errorCode ?? -1,
  )
}

/** Takes members out of a group, which rebalances (KIP-345). Answers in the order of `members`. */
export async function removeMembers(
  cluster: Caller,
  group: string,
  members: readonly RemovedMember[],
): Promise<(RemovedMember & { readonly error: KafkaError | undefined })[]> {
  const answer = await cluster.callCoordinator(
    group,
    leaveGroupRequest,
    leaveGroupResponse,
    version => {
      if (version < 3)
        throw new KafkaError('UNSUPPORTED_VERSION', 'the broker is older than Kafka 2.4')
      return {
        groupId: group,
        members: members.map(({ memberId, instanceId }) => ({
          memberId: instanceId === null ? memberId : '',
          groupInstanceId: instanceId,
          reason: 'removed by an administrator',
        })),
      }
    },
    ({ errorCode }) => errorCode,
  )
  return members.map((member, index) => ({
    ...member,
    error: refused(answer.members[index]?.errorCode ?? -1),
  }))
}

/** The codes that make a whole call look for the coordinator again; others belong to one item. */
function retriable(code = 0): number {
  return moved.has(errorName(code)) ? code : 0
}

const moved: ReadonlySet<ErrorName> = new Set([
  'COORDINATOR_LOAD_IN_PROGRESS',
  'COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR',
])

function silent(group: string): KafkaError {
  return new KafkaError('UNKNOWN_SERVER_ERROR', `the answer says nothing of group ${group}`)
}

/** In order of topic and partition. */
export function byPartition(a: TopicPartition, b: TopicPartition): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1
  return a.partition - b.partition
}

function capitalized(word: string): string {
  return word.charAt(0).toUpperCase() + word.slice(1)
}
