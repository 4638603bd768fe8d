/** `ottla topics reassign`: shows which replicas are to move, has them moved, and waits for it. */
import { AdminCall } from '../client/admin/call.ts'
import {
  alterPartitionReassignments,
  electLeaders,
  listPartitionReassignments,
} from '../client/admin/reassignments.ts'
import type { Cluster, ClusterMetadata, TopicPartition } from '../client/cluster.ts'
import { replicaSizes } from '../client/log-dirs.ts'
import { type BootstrapOptions, withCluster } from './bootstrap.ts'
import { Failure } from './failure.ts'
import { type Column, plural, print, printJson, table } from './output.ts'
import { partitionKey } from './partition-offsets.ts'
import { type PlacedPartition, type PlannedMove, planMoves, type Wish } from './reassign-plan.ts'
import { type CopiedMove, MoveProgress } from './reassign-progress.ts'
import { rateOf, throttledTopics, throttleMoves, unthrottle } from './reassign-throttle.ts'
import { Sizes, sizeText } from './sizes.ts'
import { byName, throwIfUnknown } from './topics.ts'

/** What the command is asked to do. */
export interface ReassignOptions extends BootstrapOptions {
  readonly allTopics?: true
  /** Ids of brokers, with commas between. */
  readonly to?: string
  readonly fromBroker?: number
  readonly replicationFactor?: number
  readonly dryRun?: true
  /** Bytes a second, or `none`. */
  readonly throttle?: string
  readonly wait: boolean
  readonly status?: true
  readonly cancel?: true
  readonly json?: true
}

/** For one call. */
const callMs = 30_000

/** Rows of a plan beyond these are counted only. */
const shownMoves = 50

/** Throws Failure for options that do not go together. */
export async function reassign(topics: readonly string[], options: ReassignOptions): Promise<void> {
  checkOptions(topics, options)
  await withCluster(options, async cluster => {
    if (options.status) return await showMoves(cluster, topics, options)
    if (options.cancel) return await cancelMoves(cluster, topics, options)
    if (!asksForMoves(options)) return await changeThrottle(cluster, options)
    await move(cluster, topics, options)
  })
}

function asksForMoves({ to, fromBroker, replicationFactor }: ReassignOptions): boolean {
  return to !== undefined || fromBroker !== undefined || replicationFactor !== undefined
}

function checkOptions(topics: readonly string[], options: ReassignOptions): void {
  const { to, fromBroker, throttle, status, cancel, allTopics } = options
  if (status && cancel) throw new Failure('--status and --cancel exclude each other')
  if (throttle !== undefined) rateOf(throttle)
  if (asksForMoves(options)) {
    if (status || cancel) throw new Failure('--status and --cancel go without a new plan')
    if (to !== undefined && fromBroker !== undefined) {
      throw new Failure('give --to, the brokers that hold the topics, or --from-broker, not both')
    }
    if (throttle === 'none') throw new Failure('--throttle none goes without a new plan')
    if (topics.length > 0 && allTopics) throw new Failure('name topics or give --all-topics')
    if (topics.length === 0 && !allTopics && fromBroker === undefined) {
      throw new Failure('name the topics, or give --all-topics')
    }
  } else if (!status && !cancel && throttle === undefined) {
    throw new Failure(
      'nothing to do: give --to, --from-broker or --replication-factor; --status shows what moves',
    )
  }
}

async function move(
  cluster: Cluster,
  topics: readonly string[],
  options: ReassignOptions,
): Promise<void> {
  const metadata = await cluster.metadata()
  const { chosen, others } = choose(metadata, topics)
  await refuseMoving(cluster, chosen)
  const moves = planMoves(chosen, others, wishOf(metadata, options))
  if (moves.length === 0) {
    if (!options.json)
      await print('Nothing is to be moved: all replicas are where they should be.\n')
    return
  }
  const copied = await withSizes(cluster, metadata, moves)
  await showPlan(copied, options)
  if (options.dryRun) return
  const brokerIds = metadata.brokers.map(({ nodeId }) => nodeId)
  if (options.throttle !== undefined) {
    await throttleMoves(cluster, moves, brokerIds, rateOf(options.throttle)!)
  }
  await begin(cluster, moves, brokerIds, options)
  if (!options.wait) return await say(options, `They go on by themselves: ${seeHow(options)}\n`)
  const end = await new MoveProgress(cluster, copied, () => listed(cluster)).wait()
  if (end === 'interrupted') {
    return console.error(`ottla: the moves go on: ${seeHow(options)}`)
  }
  if (options.throttle !== undefined) await takeOff(cluster, moves, brokerIds)
  if (end === 'stalled') throw new Failure(`nothing moves any more: ${seeHow(options)}`)
  await finish(cluster, moves, options)
}

function choose({ topics }: ClusterMetadata, names: readonly string[]) {
  const known = new Map(topics.map(topic => [topic.name, topic]))
  for (const name of names) {
    const topic = known.get(name)
    if (topic === undefined) {
      throw new Failure(`there is no topic ${name}: \`ottla topics list\` shows those there are`)
    }
    throwIfUnknown(topic)
  }
  const chosen: PlacedPartition[] = []
  const others: PlacedPartition[] = []
  for (const { name, partitions } of byName(topics)) {
    const list = names.length === 0 || names.includes(name!) ? chosen : others
    for (const each of partitions.toSorted((a, b) => a.partitionIndex - b.partitionIndex)) {
      list.push({ topic: name!, partition: each.partitionIndex, replicas: each.replicaNodes })
    }
  }
  return { chosen, others }
}

function wishOf({ brokers }: ClusterMetadata, options: ReassignOptions): Wish {
  const { to, fromBroker, replicationFactor } = options
  const there = brokers.map(({ nodeId, rack }) => ({ brokerId: nodeId, rack }))
  if (to === undefined) {
    return {
      taking: there.filter(({ brokerId }) => brokerId !== fromBroker),
      leaves: brokerId => brokerId === fromBroker,
      replicationFactor,
      evens: false,
    }
  }
  const ids = new Set(
    to.split(',').map(text => {
      if (/^\s*\d+\s*$/.test(text)) return Number(text)
      throw new Failure(`--to ${to}: write the ids of brokers with commas between, as 1,2,4`)
    }),
  )
  const taking = there.filter(({ brokerId }) => ids.has(brokerId))
  const gone = [...ids].filter(id => taking.every(({ brokerId }) => brokerId !== id))
  if (gone.length > 0) {
    const known = there.map(({ brokerId }) => brokerId).sort((a, b) => a - b)
    throw new Failure(`--to: broker ${gone[0]} is not there; those that are: ${known.join(', ')}`)
  }
  return { taking, leaves: brokerId => !ids.has(brokerId), replicationFactor, evens: true }
}

/** Such partitions have replicas that come and that go: nobody could say how many are wanted. */
async function refuseMoving(cluster: Cluster, chosen: readonly TopicPartition[]): Promise<void> {
  const moving = new Set((await listed(cluster)).map(partitionKey))
  const both = chosen.filter(each => moving.has(partitionKey(each)))
  const [first] = both
  if (first === undefined) return
  throw new Failure(
    `${plural(both.length, 'partition')} of these topics (${first.topic}-${first.partition} is one) are moving already: wait for that, or take it back with --cancel`,
  )
}

function listed(cluster: Cluster) {
  return listPartitionReassignments(new AdminCall(cluster, callMs), undefined)
}

/** With what each new replica will take, as far as the leaders tell. */
async function withSizes(
  cluster: Cluster,
  { topics, brokers }: ClusterMetadata,
  moves: readonly PlannedMove[],
): Promise<CopiedMove[]> {
  const leaders = new Map(
    topics.flatMap(({ name, partitions }) =>
      partitions.map(each => [
        partitionKey({ topic: name!, partition: each.partitionIndex }),
        each.leaderId,
      ]),
    ),
  )
  const brokerIds = brokers.map(({ nodeId }) => nodeId)
  const sizes = new Sizes(await replicaSizes(cluster, brokerIds, moves))
  sizes.sayGaps()
  return moves.map(each => ({
    ...each,
    bytes: sizes.ofReplica(leaders.get(partitionKey(each))!, each.topic, each.partition),
  }))
}

const planColumns: readonly Column[] = [
  { title: 'PARTITION' },
  { title: 'REPLICAS' },
  { title: 'NEW REPLICAS' },
  { title: 'ADDED' },
  { title: 'REMOVED' },
  { title: 'TO COPY', align: 'right' },
]

async function showPlan(moves: readonly CopiedMove[], options: ReassignOptions): Promise<void> {
  if (options.json) {
    for (const each of moves) await printJson(each)
    return
  }
  const rows = moves
    .slice(0, shownMoves)
    .map(({ topic, partition, before, replicas, adding, removing, bytes }) => [
      `${topic}-${partition}`,
      before.join(' '),
      replicas.join(' '),
      adding.join(' ') || '-',
      removing.join(' ') || '-',
      adding.length === 0 ? '-' : sizeText(bytes === null ? null : bytes * adding.length),
    ])
  const more = moves.length - rows.length
  const rest = more > 0 ? `and ${more} more (--json prints all)\n` : ''
  const copies = moves.reduce((sum, { adding }) => sum + adding.length, 0)
  const bytes = moves.reduce((sum, each) => sum + (each.bytes ?? 0) * each.adding.length, 0)
  const total = `${plural(moves.length, 'partition')} to change, ${plural(copies, 'replica')} to copy: ${sizeText(bytes)}\n`
  await print(`${table(planColumns, rows)}${rest}${total}`)
}

async function begin(
  cluster: Cluster,
  moves: readonly PlannedMove[],
  brokerIds: readonly number[],
  options: ReassignOptions,
): Promise<void> {
  try {
    const outcomes = await alterPartitionReassignments(new AdminCall(cluster, callMs), moves, true)
    failIfRefused('move', outcomes)
  } catch (error) {
    // Some may be under way: what is throttled stays so until they end.
    const isMoving = (await listed(cluster).catch(() => moves)).length > 0
    if (options.throttle !== undefined && !isMoving) await takeOff(cluster, moves, brokerIds)
    throw error
  }
}

/** Leaders go where they are preferred; without this it takes the controller some minutes. */
async function finish(
  cluster: Cluster,
  moves: readonly PlannedMove[],
  options: ReassignOptions,
): Promise<void> {
  const { topics } = await cluster.metadata([...new Set(moves.map(({ topic }) => topic))])
  const now = new Map(
    topics.flatMap(({ name, partitions }) =>
      partitions.map(each => [
        partitionKey({ topic: name!, partition: each.partitionIndex }),
        each.replicaNodes.join(' '),
      ]),
    ),
  )
  const astray = moves.filter(each => {
    const replicas = now.get(partitionKey(each))
    return replicas !== undefined && replicas !== each.replicas.join(' ')
  })
  if (astray.length > 0) {
    const names = astray.map(({ topic, partition }) => `${topic}-${partition}`)
    throw new Failure(
      `not where they should be, for somebody took the move back or made another: ${names.join(', ')}`,
    )
  }
  await electLeaders(new AdminCall(cluster, callMs), 'preferred', moves)
  await say(options, `Done: ${plural(moves.length, 'partition')} moved.\n`)
  const { fromBroker } = options
  if (fromBroker === undefined) return
  await say(
    options,
    `To have broker ${fromBroker} leave for good: stop it, then \`ottla cluster remove-broker ${fromBroker}\`.\n`,
  )
}

const moveColumns: readonly Column[] = [
  { title: 'MOVING' },
  { title: 'ADDING' },
  { title: 'REMOVING' },
  { title: 'COPIED', align: 'right' },
  { title: 'OF', align: 'right' },
]

async function showMoves(
  cluster: Cluster,
  topics: readonly string[],
  options: ReassignOptions,
): Promise<void> {
  const moves = within(await listed(cluster), topics)
  const metadata = await cluster.metadata()
  const planned = moves.map(each => ({ ...each, before: each.replicas }))
  const copied = moves.length === 0 ? [] : await withSizes(cluster, metadata, planned)
  const progress = new MoveProgress(cluster, copied, () => listed(cluster))
  const rows = await progress.rows()
  if (options.json) {
    for (const { before: _, ...row } of rows) await printJson(row)
  } else if (rows.length === 0) {
    await print('No partition is moving.\n')
  } else {
    const cells = rows.map(({ topic, partition, adding, removing, copied: done, bytes }) => [
      `${topic}-${partition}`,
      adding.join(' ') || '-',
      removing.join(' ') || '-',
      sizeText(done),
      sizeText(bytes === null ? null : bytes * adding.length),
    ])
    await print(table(moveColumns, cells))
  }
}

async function cancelMoves(
  cluster: Cluster,
  topics: readonly string[],
  options: ReassignOptions,
): Promise<void> {
  const moves = within(await listed(cluster), topics)
  if (moves.length === 0) return await say(options, 'No partition is moving.\n')
  const asked = moves.map(({ topic, partition }) => ({
    topic,
    partition,
    replicas: 'cancel' as const,
  }))
  const outcomes = await alterPartitionReassignments(new AdminCall(cluster, callMs), asked, true)
  const { brokers } = await cluster.metadata([])
  const brokerIds = brokers.map(({ nodeId }) => nodeId)
  await takeOff(cluster, moves, brokerIds)
  failIfRefused(
    'cancel',
    outcomes.filter(({ error }) => error?.error !== 'NO_REASSIGNMENT_IN_PROGRESS'),
  )
  if (options.json) {
    for (const { topic, partition } of moves) await printJson({ topic, partition })
  }
  await say(
    options,
    `Cancelled ${plural(moves.length, 'move')}: the replicas are what they were.\n`,
  )
}

async function changeThrottle(cluster: Cluster, options: ReassignOptions): Promise<void> {
  const rate = rateOf(options.throttle!)
  const moves = await listed(cluster)
  const { brokers, topics } = await cluster.metadata()
  const brokerIds = brokers.map(({ nodeId }) => nodeId)
  if (rate === undefined) {
    const names = topics.flatMap(({ name }) => name ?? [])
    await unthrottle(cluster, await throttledTopics(cluster, names), brokerIds)
    return await say(options, 'No replica is throttled any more.\n')
  }
  if (moves.length === 0) throw new Failure('no partition is moving: there is nothing to throttle')
  const placed = moves.map(each => ({
    ...each,
    before: each.replicas.filter(id => !each.adding.includes(id)),
  }))
  await throttleMoves(cluster, placed, brokerIds, rate)
  await say(options, `Each broker sends and takes at most ${sizeText(rate)} of them a second.\n`)
}

/** Of these moves; brokers keep their rates while others, which may be throttled, are under way. */
async function takeOff(
  cluster: Cluster,
  moves: readonly TopicPartition[],
  brokerIds: readonly number[],
): Promise<void> {
  const others = (await listed(cluster)).map(({ topic }) => topic)
  const topics = [...new Set(moves.map(({ topic }) => topic))]
  await unthrottle(
    cluster,
    topics.filter(topic => !others.includes(topic)),
    others.length === 0 ? brokerIds : [],
  )
}

function within<Each extends TopicPartition>(moves: readonly Each[], topics: readonly string[]) {
  return topics.length === 0 ? moves : moves.filter(({ topic }) => topics.includes(topic))
}

function failIfRefused(
  what: string,
  outcomes: Awaited<ReturnType<typeof alterPartitionReassignments>>,
): void {
  const refused = outcomes.filter(({ error }) => error !== undefined)
  if (refused.length === 0) return
  const shown = refused
    .slice(0, 5)
    .map(({ topic, partition, error }) => `${topic}-${partition}: ${error!.message}`)
  const more = refused.length - shown.length
  throw new Failure(`cannot ${what} ${shown.join('; ')}${more > 0 ? `; and ${more} more` : ''}`)
}

function seeHow({ throttle }: ReassignOptions): string {
  const release = throttle === undefined ? '' : '; when they have ended, --throttle none'
  return `\`ottla topics reassign --status\` shows them, --cancel takes them back${release}`
}

async function say({ json }: ReassignOptions, text: string): Promise<void> {
  if (!json) await print(text)
}
