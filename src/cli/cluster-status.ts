/** `ottla cluster status`: brokers, and the partitions that somebody may have to look after. */
import { setTimeout as delay } from 'node:timers/promises'
import { describeCluster } from '../client/admin/brokers.ts'
import type { Cluster } from '../client/cluster.ts'
import { type Config, describeTopicConfigs } from '../client/configs.ts'
import { movesUnderWay } from '../client/moves.ts'
import { KafkaError } from '../protocol/errors.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import {
  type ClusterHealth,
  clusterHealth,
  laggingTopics,
  type PartitionHealth,
} from './cluster-health.ts'
import { explain } from './failure.ts'
import { type Column, plural, print, printJson, styled, table } from './output.ts'

/** What the command is asked to do. */
export interface ClusterStatusOptions extends BootstrapOptions {
  readonly watch?: true
  /** Seconds. */
  readonly interval: number
  readonly json?: true
}

/** Rows of troubled partitions beyond these are counted only. */
const shownPartitions = 20

/** Ends with Ctrl-C when it watches. */
export async function clusterStatus(options: ClusterStatusOptions): Promise<void> {
  if (!options.watch) return await show(await withCluster(options, read), options)
  for (;;) {
    // What is to be seen is also that nobody answers, and that somebody does again.
    const health = await withCluster(options, read).catch(error => error as Error)
    if (health instanceof Error && explain(health) === undefined) throw health
    if (process.stdout.isTTY) await print('\x1b[H\x1b[J')
    if (!options.json) await print(`${styled('dim', new Date().toISOString())}\n`)
    if (health instanceof Error) process.stderr.write(`ottla: ${explain(health)}\n`)
    else await show(health, options)
    await delay(options.interval * 1000)
  }
}

async function read(cluster: Cluster): Promise<ClusterHealth> {
  const metadata = await cluster.metadata()
  const [moves, known, minIsr] = await Promise.all([
    movesUnderWay(cluster),
    describeCluster(cluster, true),
    minIsrOf(cluster, laggingTopics(metadata)),
  ])
  const ids = known.brokers.map(({ brokerId }) => brokerId)
  return clusterHealth(metadata, { moves, known: ids, minIsr })
}

/** Of those topics that the user may see the configs of. */
async function minIsrOf(
  cluster: Cluster,
  topics: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  if (topics.length === 0) return new Map()
  const configs = await describeTopicConfigs(cluster, topics).catch(error => {
    // One was deleted meanwhile, or they are not for everybody.
    if (error instanceof KafkaError) return new Map<string, readonly Config[]>()
    throw error
  })
  const found = new Map<string, number>()
  for (const [topic, all] of configs) {
    const value = all.find(({ name }) => name === 'min.insync.replicas')?.value
    if (value !== undefined && value !== null) found.set(topic, Number(value))
  }
  return found
}

async function show(health: ClusterHealth, { json }: ClusterStatusOptions): Promise<void> {
  await (json ? printJson(health) : print(healthText(health)))
}

const brokerColumns: readonly Column[] = [
  { title: 'BROKER', align: 'right' },
  { title: 'ADDRESS' },
  { title: 'RACK' },
  { title: 'LEADERS', align: 'right' },
  { title: 'REPLICAS', align: 'right' },
  { title: 'IN SYNC', align: 'right' },
  { title: 'STATE' },
]

const partitionColumns: readonly Column[] = [
  { title: 'PARTITION' },
  { title: 'LEADER', align: 'right' },
  { title: 'REPLICAS' },
  { title: 'IN SYNC' },
  { title: 'STATE' },
]

/** All of it, as people read it. */
export function healthText(health: ClusterHealth): string {
  const { clusterId, brokers, topics, partitions } = health
  const title = `Cluster ${clusterId ?? 'of unknown id'}: ${plural(topics, 'topic')}, ${plural(partitions, 'partition')}`
  const rows = brokers.map(each => [
    each.id,
    each.address ?? '-',
    each.rack ?? '-',
    ...[each.leaders, each.replicas, each.inSync],
    each.address === null ? 'down' : each.isController ? 'controller' : '',
  ])
  return `${title}\n${table(brokerColumns, rows)}${downText(health)}${troubleText(health)}${movesText(health)}`
}

function downText({ brokers }: ClusterHealth): string {
  const down = brokers.filter(({ address }) => address === null)
  if (down.length === 0) return ''
  const ids = down.map(({ id }) => id).join(', ')
  return `${styled('yellow', `${plural(down.length, 'broker')} down`)}: ${ids}\n`
}

function troubleText({ troubled, partitions }: ClusterHealth): string {
  if (troubled.length === 0) {
    const what = 'every partition has a leader and all its copies'
    return partitions === 0 ? '' : `${styled('green', 'ok')}: ${what}\n`
  }
  const count = (state: PartitionHealth['state']) =>
    troubled.filter(each => each.state === state).length
  const [offline, refusing] = [count('offline'), count('under-min-isr')]
  const rows = troubled
    .slice(0, shownPartitions)
    .map(each => [
      `${each.topic}-${each.partition}`,
      each.leader < 0 ? 'none' : each.leader,
      each.replicas.join(' '),
      each.isr.join(' ') || 'none',
      stateText(each),
    ])
  const more = troubled.length - rows.length
  const counts = [
    [offline, 'without a leader'],
    [refusing, 'below min.insync.replicas'],
    [count('under-replicated'), 'with fewer copies in sync than wanted'],
  ] as const
  const told = counts
    .filter(([partitions]) => partitions > 0)
    .map(
      ([partitions, how], index) =>
        `${index ? partitions : plural(partitions, 'partition')} ${how}`,
    )
  const title = styled(offline + refusing > 0 ? 'red' : 'yellow', told.join(', '))
  return `${title}\n${table(partitionColumns, rows)}${more > 0 ? `and ${more} more\n` : ''}`
}

function stateText({ state, isr, minIsr }: PartitionHealth): string {
  return state === 'under-min-isr'
    ? `below min.insync.replicas (${isr.length} of ${minIsr})`
    : state
}

function movesText({ moves }: ClusterHealth): string {
  if (moves === undefined || moves.length === 0) return ''
  const rows = moves
    .slice(0, shownPartitions)
    .map(({ topic, partition, replicas, adding, removing }) => [
      `${topic}-${partition}`,
      replicas.join(' '),
      adding.join(' ') || '-',
      removing.join(' ') || '-',
    ])
  const columns = ['MOVING', 'REPLICAS', 'ADDING', 'REMOVING'].map(title => ({ title }))
  const more = moves.length - rows.length
  return `${table(columns, rows)}${more > 0 ? `and ${more} more\n` : ''}`
}
