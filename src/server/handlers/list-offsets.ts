/**
 * ListOffsets (key 2), v1–11. Special timestamps: −1 latest, −2 earliest, −3 largest timestamp (v7+),
 * −4 earliest on local disk (v8+), −5 latest in tiered storage (v9+), −6 earliest that waits for
 * upload (v11+).
 */
import { KafkaError } from '../../protocol/errors.ts'
import type {
  ListOffsetsRequest,
  ListOffsetsResponse,
} from '../../protocol/messages/list-offsets.ts'
import type { Failure, RequestContext } from '../context.ts'
import { repeated } from '../repeated.ts'

type Topic = ListOffsetsRequest['topics'][number]
type Wanted = Topic['partitions'][number]
type Answer = ListOffsetsResponse['topics'][number]['partitions'][number]

/** First version that knows each special timestamp. */
const specialSince = new Map([
  [-1, 0],
  [-2, 0],
  [-3, 7],
  [-4, 8],
  [-5, 9],
  [-6, 11],
])

export async function listOffsets(
  ctx: RequestContext,
  request: ListOffsetsRequest,
): Promise<ListOffsetsResponse> {
  const topics = request.topics.map(async topic => {
    const twice = repeated(topic.partitions.map(({ partitionIndex }) => partitionIndex))
    const partitions = topic.partitions.map(wanted => find(ctx, request, topic, wanted, twice))
    return { name: topic.name, partitions: await Promise.all(partitions) }
  })
  return { topics: await Promise.all(topics) }
}

async function find(
  ctx: RequestContext,
  request: ListOffsetsRequest,
  topic: Topic,
  wanted: Wanted,
  twice: ReadonlySet<number>,
): Promise<Answer> {
  const { partitionIndex, timestamp, currentLeaderEpoch } = wanted
  try {
    if (timestamp < 0 && ctx.version < (specialSince.get(timestamp) ?? Infinity)) {
      throw new KafkaError('UNSUPPORTED_VERSION')
    }
    if (twice.has(partitionIndex)) {
      throw new KafkaError('INVALID_REQUEST', `partition ${partitionIndex} is asked for twice`)
    }
    const isolation = request.isolationLevel === 1 ? 'read_committed' : 'read_uncommitted'
    const partition = ctx.leader(ctx.topicByName(topic.name).name, partitionIndex)
    const found = await partition.listOffset(timestamp, isolation, currentLeaderEpoch)
    const { offset, timestamp: foundMs, leaderEpoch } = found
    const answer = { partitionIndex, errorCode: 0, offset, timestamp: foundMs }
    return ctx.version < 4 ? answer : { ...answer, leaderEpoch }
  } catch (error) {
    return { partitionIndex, errorCode: codeFor(ctx, error) }
  }
}

/** Clients before v5 do not know OFFSET_NOT_AVAILABLE (KIP-207). */
function codeFor(ctx: RequestContext, error: unknown): number {
  const { errorCode } = ctx.refusal(error)
  const isTooNew = error instanceof KafkaError && error.error === 'OFFSET_NOT_AVAILABLE'
  return isTooNew && ctx.version < 5 ? new KafkaError('LEADER_NOT_AVAILABLE').code : errorCode
}

export function listOffsetsFailure(
  request: ListOffsetsRequest,
  { errorCode }: Failure,
): ListOffsetsResponse {
  return {
    topics: request.topics.map(({ name, partitions }) => ({
      name,
      partitions: partitions.map(({ partitionIndex }) => ({ partitionIndex, errorCode })),
    })),
  }
}
