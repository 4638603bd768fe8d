/** What can be asked of topics and configs, one call each; answers are in the order of the question. */
import { errorName, type KafkaError } from '../protocol/errors.ts'
import {
  createPartitionsRequest,
  createPartitionsResponse,
} from '../protocol/messages/create-partitions.ts'
import { createTopicsRequest, createTopicsResponse } from '../protocol/messages/create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from '../protocol/messages/delete-topics.ts'
import {
  describeConfigsRequest,
  describeConfigsResponse,
} from '../protocol/messages/describe-configs.ts'
import {
  incrementalAlterConfigsRequest,
  incrementalAlterConfigsResponse,
} from '../protocol/messages/incremental-alter-configs.ts'
import { type Incoming, zeroUuid } from '../protocol/schema.ts'
import { type Cluster, refused } from './cluster.ts'

/** How long a broker may take to decide and apply a change. */
const timeoutMs = 20_000

const topicResource = 2

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
  cluster: Cluster,
  topics: readonly TopicToCreate[],
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
  })
  return answer.topics.map(topic => ({
    ...topic,
    error: refused(topic.errorCode, topic.errorMessage),
  }))
}

/** Deletes topics; they are gone when this answers. */
export async function deleteTopics(
  cluster: Cluster,
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
  cluster: Cluster,
  name: string,
  count: number,
): Promise<void> {
  const answer = await cluster.call(createPartitionsRequest, createPartitionsResponse, {
    topics: [{ name, count, assignments: null }],
    timeoutMs,
    validateOnly: false,
  })
  for (const { errorCode, errorMessage } of answer.results) {
    if (errorCode !== 0) throw refused(errorCode, errorMessage)
  }
}

export type TopicConfig = Incoming<
  typeof describeConfigsResponse
>['results'][number]['configs'][number]

/** `configSource` of a config that was set on the topic itself. */
export const setOnTopic = 1

/** All configs of each topic, set or default. Throws KafkaError when one topic is refused. */
export async function describeConfigs(
  cluster: Cluster,
  names: readonly string[],
): Promise<Map<string, readonly TopicConfig[]>> {
  const answer = await cluster.call(describeConfigsRequest, describeConfigsResponse, {
    resources: names.map(resourceName => ({
      resourceType: topicResource,
      resourceName,
      configurationKeys: null,
    })),
  })
  const configs = new Map<string, readonly TopicConfig[]>()
  for (const result of answer.results) {
    if (result.errorCode !== 0) {
      const why = `configs of ${result.resourceName}: ${result.errorMessage ?? errorName(result.errorCode)}`
      throw refused(result.errorCode, why)
    }
    configs.set(result.resourceName, result.configs)
  }
  return configs
}

/** Sets configs of a topic, or with null takes one back to its default. Throws KafkaError. */
export async function alterConfigs(
  cluster: Cluster,
  name: string,
  changes: ReadonlyMap<string, string | null>,
): Promise<void> {
  const answer = await cluster.call(
    incrementalAlterConfigsRequest,
    incrementalAlterConfigsResponse,
    {
      resources: [
        {
          resourceType: topicResource,
          resourceName: name,
          configs: [...changes].map(([key, value]) => ({
            name: key,
            configOperation: value === null ? 1 : 0,
            value,
          })),
        },
      ],
      validateOnly: false,
    },
  )
  for (const { errorCode, errorMessage } of answer.responses) {
    if (errorCode !== 0) throw refused(errorCode, errorMessage)
  }
}
