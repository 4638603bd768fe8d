/** DeleteTopics (key 20), v1–6: by name, from v6 also by id. Gone when answered. */
import type { TopicRef } from '../../cluster/admin.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type {
  DeleteTopicsRequest,
  DeleteTopicsResponse,
} from '../../protocol/messages/delete-topics.ts'
import { zeroUuid } from '../../protocol/schema.ts'
import type { Failure, RequestContext } from '../context.ts'

type Wanted = DeleteTopicsRequest['topics'][number]

export async function deleteTopics(
  ctx: RequestContext,
  request: DeleteTopicsRequest,
): Promise<DeleteTopicsResponse> {
  if (!ctx.config.deleteTopics) {
    throw new KafkaError(ctx.version < 3 ? 'INVALID_REQUEST' : 'TOPIC_DELETION_DISABLED')
  }
  const wanted = wantedTopics(request)
  const isAmbiguous = wanted.some(({ name, topicId }) => name !== null && topicId !== zeroUuid)
  if (isAmbiguous) throw new KafkaError('INVALID_REQUEST', 'name a topic or its id, not both')
  const deleted = await ctx.domain.controller.deleteTopics(wanted.map(ref), {
    deadlineMs: ctx.deadlineMs(request.timeoutMs),
  })
  return {
    responses: deleted.map(({ error, name, topicId }, index) => ({
      name: name ?? wanted[index]!.name,
      topicId: topicId ?? wanted[index]!.topicId,
      ...(error === undefined ? { errorCode: 0 } : ctx.refusal(error)),
    })),
  }
}

function wantedTopics({ topics, topicNames }: DeleteTopicsRequest): readonly Wanted[] {
  return topics.length > 0 ? topics : topicNames.map(name => ({ name, topicId: zeroUuid }))
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
