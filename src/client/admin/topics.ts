/**
 * Topics: lists, descriptions, changes.
 *
 * Apache Kafka answers a change when its controller has decided it, a moment before the other
 * brokers know. Here a change is settled when metadata shows it: a topic that was created has all its
 * leaders, one that was deleted is gone.
 */
import { KafkaError } from '../../protocol/errors.ts'
import {
  createPartitionsRequest,
  createPartitionsResponse,
} from '../../protocol/messages/create-partitions.ts'
import { createTopicsRequest, createTopicsResponse } from '../../protocol/messages/create-topics.ts'
import { deleteTopicsRequest, deleteTopicsResponse } from '../../protocol/messages/delete-topics.ts'
import { zeroUuid } from '../../protocol/schema.ts'
import type { ClusterMetadata } from '../cluster.ts'
import type { AdminCall } from './call.ts'
import { configText, describeConfigs } from './configs.ts'
import type {
  CreatedTopic,
  NewPartitions,
  NewTopic,
  TopicDescription,
  TopicListing,
} from './options.ts'
import { asOutcomes, type Outcome, refusal, unanswered } from './outcome.ts'

type TopicMetadata = ClusterMetadata['topics'][number]
type Assignments = NewTopic['assignments']

/** In order of their names. */
export async function listTopics(call: AdminCall, internal: boolean): Promise<TopicListing[]> {
  const { topics } = await call.caller.metadata()
  return topics
    .filter(({ name, isInternal }) => name !== null && (internal || !isInternal))
    .map(({ name, topicId, isInternal, partitions }) => ({
      topic: name!,
      topicId: idOf(topicId),
      isInternal,
      partitions: partitions.length,
      replicationFactor: partitions[0]?.replicaNodes.length ?? 0,
    }))
    .toSorted((a, b) => (a.topic < b.topic ? -1 : 1))
}

/** Of all topics when `names` is undefined. */
export async function describeTopics(
  call: AdminCall,
  names: readonly string[] | undefined,
  configs: boolean,
): Promise<Outcome<{ topic: string }, TopicDescription>[]> {
  const found = names?.length === 0 ? [] : (await call.caller.metadata(names)).topics
  const byName = new Map(found.map(each => [each.name, each]))
  const asked = names ?? found.map(({ name }) => name!).toSorted()
  const results = asked.map(name => described(name, byName.get(name)))
  if (configs) await addConfigs(call, asked, results)
  return asOutcomes(asked, topicKey, results)
}

async function addConfigs(
  call: AdminCall,
  names: readonly string[],
  results: (TopicDescription | KafkaError)[],
): Promise<void> {
  const known = names.filter((_, index) => !(results[index] instanceof KafkaError))
  const resources = known.map(name => ({ kind: 'topic', name }) as const)
  const outcomes = await describeConfigs(call, resources, {})
  const byName = new Map(outcomes.map(each => [each.name, each]))
  for (const [index, result] of results.entries()) {
    if (result instanceof KafkaError) continue
    const { error, configs } = byName.get(names[index]!)!
    results[index] = error ?? { ...result, configs }
  }
}

function described(name: string, found: TopicMetadata | undefined): TopicDescription | KafkaError {
  if (found === undefined) return unanswered(`topic ${name}`)
  const error = refusal(found.errorCode, `topic ${name}`)
  if (error !== undefined) return error
  return {
    topicId: idOf(found.topicId),
    isInternal: found.isInternal,
    partitions: found.partitions
      .map(each => ({
        partition: each.partitionIndex,
        leader: each.leaderId,
        leaderEpoch: each.leaderEpoch,
        replicas: each.replicaNodes,
        isr: each.isrNodes,
        offlineReplicas: each.offlineReplicas,
      }))
      .toSorted((a, b) => a.partition - b.partition),
    configs: undefined,
  }
}

export async function createTopics(
  call: AdminCall,
  topics: readonly NewTopic[],
  validateOnly: boolean,
): Promise<Outcome<{ topic: string }, CreatedTopic>[]> {
  const results = await call.settle(topics, async open => {
    const answer = await call.toController(createTopicsRequest, createTopicsResponse, {
      topics: open.map(topicToCreate),
      timeoutMs: call.brokerTimeoutMs,
      validateOnly,
    })
    const byName = new Map(answer.topics.map(each => [each.name, each]))
    return open.map(({ topic }): CreatedTopic | KafkaError => {
      const found = byName.get(topic)
      if (found === undefined) return unanswered(`topic ${topic}`)
      const { topicId, numPartitions, replicationFactor } = found
      const error = refusal(found.errorCode, `topic ${topic}`, found.errorMessage)
      return error ?? { topicId: idOf(topicId), partitions: numPartitions, replicationFactor }
    })
  })
  if (!validateOnly) await untilLed(call, topics, results)
  return asOutcomes(topics, topicKey, results)
}

function topicToCreate({ topic, partitions, replicationFactor, assignments, configs }: NewTopic) {
  return {
    name: topic,
    numPartitions: partitions ?? -1,
    replicationFactor: replicationFactor ?? -1,
    assignments: (assignments ?? []).map((brokerIds, partitionIndex) => ({
      partitionIndex,
      brokerIds,
    })),
    configs: Object.entries(configs ?? {}).map(([name, value]) => ({
      name,
      value: configText(value),
    })),
  }
}

export async function createPartitions(
  call: AdminCall,
  topics: readonly NewPartitions[],
  validateOnly: boolean,
): Promise<Outcome<{ topic: string }, { partitions: number }>[]> {
  const results = await call.settle(topics, async open => {
    const answer = await call.toController(createPartitionsRequest, createPartitionsResponse, {
      topics: open.map(({ topic, count, assignments }) => ({
        name: topic,
        count,
        assignments: replicasOf(assignments),
      })),
      timeoutMs: call.brokerTimeoutMs,
      validateOnly,
    })
    const byName = new Map(answer.results.map(each => [each.name, each]))
    return open.map(({ topic, count }) => {
      const found = byName.get(topic)
      if (found === undefined) return unanswered(`topic ${topic}`)
      const error = refusal(found.errorCode, `topic ${topic}`, found.errorMessage)
      return error ?? { partitions: count }
    })
  })
  if (!validateOnly) await untilLed(call, topics, results)
  return asOutcomes(topics, topicKey, results)
}

function replicasOf(assignments: Assignments) {
  return assignments?.map(brokerIds => ({ brokerIds })) ?? null
}

export async function deleteTopics(
  call: AdminCall,
  names: readonly string[],
): Promise<Outcome<{ topic: string }, { topicId: string }>[]> {
  const results = await call.settle(names, async open => {
    const { brokerTimeoutMs: timeoutMs } = call
    const body = (version: number) =>
      version >= 6
        ? { topics: open.map(name => ({ name, topicId: zeroUuid })), timeoutMs }
        : { topicNames: open, timeoutMs }
    const answer = await call.toController(deleteTopicsRequest, deleteTopicsResponse, body)
    const byName = new Map(answer.responses.map(each => [each.name, each]))
    return open.map((name): { topicId: string } | KafkaError => {
      const found = byName.get(name)
      if (found === undefined) return unanswered(`topic ${name}`)
      const error = refusal(found.errorCode, `topic ${name}`, found.errorMessage)
      return error ?? { topicId: idOf(found.topicId) }
    })
  })
  await untilGone(call, names, results)
  return asOutcomes(names, topicKey, results)
}

/** Until metadata shows a leader for each partition; the outcome of those without is an error then. */
async function untilLed(
  call: AdminCall,
  topics: readonly { readonly topic: string }[],
  results: ({ readonly partitions: number } | KafkaError)[],
): Promise<void> {
  const isOpen = (found: TopicMetadata, result: { readonly partitions: number }) =>
    found.errorCode !== 0 ||
    found.partitions.length < result.partitions ||
    found.partitions.some(({ leaderId }) => leaderId < 0)
  const names = topics.map(({ topic }) => topic)
  await untilShown(call, names, results, isOpen, name => {
    const why = `topic ${name} was created, but has partitions without a leader yet`
    return new KafkaError('LEADER_NOT_AVAILABLE', why)
  })
}

/** Until metadata does not have them, or has others of their names. */
async function untilGone(
  call: AdminCall,
  names: readonly string[],
  results: ({ readonly topicId: string } | KafkaError)[],
): Promise<void> {
  const isOpen = (found: TopicMetadata, result: { readonly topicId: string }) =>
    found.errorCode === 0 && idOf(found.topicId) === result.topicId
  await untilShown(call, names, results, isOpen, name => {
    const why = `the deletion of topic ${name} was begun, but it is not gone yet`
    return new KafkaError('REQUEST_TIMED_OUT', why)
  })
}

/** Asks for metadata of what was done until none is `isOpen` any more; what is at the end is `late`. */
async function untilShown<Value>(
  call: AdminCall,
  names: readonly string[],
  results: (Value | KafkaError)[],
  isOpen: (found: TopicMetadata, result: Value) => boolean,
  late: (name: string) => KafkaError,
): Promise<void> {
  let open = [...names.keys()].filter(index => !(results[index] instanceof KafkaError))
  for (let attempt = 0; open.length > 0; attempt++) {
    const { topics } = await call.caller.metadata(open.map(index => names[index]!))
    const byName = new Map(topics.map(each => [each.name, each]))
    open = open.filter(index => {
      const found = byName.get(names[index]!)
      return found === undefined || isOpen(found, results[index] as Value)
    })
    if (open.length > 0 && !(await call.backoff(attempt))) break
  }
  for (const index of open) results[index] = late(names[index]!)
}

function topicKey(topic: string | { readonly topic: string }): { topic: string } {
  return { topic: typeof topic === 'string' ? topic : topic.topic }
}

/** Brokers without ids say zeros. */
function idOf(topicId: string): string {
  return topicId === zeroUuid ? '' : topicId
}
