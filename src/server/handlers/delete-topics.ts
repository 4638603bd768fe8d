/** DeleteTopics (key 20), v1–6: by name, from v6 also by id. Gone when answered. */
import type { TopicRef } from '../../cluster/admin.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type {
  DeleteTopicsRequest,
  DeleteTopicsResponse,
} from '../../protocol/messages/delete-topics.ts'
import { zeroUuid } from '../../protocol/schema.ts'
import type { Failure, RequestContext } from '../context.ts'
import { repeated } from '../repeated.ts'

type Wanted = DeleteTopicsRequest['topics'][number]

export async function deleteTopics(
  ctx: RequestContext,
  request: DeleteTopicsRequest,
): Promise<DeleteTopicsResponse> {
  if (!ctx.config.deleteTopics) {
    throw new KafkaError(ctx.version < 3 ? 'INVALID_REQUEST' : 'TOPIC_DELETION_DISABLED')
  }
  const wanted = [...new Map(wantedTopics(request).map(topic => [keyOf(topic), topic])).values()]
  const twice = repeated(wantedTopics(request).map(keyOf))
  const refused = wanted.flatMap(topic => {
    const reason = refusalOf(topic, twice.has(keyOf(topic)))
    return reason === undefined
      ? []
      : [{ ...topic, ...ctx.refusal(new KafkaError('INVALID_REQUEST', reason)) }]
  })
  const good = wanted.filter(topic => refusalOf(topic, twice.has(keyOf(topic))) === undefined)
  const deleted = await ctx.domain.controller.deleteTopics(good.map(ref), {
    deadlineMs: ctx.deadlineMs(request.timeoutMs),
  })
  const answers = deleted.map(({ error, name, topicId }, index) => ({
    name: name ?? good[index]!.name,
    topicId: topicId ?? good[index]!.topicId,
    ...(error === undefined ? { errorCode: 0 } : ctx.refusal(error)),
  }))
  return { responses: [...answers, ...refused] }
}

function wantedTopics({ topics, topicNames }: DeleteTopicsRequest): readonly Wanted[] {
  return topics.length > 0 ? topics : topicNames.map(name => ({ name, topicId: zeroUuid }))
}

function keyOf({ name, topicId }: Wanted): string {
  return `${topicId}/${name}`
}

function refusalOf({ name, topicId }: Wanted, isRepeated: boolean): string | undefined {
  if (isRepeated) return 'the topic is named twice in this request'
  if (name !== null && topicId !== zeroUuid) return 'name a topic or its id, not both'
  if (name === null && topicId === zeroUuid) return 'neither a name nor an id is given'
  return undefined
}

function ref({ name, topicId }: Wanted): TopicRef {
  return name === null ? { topicId } : { name }
}

export function deleteTopicsFailure(
  request: DeleteTopicsRequest,
  failure: Failure,
): DeleteTopicsResponse {
  return {
    responses: wantedTopics(request).map(({ name, topicId }) => ({ name, topicId, ...failure })),
  }
}
