/** `ottla topics …` */
import { type Cluster, type ClusterMetadata, refused } from '../client/cluster.ts'
import {
  alterConfigs,
  createPartitions,
  createTopics,
  deleteTopics,
  describeConfigs,
  setOnTopic,
  type TopicConfig,
  type TopicOutcome,
} from '../client/topics.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { type BootstrapOptions, orThrow, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import { type Column, plural, print, printJson, styled, table } from './output.ts'

type MetadataTopic = ClusterMetadata['topics'][number]

interface ListOptions extends BootstrapOptions {
  readonly internal?: true
  readonly json?: true
}

export async function list(options: ListOptions): Promise<void> {
  const metadata = await withCluster(options, cluster => cluster.metadata())
  const topics = byName(metadata.topics).filter(topic => options.internal || !topic.isInternal)
  const rows = topics.map(topic => ({
    name: topic.name!,
    partitions: topic.partitions.length,
    replicationFactor: topic.partitions[0]?.replicaNodes.length ?? 0,
  }))
  if (options.json) {
    for (const row of rows) await printJson(row)
  } else if (rows.length === 0) {
    await print('No topics yet: `ottla topics create NAME` makes one.\n')
  } else {
    const columns: Column[] = [
      { title: 'TOPIC' },
      { title: 'PARTITIONS', align: 'right' },
      { title: 'REPLICATION', align: 'right' },
    ]
    await print(
      table(
        columns,
        rows.map(row => [row.name, row.partitions, row.replicationFactor]),
      ),
    )
  }
}

interface CreateOptions extends BootstrapOptions {
  readonly partitions?: number
  readonly replicationFactor?: number
  readonly config?: readonly string[]
  readonly ifNotExists?: true
  readonly json?: true
}

export async function create(names: readonly string[], options: CreateOptions): Promise<void> {
  const configs = keyValues('--config', options.config ?? [])
  const { partitions, replicationFactor } = options
  const outcomes = await withCluster(options, cluster =>
    createTopics(
      cluster,
      names.map(name => ({ name, partitions, replicationFactor, configs })),
    ),
  )
  const tolerated = options.ifNotExists ? 'TOPIC_ALREADY_EXISTS' : undefined
  for (const { name, topicId, numPartitions, error } of outcomes) {
    if (error !== undefined) continue
    if (options.json) await printJson({ name, topicId, partitions: numPartitions })
    else await print(`Created ${name} with ${plural(numPartitions, 'partition')}.\n`)
  }
  failIfRefused('create', outcomes, tolerated)
}

interface DeleteOptions extends BootstrapOptions {
  readonly ifExists?: true
}

export async function remove(names: readonly string[], options: DeleteOptions): Promise<void> {
  const outcomes = await withCluster(options, cluster => deleteTopics(cluster, names))
  const tolerated = options.ifExists ? 'UNKNOWN_TOPIC_OR_PARTITION' : undefined
  for (const { name, error } of outcomes) {
    if (error === undefined) await print(`Deleted ${name}.\n`)
  }
  failIfRefused('delete', outcomes, tolerated)
}

interface AlterOptions extends BootstrapOptions {
  readonly config?: readonly string[]
  readonly unset?: readonly string[]
  readonly partitions?: number
}

export async function alter(name: string, options: AlterOptions): Promise<void> {
  const changes = new Map<string, string | null>(keyValues('--config', options.config ?? []))
  for (const key of options.unset ?? []) changes.set(key, null)
  if (changes.size === 0 && options.partitions === undefined) {
    throw new Failure('nothing to change: give --config, --unset or --partitions')
  }
  await withCluster(options, async cluster => {
    if (changes.size > 0) await alterConfigs(cluster, name, changes)
    if (options.partitions !== undefined) {
      await createPartitions(cluster, name, options.partitions)
    }
  })
  await print(`Changed ${name}.\n`)
}

interface DescribeOptions extends BootstrapOptions {
  readonly configs?: true
  readonly json?: true
}

export async function describe(names: readonly string[], options: DescribeOptions): Promise<void> {
  await withCluster(options, async cluster => {
    const metadata = await cluster.metadata(names.length === 0 ? undefined : names)
    for (const topic of metadata.topics) throwIfUnknown(topic)
    const topics = byName(metadata.topics).filter(topic => names.length > 0 || !topic.isInternal)
    const configs = await describeConfigs(
      cluster,
      topics.map(topic => topic.name!),
    )
    for (const topic of topics) {
      const partitions = await partitionsOf(cluster, topic)
      const wanted = (configs.get(topic.name!) ?? []).filter(
        config => options.configs || config.configSource === setOnTopic,
      )
      const description = { name: topic.name!, topicId: topic.topicId, partitions }
      if (options.json) await printJson({ ...description, configs: plainConfigs(wanted) })
      else await print(`${describeText(description, wanted)}\n`)
    }
  })
}

interface PartitionRow {
  readonly partition: number
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly begin: number
  readonly end: number
}

async function partitionsOf(cluster: Cluster, topic: MetadataTopic): Promise<PartitionRow[]> {
  const partitions = topic.partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex)
  const queries = (timestamp: number) =>
    partitions.map(each => ({ topic: topic.name!, partition: each.partitionIndex, timestamp }))
  const [begins, ends] = await Promise.all([
    cluster.listOffsets(queries(-2)),
    cluster.listOffsets(queries(-1)),
  ])
  return partitions.map((each, index) => ({
    partition: each.partitionIndex,
    leader: each.leaderId,
    replicas: each.replicaNodes,
    isr: each.isrNodes,
    begin: orThrow(begins[index]!).offset,
    end: orThrow(ends[index]!).offset,
  }))
}

function describeText(
  { name, topicId, partitions }: { name: string; topicId: string; partitions: PartitionRow[] },
  configs: readonly TopicConfig[],
): string {
  const columns: Column[] = [
    { title: 'PARTITION', align: 'right' },
    { title: 'LEADER', align: 'right' },
    { title: 'BEGIN', align: 'right' },
    { title: 'END', align: 'right' },
    { title: 'REPLICAS' },
    { title: 'IN SYNC' },
  ]
  const rows = partitions.map(each => [
    each.partition,
    each.leader === -1 ? 'none' : each.leader,
    each.begin,
    each.end,
    each.replicas.join(' '),
    each.isr.join(' '),
  ])
  const head = `${styled('bold', name)}  ${styled('dim', `id ${topicId}`)}\n`
  const lines = configs
    .toSorted((a, b) => a.name.localeCompare(b.name))
    .map(config => `${config.name}=${config.isSensitive ? '(secret)' : (config.value ?? '')}\n`)
  return `${head}${table(columns, rows)}${lines.join('')}`
}

function plainConfigs(configs: readonly TopicConfig[]): Record<string, string | null> {
  return Object.fromEntries(configs.map(({ name, value }) => [name, value]))
}

function byName(topics: readonly MetadataTopic[]): MetadataTopic[] {
  return topics.toSorted((a, b) => a.name!.localeCompare(b.name!))
}

/** Says clearly that a topic does not exist. */
export function throwIfUnknown({ errorCode, name }: MetadataTopic): void {
  const error = refused(errorCode)
  if (error === undefined) return
  throw error.error === 'UNKNOWN_TOPIC_OR_PARTITION'
    ? new Failure(`there is no topic ${name}: \`ottla topics list\` shows those there are`)
    : new Failure(`topic ${name}: ${error.message}`)
}

function failIfRefused(
  what: string,
  outcomes: readonly TopicOutcome[],
  tolerated: ErrorName | undefined,
): void {
  const refusals = outcomes.filter(({ error }) => error && error.error !== tolerated)
  if (refusals.length === 0) return
  const reasons = refusals.map(({ name, error }) => `${name}: ${error!.message}`)
  throw new Failure(`cannot ${what} ${reasons.join('; ')}`)
}

/** Reads `key=value` options. */
export function keyValues(option: string, pairs: readonly string[]): Map<string, string> {
  return new Map(
    pairs.map(pair => {
      const equals = pair.indexOf('=')
      if (equals < 1) throw new Failure(`${option} ${pair}: write it as name=value`)
      return [pair.slice(0, equals), pair.slice(equals + 1)]
    }),
  )
}
