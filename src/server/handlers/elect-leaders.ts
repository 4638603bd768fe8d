/**
 * ElectLeaders (key 43), v0–2. Asked for all partitions, it answers those that something was done
 * about, as Kafka does; asked for some, all of them.
 */
import type { ElectionKind, PartitionRef } from '../../cluster/admin.ts'
import type { Image } from '../../cluster/image.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type {
  ElectLeadersRequest,
  ElectLeadersResponse,
} from '../../protocol/messages/elect-leaders.ts'
import type { Failure, RequestContext } from '../context.ts'
import { byTopic } from '../topic-lists.ts'

const kinds: readonly ElectionKind[] = ['preferred', 'unclean']

export async function electLeaders(
  ctx: RequestContext,
  request: ElectLeadersRequest,
): Promise<ElectLeadersResponse> {
  const kind = kinds[request.electionType]
  if (kind === undefined) {
    throw new KafkaError('INVALID_REQUEST', `Unknown election type ${request.electionType}`)
  }
  const { topicPartitions } = request
  const asked =
    topicPartitions?.flatMap(({ topic, partitions }) =>
      partitions.map(index => ({ topic, index })),
    ) ?? inNeed(ctx.image, kind)
  const outcomes = await ctx.domain.controller.electLeaders(kind, asked, {
    deadlineMs: ctx.deadlineMs(request.timeoutMs),
  })
  const told = outcomes.filter(
    ({ error }) => topicPartitions !== null || error?.error !== 'ELECTION_NOT_NEEDED',
  )
  const replicaElectionResults = byTopic(told).map(([topic, ofTopic]) => ({
    topic,
    partitionResult: ofTopic.map(({ index, error }) => ({
      partitionId: index,
      ...(error === undefined ? { errorCode: 0, errorMessage: null } : ctx.refusal(error)),
    })),
  }))
  return { errorCode: 0, replicaElectionResults }
}

function inNeed(image: Image, kind: ElectionKind): PartitionRef[] {
  return [...image.topics()].flatMap(({ name, partitions }) =>
    partitions.flatMap(({ leader, replicas }, index) => {
      const isInNeed = kind === 'unclean' ? leader === null : leader?.[0] !== replicas[0]
      return isInNeed ? [{ topic: name, index }] : []
    }),
  )
}

/** In v0 the answer as a whole has no code: each partition is told. */
export function electLeadersFailure(
  { topicPartitions }: ElectLeadersRequest,
  failure: Failure,
  version: number,
): ElectLeadersResponse {
  if (version > 0) return { errorCode: failure.errorCode, replicaElectionResults: [] }
  const replicaElectionResults = (topicPartitions ?? []).map(({ topic, partitions }) => ({
    topic,
    partitionResult: partitions.map(partitionId => ({ partitionId, ...failure })),
  }))
  return { errorCode: 0, replicaElectionResults }
}
