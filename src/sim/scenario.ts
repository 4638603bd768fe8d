/**
 * One broker, its producers, consumers and groups, and crashes, in a simulated world; everything follows from the seed.
 *
 * A seed is one of two kinds. `kill`: the topics have the default flush policy and the process is
 * killed again and again; all that was acknowledged must be there. `power`: flush.messages=1, and
 * the machine loses power too, with all that was not synced; the promise is the same. Of both, half
 * have small segments that are compacted all the time; no record loses its key to another.
 */
import { Broker } from '../broker/broker.ts'
import { Cluster } from '../client/cluster.ts'
import { createTopics } from '../client/topics.ts'
import { verify } from '../log/verify.ts'
import { type Attempt, check, type Seen } from './checker.ts'
import { checkGroups, type GroupHistory } from './group-checker.ts'
import { type GroupWorkload, joinUntilStopped, readCommitted } from './group-workload.ts'
import { Prng } from './random.ts'
import {
  consumeUntilStopped,
  nameOf,
  type PartitionName,
  produceUntilStopped,
  readAll,
  type Workload,
} from './workload.ts'
import { World } from './world.ts'

export interface Outcome {
  readonly seed: number
  readonly kind: 'kill' | 'power'
  readonly crashes: number
  readonly acknowledged: number
  readonly attempted: number
  readonly seen: number
  /** Offsets whose commit was acknowledged. */
  readonly commits: number
  readonly virtualMs: number
  readonly fingerprint: string
  /** Broken promises, one sentence each; empty when all held. */
  readonly breaches: readonly string[]
}

const groupIds = ['group0', 'group1']
const host = 'broker'
const port = 9092

/** Runs one seed to its end. Throws when the run itself fails (deadlock, assertion, refusal). */
export async function runSeed(seed: number): Promise<Outcome> {
  const world = new World(seed)
  return await world.run(() => scenario(world, seed))
}

async function scenario(world: World, seed: number): Promise<Outcome> {
  const chance = new Prng(seed, 'scenario')
  const kind = chance.below(2) === 0 ? 'kill' : 'power'
  const isCompacted = new Prng(seed, 'compaction').below(2) === 0
  const start = () => startBroker(world, kind, isCompacted)
  let broker = await start()
  const partitions = await makeTopics(world, chance, kind, isCompacted)
  const workload: Workload = {
    partitions,
    isCompacted,
    attempts: [],
    seen: [],
    stopping: false,
  }
  const clients = startClients(world, seed, 2 + chance.below(3), workload)
  const groups = await groupWorkload(world, partitions)
  clients.push(...startMembers(world, seed, chance, groups))
  const crashes = 1 + chance.below(4)
  for (let crash = 0; crash < crashes; crash++) {
    await world.sleep(chance.between(50, 4_000))
    if (kind === 'power' && chance.below(3) > 0) world.powerLoss(host)
    else if (chance.below(5) > 0) world.kill(host)
    else await broker.close()
    await world.sleep(chance.between(1, 500))
    broker = await start()
  }
  await world.sleep(1_000)
  workload.stopping = true
  groups.stopping = true
  await Promise.all(clients)
  const final = await finalLogs(world, partitions)
  await readGroups(world, groups)
  await broker.close()
  const outcome = verdict(world, seed, kind, crashes, workload, groups.history, final)
  return { ...outcome, breaches: [...outcome.breaches, ...(await wrongFiles(world))] }
}

/** What a stopped broker leaves is sound to the last index entry. */
async function wrongFiles(world: World): Promise<string[]> {
  const { findings } = await verify(world.io(host).disk, '/data', { deep: true })
  return findings
    .filter(({ kind }) => kind !== 'note')
    .map(({ kind, path, position = 0, what }) => `${kind}: ${path} at ${position}: ${what}`)
}

/** Segments of half a second, so that there is something to compact. */
const compaction = {
  'log.roll.ms': '500',
  'log.cleaner.backoff.ms': '50',
  'log.cleaner.min.cleanable.ratio': '0.01',
  'log.segment.delete.delay.ms': '100',
}

function startBroker(world: World, kind: Outcome['kind'], isCompacted: boolean): Promise<Broker> {
  const properties = {
    listeners: `PLAINTEXT://${host}:${port}`,
    'log.dirs': '/data',
    'log.segment.bytes': '1048576',
    'offsets.topic.num.partitions': '3',
    ...(kind === 'power' && { 'log.flush.interval.messages': '1' }),
    ...(isCompacted && compaction),
  }
  return Broker.start({ io: world.io(host), properties })
}

async function makeTopics(
  world: World,
  chance: Prng,
  kind: Outcome['kind'],
  isCompacted: boolean,
): Promise<PartitionName[]> {
  const configs = new Map(isCompacted ? [['cleanup.policy', 'compact']] : [])
  if (kind === 'power') configs.set('flush.messages', '1')
  const cluster = client(world, 'admin')
  const topics = Array.from({ length: 1 + chance.below(2) }, (_, index) => `topic${index}`)
  const count = 1 + chance.below(3)
  const created = await createTopics(
    cluster,
    topics.map(name => ({ name, partitions: count, configs })),
  )
  cluster.close()
  for (const { error } of created) if (error !== undefined) throw error
  return topics.flatMap(topic =>
    Array.from({ length: count }, (_, partition) => ({ topic, partition })),
  )
}

function startClients(
  world: World,
  seed: number,
  producers: number,
  workload: Workload,
): Promise<void>[] {
  const clients = Array.from({ length: producers }, (_, index) => {
    const name = `producer${index}`
    const cluster = client(world, name)
    return produceUntilStopped(
      world.io(name),
      cluster,
      new Prng(seed, name),
      workload,
      index,
    ).finally(() => cluster.close())
  })
  const consumer = client(world, 'consumer')
  const consuming = consumeUntilStopped(consumer, new Prng(seed, 'consumer'), workload)
  return [...clients, consuming.finally(() => consumer.close())]
}

async function groupWorkload(
  world: World,
  partitions: readonly PartitionName[],
): Promise<GroupWorkload> {
  const cluster = client(world, 'admin')
  const { topics } = await cluster.metadata()
  cluster.close()
  const idOf = new Map(topics.map(({ name, topicId }) => [name, topicId]))
  const history = { owned: [], commits: [], reads: [], moment: 0 }
  const named = partitions.map(each => ({ ...each, topicId: idOf.get(each.topic)! }))
  return { partitions: named, history, stopping: false }
}

/** Up to four members in each of two groups, some of them static. */
function startMembers(
  world: World,
  seed: number,
  chance: Prng,
  groups: GroupWorkload,
): Promise<void>[] {
  return groupIds.flatMap(groupId =>
    Array.from({ length: 1 + chance.below(4) }, (_, index) => {
      const name = `${groupId}-member${index}`
      const instanceId = chance.chance(0.25) ? name : null
      const connect = () => client(world, name)
      const own = new Prng(seed, name)
      return joinUntilStopped(world.io(name), connect, own, groups, groupId, instanceId)
    }),
  )
}

async function readGroups(world: World, groups: GroupWorkload): Promise<void> {
  const cluster = client(world, 'reader')
  for (const groupId of groupIds) await readCommitted(cluster, groups, groupId)
  cluster.close()
}

function client(world: World, name: string): Cluster {
  return new Cluster(world.io(name), { bootstrap: [{ host, port }], clientId: name })
}

async function finalLogs(
  world: World,
  partitions: readonly PartitionName[],
): Promise<Map<string, Seen[]>> {
  const cluster = client(world, 'reader')
  const final = new Map<string, Seen[]>()
  for (const where of partitions) final.set(nameOf(where), await readAll(cluster, where))
  cluster.close()
  return final
}

function verdict(
  world: World,
  seed: number,
  kind: Outcome['kind'],
  crashes: number,
  { attempts, seen }: { attempts: readonly Attempt[]; seen: readonly Seen[] },
  groups: GroupHistory,
  final: ReadonlyMap<string, readonly Seen[]>,
): Outcome {
  const promises = { keptAcknowledged: true, stableOffsets: true }
  return {
    seed,
    kind,
    crashes,
    acknowledged: attempts.filter(({ outcome }) => outcome === 'ok').length,
    attempted: attempts.length,
    seen: seen.length,
    virtualMs: Math.round(world.nowMs),
    fingerprint: world.fingerprint,
    commits: groups.commits.filter(({ outcome }) => outcome === 'ok').length,
    breaches: [...check(attempts, seen, final, promises), ...checkGroups(groups)],
  }
}
