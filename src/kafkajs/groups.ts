/** Descriptions of groups, in the words of kafkajs. */
import type { Admin } from '../client/admin.ts'
import type { TopicPartition } from '../client/consumer/options.ts'
import type { ConsumerGroupState, GroupDescription } from './admin-types.ts'
import { AssignerProtocol, type Assignment } from './assigners.ts'

type Described = Awaited<ReturnType<Admin['describeGroups']>>[number]

/** Throws the KafkaError by which it was refused. */
export function groupDescription(described: Described): GroupDescription {
  const { groupId, error } = described
  if (error !== undefined) {
    if (error.error !== 'GROUP_ID_NOT_FOUND') throw error
    return { errorCode: 0, groupId, members: [], protocol: '', protocolType: '', state: 'Dead' }
  }
  return {
    errorCode: 0,
    groupId,
    protocol: described.assignor,
    protocolType: described.protocolType,
    state: described.state as ConsumerGroupState,
    members: described.members.map(member => ({
      clientHost: member.host,
      clientId: member.clientId,
      memberId: member.memberId,
      memberAssignment: AssignerProtocol.MemberAssignment.encode({
        version: 0,
        assignment: assignmentOf(member.assignment ?? []),
      }),
      memberMetadata: AssignerProtocol.MemberMetadata.encode({
        version: 0,
        topics: [...(member.subscription ?? [])],
      }),
    })),
  }
}

/** Numbers of partitions by topic, in order. */
export function assignmentOf(partitions: readonly TopicPartition[]): Assignment {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  return Object.fromEntries(
    [...byTopic].map(([topic, mine]) => [
      topic,
      mine.map(({ partition }) => partition).sort((a, b) => a - b),
    ]),
  )
}
