/**
 * DescribeTopicPartitions (key 75), v0 (KIP-966): topics in order of names, a bounded number of
 * partitions an answer, and a cursor to go on from. No topics named means all.
 */
import type { Topic } from '../../cluster/image.ts'
import type { PartitionState } from '../../cluster/partition-state.ts'
import { checkTopicName } from '../../cluster/topic-rules.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type {
  DescribeTopicPartitionsRequest,
  DescribeTopicPartitionsResponse,
} from '../../protocol/messages/describe-topic-partitions.ts'
import { zeroUuid } from '../../protocol/schema.ts'
import { topicOperations } from '../authorized-operations.ts'
import type { Failure, RequestContext } from '../context.ts'
import { partitionError } from '../partition-error.ts'

type Answer = DescribeTopicPartitionsResponse['topics'][number]

export async function describeTopicPartitions(
  ctx: RequestContext,
  request: DescribeTopicPartitionsRequest,
): Promise<DescribeTopicPartitionsResponse> {
  const { cursor } = request
  if (cursor !== null && cursor.partitionIndex < 0) {
    throw new KafkaError('INVALID_REQUEST', 'the cursor names a negative partition')
  }
  const limit = Math.max(
    1,
    Math.min(request.responsePartitionLimit, ctx.config.describePartitionLimit),
  )
  const topics: Answer[] = []
  let left = limit
  for (const name of wantedNames(ctx, request)) {
    if (left <= 0) return { topics, nextCursor: { topicName: name, partitionIndex: 0 } }
    const topic = ctx.image.topicByName(name)
    if (topic === undefined) {
      topics.push(unknown(ctx, name))
      continue
    }
    const first = cursor?.topicName === name ? cursor.partitionIndex : 0
    const end = Math.min(topic.partitions.length, first + left)
    topics.push(described(ctx, topic, first, end))
    left -= Math.max(0, end - first)
    if (end < topic.partitions.length) {
      return { topics, nextCursor: { topicName: name, partitionIndex: end } }
    }
  }
  return { topics }
}

function wantedNames(ctx: RequestContext, { topics, cursor }: DescribeTopicPartitionsRequest) {
  const names =
    topics.length === 0
      ? [...ctx.image.topics()].map(({ name }) => name)
      : [...new Set(topics.map(({ name }) => name))]
  return names.filter(name => cursor === null || name >= cursor.topicName).sort()
}

function unknown(ctx: RequestContext, name: string): Answer {
  const answer = { name, topicId: zeroUuid, partitions: [] }
  try {
    checkTopicName(name)
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION')
  } catch (error) {
    return { ...answer, errorCode: ctx.refusal(error).errorCode }
  }
}

function described(ctx: RequestContext, topic: Topic, first: number, end: number): Answer {
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: topic.internal,
    topicAuthorizedOperations: topicOperations,
    partitions: topic.partitions
      .slice(first, end)
      .map((state, index) => describedPartition(ctx, state, first + index)),
  }
}

function describedPartition(ctx: RequestContext, state: PartitionState, partitionIndex: number) {
  return {
    errorCode: partitionError(state),
    partitionIndex,
    leaderId: state.leader?.[0] ?? -1,
    leaderEpoch: state.leaderEpoch,
    replicaNodes: state.replicas,
    isrNodes: state.isr.map(([id]) => id),
    eligibleLeaderReplicas: state.elr.map(([id]) => id),
    lastKnownElr: state.lastKnown,
    offlineReplicas: state.replicas.filter(id => ctx.image.broker(id) === undefined),
  }
}

export function describeTopicPartitionsFailure(
  request: DescribeTopicPartitionsRequest,
  { errorCode }: Failure,
): DescribeTopicPartitionsResponse {
  return { topics: request.topics.map(({ name }) => ({ errorCode, name, partitions: [] })) }
}
