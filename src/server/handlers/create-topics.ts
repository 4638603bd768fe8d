/** CreateTopics (key 19), v2–7. A topic is ready to be written when it is answered. */

import type { CreatedTopic } from '../../cluster/admin.ts'
import { describeTopicConfigs } from '../../config/described.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type {
  CreateTopicsRequest,
  CreateTopicsResponse,
} from '../../protocol/messages/create-topics.ts'
import type { Failure, RequestContext } from '../context.ts'
import { repeated } from '../repeated.ts'

type Topic = CreateTopicsRequest['topics'][number]
type Answer = CreateTopicsResponse['topics'][number]

export async function createTopics(
  ctx: RequestContext,
  request: CreateTopicsRequest,
): Promise<CreateTopicsResponse> {
  const { validateOnly } = request
  const twice = repeated(request.topics.map(({ name }) => name))
  const unique = request.topics.filter(({ name }) => !twice.has(name))
  const deadlineMs = ctx.deadlineMs(request.timeoutMs)
  const options = { validateOnly, deadlineMs }
  const created = await ctx.domain.controller.createTopics(unique.map(newTopic), options)
  const topics = created.map(async topic => {
    const { topicId, error } = topic
    try {
      const isNew = error === undefined && topicId !== undefined && !validateOnly
      if (isNew) await ctx.settled(topicId, deadlineMs)
      return answer(ctx, topic)
    } catch (late) {
      return answer(ctx, { name: topic.name, error: late })
    }
  })
  const refusal = new KafkaError('INVALID_REQUEST', 'the topic is named twice in this request')
  const refused = [...twice].map(name => answer(ctx, { name, error: refusal }))
  return { topics: [...(await Promise.all(topics)), ...refused] }
}

function newTopic({ name, numPartitions, replicationFactor, assignments, configs }: Topic) {
  return {
    name,
    partitionCount: numPartitions,
    replicationFactor,
    configs: new Map(configs.map(config => [config.name, config.value])),
    ...(assignments.length > 0 && {
      assignments: new Map(
        assignments.map(({ partitionIndex, brokerIds }) => [partitionIndex, brokerIds]),
      ),
    }),
  }
}

function answer(
  ctx: RequestContext,
  created: Omit<CreatedTopic, 'error'> & { error?: unknown },
): Answer {
  const { name, error } = created
  if (error !== undefined) return { name, ...ctx.refusal(error), configs: [] }
  return {
    name,
    ...(created.topicId !== undefined && { topicId: created.topicId }),
    errorCode: 0,
    errorMessage: null,
    numPartitions: created.partitionCount ?? -1,
    replicationFactor: created.replicationFactor ?? -1,
    configs: describeTopicConfigs(created.configs ?? new Map(), ctx.config.sources).map(
      ({ key, value, source, isReadOnly, isSensitive }) => ({
        name: key.name,
        value,
        readOnly: isReadOnly,
        configSource: source,
        isSensitive,
      }),
    ),
  }
}

export function createTopicsFailure(
  request: CreateTopicsRequest,
  failure: Failure,
): CreateTopicsResponse {
  return { topics: request.topics.map(({ name }) => ({ name, ...failure, configs: [] })) }
}
