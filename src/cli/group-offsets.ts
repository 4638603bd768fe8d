/** `ottla groups reset-offsets` and `delete-offsets`. */
import { readFile } from 'node:fs/promises'
import { text as allOf } from 'node:stream/consumers'
import type { Cluster, TopicPartition } from '../client/cluster.ts'
import {
  alterOffsets,
  byPartition,
  type CommittedOffset,
  deleteOffsets,
  describeGroup,
  fetchOffsets,
  type GroupDescription,
  type PartitionOutcome,
} from '../client/groups.ts'
import type { KafkaError } from '../protocol/errors.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { Failure, fileProblem } from './failure.ts'
import { noGroup, refusedText } from './groups.ts'
import { type Column, plural, print, printJson, table, waitingFor } from './output.ts'
import { offsetsAt, partitionKey } from './partition-offsets.ts'
import {
  type FileOffset,
  offsetsCsv,
  type PartitionFacts,
  type PlannedOffset,
  parseOffsets,
  parseTopic,
  planReset,
  type Target,
  type TargetOptions,
  targetOf,
} from './reset-plan.ts'
import { throwIfUnknown } from './topics.ts'

interface ResetOptions extends BootstrapOptions, TargetOptions {
  readonly topic?: readonly string[]
  readonly allTopics?: true
  readonly dryRun?: true
  readonly export?: true
  readonly json?: true
}

export async function reset(group: string, options: ResetOptions): Promise<void> {
  const target = targetOf(options, Date.now())
  const file = target.to === 'file' ? await readOffsets(target.file, group) : undefined
  if ([options.topic, options.allTopics, file].every(each => each === undefined)) {
    throw new Failure(
      'say which topics: --topic NAME, NAME:0,2 for some partitions, or --all-topics',
    )
  }
  const isTrial = options.dryRun === true || options.export === true
  await withCluster(options, async cluster => {
    const [description, committed] = await waitingFor(
      `asking for ${group}`,
      Promise.all([describeGroup(cluster, group), fetchOffsets(cluster, group)]),
    )
    if (!isTrial) throwIfActive(description)
    const places = await placesOf(cluster, group, options, committed, file)
    const facts = await waitingFor(
      'asking for offsets',
      factsOf(cluster, places, committed, target),
    )
    const wanted = (place: TopicPartition) => file?.get(partitionKey(place))
    const plan = planReset(target, facts, wanted)
    if (!isTrial) await apply(cluster, group, plan)
    if (options.export) return await print(offsetsCsv(plan))
    await show(plan, options)
    if (!options.json) await print(`${conclusion(group, plan, description, isTrial)}\n`)
  })
}

/** Offsets of members would be overwritten by their next commit: Kafka's tool refuses too. */
function throwIfActive(description: GroupDescription | undefined): void {
  if (description === undefined || description.members.length === 0) return
  const { group, state, members } = description
  throw new Failure(
    `${group} has ${plural(members.length, 'member')} (${state}), which would go on from where ` +
      `they are: stop them first, or \`ottla groups remove-members ${group} --all\``,
  )
}

/** The partitions that the options name; all of them exist. */
async function placesOf(
  cluster: Cluster,
  group: string,
  options: ResetOptions,
  committed: readonly CommittedOffset[],
  file: ReadonlyMap<string, FileOffset['offset']> | undefined,
): Promise<TopicPartition[]> {
  const chosen = options.topic?.map(parseTopic)
  const others = file === undefined ? committed.map(partitionKey) : [...file.keys()]
  const selected = chosen ?? others.map(parseTopic)
  if (selected.length === 0) {
    throw new Failure(`${group} has committed no offsets: name topics with --topic`)
  }
  const { topics } = await cluster.metadata([...new Set(selected.map(({ topic }) => topic))])
  const known = new Map(topics.map(each => [each.name, each]))
  const places = new Map<string, TopicPartition>()
  for (const { topic, partitions } of selected) {
    const metadata = known.get(topic)!
    if (chosen === undefined && file === undefined && metadata.errorCode !== 0) continue
    throwIfUnknown(metadata)
    const existing = metadata.partitions.map(({ partitionIndex }) => partitionIndex)
    for (const partition of partitions ?? existing) {
      if (!existing.includes(partition)) {
        throw new Failure(`${topic} has partitions 0 to ${Math.max(...existing)}, not ${partition}`)
      }
      places.set(partitionKey({ topic, partition }), { topic, partition })
    }
  }
  return [...places.values()].toSorted(byPartition)
}

async function factsOf(
  cluster: Cluster,
  places: readonly TopicPartition[],
  committed: readonly CommittedOffset[],
  target: Target,
): Promise<PartitionFacts[]> {
  const offsets = new Map(committed.map(each => [partitionKey(each), each.offset]))
  const [begins, ends, times] = await Promise.all([
    offsetsAt(cluster, places, -2),
    offsetsAt(cluster, places, -1),
    target.to === 'time' ? offsetsAt(cluster, places, target.timestampMs) : undefined,
  ])
  return places.map(place => {
    const key = partitionKey(place)
    const [begin, end] = [begins.get(key), ends.get(key)]
    if (begin === undefined || end === undefined) throw new Failure(`${key} was deleted meanwhile`)
    return { ...place, committed: offsets.get(key), begin, end, atTime: times?.get(key) }
  })
}

async function apply(
  cluster: Cluster,
  group: string,
  plan: readonly PlannedOffset[],
): Promise<void> {
  const changes = plan.map(({ topic, partition, after }) => ({ topic, partition, offset: after }))
  const outcomes = await waitingFor('committing', alterOffsets(cluster, group, changes))
  failIfRefused('not reset', outcomes)
}

function failIfRefused(what: string, outcomes: readonly PartitionOutcome[]): void {
  const refusals = outcomes.filter(({ error }) => error !== undefined)
  if (refusals.length === 0) return
  const reasons = refusals.map(each => `${partitionKey(each)}: ${reason(each.error!)}`)
  throw new Failure(`${what}: ${reasons.join('; ')}`)
}

function reason(error: KafkaError): string {
  switch (error.error) {
    case 'UNKNOWN_MEMBER_ID':
      return 'the group has members again: stop them first'
    case 'GROUP_SUBSCRIBED_TO_TOPIC':
      return 'the group has members that read the topic: stop them first'
  }
  return refusedText(error)
}

async function show(plan: readonly PlannedOffset[], { json }: ResetOptions): Promise<void> {
  if (json) {
    for (const { topic, partition, before = null, after, note } of plan) {
      await printJson({ topic, partition, before, after, note })
    }
    return
  }
  const columns: Column[] = [
    { title: 'TOPIC' },
    ...['PARTITION', 'BEFORE', 'AFTER'].map(title => ({ title, align: 'right' as const })),
    { title: 'NOTE' },
  ]
  const rows = plan.map(({ topic, partition, before, after, note }) => [
    topic,
    partition,
    before ?? '-',
    after,
    note,
  ])
  const hasNotes = plan.some(({ note }) => note !== '')
  await print(table(hasNotes ? columns : columns.slice(0, -1), rows))
}

function conclusion(
  group: string,
  plan: readonly PlannedOffset[],
  description: GroupDescription | undefined,
  isTrial: boolean,
): string {
  const members = description?.members.length ?? 0
  if (isTrial && members > 0) {
    return `Nothing was changed. ${group} has ${plural(members, 'member')}: stop them before you leave out --dry-run.`
  }
  if (isTrial) return 'Nothing was changed: leave out --dry-run to do it.'
  const created = description === undefined ? 'the new group ' : ''
  return `Reset ${plural(plan.length, 'partition')} of ${created}${group}.`
}

/** Larger than any list of offsets that one person has. */
const maxFileBytes = 64 * 1024 * 1024

/** The offsets of a file, or of standard input for `-`, that are for this group. */
async function readOffsets(file: string, group: string): Promise<Map<string, number>> {
  const content = await (file === '-' ? allOf(process.stdin) : readFile(file, 'utf8')).catch(
    error => {
      throw new Failure(`--from-file ${file}: ${fileProblem(error)}`)
    },
  )
  if (content.length > maxFileBytes) {
    throw new Failure(`--from-file ${file}: larger than ${maxFileBytes} bytes`)
  }
  const offsets = offsetsIn(content, file).filter(each => (each.group ?? group) === group)
  if (offsets.length === 0) throw new Failure(`--from-file ${file}: no offsets for ${group}`)
  return new Map(offsets.map(each => [partitionKey(each), each.offset]))
}

function offsetsIn(content: string, file: string): FileOffset[] {
  try {
    return parseOffsets(content)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    throw new Failure(`--from-file ${file}, ${error.message}`)
  }
}

interface DeleteOffsetsOptions extends BootstrapOptions {
  readonly topic: readonly string[]
}

export async function removeOffsets(group: string, options: DeleteOffsetsOptions): Promise<void> {
  const chosen = options.topic.map(parseTopic)
  await withCluster(options, async cluster => {
    const committed = await waitingFor(`asking for ${group}`, fetchOffsets(cluster, group))
    const places = committed.filter(({ topic, partition }) =>
      chosen.some(each => each.topic === topic && (each.partitions?.includes(partition) ?? true)),
    )
    if (places.length === 0) {
      if (committed.length === 0 && (await describeGroup(cluster, group)) === undefined) {
        throw noGroup(group)
      }
      throw new Failure(`${group} has committed no offsets for ${options.topic.join(', ')}`)
    }
    const outcomes = await waitingFor('deleting', deleteOffsets(cluster, group, places))
    failIfRefused('not deleted', outcomes)
    await print(`Deleted ${plural(places.length, 'offset')} of ${group}.\n`)
  })
}
