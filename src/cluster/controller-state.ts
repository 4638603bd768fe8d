/**
 * What the controller decides on request: each function reads the image and answers the transactions
 * to make, in order, and what to tell the client. Pure; `controller.ts` adds the compares that make
 * each of them take effect at most once, and waits for the image between them.
 *
 * What nobody asks for (fencing, admission, election) is in `repairs.ts`.
 */
import type { Compare, Op } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import type {
  ConfigChange,
  ConfigResource,
  ConfigRules,
  CreatedTopic,
  DeletedTopic,
  NewPartitions,
  NewTopic,
  TopicRef,
} from './admin.ts'
import { changedOverrides } from './config-ops.ts'
import type { Image, Topic } from './image.ts'
import { codecs, keys } from './keys.ts'
import type { Member, PartitionState } from './partition-state.ts'
import { type PlacedBroker, placeReplicas } from './placement.ts'
import {
  assignmentsOf,
  checkAssignments,
  checkTopicName,
  collisionKey,
  maxPartitions,
  maxTopicPartitions,
} from './topic-rules.ts'

/** One transaction, without the controller's own compares and its `controller-seq`. */
export interface Step {
  readonly compares: readonly Compare[]
  readonly ops: readonly Op[]
}

/** What to commit, in order, and what to answer when that is done. */
export interface Plan<Answer> {
  readonly steps: readonly Step[]
  readonly answer: Answer
}

/** What a decision needs from outside itself. */
export interface Given {
  readonly rules: ConfigRules
  readonly nowMs: number
  /** Any whole number ≥ 0. */
  readonly random: number
}

/** Partitions written in one transaction: the store takes 128 operations. */
export const chunkSize = 100

/** Characters of all keys and values: JSON may need six bytes for one. */
const largestOverrides = 128 * 1024

/** `topicId` is a fresh random one. */
export function createTopic(
  image: Image,
  topic: NewTopic,
  topicId: string,
  given: Given,
): Plan<CreatedTopic> {
  checkNewName(image, topic.name)
  const configs = new Map<string, string>()
  for (const [key, value] of topic.configs) {
    if (value === null) throw new KafkaError('INVALID_CONFIG', `${key} has no value`)
    configs.set(key, value)
  }
  checkOverrides({ type: 'topic', name: topic.name }, configs, given.rules)

  const replicas = newTopicReplicas(image, topic, given)
  checkCapacity(image, replicas.length, replicas.length)
  const minIsr = given.rules.minInsyncReplicas(configs)
  const partitions = replicas.map(ids => newPartition(image, ids, minIsr))
  const info = { name: topic.name, partitionCount: partitions.length, createdMs: given.nowMs }
  const head: Op[] = [{ put: keys.info(topicId), value: codecs.info.encode(info) }]
  if (configs.size > 0) head.push(putOverrides({ type: 'topic', name: topic.name }, configs))
  const steps = partitionSteps(topicId, partitions, 0, head, [
    { put: keys.byName(topic.name), value: codecs.byName.encode({ topicId }) },
  ])
  const answer = {
    name: topic.name,
    topicId,
    partitionCount: partitions.length,
    replicationFactor: replicas[0]!.length,
    configs,
  }
  return { steps, answer }
}

/** Throws UNKNOWN_TOPIC_OR_PARTITION, or UNKNOWN_TOPIC_ID for an id. */
export function deleteTopic(image: Image, ref: TopicRef, given: Given): Plan<DeletedTopic> {
  const topic = 'name' in ref ? image.topicByName(ref.name) : image.topicById(ref.topicId)
  if (topic === undefined) {
    throw new KafkaError('name' in ref ? 'UNKNOWN_TOPIC_OR_PARTITION' : 'UNKNOWN_TOPIC_ID')
  }
  const { name, topicId, partitions } = topic
  const waiting = [...new Set(partitions.flatMap(({ replicas }) => replicas))]
  const value = codecs.deleted.encode({ deletedMs: given.nowMs, waiting })
  const ops: Op[] = [
    { delete: { key: keys.byName(name) } },
    { delete: { prefix: keys.topic(topicId) } },
    { delete: { prefix: keys.reassignments(topicId) } },
    { delete: { key: keys.configs('topic', name) } },
    { put: keys.deleted(topicId), value },
  ]
  return { steps: [{ compares: [], ops }], answer: { name, topicId } }
}

/** Keys of a topic whose creation an earlier controller did not finish: it was never to be seen. */
export function dropUnnamedTopic(topicId: string): Step {
  return { compares: [], ops: [{ delete: { prefix: keys.topic(topicId) } }] }
}

/** Throws INVALID_PARTITIONS when it is no increase, INVALID_REPLICA_ASSIGNMENT, POLICY_VIOLATION. */
export function createPartitions(
  image: Image,
  request: NewPartitions,
  given: Given,
): Plan<Record<never, never>> {
  const topic = knownTopic(image, request.name)
  const before = topic.partitions.length
  const added = request.count - before
  if (added <= 0) {
    throw new KafkaError(
      'INVALID_PARTITIONS',
      `${request.name} has ${before} partitions: ${request.count} would be no increase`,
    )
  }
  checkCapacity(image, request.count, added)
  // One that moves has the replicas it leaves, too.
  const move = image.reassignment(topic.topicId, 0)?.value
  const replicationFactor = (move?.target ?? topic.partitions[0]!.replicas).length
  const { assignments } = request
  if (assignments !== undefined && assignments.length !== added) {
    throw new KafkaError(
      'INVALID_REPLICA_ASSIGNMENT',
      `${added} partitions are added, and ${assignments.length} assigned`,
    )
  }
  const replicas =
    assignments === undefined
      ? placed(image, added, replicationFactor, given.random, before)
      : checkAssignments(assignments, isKnown(image), replicationFactor)
  const minIsr = given.rules.minInsyncReplicas(image.configs('topic', request.name))
  const partitions = replicas.map(ids => newPartition(image, ids, minIsr))
  const info = image.topicInfo(topic.topicId)!.value
  const steps = partitionSteps(
    topic.topicId,
    partitions,
    before,
    [],
    [
      {
        put: keys.info(topic.topicId),
        value: codecs.info.encode({ ...info, partitionCount: request.count }),
      },
    ],
  )
  return { steps, answer: {} }
}

/** Throws INVALID_CONFIG, INVALID_REQUEST, UNKNOWN_TOPIC_OR_PARTITION. */
export function changeConfigs(
  image: Image,
  change: ConfigChange,
  given: Given,
): Plan<Record<never, never>> {
  const { resource } = change
  checkResource(image, resource)
  const before = image.configs(resource.type, resource.name)
  const after = changedOverrides(change, before, given.rules)
  checkOverrides(resource, after, given.rules)
  if (isSameMap(before, after)) return { steps: [], answer: {} }
  const unknown = image.configsEntry(resource.type, resource.name)?.value.unknown
  const op: Op =
    after.size === 0 && unknown === undefined
      ? { delete: { key: keys.configs(resource.type, resource.name) } }
      : putOverrides(resource, after, unknown)
  return { steps: [{ compares: [], ops: [op] }], answer: {} }
}

function checkNewName(image: Image, name: string): void {
  checkTopicName(name)
  if (image.topicIdOf(name) !== undefined) {
    throw new KafkaError('TOPIC_ALREADY_EXISTS', `topic ${name} already exists`)
  }
  const other = image.collidingTopic(collisionKey(name))
  if (other !== undefined) {
    throw new KafkaError(
      'INVALID_TOPIC_EXCEPTION',
      `${name} collides with topic ${other}: . and _ are one character in metric names`,
    )
  }
}

function newTopicReplicas(image: Image, topic: NewTopic, given: Given): number[][] {
  const assignments = assignmentsOf(topic)
  if (assignments !== undefined) {
    return checkAssignments(assignments, isKnown(image))
  }
  const { rules } = given
  const count = topic.partitionCount === -1 ? rules.defaultPartitions : topic.partitionCount
  if (count <= 0) throw new KafkaError('INVALID_PARTITIONS', `${count} partitions`)
  const factor =
    topic.replicationFactor === -1 ? rules.defaultReplicationFactor : topic.replicationFactor
  if (factor <= 0) {
    throw new KafkaError('INVALID_REPLICATION_FACTOR', `replication factor ${factor}`)
  }
  checkCapacity(image, count, count)
  return placed(image, count, factor, given.random)
}

function checkCapacity(image: Image, inTopic: number, added: number): void {
  if (inTopic > maxTopicPartitions) {
    throw new KafkaError('POLICY_VIOLATION', `a topic has at most ${maxTopicPartitions} partitions`)
  }
  if (image.partitionCount + added > maxPartitions) {
    throw new KafkaError('POLICY_VIOLATION', `a cluster has at most ${maxPartitions} partitions`)
  }
}

function checkResource(image: Image, { type, name }: ConfigResource): void {
  if (type === 'topic') {
    checkTopicName(name)
    knownTopic(image, name)
  } else if (name !== '') {
    if (!/^\d{1,10}$/.test(name)) throw new KafkaError('INVALID_REQUEST', `${name} is no broker id`)
    if (image.broker(Number(name)) === undefined) {
      throw new KafkaError('INVALID_REQUEST', `broker ${name} is not registered`)
    }
  }
}

function checkOverrides(
  resource: ConfigResource,
  overrides: ReadonlyMap<string, string>,
  rules: ConfigRules,
): void {
  let bytes = 0
  for (const [key, value] of overrides) bytes += key.length + value.length
  if (bytes > largestOverrides) throw new KafkaError('INVALID_CONFIG', 'the values are too long')
  rules.validate(resource, overrides)
}

function putOverrides(
  { type, name }: ConfigResource,
  entries: ReadonlyMap<string, string>,
  unknown?: Readonly<Record<string, unknown>>,
): Op {
  const value = codecs.configs.encode(unknown === undefined ? { entries } : { entries, unknown })
  return { put: keys.configs(type, name), value }
}

/** Partitions in chunks: `head` goes with the first, `tail` with the last. */
function partitionSteps(
  topicId: string,
  partitions: readonly PartitionState[],
  firstIndex: number,
  head: readonly Op[],
  tail: readonly Op[],
): Step[] {
  const steps: Step[] = []
  for (let at = 0; at < partitions.length; at += chunkSize) {
    const puts = partitions.slice(at, at + chunkSize).map((state, i) => ({
      put: keys.partition(topicId, firstIndex + at + i),
      value: codecs.partition.encode(state),
    }))
    const isLast = at + chunkSize >= partitions.length
    const ops = [...(at === 0 ? head : []), ...puts, ...(isLast ? tail : [])]
    steps.push({ compares: [], ops })
  }
  return steps
}

function newPartition(image: Image, replicas: readonly number[], minIsr: number): PartitionState {
  const isr: Member[] = []
  for (const id of replicas) {
    const epoch = image.usable(id)
    if (epoch !== undefined) isr.push([id, epoch])
  }
  if (isr.length === 0) {
    throw new KafkaError('INVALID_REPLICA_ASSIGNMENT', `none of brokers ${replicas} is available`)
  }
  return {
    leader: isr[0]!,
    leaderEpoch: 0,
    partitionEpoch: 0,
    minIsr: Math.min(minIsr, replicas.length),
    replicas,
    isr,
    elr: [],
    lastKnown: [],
    adding: [],
    removing: [],
  }
}

function knownTopic(image: Image, name: string): Topic {
  const topic = image.topicByName(name)
  if (topic === undefined) throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `no topic ${name}`)
  return topic
}

/**
 * Where new replicas go: to brokers that can have them now. Those that are away for a time make up
 * the number (a topic can be made while a broker restarts), but never lead at first.
 */
function placed(
  image: Image,
  count: number,
  factor: number,
  random: number,
  firstIndex = 0,
): number[][] {
  const usable: PlacedBroker[] = [...image.brokers()].filter(
    ({ brokerId }) => image.usable(brokerId) !== undefined,
  )
  const others = [...image.knownBrokers()].filter(id => image.usable(id) === undefined)
  const missing = factor - usable.length
  if (missing <= 0 || usable.length === 0 || missing > others.length) {
    return placeReplicas(usable, count, factor, random, firstIndex)
  }
  return placeReplicas(usable, count, usable.length, random, firstIndex).map((replicas, i) => [
    ...replicas,
    ...Array.from({ length: missing }, (_, j) => others[(i + j) % others.length]!),
  ])
}

const isKnown = (image: Image) => {
  const known = new Set(image.knownBrokers())
  return (brokerId: number) => known.has(brokerId)
}

function isSameMap(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value)
}
