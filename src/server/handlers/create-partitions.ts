/** CreatePartitions (key 37), v0–3. The new partitions can be written when they are answered. */
import { KafkaError } from '../../protocol/errors.ts'
import type {
  CreatePartitionsRequest,
  CreatePartitionsResponse,
} from '../../protocol/messages/create-partitions.ts'
import type { Failure, RequestContext } from '../context.ts'
import { repeated } from '../repeated.ts'

export async function createPartitions(
  ctx: RequestContext,
  request: CreatePartitionsRequest,
): Promise<CreatePartitionsResponse> {
  const twice = repeated(request.topics.map(({ name }) => name))
  const unique = request.topics.filter(({ name }) => !twice.has(name))
  const { validateOnly } = request
  const deadlineMs = ctx.deadlineMs(request.timeoutMs)
  const outcomes = await ctx.domain.controller.createPartitions(
    unique.map(({ name, count, assignments }) => ({
      name,
      count,
      ...(assignments !== null && { assignments: assignments.map(({ brokerIds }) => brokerIds) }),
    })),
    { validateOnly, deadlineMs },
  )
  const results = outcomes.map(async ({ error }, index) => {
    const { name } = unique[index]!
    try {
      if (error !== undefined) throw error
      const topic = ctx.image.topicByName(name)
      if (topic !== undefined && !validateOnly) await ctx.settled(topic.topicId, deadlineMs)
      return { name, errorCode: 0 }
    } catch (refusal) {
      return { name, ...ctx.refusal(refusal) }
    }
  })
  const refusal = new KafkaError('INVALID_REQUEST', 'the topic is named twice in this request')
  const refused = [...twice].map(name => ({ name, ...ctx.refusal(refusal) }))
  return { results: [...(await Promise.all(results)), ...refused] }
}

export function createPartitionsFailure(
  request: CreatePartitionsRequest,
  failure: Failure,
): CreatePartitionsResponse {
  return { results: request.topics.map(({ name }) => ({ name, ...failure })) }
}
