/**
 * Metadata (key 3), v0–13.
 *
 * An unknown topic is created when client and broker both allow it, and the answer waits until its
 * partitions can be written: clients need not ask again. No list of topics (null; in v0 an empty
 * one) means all; from v1 an empty list means none.
 */
import type { Topic } from '../../cluster/image.ts'
import { checkTopicName } from '../../cluster/topic-rules.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { MetadataRequest, MetadataResponse } from '../../protocol/messages/metadata.ts'
import { zeroUuid } from '../../protocol/schema.ts'
import { reachableBrokers } from '../advertised.ts'
import { clusterOperations, topicOperations } from '../authorized-operations.ts'
import type { Failure, RequestContext } from '../context.ts'
import { partitionError } from '../partition-error.ts'

type TopicAnswer = MetadataResponse['topics'][number]
type Wanted = NonNullable<MetadataRequest['topics']>[number]

/** A topic that is not ready by then is answered with LEADER_NOT_AVAILABLE. */
const creationTimeoutMs = 15_000

export async function metadata(
  ctx: RequestContext,
  request: MetadataRequest,
): Promise<MetadataResponse> {
  const topics = await topicsOf(ctx, request)
  return {
    brokers: reachableBrokers(ctx),
    clusterId: ctx.image.clusterId ?? null,
    controllerId: ctx.image.controllerId ?? -1,
    topics,
    ...(request.includeClusterAuthorizedOperations && {
      clusterAuthorizedOperations: clusterOperations,
    }),
  }
}

async function topicsOf(ctx: RequestContext, request: MetadataRequest): Promise<TopicAnswer[]> {
  const { topics } = request
  if (topics === null || (ctx.version === 0 && topics.length === 0)) {
    return [...ctx.image.topics()].map(topic => known(ctx, request, topic))
  }
  const isByIdTooEarly = topics.some(({ topicId, name }) => topicId !== zeroUuid || name === null)
  if (ctx.version < 12 && isByIdTooEarly) {
    throw new KafkaError('INVALID_REQUEST', `Metadata v${ctx.version} knows topics by name only`)
  }
  const refusals = await createMissing(ctx, request, topics)
  return unique(topics).map(wanted => {
    try {
      const refusal = refusals.get(wanted.name ?? '')
      if (refusal !== undefined) throw refusal
      return known(ctx, request, ctx.topic(wanted.topicId, wanted.name))
    } catch (error) {
      const { errorCode } = ctx.refusal(error)
      return { errorCode, name: wanted.name, topicId: wanted.topicId, partitions: [] }
    }
  })
}

/** A topic that is asked for twice is answered once. */
function unique(topics: readonly Wanted[]): Wanted[] {
  return [...new Map(topics.map(topic => [`${topic.topicId}/${topic.name}`, topic])).values()]
}

/** Creates what is missing, if it may; answers why a name has no topic afterwards. */
async function createMissing(
  ctx: RequestContext,
  request: MetadataRequest,
  topics: readonly Wanted[],
): Promise<Map<string, KafkaError>> {
  const refusals = new Map<string, KafkaError>()
  const missing = new Set<string>()
  for (const { topicId, name } of topics) {
    if (topicId !== zeroUuid || name === null || ctx.image.topicByName(name) !== undefined) continue
    try {
      checkTopicName(name)
      missing.add(name)
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      refusals.set(name, error)
    }
  }
  if (missing.size === 0 || !request.allowAutoTopicCreation || !ctx.config.autoCreateTopics) {
    return refusals
  }
  const deadlineMs = ctx.deadlineMs(creationTimeoutMs)
  const created = await ctx.domain.forwarder.createTopics(
    [...missing].map(name =>
      name === ctx.domain.groups.topic.name
        ? ctx.domain.groups.topic.wanted
        : { name, partitionCount: -1, replicationFactor: -1, configs: new Map() },
    ),
    { deadlineMs },
  )
  for (const { name, error } of created) {
    // Somebody else was faster: that is as good.
    if (error === undefined || error.error === 'TOPIC_ALREADY_EXISTS') continue
    refusals.set(name, error.retriable ? new KafkaError('LEADER_NOT_AVAILABLE') : error)
  }
  await Promise.all(
    [...missing].map(async name => {
      const topic = ctx.image.topicByName(name)
      if (topic === undefined) return
      try {
        await ctx.settled(topic.topicId, deadlineMs)
      } catch (error) {
        if (!(error instanceof KafkaError)) throw error
        refusals.set(name, new KafkaError('LEADER_NOT_AVAILABLE'))
      }
    }),
  )
  return refusals
}

function known(ctx: RequestContext, request: MetadataRequest, topic: Topic): TopicAnswer {
  return {
    errorCode: 0,
    name: topic.name,
    topicId: topic.topicId,
    isInternal: topic.internal,
    partitions: topic.partitions.map((state, partitionIndex) => ({
      errorCode: partitionError(state),
      partitionIndex,
      leaderId: state.leader?.[0] ?? -1,
      leaderEpoch: state.leaderEpoch,
      replicaNodes: state.replicas,
      isrNodes: state.isr.map(([id]) => id),
      offlineReplicas: state.replicas.filter(id => ctx.image.broker(id) === undefined),
    })),
    ...(request.includeTopicAuthorizedOperations && { topicAuthorizedOperations: topicOperations }),
  }
}

/** From v13 the answer as a whole has a code; before, each topic is told. */
export function metadataFailure(
  request: MetadataRequest,
  { errorCode }: Failure,
  version: number,
): MetadataResponse {
  const topics = (request.topics ?? []).map(({ name, topicId }) => ({
    errorCode,
    // Null names exist from v12.
    name: version < 12 ? (name ?? '') : name,
    topicId,
    partitions: [],
  }))
  return { brokers: [], topics, errorCode }
}
