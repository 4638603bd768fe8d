/** Requests of a consumer group in a few words, and what was answered in a few more. */
import { encode } from '../src/protocol/compile.ts'
import { consumerProtocolSubscription } from '../src/protocol/messages/consumer-protocol.ts'
import * as deleteGroups from '../src/protocol/messages/delete-groups.ts'
import * as describeGroups from '../src/protocol/messages/describe-groups.ts'
import * as findCoordinator from '../src/protocol/messages/find-coordinator.ts'
import * as heartbeat from '../src/protocol/messages/heartbeat.ts'
import * as joinGroup from '../src/protocol/messages/join-group.ts'
import * as leaveGroup from '../src/protocol/messages/leave-group.ts'
import * as listGroups from '../src/protocol/messages/list-groups.ts'
import * as offsetCommit from '../src/protocol/messages/offset-commit.ts'
import * as offsetDelete from '../src/protocol/messages/offset-delete.ts'
import * as offsetFetch from '../src/protocol/messages/offset-fetch.ts'
import * as syncGroup from '../src/protocol/messages/sync-group.ts'
import type { OutgoingFields } from '../src/protocol/schema.ts'
import type { WireClient } from './wire-client.ts'

/** What a consumer of `topics` sends along in JoinGroup. */
export function subscription(...topics: string[]): Uint8Array {
  return Buffer.concat([Buffer.of(0, 1), ...encode(consumerProtocolSubscription, 1, { topics })])
}

export function joinBody(groupId: string, body: object = {}) {
  return {
    groupId,
    sessionTimeoutMs: 10_000,
    rebalanceTimeoutMs: 2000,
    memberId: '',
    protocolType: 'consumer',
    protocols: [{ name: 'range', metadata: subscription('q') }],
    ...body,
  }
}

export async function join(client: WireClient, groupId: string, body: object = {}, version = 9) {
  client.send(joinGroup.joinGroupRequest, version, joinBody(groupId, body))
  return joined(client, version)
}

/** Sends the request; `joined` waits for its answer. */
export function sendJoin(client: WireClient, groupId: string, body: object = {}, version = 9) {
  client.send(joinGroup.joinGroupRequest, version, joinBody(groupId, body))
}

export async function joined(client: WireClient, version = 9) {
  const answer = await client.answer(joinGroup.joinGroupResponse, version)
  return {
    error: answer.errorCode,
    generation: answer.generationId,
    type: answer.protocolType,
    protocol: answer.protocolName,
    leader: answer.leader,
    skip: answer.skipAssignment,
    member: answer.memberId,
    // Kafka's order is that of a hash table: the leader first, here.
    members: answer.members
      .toSorted(
        (a, b) => Number(b.memberId === answer.leader) - Number(a.memberId === answer.leader),
      )
      .map(one => [one.memberId, one.groupInstanceId, one.metadata.length].join(' ')),
  }
}

/** Joins as clients do: the first answer may bring nothing but the id (KIP-394). */
export async function member(client: WireClient, groupId: string, body: object = {}, version = 9) {
  const first = await join(client, groupId, body, version)
  if (first.error !== 79) return first
  return join(client, groupId, { ...body, memberId: first.member }, version)
}

export async function sync(client: WireClient, groupId: string, body: object, version = 5) {
  const { syncGroupRequest, syncGroupResponse } = syncGroup
  const answer = await client.ask(syncGroupRequest, syncGroupResponse, version, {
    groupId,
    generationId: 1,
    memberId: '',
    protocolType: version < 5 ? null : 'consumer',
    protocolName: version < 5 ? null : 'range',
    assignments: [],
    ...body,
  })
  return {
    error: answer.errorCode,
    type: answer.protocolType,
    protocol: answer.protocolName,
    assignment: Buffer.from(answer.assignment).toString(),
  }
}

/** A member of a group that is stable: it alone. */
export async function stable(client: WireClient, groupId: string, body: object = {}, version = 9) {
  const { member: memberId, generation } = await member(client, groupId, body, version)
  await sync(client, groupId, {
    memberId,
    generationId: generation,
    assignments: [{ memberId, assignment: Buffer.from('mine') }],
  })
  return memberId
}

export async function beat(client: WireClient, groupId: string, body: object, version = 4) {
  const { heartbeatRequest, heartbeatResponse } = heartbeat
  const answer = await client.ask(heartbeatRequest, heartbeatResponse, version, {
    groupId,
    generationId: 1,
    memberId: '',
    ...body,
  })
  return answer.errorCode
}

export async function leave(client: WireClient, groupId: string, members: object[]) {
  const { leaveGroupRequest, leaveGroupResponse } = leaveGroup
  const answer = await client.ask(leaveGroupRequest, leaveGroupResponse, 5, {
    groupId,
    members: members.map(one => ({ memberId: '', ...one })),
  })
  return [
    answer.errorCode,
    ...answer.members.map(one => `${one.memberId} ${one.groupInstanceId} ${one.errorCode}`),
  ]
}

/** As clients before v3 leave. */
export async function leaveAlone(client: WireClient, groupId: string, memberId: string) {
  const { leaveGroupRequest, leaveGroupResponse } = leaveGroup
  const answer = await client.ask(leaveGroupRequest, leaveGroupResponse, 2, { groupId, memberId })
  return answer.errorCode
}

export async function describe(client: WireClient, groups: string[], version = 6, more = {}) {
  const { describeGroupsRequest, describeGroupsResponse } = describeGroups
  const answer = await client.ask(describeGroupsRequest, describeGroupsResponse, version, {
    groups,
    ...more,
  })
  return answer.groups.map(group => ({
    error: group.errorCode,
    message: group.errorMessage,
    id: group.groupId,
    state: group.groupState,
    type: group.protocolType,
    protocol: group.protocolData,
    operations: group.authorizedOperations,
    members: group.members
      .toSorted((a, b) => b.memberAssignment.length - a.memberAssignment.length)
      .map(one => [
        one.memberId,
        one.groupInstanceId,
        one.clientId,
        one.clientHost,
        one.memberMetadata.length,
        Buffer.from(one.memberAssignment).toString(),
      ]),
  }))
}

/** Those groups whose ids begin with `prefix`. */
export async function list(client: WireClient, prefix: string, body: object = {}, version = 5) {
  const { listGroupsRequest, listGroupsResponse } = listGroups
  const answer = await client.ask(listGroupsRequest, listGroupsResponse, version, {
    ...(version > 3 && { statesFilter: [] }),
    ...(version > 4 && { typesFilter: [] }),
    ...body,
  })
  return [
    answer.errorCode,
    ...answer.groups
      .filter(({ groupId }) => groupId.startsWith(prefix))
      .map(group =>
        [group.groupId, group.protocolType, group.groupState, group.groupType].join('|'),
      )
      .sort(),
  ]
}

export async function drop(client: WireClient, groupsNames: string[], version = 3) {
  const { deleteGroupsRequest, deleteGroupsResponse } = deleteGroups
  const answer = await client.ask(deleteGroupsRequest, deleteGroupsResponse, version, {
    groupsNames,
  })
  return answer.results.map(one => [one.groupId, one.errorCode, one.errorMessage])
}

export type CommitPartition = Readonly<{
  partitionIndex?: number
  committedOffset?: number
  committedLeaderEpoch?: number
  committedMetadata?: string | null
}>

interface CommitBody {
  readonly version?: number
  readonly name?: string
  readonly topicId?: string
  readonly memberId?: string
  readonly groupInstanceId?: string
  readonly generationIdOrMemberEpoch?: number
  readonly topics?: OutgoingFields<typeof offsetCommit.offsetCommitRequest.fields>['topics']
}

/** Commits to one topic, by default offset 7 of partition 0 of `q` by nobody in particular. */
export async function commit(
  client: WireClient,
  groupId: string,
  partitions: CommitPartition[] = [{}],
  { version = 9, name = 'q', topicId, ...rest }: CommitBody = {},
) {
  const answer = await client.ask(
    offsetCommit.offsetCommitRequest,
    offsetCommit.offsetCommitResponse,
    version,
    {
      groupId,
      memberId: '',
      topics: [
        {
          ...(version < 10 ? { name } : { topicId: topicId! }),
          partitions: partitions.map(one => ({
            partitionIndex: 0,
            committedOffset: 7,
            committedMetadata: '',
            ...one,
          })),
        },
      ],
      ...rest,
    },
  )
  return answer.topics
    .flatMap(one =>
      one.partitions.map(part => `${one.name}-${part.partitionIndex} ${part.errorCode}`),
    )
    .sort()
}

/** Offsets of one group, as clients before v8 fetch them. */
export async function fetchOne(
  client: WireClient,
  groupId: string,
  partitions: Readonly<Record<string, number[]>> | null,
  version = 7,
) {
  const answer = await client.ask(
    offsetFetch.offsetFetchRequest,
    offsetFetch.offsetFetchResponse,
    version,
    {
      groupId,
      topics:
        partitions &&
        Object.entries(partitions).map(([name, partitionIndexes]) => ({ name, partitionIndexes })),
    },
  )
  return [answer.errorCode, ...answer.topics.flatMap(one => offsetsOf(one.name, one.partitions))]
}

export interface FetchGroup {
  readonly groupId: string
  readonly topics: Readonly<Record<string, number[]>> | null
  readonly memberId?: string | null
  readonly memberEpoch?: number
}

/** From v10 the topics are ids. */
export async function fetchMany(client: WireClient, groups: FetchGroup[], version = 9) {
  const key = version < 10 ? 'name' : 'topicId'
  const answer = await client.ask(
    offsetFetch.offsetFetchRequest,
    offsetFetch.offsetFetchResponse,
    version,
    {
      groups: groups.map(({ topics, ...group }) => ({
        ...group,
        topics:
          topics &&
          Object.entries(topics).map(([topic, partitionIndexes]) => ({
            [key]: topic,
            partitionIndexes,
          })),
      })),
    },
  )
  return answer.groups.map(group => [
    group.groupId,
    group.errorCode,
    ...group.topics.flatMap(one => offsetsOf(one[key], one.partitions)),
  ])
}

function offsetsOf(
  topic: string,
  partitions: readonly {
    readonly partitionIndex: number
    readonly committedOffset: number
    readonly committedLeaderEpoch: number
    readonly metadata: string | null
    readonly errorCode: number
  }[],
) {
  return partitions.map(one => ({
    at: `${topic}-${one.partitionIndex}`,
    error: one.errorCode,
    offset: one.committedOffset,
    epoch: one.committedLeaderEpoch,
    metadata: one.metadata,
  }))
}

export async function forget(
  client: WireClient,
  groupId: string,
  partitions: Readonly<Record<string, number[]>>,
) {
  const { offsetDeleteRequest, offsetDeleteResponse } = offsetDelete
  const answer = await client.ask(offsetDeleteRequest, offsetDeleteResponse, 0, {
    groupId,
    topics: Object.entries(partitions).map(([name, indexes]) => ({
      name,
      partitions: indexes.map(partitionIndex => ({ partitionIndex })),
    })),
  })
  return [
    answer.errorCode,
    ...answer.topics
      .flatMap(one =>
        one.partitions.map(part => `${one.name}-${part.partitionIndex} ${part.errorCode}`),
      )
      .sort(),
  ]
}

/** The coordinator of one key, as clients before v4 ask. */
export async function find(client: WireClient, key: string, keyType = 0, version = 3) {
  const { findCoordinatorRequest, findCoordinatorResponse } = findCoordinator
  const answer = await client.ask(findCoordinatorRequest, findCoordinatorResponse, version, {
    key,
    ...(version > 0 && { keyType }),
  })
  return [answer.errorCode, answer.nodeId, answer.host, answer.port > 0]
}

export async function findAll(client: WireClient, coordinatorKeys: string[], body = {}, v = 6) {
  const { findCoordinatorRequest, findCoordinatorResponse } = findCoordinator
  const answer = await client.ask(findCoordinatorRequest, findCoordinatorResponse, v, {
    coordinatorKeys,
    ...body,
  })
  return answer.coordinators.map(one => [
    one.key,
    one.errorCode,
    one.nodeId,
    one.host,
    one.port > 0,
  ])
}
