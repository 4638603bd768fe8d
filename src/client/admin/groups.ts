/** Groups and their offsets, each asked of the broker that coordinates it. */
import { KafkaError } from '../../protocol/errors.ts'
import type { TopicPartition, TopicPartitionOffset } from '../consumer/options.ts'
import * as groups from '../groups.ts'
import type { AdminCall } from './call.ts'
import type {
  GroupDescription,
  GroupListing,
  GroupOffset,
  ListGroupsOptions,
  MemberName,
  MemberToRemove,
} from './options.ts'
import { asOutcomes, type Outcome, outcome, settleEach, unanswered } from './outcome.ts'

/** There is nothing more to say. */
type Done = Record<never, never>

const groupKey = (groupId: string) => ({ groupId })
const partitionKey = ({ topic, partition }: TopicPartition) => ({ topic, partition })

export async function listGroups(
  call: AdminCall,
  { states, types }: ListGroupsOptions,
): Promise<GroupListing[]> {
  const isOneOf = (names: readonly string[] | undefined, name: string) =>
    names === undefined || names.some(each => each.toLowerCase() === name.toLowerCase())
  const found = await groups.listGroups(call.caller)
  return found
    .filter(({ state, type }) => isOneOf(states, state) && isOneOf(types, type))
    .map(({ group, ...rest }) => ({ groupId: group, ...rest }))
}

export async function describeGroups(
  call: AdminCall,
  groupIds: readonly string[],
): Promise<Outcome<{ groupId: string }, GroupDescription>[]> {
  return await settleEach(call, groupIds, groupKey, async groupId => {
    const found = await groups.describeGroup(call.caller, groupId)
    if (found === undefined) throw noGroup(groupId)
    const { state, type, protocolType, assignor, members } = found
    const { nodeId } = await call.cluster.coordinatorOf(groupId, call.options)
    return {
      state,
      type,
      protocolType,
      assignor,
      members: members.map(({ instanceId, assigned, subscribed, ...member }) => ({
        ...member,
        groupInstanceId: instanceId,
        assignment: assigned,
        subscription: subscribed,
      })),
      coordinator: nodeId,
    }
  })
}

export async function deleteGroups(
  call: AdminCall,
  groupIds: readonly string[],
): Promise<Outcome<{ groupId: string }>[]> {
  return await settleEach(call, groupIds, groupKey, async groupId => {
    await groups.deleteGroup(call.caller, groupId)
    return {}
  })
}

export async function listGroupOffsets(
  call: AdminCall,
  groupIds: readonly string[],
): Promise<Outcome<{ groupId: string }, { offsets: readonly GroupOffset[] }>[]> {
  return await settleEach(call, groupIds, groupKey, async groupId => {
    const found = await groups.fetchOffsets(call.caller, groupId)
    const offsets = found.map(({ topic, partition, offset, leaderEpoch, metadata }) => ({
      topic,
      partition,
      offset,
      leaderEpoch,
      metadata,
    }))
    return { offsets }
  })
}

export async function alterGroupOffsets(
  call: AdminCall,
  groupId: string,
  offsets: readonly TopicPartitionOffset[],
): Promise<Outcome<TopicPartition>[]> {
  // A topic that was made anew has another id than is known: then it is asked for again.
  const results = await call.settle(offsets, async open => {
    const ids = await call.caller.topicIds([...new Set(open.map(({ topic }) => topic))])
    const known = open.filter(({ topic }) => ids.has(topic))
    const answers = known.length === 0 ? [] : await groups.alterOffsets(call.caller, groupId, known)
    const refusals = open.filter(({ topic }) => !ids.has(topic)).map(noTopic)
    return answersTo(open, [...answers, ...refusals])
  })
  return asOutcomes(offsets, partitionKey, results)
}

export async function deleteGroupOffsets(
  call: AdminCall,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<Outcome<TopicPartition>[]> {
  if (partitions.length === 0) return []
  const answers = await groups.deleteOffsets(call.caller, groupId, partitions).catch(orRefusal)
  const results =
    answers instanceof KafkaError ? partitions.map(() => answers) : answersTo(partitions, answers)
  return asOutcomes(partitions, partitionKey, results)
}

function answersTo(
  asked: readonly TopicPartition[],
  answers: readonly groups.PartitionOutcome[],
): (KafkaError | Done)[] {
  const nameOf = ({ topic, partition }: TopicPartition) => `${topic}-${partition}`
  const found = new Map(answers.map(each => [nameOf(each), each]))
  return asked.map(each => {
    const answer = found.get(nameOf(each))
    return answer === undefined ? unanswered(nameOf(each)) : (answer.error ?? {})
  })
}

export async function removeMembers(
  call: AdminCall,
  groupId: string,
  members: 'all' | readonly MemberToRemove[],
): Promise<Outcome<MemberName>[]> {
  const named = members === 'all' ? await allMembers(call, groupId) : members.map(nameOf)
  if (named.length === 0) return []
  const asked = named.map(({ memberId, groupInstanceId }) => ({
    memberId,
    instanceId: groupInstanceId,
  }))
  const answers = await groups.removeMembers(call.caller, groupId, asked).catch(orRefusal)
  return named.map((name, index) =>
    outcome(name, answers instanceof KafkaError ? answers : (answers[index]!.error ?? {})),
  )
}

async function allMembers(call: AdminCall, groupId: string): Promise<MemberName[]> {
  const found = await groups.describeGroup(call.caller, groupId)
  if (found === undefined) throw noGroup(groupId)
  return found.members.map(({ memberId, instanceId }) => ({
    memberId,
    groupInstanceId: instanceId,
  }))
}

function nameOf({ memberId = '', groupInstanceId = null }: MemberToRemove): MemberName {
  return { memberId, groupInstanceId }
}

function noTopic({ topic, partition }: TopicPartition): groups.PartitionOutcome {
  const error = new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no topic ${topic}`)
  return { topic, partition, error }
}

function noGroup(groupId: string): KafkaError {
  return new KafkaError('GROUP_ID_NOT_FOUND', `there is no group ${groupId}`)
}

/** What a group refuses is an outcome of what was asked of it; the rest is thrown. */
function orRefusal(error: unknown): KafkaError {
  if (error instanceof KafkaError) return error
  throw error
}
