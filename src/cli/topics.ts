/** `ottla topics …`, but for describe. */
import { type ClusterMetadata, refused } from '../client/cluster.ts'
import { alterConfigs } from '../client/configs.ts'
import { replicaSizes } from '../client/log-dirs.ts'
import {
  createPartitions,
  createTopics,
  deleteTopics,
  type TopicOutcome,
} from '../client/topics.ts'
import type { ErrorName } from '../protocol/errors.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import { type Column, plural, print, printJson, table } from './output.ts'
import { Sizes, sizeText } from './sizes.ts'

type MetadataTopic = ClusterMetadata['topics'][number]

interface ListOptions extends BootstrapOptions {
  readonly internal?: true
  readonly json?: true
}

/** `ottla topics list`. */
export async function list(options: ListOptions): Promise<void> {
  const { topics, sizes } = await withCluster(options, async cluster => {
    const metadata = await cluster.metadata()
    const topics = byName(metadata.topics).filter(topic => options.internal || !topic.isInternal)
    const brokerIds = topics.length === 0 ? [] : metadata.brokers.map(({ nodeId }) => nodeId)
    return { topics, sizes: new Sizes(await replicaSizes(cluster, brokerIds)) }
  })
  const rows = topics.map(({ name, partitions }) => ({
    name: name!,
    partitions: partitions.length,
    replicationFactor: partitions[0]?.replicaNodes.length ?? 0,
    sizeBytes: sizes.ofTopic(name!),
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
      { title: 'SIZE', align: 'right' },
    ]
    const cells = rows.map(row => [
      row.name,
      row.partitions,
      row.replicationFactor,
      sizeText(row.sizeBytes),
    ])
    await print(table(columns, cells))
  }
  sizes.sayGaps()
}

interface CreateOptions extends BootstrapOptions {
  readonly partitions?: number
  readonly replicationFactor?: number
  readonly config?: readonly string[]
  readonly ifNotExists?: true
  readonly json?: true
}

/** `ottla topics create`. */
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

/** `ottla topics delete`. */
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

/** `ottla topics alter`. */
export async function alter(name: string, options: AlterOptions): Promise<void> {
  const changes = new Map<string, string | null>(keyValues('--config', options.config ?? []))
  for (const key of options.unset ?? []) changes.set(key, null)
  if (changes.size === 0 && options.partitions === undefined) {
    throw new Failure('nothing to change: give --config, --unset or --partitions')
  }
  await withCluster(options, async cluster => {
    if (changes.size > 0) await alterConfigs(cluster, { kind: 'topic', name }, changes)
    if (options.partitions !== undefined) {
      await createPartitions(cluster, name, options.partitions)
    }
  })
  await print(`Changed ${name}.\n`)
}

/** Topics in the order of their names. */
export function byName(topics: readonly MetadataTopic[]): MetadataTopic[] {
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
