/**
 * Several brokers on machines of their own around one metadata store, clients that know them all, and
 * every fault of `cluster-faults.ts`; the invariants are checked after each event. Everything follows
 * from the seed. A run ends with healing, and then all must be well within a minute (20 Liveness).
 */
import { Cluster } from '../client/cluster.ts'
import { createTopics } from '../client/topics.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { BrokerMachine, brokerPort } from './broker-machine.ts'
import { type Attempt, check, type Seen } from './checker.ts'
import { administerUntilSettling } from './cluster-admin.ts'
import { type FaultScene, faultPeriods } from './cluster-faults.ts'
import { InvariantError, Invariants } from './invariants.ts'
import { LossBudget } from './loss-budget.ts'
import { Prng } from './random.ts'
import {
  answered,
  consumeUntilStopped,
  nameOf,
  type PartitionName,
  produceUntilStopped,
  readAll,
  type Workload,
} from './workload.ts'
import { World } from './world.ts'

/** What a run came to. */
export interface ClusterOutcome {
  readonly seed: number
  readonly brokers: number
  /** As `RF 3, min ISR 2, sync`. */
  readonly setting: string
  /** How often each fault was there. */
  readonly faults: ReadonlyMap<string, number>
  readonly acknowledged: number
  readonly attempted: number
  readonly seen: number
  readonly virtualMs: number
  readonly events: number
  readonly fingerprint: string
  /** Broken promises, one sentence each; empty when all held. */
  readonly breaches: readonly string[]
  /** What happened before a breach. */
  readonly notes: readonly string[]
}

interface Setting {
  readonly brokers: number
  readonly replicationFactor: number
  readonly minIsr: number
  readonly flush: 'os' | 'interval' | 'sync'
  readonly sessionTimeoutMs: number
  readonly lagTimeMs: number
  readonly rollMs: number
  /** replica.fetch.max.bytes: a follower may need several rounds to catch up. */
  readonly fetchBytes: number
  readonly topics: number
  readonly partitions: number
  readonly faultsMs: number
  /** Topics, replicas and configs change meanwhile. */
  readonly isAdministered: boolean
  /** The smallest holds a few batches: what is older is read from files. */
  readonly tailBytes: number
}

const livenessMs = 60_000
const pollMs = 100

/** Runs one seed to its end. Throws when the run itself fails (deadlock, assertion, refusal). */
export async function runClusterSeed(seed: number): Promise<ClusterOutcome> {
  const world = new World(seed)
  const chance = new Prng(seed, 'cluster')
  const setting = drawSetting(chance, new Prng(seed, 'memory'))
  const run = new ClusterRun(world, seed, chance, setting)
  const breaches: string[] = []
  try {
    breaches.push(...(await world.run(() => run.play())))
  } catch (error) {
    if (!(error instanceof InvariantError)) {
      throw new Error(`${run.notes.join('\n')}\nthe run failed`, { cause: error })
    }
    breaches.push(error.message)
  }
  return { ...run.outcome(), breaches, notes: breaches.length > 0 ? run.notes : [] }
}

function drawSetting(chance: Prng, memory: Prng): Setting {
  const replicationFactor = [1, 2, 3, 3, 3][chance.below(5)]!
  return {
    brokers: 3 + Math.max(0, chance.below(6) - 3),
    replicationFactor,
    minIsr: Math.min(replicationFactor, [1, 2, 2][chance.below(3)]!),
    flush: (['os', 'interval', 'sync', 'sync'] as const)[chance.below(4)]!,
    sessionTimeoutMs: Math.round(chance.between(2_000, 3_000)),
    lagTimeMs: Math.round(chance.between(500, 3_000)),
    rollMs: [604_800_000, 1_000][chance.below(2)]!,
    fetchBytes: [1_048_576, 2_000][chance.below(2)]!,
    topics: 1 + chance.below(2),
    partitions: 1 + chance.below(2),
    faultsMs: chance.between(4_000, 16_000),
    isAdministered: chance.chance(0.5),
    tailBytes: [67_108_864, 65_536, 16_384][memory.below(3)]!,
  }
}

function propertiesOf(setting: Setting): Record<string, string> {
  return {
    'broker.session.timeout.ms': String(setting.sessionTimeoutMs),
    'replica.lag.time.max.ms': String(setting.lagTimeMs),
    'min.insync.replicas': String(setting.minIsr),
    'default.replication.factor': String(setting.replicationFactor),
    'log.segment.bytes': '1048576',
    'log.roll.ms': String(setting.rollMs),
    'replica.fetch.max.bytes': String(setting.fetchBytes),
    'log.tail.cache.bytes': String(setting.tailBytes),
    ...(setting.flush === 'sync' && { 'log.flush.interval.messages': '1' }),
    ...(setting.flush === 'interval' && { 'log.flush.interval.ms': '300' }),
  }
}

class ClusterRun {
  readonly #world: World
  readonly #seed: number
  readonly #chance: Prng
  readonly #setting: Setting
  readonly #machines: readonly BrokerMachine[]
  readonly #invariants: Invariants
  readonly #workload: Workload
  readonly #partitions: PartitionName[] = []
  readonly #onFault = (error: unknown) => {
    this.#fault ??= { error }
  }
  #faults: ReadonlyMap<string, number> = new Map()
  #fault: { readonly error: unknown } | undefined
  #twins = 0

  constructor(world: World, seed: number, chance: Prng, setting: Setting) {
    this.#world = world
    this.#seed = seed
    this.#chance = chance
    this.#setting = setting
    this.#machines = Array.from(
      { length: setting.brokers },
      (_, index) => new BrokerMachine(world, index + 1, propertiesOf(setting), this.#onFault),
    )
    this.#invariants = new Invariants(world, this.#machines, setting.flush === 'sync')
    this.#workload = {
      partitions: this.#partitions,
      isCompacted: false,
      isReplicated: true,
      attempts: [],
      seen: [],
      stopping: false,
      onShown: ({ partition, offset, value }) => this.#invariants.onShown(partition, offset, value),
      onAcknowledged: ([first, ...others]) =>
        this.#invariants.onAcknowledged(first!.partition, first!.offset, 1 + others.length),
    }
    world.afterEvent = hosts => {
      if (this.#fault !== undefined) throw this.#fault.error
      this.#invariants.check(hosts)
    }
  }

  get notes(): string[] {
    return this.#invariants.notes
  }

  outcome(): Omit<ClusterOutcome, 'breaches' | 'notes'> {
    const { brokers, replicationFactor, minIsr, flush } = this.#setting
    const { attempts, seen } = this.#workload
    return {
      seed: this.#seed,
      brokers,
      setting: `RF ${replicationFactor}, min ISR ${minIsr}, ${flush}`,
      faults: this.#faults,
      acknowledged: attempts.filter(({ outcome }) => outcome === 'ok').length,
      attempted: attempts.length,
      seen: seen.length,
      virtualMs: Math.round(this.#world.nowMs),
      events: this.#world.eventCount,
      fingerprint: this.#world.fingerprint,
    }
  }

  /** All of it; answers what was broken. */
  async play(): Promise<string[]> {
    for (const machine of this.#machines) machine.start()
    await this.#until('all brokers serve', () => this.#machines.every(({ parts }) => parts))
    await this.#makeTopics()
    const clientHosts = ['consumer']
    const clients = [this.#consume()]
    if (this.#setting.isAdministered) clients.push(this.#administer())
    for (let producer = 0; producer < 2 + this.#chance.below(3); producer++) {
      clientHosts.push(`producer${producer}`)
      clients.push(this.#produce(producer))
    }
    const scene: FaultScene = {
      world: this.#world,
      machines: this.#machines,
      clients: clientHosts,
      chance: new Prng(this.#seed, 'faults'),
      invariants: this.#invariants,
      losses: new LossBudget(this.#invariants),
      isSynced: this.#setting.flush === 'sync',
      isAdministered: this.#setting.isAdministered,
      twinOf: machine => this.#twinOf(machine),
    }
    this.#faults = await faultPeriods(scene, this.#world.nowMs + this.#setting.faultsMs)
    this.#workload.isSettling = true
    await this.#healed()
    this.#workload.stopping = true
    await this.#over('clients are told what became of their records', Promise.all(clients))
    await this.#writeEverywhere()
    const final = await this.#readEverything()
    await this.#until('all replicas are equal', () => this.#areEqual())
    this.#invariants.checkEnd()
    const promises = { keptAcknowledged: true, stableOffsets: true }
    return check(this.#workload.attempts, this.#workload.seen, final, promises)
  }

  #twinOf({ brokerId }: BrokerMachine): BrokerMachine {
    const host = `twin${++this.#twins}of${brokerId}`
    const properties = propertiesOf(this.#setting)
    const twin = new BrokerMachine(this.#world, brokerId, properties, this.#onFault, host)
    this.#invariants.add(twin)
    return twin
  }

  #client(name: string): Cluster {
    const bootstrap = this.#machines.map(({ host }) => ({ host, port: brokerPort }))
    const timeoutMs = 2_000 + this.#chance.below(6_000)
    return new Cluster(this.#world.io(name), { bootstrap, clientId: name, timeoutMs })
  }

  async #makeTopics(): Promise<void> {
    const { topics, partitions, replicationFactor } = this.#setting
    const cluster = this.#client('admin')
    const names = Array.from({ length: topics }, (_, index) => `topic${index}`)
    const created = await createTopics(
      cluster,
      names.map(name => ({ name, partitions, replicationFactor })),
    )
    cluster.close()
    for (const { error } of created) if (error !== undefined) throw error
    for (const topic of names) {
      for (let partition = 0; partition < partitions; partition++) {
        this.#partitions.push({ topic, partition })
      }
    }
  }

  async #produce(producer: number): Promise<void> {
    const name = `producer${producer}`
    const cluster = this.#client(name)
    const own = new Prng(this.#seed, name)
    await produceUntilStopped(this.#world.io(name), cluster, own, this.#workload, producer)
    cluster.close()
  }

  async #consume(): Promise<void> {
    const cluster = this.#client('consumer')
    await consumeUntilStopped(cluster, new Prng(this.#seed, 'consumer'), this.#workload)
    cluster.close()
  }

  async #administer(): Promise<void> {
    const { replicationFactor } = this.#setting
    const cluster = this.#client('admin')
    await administerUntilSettling({
      world: this.#world,
      cluster,
      chance: new Prng(this.#seed, 'admin'),
      workload: this.#workload,
      brokerIds: this.#machines.map(({ brokerId }) => brokerId),
      replicationFactor,
      mostMinIsr: Math.min(2, replicationFactor),
    })
    cluster.close()
  }

  /** 20: leaders are there, every ISR is full, moves are over. */
  async #healed(): Promise<void> {
    await this.#until('every partition has a leader and a full ISR', () =>
      [...this.#invariants.truths()].every(
        ({ state: { leader, isr, replicas, adding } }) =>
          leader !== null && isr.length === replicas.length && adding.length === 0,
      ),
    )
  }

  /** 20: new writes are acknowledged. */
  async #writeEverywhere(): Promise<void> {
    const cluster = this.#client('last')
    const isWritten = this.#partitions.map(async where => {
      const partition = nameOf(where)
      const value = `last/${partition}`
      const records = buildBatch({}, [{ key: value, value, timestamp: 0 }])
      for (;;) {
        const copy = { ...where, records: records.slice() }
        const [result] = await answered(cluster.produce([copy], { acks: -1 }))
        if (result === undefined || result instanceof Error) continue
        const attempt: Attempt = {
          producer: -1,
          idempotent: false,
          partition,
          value,
          sequence: 0,
          outcome: 'ok',
          offset: result.baseOffset,
        }
        this.#workload.attempts.push(attempt)
        return
      }
    })
    await this.#over('new writes are acknowledged', Promise.all(isWritten))
    cluster.close()
  }

  async #readEverything(): Promise<Map<string, Seen[]>> {
    const cluster = this.#client('reader')
    const final = new Map<string, Seen[]>()
    for (const where of this.#partitions) final.set(nameOf(where), await readAll(cluster, where))
    cluster.close()
    return final
  }

  /** Every replica holds every record, and none but those. */
  #areEqual(): boolean {
    return [...this.#invariants.truths()].every(truth =>
      truth.state.replicas.every(id => {
        const log = this.#invariants.diskLog(`broker${id}`, truth.name)
        const isWhole = truth.missing(log, truth.highWatermark) === undefined
        return isWhole && (log?.endOffset ?? 0) === truth.highWatermark
      }),
    )
  }

  async #over(what: string, work: Promise<unknown>): Promise<void> {
    let isOver = false
    const ended = work.then(() => {
      isOver = true
    })
    await this.#until(what, () => isOver)
    await ended
  }

  async #until(what: string, isTrue: () => unknown): Promise<void> {
    const deadlineMs = this.#world.nowMs + livenessMs
    while (!isTrue()) {
      if (this.#world.nowMs > deadlineMs) throw new InvariantError(`Liveness: not in time: ${what}`)
      await this.#world.sleep(pollMs)
    }
  }
}
