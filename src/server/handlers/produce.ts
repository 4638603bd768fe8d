/**
 * Produce (key 0), v3–13. Every append happens before the first await, so that the order in which
 * requests came is the order in the log. Transactions are not here yet: a transactional id, and a
 * batch that is marked transactional, are refused, for nobody could end what they would begin.
 */
import { RecordsError } from '../../log/validation.ts'
import { KafkaError } from '../../protocol/errors.ts'
import type { ProduceRequest, ProduceResponse } from '../../protocol/messages/produce.ts'
import { attributeBits, compressions, fieldAt } from '../../protocol/records/batch.ts'
import { CloseConnection, type Failure, type NoResponse, type RequestContext } from '../context.ts'
import { type CurrentLeaders, currentLeaders } from '../current-leaders.ts'

type TopicData = ProduceRequest['topicData'][number]
type PartitionData = TopicData['partitionData'][number]
type PartitionResponse = ProduceResponse['responses'][number]['partitionResponses'][number]

/** Who says to be this may write into the topics of the broker, as in Kafka: it repairs them. */
const adminClientId = '__admin_client'

export async function produce(
  ctx: RequestContext,
  request: ProduceRequest,
): Promise<ProduceResponse | NoResponse> {
  const leaders = currentLeaders(ctx, { leader: 10, endpoints: 10 })
  const topics = request.topicData.map(topic => ({
    topic,
    appends: topic.partitionData.map(data => appendPartition(ctx, request, topic, data, leaders)),
  }))
  const responses = await Promise.all(
    topics.map(async ({ topic, appends }) => ({
      name: topic.name,
      topicId: topic.topicId,
      partitionResponses: await Promise.all(appends),
    })),
  )
  if (request.acks === 0) {
    return ctx.unanswered(
      responses.flatMap(topic => topic.partitionResponses.map(({ errorCode }) => errorCode)),
    )
  }
  return { responses, nodeEndpoints: leaders.endpoints() }
}

async function appendPartition(
  ctx: RequestContext,
  request: ProduceRequest,
  topicData: TopicData,
  data: PartitionData,
  leaders: CurrentLeaders,
): Promise<PartitionResponse> {
  const { index } = data
  try {
    const records = acceptable(ctx, request, data)
    const topic = ctx.topic(topicData.topicId, topicData.name)
    if (topic.internal && ctx.header.clientId !== adminClientId) {
      throw new KafkaError('INVALID_TOPIC_EXCEPTION', `${topic.name} is the broker's own`)
    }
    const partition = ctx.leader(topic.name, index)
    partition.refuseWithoutRoom(records.length)
    const appended = partition.append(records, request.acks)
    await partition.acknowledged(appended, request.acks, ctx.deadlineMs(request.timeoutMs))
    const { baseOffset, logAppendTimeMs } = appended
    const { logStartOffset } = partition
    return { index, errorCode: 0, baseOffset, logAppendTimeMs, logStartOffset }
  } catch (error) {
    const refused = { index, baseOffset: -1, ...ctx.refusal(error) }
    if (error instanceof RecordsError) {
      const recordErrors = error.recordErrors.map(({ batchIndex, message }) => ({
        batchIndex,
        batchIndexErrorMessage: message,
      }))
      return { ...refused, recordErrors }
    }
    const currentLeader = leaders.after(error, topicData.topicId, topicData.name, index)
    return currentLeader === undefined ? refused : { ...refused, currentLeader }
  }
}

/** The first version in which a client may send zstd (KIP-110). */
const firstZstdVersion = 7

/**
 * Throws INVALID_RECORD, INVALID_REQUEST, UNSUPPORTED_COMPRESSION_TYPE. What else is in the batches
 * is for the log to check.
 */
function acceptable(
  ctx: RequestContext,
  request: ProduceRequest,
  { records }: PartitionData,
): Uint8Array {
  if (records === null || records.length === 0) {
    throw new KafkaError('INVALID_RECORD', 'a partition needs one record batch')
  }
  const attributes = records[fieldAt.attributes + 1] ?? 0
  const isMarked = (attributes & attributeBits.transactional) !== 0
  if (request.transactionalId !== null || isMarked) {
    throw new KafkaError('INVALID_REQUEST', 'transactions are not supported by this broker yet')
  }
  const compression = compressions[attributes & attributeBits.compression]
  if (compression === 'zstd' && ctx.version < firstZstdVersion) {
    throw new KafkaError('UNSUPPORTED_COMPRESSION_TYPE', `zstd needs v${firstZstdVersion}`)
  }
  return records
}

/** Throws CloseConnection with acks=0: a client that wants no answer must not get one. */
export function produceFailure(request: ProduceRequest, failure: Failure): ProduceResponse {
  if (request.acks === 0) throw new CloseConnection('a request with acks=0 failed')
  return {
    responses: request.topicData.map(topic => ({
      name: topic.name,
      topicId: topic.topicId,
      partitionResponses: topic.partitionData.map(({ index }) => ({
        index,
        baseOffset: -1,
        ...failure,
      })),
    })),
  }
}
