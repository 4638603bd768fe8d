/** `ottla cluster status`: brokers, and the partitions that somebody may have to look after. */
import { setTimeout as delay } from 'node:timers/promises'
import type { Cluster } from '../client/cluster.ts'
import { movesUnderWay } from '../client/moves.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { type ClusterHealth, clusterHealth } from './cluster-health.ts'
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
  return clusterHealth(metadata, await movesUnderWay(cluster))
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
  return `${title}\n${table(brokerColumns, rows)}${troubleText(health)}${movesText(health)}`
}

function troubleText({ troubled, partitions }: ClusterHealth): string {
  if (troubled.length === 0) {
    const what = 'every partition has a leader and all its copies'
    return partitions === 0 ? '' : `${styled('green', 'ok')}: ${what}\n`
  }
  const offline = troubled.filter(({ state }) => state === 'offline').length
  const behind = troubled.length - offline
  const rows = troubled
    .slice(0, shownPartitions)
    .map(each => [
      `${each.topic}-${each.partition}`,
      each.leader < 0 ? 'none' : each.leader,
      each.replicas.join(' '),
      each.isr.join(' ') || 'none',
      each.state,
    ])
  const more = troubled.length - rows.length
  const title = styled(
    offline > 0 ? 'red' : 'yellow',
    `${plural(offline, 'partition')} without a leader, ${behind} with fewer copies in sync than wanted`,
  )
  return `${title}\n${table(partitionColumns, rows)}${more > 0 ? `and ${more} more\n` : ''}`
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
