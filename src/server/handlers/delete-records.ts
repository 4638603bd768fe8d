/** DeleteRecords (key 21), v0–2: moves the log start up to an offset; −1 is the high watermark. */
import type {
  DeleteRecordsRequest,
  DeleteRecordsResponse,
} from '../../protocol/messages/delete-records.ts'
import type { Failure, RequestContext } from '../context.ts'

export async function deleteRecords(
  ctx: RequestContext,
  request: DeleteRecordsRequest,
): Promise<DeleteRecordsResponse> {
  const topics = request.topics.map(async ({ name, partitions }) => ({
    name,
    partitions: await Promise.all(
      partitions.map(({ partitionIndex, offset }) =>
        deleteBefore(ctx, name, partitionIndex, offset),
      ),
    ),
  }))
  return { topics: await Promise.all(topics) }
}

async function deleteBefore(
  ctx: RequestContext,
  name: string,
  partitionIndex: number,
  offset: number,
) {
  try {
    const partition = ctx.leader(ctx.topicByName(name).name, partitionIndex)
    return { partitionIndex, errorCode: 0, lowWatermark: await partition.deleteRecords(offset) }
  } catch (error) {
    return { partitionIndex, errorCode: ctx.refusal(error).errorCode, lowWatermark: -1 }
  }
}

export function deleteRecordsFailure(
  request: DeleteRecordsRequest,
  { errorCode }: Failure,
): DeleteRecordsResponse {
  return {
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({
        partitionIndex,
        errorCode,
        lowWatermark: -1,
      })),
    })),
  }
}
