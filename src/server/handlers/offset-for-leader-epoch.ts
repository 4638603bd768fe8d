/** OffsetForLeaderEpoch (key 23), v2–4: where the records of an epoch end (KIP-101, 320). */
import type {
  OffsetForLeaderEpochRequest,
  OffsetForLeaderEpochResponse,
} from '../../protocol/messages/offset-for-leader-epoch.ts'
import type { Failure, RequestContext } from '../context.ts'

export async function offsetForLeaderEpoch(
  ctx: RequestContext,
  request: OffsetForLeaderEpochRequest,
): Promise<OffsetForLeaderEpochResponse> {
  const topics = request.topics.map(({ topic, partitions }) => ({
    topic,
    partitions: partitions.map(({ partition: index, currentLeaderEpoch, leaderEpoch }) => {
      try {
        const partition = ctx.leader(ctx.topicByName(topic).name, index)
        const end = partition.offsetForLeaderEpoch(currentLeaderEpoch, leaderEpoch)
        return { errorCode: 0, partition: index, ...end }
      } catch (error) {
        return { errorCode: ctx.refusal(error).errorCode, partition: index }
      }
    }),
  }))
  return { topics }
}

export function offsetForLeaderEpochFailure(
  request: OffsetForLeaderEpochRequest,
  { errorCode }: Failure,
): OffsetForLeaderEpochResponse {
  return {
    topics: request.topics.map(({ topic, partitions }) => ({
      topic,
      partitions: partitions.map(({ partition }) => ({ errorCode, partition })),
    })),
  }
}
