/** `ottla groups` but for its offsets: list, describe, delete, remove-members. */
import type { Cluster, TopicPartition } from '../client/cluster.ts'
import {
  byPartition,
  deleteGroup,
  describeGroup,
  fetchOffsets,
  type GroupDescription,
  type GroupMember,
  listGroups,
  removeMembers,
} from '../client/groups.ts'
import { errors, KafkaError } from '../protocol/errors.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import {
  type Column,
  plural,
  print,
  printable,
  printJson,
  styled,
  table,
  waitingFor,
} from './output.ts'
import { offsetsAt, partitionKey } from './partition-offsets.ts'

interface ListOptions extends BootstrapOptions {
  readonly state?: readonly string[]
  readonly json?: true
}

export async function list(options: ListOptions): Promise<void> {
  const all = await waitingFor(
    'asking every broker for its groups',
    withCluster(options, listGroups),
  )
  const groups = all.filter(({ state }) => options.state?.includes(state) ?? true)
  if (options.json) {
    for (const group of groups) await printJson(group)
  } else if (groups.length === 0) {
    await print(
      options.state === undefined
        ? 'No groups: no consumer has joined yet.\n'
        : 'No such groups.\n',
    )
  } else {
    const columns = ['GROUP', 'STATE', 'TYPE', 'PROTOCOL'].map(title => ({ title }))
    await print(
      table(
        [...columns, { title: 'COORDINATOR', align: 'right' }],
        groups.map(each => [
          each.group,
          each.state,
          each.type,
          each.protocolType || '-',
          each.coordinator,
        ]),
      ),
    )
  }
}

interface DescribeOptions extends BootstrapOptions {
  readonly all?: true
  readonly members?: true
  readonly json?: true
  readonly ndjson?: true
}

/** A partition that a group has committed for, or that a member of it is assigned. */
interface PartitionRow extends TopicPartition {
  readonly committed: number | undefined
  /** Undefined: the topic is gone. */
  readonly end: number | undefined
  readonly lag: number | undefined
  readonly member: GroupMember | undefined
}

interface Described extends GroupDescription {
  readonly coordinator: { readonly id: number; readonly host: string; readonly port: number }
  readonly partitions: readonly PartitionRow[]
  readonly totalLag: number
}

/** Groups that are asked for side by side. */
const atOnce = 20

export async function describe(names: readonly string[], options: DescribeOptions): Promise<void> {
  if (names.length === 0 && !options.all) {
    throw new Failure('name the groups, or give --all: `ottla groups list` shows those there are')
  }
  const missing: string[] = []
  await withCluster(options, async cluster => {
    const groups = options.all ? (await listGroups(cluster)).map(({ group }) => group) : names
    if (groups.length === 0) await print(options.json || options.ndjson ? '' : 'No groups.\n')
    for (let from = 0; from < groups.length; from += atOnce) {
      const some = groups.slice(from, from + atOnce)
      const what =
        groups.length === 1
          ? `describing ${groups[0]}`
          : `described ${from} of ${groups.length} groups`
      const reading = Promise.all(some.map(group => read(cluster, group)))
      for (const [index, described] of (await waitingFor(what, reading)).entries()) {
        if (described === undefined) missing.push(some[index]!)
        else await show(described, options, from + index > 0)
      }
    }
  })
  if (missing.length > 0 && !options.all) throw noGroup(...missing)
}

async function read(cluster: Cluster, group: string): Promise<Described | undefined> {
  const [description, offsets] = await Promise.all([
    describeGroup(cluster, group),
    fetchOffsets(cluster, group),
  ])
  if (description === undefined) return undefined
  const { nodeId, host, port } = await cluster.coordinatorOf(group)
  const owners = new Map(
    description.members.flatMap(member =>
      (member.assigned ?? []).map(each => [partitionKey(each), { ...each, member }] as const),
    ),
  )
  const committed = new Map(offsets.map(each => [partitionKey(each), each]))
  const places = [...new Map<string, TopicPartition>([...owners, ...committed]).values()].toSorted(
    byPartition,
  )
  const ends = await offsetsAt(cluster, places, -1)
  const partitions = places.map(({ topic, partition }) => {
    const key = partitionKey({ topic, partition })
    const offset = committed.get(key)?.offset
    const end = ends.get(key)
    const lag = offset === undefined || end === undefined ? undefined : Math.max(0, end - offset)
    return { topic, partition, committed: offset, end, lag, member: owners.get(key)?.member }
  })
  const totalLag = partitions.reduce((sum, { lag }) => sum + (lag ?? 0), 0)
  return { ...description, coordinator: { id: nodeId, host, port }, partitions, totalLag }
}

async function show(group: Described, options: DescribeOptions, isFurther: boolean): Promise<void> {
  if (options.ndjson) {
    for (const row of group.partitions) await printJson({ group: group.group, ...plainRow(row) })
  } else if (options.json) {
    await printJson({ ...group, partitions: group.partitions.map(plainRow) })
  } else {
    await print(`${isFurther ? '\n' : ''}${text(group, options.members === true)}`)
  }
}

function plainRow({ topic, partition, committed, end, lag, member }: PartitionRow) {
  const { memberId = null, instanceId = null, host = null, clientId = null } = member ?? {}
  const offsets = { committed: committed ?? null, end: end ?? null, lag: lag ?? null }
  return { topic, partition, ...offsets, memberId, instanceId, host, clientId }
}

function text(group: Described, withMembers: boolean): string {
  const { id, host, port } = group.coordinator
  const facts = [
    group.state,
    ...(group.assignor === '' ? [] : [`assigned by ${group.assignor}`]),
    ...(['', 'consumer'].includes(group.protocolType) ? [] : [`protocol ${group.protocolType}`]),
    plural(group.members.length, 'member'),
    `coordinator ${id} (${host}:${port})`,
  ]
  const head = `${styled('bold', printable(group.group))}  ${styled('dim', printable(facts.join(', ')))}\n`
  if (withMembers) return head + membersTable(group.members)
  if (group.partitions.length === 0) return `${head}It has committed no offsets.\n`
  const unknown = group.partitions.filter(({ lag, end }) => lag === undefined && end !== 0).length
  const but = unknown === 0 ? '' : `, without ${plural(unknown, 'partition')} whose lag is unknown`
  return `${head}${partitionsTable(group.partitions)}total lag ${group.totalLag}${but}\n`
}

function partitionsTable(partitions: readonly PartitionRow[]): string {
  const columns: Column[] = [
    { title: 'TOPIC' },
    ...['PARTITION', 'COMMITTED', 'END', 'LAG'].map(title => ({ title, align: 'right' as const })),
    ...['MEMBER', 'HOST', 'CLIENT'].map(title => ({ title })),
  ]
  return table(
    columns,
    partitions.map(({ topic, partition, committed, end, lag, member }) => [
      topic,
      partition,
      committed ?? '-',
      end ?? (committed === undefined ? '-' : 'gone'),
      lag ?? '-',
      member?.instanceId ?? member?.memberId ?? '-',
      member?.host ?? '-',
      member?.clientId ?? '-',
    ]),
  )
}

function membersTable(members: readonly GroupMember[]): string {
  if (members.length === 0) return 'It has no members.\n'
  const titles = ['MEMBER', 'INSTANCE', 'HOST', 'CLIENT']
  const columns: Column[] = [
    ...titles.map(title => ({ title })),
    { title: 'COUNT', align: 'right' },
    { title: 'PARTITIONS' },
  ]
  return table(
    columns,
    members.map(({ memberId, instanceId, host, clientId, assigned }) => [
      memberId,
      instanceId ?? '-',
      host,
      clientId,
      assigned?.length ?? '?',
      assigned === undefined ? '(not readable)' : partitionsText(assigned),
    ]),
  )
}

/** `orders:0,1 payments:3`, as `--topic` of reset-offsets takes them. */
function partitionsText(partitions: readonly TopicPartition[]): string {
  const topics = Map.groupBy(partitions.toSorted(byPartition), ({ topic }) => topic)
  const texts = [...topics].map(
    ([topic, mine]) => `${topic}:${mine.map(({ partition }) => partition).join(',')}`,
  )
  return texts.length === 0 ? '-' : texts.join(' ')
}

export async function remove(names: readonly string[], options: BootstrapOptions): Promise<void> {
  const refusals: string[] = []
  await withCluster(options, async cluster => {
    for (const group of names) {
      const error = await refusal(waitingFor(`deleting ${group}`, deleteGroup(cluster, group)))
      if (error === undefined) await print(`Deleted ${group}.\n`)
      else refusals.push(`${group}: ${deletionProblem(error, group)}`)
    }
  })
  if (refusals.length > 0) throw new Failure(`cannot delete ${refusals.join('; ')}`)
}

function deletionProblem(error: KafkaError, group: string): string {
  switch (error.error) {
    case 'NON_EMPTY_GROUP':
      return `it has members: stop them, or \`ottla groups remove-members ${group} --all\``
    case 'GROUP_ID_NOT_FOUND':
      return 'there is no such group'
  }
  return refusedText(error)
}

interface RemoveMembersOptions extends BootstrapOptions {
  readonly all?: true
}

export async function removeFrom(
  group: string,
  wanted: readonly string[],
  options: RemoveMembersOptions,
): Promise<void> {
  if ((wanted.length === 0) !== (options.all === true)) {
    throw new Failure('name members by their id or instance id, or give --all')
  }
  await withCluster(options, async cluster => {
    const description = await waitingFor(`asking for ${group}`, describeGroup(cluster, group))
    if (description === undefined) throw noGroup(group)
    const members = options.all ? description.members : wanted.map(id => memberOf(description, id))
    if (members.length === 0) return await print(`${group} has no members.\n`)
    const removed = await waitingFor('removing', removeMembers(cluster, group, members))
    const failed = removed.filter(({ error }) => error !== undefined)
    const gone = members.length - failed.length
    if (gone > 0) await print(`Removed ${plural(gone, 'member')} of ${group}.\n`)
    if (failed.length > 0) {
      const reasons = failed.map(
        ({ memberId, instanceId, error }) => `${instanceId ?? memberId}: ${refusedText(error!)}`,
      )
      throw new Failure(`not removed: ${reasons.join('; ')}`)
    }
  })
}

function memberOf({ group, members }: GroupDescription, id: string): GroupMember {
  const found = members.find(({ memberId, instanceId }) => instanceId === id || memberId === id)
  if (found !== undefined) return found
  throw new Failure(
    `${group} has no member ${id}: \`ottla groups describe ${group} --members\` shows them`,
  )
}

/** The error of a call that was refused; undefined when it was not. */
async function refusal(call: Promise<unknown>): Promise<KafkaError | undefined> {
  try {
    await call
    return undefined
  } catch (error) {
    if (error instanceof KafkaError) return error
    throw error
  }
}

/** What a broker's refusal means, for people. */
export function refusedText({ error }: KafkaError): string {
  return errors[error].message
}

/** Says that groups do not exist. */
export function noGroup(...groups: readonly string[]): Failure {
  return new Failure(
    `there is no group ${groups.join(', ')}: \`ottla groups list\` shows those there are`,
  )
}
