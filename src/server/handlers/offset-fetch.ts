/**
 * OffsetFetch (key 9), v1–10: committed offsets, −1 where there is none. v2 null asks for all · v8
 * several groups (KIP-709) · v10 topic ids (KIP-848). No offset is ever unstable: there are no
 * transactions.
 */
import type { FetchedOffset } from '../../coordinator/group/commands.ts'
import { errorCode } from '../../protocol/errors.ts'
import type {
  OffsetFetchRequest,
  OffsetFetchResponse,
} from '../../protocol/messages/offset-fetch.ts'
import type { Failure, RequestContext } from '../context.ts'
import { callerOf } from '../group-caller.ts'

type AskedGroup = OffsetFetchRequest['groups'][number]
type GroupAnswer = NonNullable<OffsetFetchResponse['groups']>[number]
type TopicAnswer = GroupAnswer['topics'][number]

/** First versions of what changed in it. */
const since = { groupError: 2, severalGroups: 8, topicIds: 10 }

export async function offsetFetch(
  ctx: RequestContext,
  request: OffsetFetchRequest,
): Promise<OffsetFetchResponse> {
  if (ctx.version < since.severalGroups) {
    const { groupId, topics } = request
    return { topics: await byName(ctx, groupId, topics) }
  }
  const groups = request.groups.map(async group => {
    const { groupId } = group
    try {
      const topics = await (ctx.version < since.topicIds
        ? byName(ctx, groupId, group.topics)
        : byId(ctx, group))
      return { groupId, topics }
    } catch (error) {
      return { groupId, topics: [], errorCode: ctx.refusal(error).errorCode }
    }
  })
  return { groups: await Promise.all(groups) }
}

async function byName(
  ctx: RequestContext,
  groupId: string,
  topics: readonly { readonly name: string; readonly partitionIndexes: readonly number[] }[] | null,
): Promise<(TopicAnswer & { name: string })[]> {
  const wanted = topics?.map(({ name, partitionIndexes: partitions }) => ({ name, partitions }))
  const command = { groupId, topics: wanted ?? null }
  const fetched = await ctx.domain.groups.fetchOffsets(command, callerOf(ctx))
  return fetched.topics.map(({ name, partitions }) => ({
    name,
    partitions: partitions.map(committed),
  }))
}

async function byId(ctx: RequestContext, { groupId, topics }: AskedGroup): Promise<TopicAnswer[]> {
  if (topics === null) {
    // A topic that is gone has no id.
    return (await byName(ctx, groupId, null)).flatMap(({ name, partitions }) => {
      const topic = ctx.image.topicByName(name)
      return topic === undefined ? [] : [{ topicId: topic.topicId, partitions }]
    })
  }
  const named = topics.map(({ topicId, partitionIndexes }) => ({
    topicId,
    partitionIndexes,
    name: ctx.image.topicById(topicId)?.name,
  }))
  const known = named.flatMap(({ name, ...topic }) =>
    name === undefined ? [] : [{ ...topic, name }],
  )
  const fetched = (await byName(ctx, groupId, known)).values()
  return named.map(({ topicId, name, partitionIndexes }) => ({
    topicId,
    partitions:
      name === undefined
        ? nothing(partitionIndexes, errorCode('UNKNOWN_TOPIC_ID'))
        : fetched.next().value!.partitions,
  }))
}

function committed({ partition, offset, leaderEpoch, metadata }: FetchedOffset) {
  return {
    partitionIndex: partition,
    committedOffset: offset,
    committedLeaderEpoch: leaderEpoch,
    metadata,
    errorCode: 0,
  }
}

function nothing(partitionIndexes: readonly number[], code: number) {
  return partitionIndexes.map(partitionIndex => ({
    partitionIndex,
    committedOffset: -1,
    metadata: '',
    errorCode: code,
  }))
}

/** v1 has no code for the group: each partition is told. */
export function offsetFetchFailure(
  { topics, groups }: OffsetFetchRequest,
  failure: Failure,
  version: number,
): OffsetFetchResponse {
  const { errorCode } = failure
  if (version >= since.severalGroups) {
    return { groups: groups.map(({ groupId }) => ({ groupId, topics: [], errorCode })) }
  }
  if (version >= since.groupError) return { topics: [], errorCode }
  return {
    topics: (topics ?? []).map(({ name, partitionIndexes }) => ({
      name,
      partitions: nothing(partitionIndexes, errorCode),
    })),
  }
}
