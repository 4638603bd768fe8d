/**
 * The admin of kafkajs over Ottla's. Where Ottla answers for each thing that was asked about, kafkajs
 * throws the first refusal, in a class of its own for some calls.
 */

import type { ConfigEntry, ConfigResource, OffsetQuery } from '../client/admin/options.ts'
import { orThrow } from '../client/admin/outcome.ts'
import { Admin as OttlaAdmin } from '../client/admin.ts'
import { errorName, errors, KafkaError } from '../protocol/errors.ts'
import type {
  Admin,
  ConfigEntries,
  IResourceConfig,
  ITopicConfig,
  ResourceConfigQuery,
  SeekEntry,
} from './admin-types.ts'
import { ConfigResourceTypes, ConfigSource } from './constants.ts'
import {
  KafkaJSAggregateError,
  KafkaJSCreateTopicError,
  KafkaJSDeleteGroupsError,
  KafkaJSDeleteTopicRecordsError,
  KafkaJSError,
  KafkaJSNonRetriableError,
  KafkaJSProtocolError,
  refusal,
  refuse,
  translated,
  translatedAfterRetries,
} from './errors.ts'
import { type AdminEvents, adminEvents, Emitter, type On } from './events.ts'
import { groupDescription } from './groups.ts'
import { Line, type LineOptions } from './line.ts'
import { seekTargetOf } from './offsets.ts'
import { partitionsOf, topicMetadataOf } from './topic-metadata.ts'

export function createAdmin(options: LineOptions): Admin {
  return new KafkaAdmin(options)
}

// Its methods are properties, for programs take them off the object.
class KafkaAdmin implements Admin {
  readonly events: AdminEvents = adminEvents
  readonly #options: LineOptions
  readonly #line: Line
  readonly #emitter: Emitter

  constructor(options: LineOptions) {
    this.#options = options
    this.#line = new Line(options)
    this.#emitter = new Emitter(adminEvents, options.io.clock, options.logger)
  }

  readonly connect: Admin['connect'] = async () => {
    await this.#line.open()
    this.#emitter.emit('admin.connect', null)
  }

  readonly disconnect: Admin['disconnect'] = async () => {
    await this.#line.close()
    this.#emitter.emit('admin.disconnect', null)
  }

  readonly logger: Admin['logger'] = () => this.#options.logger
  readonly on = ((name, listener) => this.#emitter.on(name, listener)) as On<AdminEvents>

  readonly listTopics: Admin['listTopics'] = () =>
    this.#ask(async admin => (await admin.listTopics({ internal: true })).map(each => each.topic))

  readonly createTopics: Admin['createTopics'] = ({ topics, validateOnly, timeout }) =>
    this.#ask(async admin => {
      const wanted = listOf(topics, 'topics').map(newTopic)
      if (new Set(wanted.map(({ topic }) => topic)).size < wanted.length) {
        throw new KafkaJSNonRetriableError('topics: one is named twice')
      }
      const outcomes = await admin.createTopics(wanted, { validateOnly, timeoutMs: timeout })
      const refused = outcomes.filter(({ error }) => error !== undefined)
      if (refused.length === 0) return true
      if (refused.every(({ error }) => error!.error === 'TOPIC_ALREADY_EXISTS')) return false
      const errors = refused.map(
        ({ topic, error }) => new KafkaJSCreateTopicError(refusal(error!), topic),
      )
      throw new KafkaJSAggregateError('topics were not created', errors)
    })

  readonly deleteTopics: Admin['deleteTopics'] = ({ topics, timeout }) =>
    this.#ask(async admin => {
      orThrow(await admin.deleteTopics(listOf(topics, 'topics'), { timeoutMs: timeout }))
    })

  readonly createPartitions: Admin['createPartitions'] = options =>
    this.#ask(async admin => {
      const { topicPartitions, validateOnly, timeout } = options
      const wanted = listOf(topicPartitions, 'topicPartitions')
      orThrow(await admin.createPartitions(wanted, { validateOnly, timeoutMs: timeout }))
      return true
    })

  readonly fetchTopicMetadata: Admin['fetchTopicMetadata'] = ({ topics: names = [] } = {}) =>
    this.#ask(async () => {
      const wanted = listOf(names, 'topics').map(nameOf)
      const { cluster } = this.#line.connected('admin').connected
      const { topics } = await cluster.metadata(wanted.length === 0 ? undefined : wanted)
      const failed = topics.find(({ errorCode }) => errorCode !== 0)
      if (failed !== undefined) {
        const type = errorName(failed.errorCode)
        const error = new KafkaError(type, `topic ${failed.name}: ${errors[type].message}`)
        throw new KafkaJSProtocolError(refusal(error))
      }
      return { topics: topics.map(topicMetadataOf) }
    })

  readonly fetchOffsets: Admin['fetchOffsets'] = options =>
    this.#ask(async admin => {
      const { groupId, topics = [], resolveOffsets = false } = options
      const [group] = orThrow(await admin.listGroupOffsets([idOf(groupId)]))
      const committed = Map.groupBy(group!.offsets, ({ topic }) => topic)
      const wanted = topics.length === 0 ? [...committed.keys()] : topics.map(nameOf)
      return await Promise.all(
        wanted.map(async topic => {
          const found = new Map(committed.get(topic)?.map(each => [each.partition, each]))
          const partitions = await this.#partitions(topic)
          const all = topics.length === 0 ? [...found.keys()] : partitions
          const entries = all.map(partition => ({
            partition,
            offset: String(found.get(partition)?.offset ?? -1),
            metadata: found.get(partition)?.metadata || null,
          }))
          if (!resolveOffsets || entries.every(({ offset }) => offset !== '-1')) {
            return { topic, partitions: entries }
          }
          const resolved = await this.#set(admin, groupId, topic, entries)
          return { topic, partitions: entries.map((each, at) => ({ ...each, ...resolved[at]! })) }
        }),
      )
    })

  readonly fetchTopicOffsets: Admin['fetchTopicOffsets'] = name =>
    this.#ask(async admin => {
      const topic = nameOf(name)
      const partitions = await this.#partitions(topic)
      const [ends, begins] = await Promise.all(
        (['latest', 'earliest'] as const).map(async at =>
          orThrow(await admin.listOffsets(partitions.map(partition => ({ topic, partition, at })))),
        ),
      )
      return partitions.map((partition, index) => {
        const high = String(ends![index]!.offset)
        return { partition, offset: high, high, low: String(begins![index]!.offset) }
      })
    })

  readonly fetchTopicOffsetsByTimestamp: Admin['fetchTopicOffsetsByTimestamp'] = (name, time) =>
    this.#ask(async admin => {
      const topic = nameOf(name)
      const at: OffsetQuery['at'] = time ?? 'latest'
      const queries = (await this.#partitions(topic)).map(partition => ({ topic, partition, at }))
      const found = orThrow(await admin.listOffsets(queries))
      const ends = found.some(({ offset }) => offset < 0)
        ? orThrow(
            await admin.listOffsets(queries.map(each => ({ ...each, at: 'latest' as const }))),
          )
        : found
      return found.map(({ partition, offset }, index) => ({
        partition,
        offset: String(offset < 0 ? ends[index]!.offset : offset),
      }))
    })

  readonly describeCluster: Admin['describeCluster'] = () =>
    this.#ask(async admin => {
      const { clusterId, controllerId, brokers } = await admin.describeCluster()
      return {
        brokers: brokers.map(({ brokerId, host, port }) => ({ nodeId: brokerId, host, port })),
        controller: controllerId < 0 ? null : controllerId,
        clusterId: clusterId ?? '',
      }
    })

  readonly setOffsets: Admin['setOffsets'] = ({ groupId, topic, partitions }) =>
    this.#ask(async admin => {
      const entries = listOf(partitions, 'partitions')
      if (entries.length === 0) throw new KafkaJSNonRetriableError('partitions: name at least one')
      await this.#set(admin, idOf(groupId), nameOf(topic), entries)
    })

  readonly resetOffsets: Admin['resetOffsets'] = ({ groupId, topic, earliest = false }) =>
    this.#ask(async admin => {
      const offset = earliest ? '-2' : '-1'
      const partitions = await this.#partitions(nameOf(topic))
      const entries = partitions.map(partition => ({ partition, offset }))
      await this.#set(admin, idOf(groupId), topic, entries)
    })

  readonly describeConfigs: Admin['describeConfigs'] = ({ resources, includeSynonyms = false }) =>
    this.#ask(async admin => {
      const described = listOf(resources, 'resources').map(async query => {
        const names = query.configNames?.length ? { names: query.configNames } : {}
        const options = { synonyms: includeSynonyms, ...names }
        const [found] = orThrow(await admin.describeConfigs([resourceOf(query)], options))
        return {
          configEntries: Object.values(found!.configs).map(configEntry),
          errorCode: 0,
          errorMessage: '',
          resourceName: query.name,
          resourceType: query.type,
        }
      })
      return { resources: await Promise.all(described), throttleTime: 0 }
    })

  readonly alterConfigs: Admin['alterConfigs'] = ({ resources, validateOnly }) =>
    this.#ask(async admin => {
      const wanted = listOf(resources, 'resources')
      const changes = await Promise.all(wanted.map(each => changeOf(admin, each)))
      orThrow(await admin.alterConfigs(changes, { validateOnly }))
      return {
        resources: wanted.map(({ type, name }) => ({
          errorCode: 0,
          resourceName: name,
          resourceType: type,
        })),
      }
    })

  readonly listGroups: Admin['listGroups'] = () =>
    this.#ask(async admin => {
      const groups = await admin.listGroups()
      return { groups: groups.map(({ groupId, protocolType }) => ({ groupId, protocolType })) }
    })

  readonly describeGroups: Admin['describeGroups'] = groupIds =>
    this.#ask(async admin => {
      const described = await admin.describeGroups(listOf(groupIds, 'groupIds').map(idOf))
      return { groups: described.map(groupDescription) }
    })

  readonly deleteGroups: Admin['deleteGroups'] = groupIds =>
    this.#ask(async admin => {
      const outcomes = await admin.deleteGroups(listOf(groupIds, 'groupIds').map(idOf))
      const refused = outcomes.flatMap(({ groupId, error }) =>
        error === undefined
          ? []
          : [{ groupId, errorCode: error.code, error: new KafkaJSProtocolError(refusal(error)) }],
      )
      if (refused.length > 0) throw new KafkaJSDeleteGroupsError('groups were not deleted', refused)
      return outcomes.map(({ groupId }) => ({ groupId, errorCode: 0 }))
    })

  readonly deleteTopicRecords: Admin['deleteTopicRecords'] = ({ topic: name, partitions }) =>
    this.#ask(async admin => {
      const topic = nameOf(name)
      const entries = listOf(partitions, 'partitions')
      const outcomes = await admin.deleteRecords(
        entries.map(({ partition, offset }) => {
          const target = seekTargetOf(offset)
          const beforeOffset = 'offset' in target ? target.offset : ('latest' as const)
          return { topic, partition, beforeOffset }
        }),
      )
      const refused = outcomes.flatMap(({ partition, error }, index) =>
        error === undefined
          ? []
          : [
              {
                partition,
                offset: entries[index]!.offset,
                error: translated(error) as KafkaJSError,
              },
            ],
      )
      if (refused.length > 0)
        throw new KafkaJSDeleteTopicRecordsError({ topic, partitions: refused })
    })

  readonly describeAcls = async () => refuse('ACLs', 'they come with the security of the client')
  readonly deleteAcls = this.describeAcls
  readonly createAcls = this.describeAcls
  readonly alterPartitionReassignments = async () =>
    refuse('reassignment of partitions', "use Kafka's own kafka-reassign-partitions")
  readonly listPartitionReassignments = this.alterPartitionReassignments

  /** Of a topic that has to exist. */
  async #partitions(topic: string): Promise<number[]> {
    const { connected } = this.#line.connected('admin')
    const { clock } = this.#options.io
    const { requestTimeoutMs } = this.#options
    const waiting = { clock, create: false, waitMs: requestTimeoutMs }
    const found = await partitionsOf(connected.cluster, topic, waiting)
    return found.map(({ partitionId }) => partitionId)
  }

  /** Commits these, ends and beginnings as the offsets they are now; answers them. */
  async #set(
    admin: OttlaAdmin,
    groupId: string,
    topic: string,
    entries: readonly SeekEntry[],
  ): Promise<SeekEntry[]> {
    const offsets = await Promise.all(
      entries.map(async ({ partition, offset }) => {
        const target = seekTargetOf(offset)
        if ('offset' in target) return { topic, partition, offset: target.offset }
        const at = 'to' in target && target.to === 'beginning' ? 'earliest' : 'latest'
        const [found] = orThrow(await admin.listOffsets([{ topic, partition, at }]))
        return { topic, partition, offset: found!.offset }
      }),
    )
    const outcomes = await admin.alterGroupOffsets(groupId, offsets)
    const hasMembers = outcomes.some(({ error }) => error?.error === 'UNKNOWN_MEMBER_ID')
    if (hasMembers) {
      throw new KafkaJSNonRetriableError(
        `group ${groupId} has members: stop its consumers before its offsets are set`,
      )
    }
    orThrow(outcomes)
    return offsets.map(({ partition, offset }) => ({ partition, offset: String(offset) }))
  }

  async #ask<Result>(work: (admin: OttlaAdmin) => Promise<Result>): Promise<Result> {
    try {
      return await work(new OttlaAdmin({ client: await this.#line.open() }))
    } catch (error) {
      throw error instanceof KafkaJSError ? error : translatedAfterRetries(error)
    }
  }
}

function newTopic({ topic, ...config }: ITopicConfig) {
  const { numPartitions = -1, replicationFactor = -1, replicaAssignment, configEntries } = config
  const assignments = replicaAssignment
    ?.toSorted((a, b) => a.partition - b.partition)
    .map(({ replicas }) => replicas)
  return {
    topic: nameOf(topic),
    ...(numPartitions > 0 && !assignments ? { partitions: numPartitions } : {}),
    ...(replicationFactor > 0 && !assignments ? { replicationFactor } : {}),
    ...(assignments ? { assignments } : {}),
    configs: Object.fromEntries((configEntries ?? []).map(({ name, value }) => [name, value])),
  }
}

function resourceOf({ type, name }: ResourceConfigQuery | IResourceConfig): ConfigResource {
  if (type === ConfigResourceTypes.TOPIC) return { kind: 'topic', name: nameOf(name) }
  if (type === ConfigResourceTypes.BROKER) return { kind: 'broker', name }
  throw new KafkaJSNonRetriableError(`resource type ${type}: there are TOPIC (2) and BROKER (4)`)
}

/** Where a value comes from; other names are those of kafkajs. */
const sources: Readonly<Record<string, ConfigSource>> = {
  ...ConfigSource,
  DYNAMIC_TOPIC_CONFIG: ConfigSource.TOPIC_CONFIG,
}

function configEntry(entry: ConfigEntry): ConfigEntries {
  return {
    configName: entry.name,
    configValue: entry.value as string,
    isDefault: entry.isDefault,
    configSource: sources[entry.source] ?? ConfigSource.UNKNOWN,
    isSensitive: entry.isSensitive,
    readOnly: entry.isReadOnly,
    configSynonyms: entry.synonyms.map(({ name, value, source }) => ({
      configName: name,
      configValue: value as string,
      configSource: sources[source] ?? ConfigSource.UNKNOWN,
    })),
  }
}

/** All that is to be set: what is set now and not named goes back to its default. */
async function changeOf(admin: OttlaAdmin, wanted: IResourceConfig) {
  const resource = resourceOf(wanted)
  const entries = listOf(wanted.configEntries, 'configEntries')
  const set = Object.fromEntries(entries.map(({ name, value }) => [name, value]))
  const [found] = orThrow(await admin.describeConfigs([resource]))
  const own = resource.kind === 'topic' ? 'DYNAMIC_TOPIC_CONFIG' : 'DYNAMIC_BROKER_CONFIG'
  const reset = Object.values(found!.configs)
    .filter(({ name, source }) => source === own && !(name in set))
    .map(({ name }) => name)
  return { ...resource, set, reset }
}

function listOf<Item>(value: readonly Item[] | undefined, option: string): readonly Item[] {
  if (Array.isArray(value)) return value
  throw new KafkaJSNonRetriableError(`${option} is ${value}: give an array`)
}

function nameOf(topic: string): string {
  if (typeof topic === 'string' && topic !== '') return topic
  throw new KafkaJSNonRetriableError(`topic is ${topic}: give its name`)
}

function idOf(groupId: string): string {
  if (typeof groupId === 'string' && groupId !== '') return groupId
  throw new KafkaJSNonRetriableError(`groupId is ${groupId}: give its name`)
}
