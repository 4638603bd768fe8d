/** `ottla topics describe`: partitions with offsets and sizes, and what was configured. */
import type { Cluster, ClusterMetadata } from '../client/cluster.ts'
import { type Config, describeTopicConfigs } from '../client/configs.ts'
import { replicaSizes } from '../client/log-dirs.ts'
import { configSource } from '../config/described.ts'
import { type BootstrapOptions, orThrow, withCluster } from './bootstrap.ts'
import { sourceNames } from './configs.ts'
import { type Column, countText, plural, print, printJson, styled, table } from './output.ts'
import { Sizes, sizeText } from './sizes.ts'
import { byName, throwIfUnknown } from './topics.ts'

interface DescribeOptions extends BootstrapOptions {
  readonly configs?: true
  readonly json?: true
}

type MetadataTopic = ClusterMetadata['topics'][number]

interface PartitionRow {
  readonly partition: number
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly begin: number
  readonly end: number
  /** Of the leader's copy; null when the broker did not tell. */
  readonly sizeBytes: number | null
}

interface Description {
  readonly name: string
  readonly topicId: string
  readonly partitions: readonly PartitionRow[]
  readonly configs: readonly Config[]
}

/** Names none: all topics but internal ones. */
export async function describe(names: readonly string[], options: DescribeOptions): Promise<void> {
  await withCluster(options, async cluster => {
    const metadata = await cluster.metadata(names.length === 0 ? undefined : names)
    for (const topic of metadata.topics) throwIfUnknown(topic)
    const topics = byName(metadata.topics).filter(topic => names.length > 0 || !topic.isInternal)
    if (topics.length === 0 && !options.json) {
      await print('No topics yet: `ottla topics create NAME` makes one.\n')
    }
    const [configs, sizes] = await Promise.all([
      describeTopicConfigs(
        cluster,
        topics.map(topic => topic.name!),
      ),
      sizesOf(cluster, metadata, topics),
    ])
    for (const topic of topics) {
      const ofTopic = configs.get(topic.name!) ?? []
      const wanted = ofTopic.filter(each => options.configs || isChanged(each))
      const description = {
        name: topic.name!,
        topicId: topic.topicId,
        partitions: await partitionsOf(cluster, topic, sizes),
        configs: wanted.toSorted((a, b) => a.name.localeCompare(b.name)),
      }
      if (options.json) await printJson(plainDescription(description))
      else await print(`${describeText(description)}${topic === topics.at(-1) ? '' : '\n'}`)
    }
    sizes.sayGaps()
  })
}

async function sizesOf(
  cluster: Cluster,
  { brokers }: ClusterMetadata,
  topics: readonly MetadataTopic[],
): Promise<Sizes> {
  const partitions = topics.flatMap(topic =>
    topic.partitions.map(each => ({ topic: topic.name!, partition: each.partitionIndex })),
  )
  const asked = partitions.length === 0 ? [] : brokers.map(({ nodeId }) => nodeId)
  return new Sizes(await replicaSizes(cluster, asked, partitions))
}

async function partitionsOf(
  cluster: Cluster,
  topic: MetadataTopic,
  sizes: Sizes,
): Promise<PartitionRow[]> {
  const name = topic.name!
  const partitions = topic.partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex)
  const queries = (timestamp: number) =>
    partitions.map(each => ({ topic: name, partition: each.partitionIndex, timestamp }))
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
    sizeBytes: sizes.ofReplica(each.leaderId, name, each.partitionIndex),
  }))
}

const columns: Column[] = [
  { title: 'PARTITION', align: 'right' },
  { title: 'LEADER', align: 'right' },
  { title: 'BEGIN', align: 'right' },
  { title: 'END', align: 'right' },
  { title: 'RECORDS', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'REPLICAS' },
  { title: 'IN SYNC' },
]

function describeText({ name, topicId, partitions, configs }: Description): string {
  const rows = partitions.map(each => [
    each.partition,
    each.leader === -1 ? 'none' : each.leader,
    each.begin,
    each.end,
    countText(each.end - each.begin),
    sizeText(each.sizeBytes),
    each.replicas.join(' '),
    each.isr.join(' '),
  ])
  const records = partitions.reduce((sum, { begin, end }) => sum + end - begin, 0)
  const isKnown = partitions.every(({ sizeBytes }) => sizeBytes !== null)
  const bytes = partitions.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0)
  const parts = [
    plural(partitions.length, 'partition'),
    plural(records, 'record'),
    ...(isKnown ? [sizeText(bytes)] : []),
  ]
  const head = `${styled('bold', name)}  ${parts.join(', ')}  ${styled('dim', `id ${topicId}`)}\n`
  return `${head}${table(columns, rows)}${configsText(configs)}`
}

/** Values that differ from Kafka's and Ottla's own are marked, with where they were set. */
function configsText(configs: readonly Config[]): string {
  if (configs.length === 0) return ''
  const rows = configs.map(config => [
    `${isChanged(config) ? '*' : ' '} ${config.name}`,
    config.isSensitive ? '(secret)' : (config.value ?? ''),
    sourceNames[config.configSource] ?? '',
  ])
  return table([{ title: '  CONFIG' }, { title: 'VALUE' }, { title: 'SOURCE' }], rows)
}

/** Set somewhere, be it on the topic or on the brokers. */
function isChanged(config: Config): boolean {
  return config.configSource !== configSource.default
}

function plainDescription({ configs, ...description }: Description): object {
  const named = configs.map(config => [
    config.name,
    { value: config.value, source: sourceNames[config.configSource], isChanged: isChanged(config) },
  ])
  return { ...description, configs: Object.fromEntries(named) }
}
