/** What can be asked of topics, one call each; answers are in the order of the question. */
import type { KafkaError } from '../protocol/errors.ts'
import {
  createPartitionsRequest,
  createPartitionsResponse,
} from '../protocol/messages/create-partitions.ts'
import { createTopicsRequest, createTopicsResponse } from '../protocol/messages/create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from '../protocol/messages/delete-topics.ts'
import { type Incoming, zeroUuid } from '../protocol/schema.ts'
import { type Caller, refused } from './cluster.ts'

/** How long a broker may take to decide and apply a change. */
const timeoutMs = 20_000

export interface TopicToCreate {
  readonly name: string
  /** Left out: the broker's default. */
  readonly partitions?: number | undefined
  readonly replicationFactor?: number | undefined
  readonly configs?: ReadonlyMap<string, string> | undefined
}

/** One answer for a topic: `error` when it was refused. */
export interface TopicOutcome {
  readonly name: string
  readonly error?: KafkaError | undefined
}

type Created = Incoming<typeof createTopicsResponse>['topics'][number]

/** Creates topics; they are ready to be written to when this answers. */
export async function createTopics(
  cluster: Caller,
  topics: readonly TopicToCreate[],
  { validateOnly = false }: { readonly validateOnly?: boolean } = {},
): Promise<(TopicOutcome & Pick<Created, 'topicId' | 'numPartitions' | 'replicationFactor'>)[]> {
  const answer = await cluster.call(createTopicsRequest, createTopicsResponse, {
    topics: topics.map(({ name, partitions, replicationFactor, configs }) => ({
      name,
      numPartitions: partitions ?? -1,
      replicationFactor: replicationFactor ?? -1,
      assignments: [],
      configs: [...(configs ?? [])].map(([key, value]) => ({ name: key, value })),
    })),
    timeoutMs,
    validateOnly,
  })
  return answer.topics.map(topic => ({
    ...topic,
    error: refused(topic.errorCode, topic.errorMessage),
  }))
}

/** Deletes topics; they are gone when this answers. */
export async function deleteTopics(
  cluster: Caller,
  names: readonly string[],
): Promise<TopicOutcome[]> {
  const body = (version: number) =>
    version >= 6
      ? { topics: names.map(name => ({ name, topicId: zeroUuid })), timeoutMs }
      : { topicNames: names, timeoutMs }
  const answer = await cluster.call(deleteTopicsRequest, deleteTopicsResponse, body)
  return answer.responses.map(({ name, errorCode, errorMessage }) => ({
    name: name ?? '',
    error: refused(errorCode, errorMessage),
  }))
}

/** Raises the number of partitions of a topic to `count`. Throws KafkaError. */
export async function createPartitions(
  cluster: Caller,
  name: string,
  count: number,
): Promise<void> {
  const outcomes = await raisePartitions(cluster, [{ name, count }])
  for (const { error } of outcomes) if (error !== undefined) throw error
}

/** Raises the numbers of partitions of topics, each to its `count`. */
export async function raisePartitions(
  cluster: Caller,
  topics: readonly { readonly name: string; readonly count: number }[],
  { validateOnly = false }: { readonly validateOnly?: boolean } = {},
): Promise<TopicOutcome[]> {
  const answer = await cluster.call(createPartitionsRequest, createPartitionsResponse, {
    topics: topics.map(({ name, count }) => ({ name, count, assignments: null })),
    timeoutMs,
    validateOnly,
  })
  return answer.results.map(({ name, errorCode, errorMessage }) => ({
    name,
    error: refused(errorCode, errorMessage),
  }))
}
