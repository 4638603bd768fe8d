/**
 * What goes wrong in a simulated cluster: replication.md §13. A run draws which kinds of faults it has;
 * then periods follow one another, each with a random few of them, and a quarter of all without any.
 * Every fault ends with its period at the latest, and says how.
 */
import type { BrokerMachine } from './broker-machine.ts'
import type { SimulatedDisk } from './disk.ts'
import type { DiskLog } from './disk-logs.ts'
import type { Invariants } from './invariants.ts'
import { type LossBudget, lastingLoss } from './loss-budget.ts'
import type { Prng } from './random.ts'
import type { StoreFault } from './store.ts'
import type { World } from './world.ts'

/** What faults work on. */
export interface FaultScene {
  readonly world: World
  readonly machines: readonly BrokerMachine[]
  /** Hosts of clients. */
  readonly clients: readonly string[]
  readonly chance: Prng
  readonly invariants: Invariants
  readonly losses: LossBudget
  /** Every record is synced before it counts: a power loss takes nothing that counts. */
  readonly isSynced: boolean
  /** Partitions come and move meanwhile. */
  readonly isAdministered: boolean
  /** A machine with an empty disk and a broker of the same id, not started. */
  twinOf(machine: BrokerMachine): BrokerMachine
}

/** Begins a fault for `durationMs`; answers how to end it, or undefined when it was over at once. */
type Fault = (scene: FaultScene, durationMs: number) => (() => void) | undefined

const normalDisk = { callMs: { min: 0.02, max: 0.3 }, syncMs: { min: 0.3, max: 5 } }
const unlimitedBytes = 2 ** 40
/** In a batch: what is before it has no CRC, in Kafka neither. */
const crcPosition = 17

function one<T>({ chance }: FaultScene, list: readonly T[]): T {
  return list[chance.below(list.length)]!
}

function twoHosts(scene: FaultScene): [from: string, to: string] {
  const hosts = [...scene.machines.map(({ host }) => host), ...scene.clients]
  const from = one(scene, scene.machines).host
  return [
    from,
    one(
      scene,
      hosts.filter(host => host !== from),
    ),
  ]
}

/** Lets `run` happen within the period. */
function within(scene: FaultScene, durationMs: number, run: () => void): void {
  void scene.world.sleep(scene.chance.between(0, 0.8 * durationMs)).then(run)
}

const network = {
  slowLink(scene) {
    const { world } = scene
    const [from, to] = twoHosts(scene)
    world.network.delayOf.set(`${from} ${to}`, { min: 1, max: scene.chance.between(2, 100) })
    return () => void world.network.delayOf.delete(`${from} ${to}`)
  },
  oneWayCut(scene) {
    const [from, to] = scene.chance.chance(0.5) ? twoHosts(scene) : twoHosts(scene).toReversed()
    scene.world.network.cut(from!, to!)
    return () => scene.world.network.join(from!, to!)
  },
  cut(scene) {
    const [from, to] = twoHosts(scene)
    scene.world.network.cut(from, to)
    scene.world.network.cut(to, from)
    return () => {
      scene.world.network.join(from, to)
      scene.world.network.join(to, from)
    }
  },
  /** From the other brokers; perhaps from clients and the store, too. */
  isolation(scene) {
    const { world, machines, clients, chance } = scene
    const { host } = one(scene, machines)
    const others = machines.map(machine => machine.host).filter(other => other !== host)
    if (chance.chance(0.3)) others.push(...clients)
    for (const other of others) {
      world.network.cut(host, other)
      world.network.cut(other, host)
    }
    if (chance.chance(0.4)) world.metadata.cutOff(host)
    return () => {
      world.metadata.rejoin(host)
      for (const other of others) {
        world.network.join(host, other)
        world.network.join(other, host)
      }
    }
  },
  resets(scene, durationMs) {
    for (let count = 1 + scene.chance.below(3); count > 0; count--) {
      within(scene, durationMs, () => scene.world.network.reset(...twoHosts(scene)))
    }
    return undefined
  },
} satisfies Record<string, Fault>

const processes = {
  kill(scene, durationMs) {
    const machine = one(scene, scene.machines)
    machine.isKeptUp = false
    machine.kill()
    return startAgain(scene, machine, durationMs)
  },
  storm(scene, durationMs) {
    const machine = one(scene, scene.machines)
    for (let count = 2 + scene.chance.below(4); count > 0; count--) {
      within(scene, durationMs, () => {
        machine.kill()
        if (machine.isKeptUp) machine.start()
      })
    }
    return undefined
  },
  pause(scene, durationMs) {
    const { host } = one(scene, scene.machines)
    const { world, chance } = scene
    world.pause(host)
    const resume = () => world.resume(host)
    const isLong = chance.chance(0.5)
    void world.sleep(isLong ? durationMs : chance.between(100, durationMs)).then(resume)
    return resume
  },
  shutdown(scene, durationMs) {
    const machine = one(scene, scene.machines)
    machine.isKeptUp = false
    void machine.stop()
    return startAgain(scene, machine, durationMs)
  },
  secondStart(scene, durationMs) {
    const machine = one(scene, scene.machines)
    for (let count = 1 + scene.chance.below(3); count > 0; count--) {
      within(scene, durationMs, () => machine.startBeside())
    }
    return undefined
  },
  /**
   * Another machine gets the id of a broker that is out of touch with the store: if that lasts, the
   * older one loses its registration to it, and with that its place in every ISR.
   */
  twin(scene) {
    const { world, machines, chance, losses } = scene
    const { metadata } = world
    const older = one(scene, machines)
    if (scene.isAdministered || !losses.take(older.brokerId, lastingLoss)) return undefined
    const isPaused = chance.chance(0.5)
    if (isPaused) world.pause(older.host)
    else metadata.cutOff(older.host)
    const twin = scene.twinOf(older)
    twin.start()
    return () => {
      twin.isKeptUp = false
      twin.kill()
      if (isPaused) world.resume(older.host)
      else metadata.rejoin(older.host)
      losses.settle(older.brokerId, metadata.model.revision)
    }
  },
  clock(scene) {
    const { world, chance } = scene
    const clock = world.clock(one(scene, scene.machines).host)
    clock.rate = chance.between(0.99, 1.01)
    clock.wallOffsetMs += chance.between(-600_000, 600_000)
    return undefined
  },
} satisfies Record<string, Fault>

/** At some moment of the period, or at its end. */
function startAgain({ world, chance }: FaultScene, machine: BrokerMachine, durationMs: number) {
  const start = () => {
    machine.isKeptUp = true
    machine.start()
  }
  void world.sleep(chance.between(10, durationMs)).then(start)
  return start
}

const disks = {
  powerLoss(scene, durationMs) {
    const machine = one(scene, scene.machines)
    if (!scene.isSynced && !mayLose(scene, machine)) return undefined
    machine.isKeptUp = false
    machine.powerLoss()
    return startAgain(scene, machine, durationMs)
  },
  /** Of all machines at once: what is synced is all that counts. */
  blackout(scene, durationMs) {
    if (!scene.isSynced) return undefined
    const starts = scene.machines.map(machine => {
      machine.isKeptUp = false
      machine.powerLoss()
      return startAgain(scene, machine, durationMs)
    })
    return () => {
      for (const start of starts) start()
    }
  },
  /**
   * Of a member of an ISR that has no more than min.insync.replicas: who leaves it so is kept in mind
   * as complete, and must not be when it comes back with less.
   */
  lossBelowMinIsr(scene, durationMs) {
    const { world, machines, chance, invariants } = scene
    const { isr, leader, minIsr } = one(scene, [...invariants.truths()]).state
    const followers = machines.filter(
      ({ brokerId }) => brokerId !== leader?.[0] && isr.some(([id]) => id === brokerId),
    )
    if (minIsr < 2 || followers.length < minIsr - 1) return undefined
    const [victim, ...spare] = followers.splice(0, followers.length - (minIsr - 2))
    for (const machine of spare) {
      machine.isKeptUp = false
      machine.kill()
    }
    void world.sleep(chance.between(0.2, 0.6) * durationMs).then(() => {
      if (!scene.isSynced && !mayLose(scene, victim!)) return
      victim!.isKeptUp = false
      victim!.powerLoss()
      startAgain(scene, victim!, 300)
    })
    return () => {
      for (const machine of spare) {
        machine.isKeptUp = true
        machine.start()
      }
    }
  },
  slowDisk(scene) {
    const disk = scene.world.disk(one(scene, scene.machines).host)
    disk.callMs = { min: 1, max: scene.chance.between(2, 50) }
    disk.syncMs = { min: 5, max: scene.chance.between(10, 800) }
    return () => void Object.assign(disk, normalDisk)
  },
  full(scene) {
    const disk = scene.world.disk(one(scene, scene.machines).host)
    disk.capacityBytes = disk.usedBytes + scene.chance.below(2_000)
    return () => {
      disk.capacityBytes = unlimitedBytes
    }
  },
  /** Bits of synced batches of one copy, where the CRC is or what it covers. */
  flips(scene) {
    const { world, chance, invariants, losses } = scene
    const machine = one(scene, scene.machines)
    const disk = world.disk(machine.host)
    const batches = [...invariants.diskLogs(machine.host)].flatMap(log => coldBatches(log, disk))
    if (batches.length === 0 || !losses.take(machine.brokerId, lastingLoss)) return undefined
    for (let count = 1 + chance.below(4); count > 0; count--) {
      const { path, from, to } = one(scene, batches)
      const position = from + chance.below(to - from)
      disk.flipForReaders(path, position, 1 << chance.below(8))
      invariants.note(() => `a bit flips on ${machine.host}: ${path} at ${position}`)
    }
    // So that what is read is on the disk, and nowhere else.
    if (chance.chance(0.5)) {
      machine.kill()
      if (machine.isKeptUp) machine.start()
    }
    return () => {
      disk.unflip()
      losses.settle(machine.brokerId, world.metadata.model.revision)
    }
  },
  brokenSync(scene) {
    const machine = one(scene, scene.machines)
    if (!mayLose(scene, machine)) return undefined
    const disk = scene.world.disk(machine.host)
    // It is slow before it fails: so much of the log waits for one sync.
    disk.syncMs = { min: 50, max: 300 }
    let syncs = scene.chance.below(4)
    disk.fault = (operation, path) => {
      if (operation !== 'sync' || !path.endsWith('.log') || syncs-- !== 0) return undefined
      scene.invariants.note(() => `a sync fails on ${machine.host}`)
      return 'EIO'
    }
    return () => {
      Object.assign(disk, normalDisk)
      disk.fault = undefined
    }
  },
} satisfies Record<string, Fault>

/** Where they lie whose sectors are all synced, from the CRC on. */
function coldBatches({ segments }: DiskLog, disk: SimulatedDisk) {
  return [...segments.values()].flatMap(({ path, positions }) => {
    const syncedTo = disk.has(path) ? disk.unsyncedFrom(path) : 0
    return positions
      .map((to, index) => ({ path, from: (positions[index - 1] ?? 0) + crcPosition, to }))
      .filter(({ to }) => to <= syncedTo)
  })
}

function mayLose({ losses, world }: FaultScene, { brokerId }: BrokerMachine): boolean {
  return losses.take(brokerId, world.metadata.model.revision)
}

const watchLag: Fault = scene => {
  const { world, chance } = scene
  const { host } = one(scene, scene.machines)
  world.metadata.watchLagOf.set(host, { min: 5, max: chance.between(50, 6_000) })
  return () => void world.metadata.watchLagOf.delete(host)
}

const store = {
  outage({ world }) {
    world.metadata.fault = () => 'lost'
    return () => {
      world.metadata.fault = undefined
    }
  },
  unanswered(scene) {
    const { world, chance } = scene
    const often = chance.between(0.05, 0.5)
    const fates: readonly StoreFault[] = ['lost', 'answer lost', 'late']
    world.metadata.lateMs = { min: 5, max: chance.between(10, 5_000) }
    world.metadata.fault = () => (chance.chance(often) ? one(scene, fates) : undefined)
    return () => {
      world.metadata.fault = undefined
    }
  },
  /** Brokers register and are admitted meanwhile; the controller is perhaps another each time. */
  unansweredAdmissions(scene, durationMs) {
    const { world, chance } = scene
    const fates: readonly StoreFault[] = ['lost', 'answer lost', 'late']
    world.metadata.lateMs = { min: 5, max: chance.between(10, 1_000) }
    world.metadata.fault = kind =>
      kind === 'txn' && chance.chance(0.4) ? one(scene, fates) : undefined
    processes.storm(scene, durationMs)
    return () => {
      world.metadata.fault = undefined
    }
  },
  cutFromStore(scene) {
    const { host } = one(scene, scene.machines)
    scene.world.metadata.cutOff(host)
    return () => scene.world.metadata.rejoin(host)
  },
  watchLag,
  brokenWatches(scene, durationMs) {
    within(scene, durationMs, () => scene.world.metadata.breakWatches())
    return undefined
  },
  /** Behind a watch that lags; if that is broken too, what it missed is gone. */
  compaction(scene, durationMs) {
    const end = watchLag(scene, durationMs)
    within(scene, durationMs, () => {
      const { metadata } = scene.world
      metadata.compact(metadata.model.revision)
      if (scene.chance.chance(0.5)) metadata.breakWatches()
    })
    return end
  },
  /** Leases live longer than their time, never shorter; requests are perhaps not answered for a while. */
  leaderChange(scene, durationMs) {
    const { world, chance } = scene
    const { metadata } = world
    for (let count = 1 + chance.below(3); count > 0; count--) {
      const awayMs = chance.chance(0.5) ? chance.between(10, 1_000) : 0
      within(scene, durationMs, () => {
        metadata.extendLeases()
        if (awayMs === 0 || metadata.fault !== undefined) return
        const away = () => 'lost' as const
        metadata.fault = away
        void world.sleep(awayMs).then(() => {
          if (metadata.fault === away) metadata.fault = undefined
        })
      })
    }
    return undefined
  },
  lateExpiry({ world, chance }) {
    world.metadata.expiryLateMs = { min: 0, max: chance.between(500, 4_000) }
    return () => {
      world.metadata.expiryLateMs = { min: 0, max: 500 }
    }
  },
} satisfies Record<string, Fault>

const faults: ReadonlyMap<string, Fault> = new Map(
  Object.entries<Fault>({ ...network, ...processes, ...disks, ...store }),
)

/** Periods until `endMs`; answers how often each fault was there. All of them are over then. */
export async function faultPeriods(scene: FaultScene, endMs: number): Promise<Map<string, number>> {
  const { world, chance, invariants } = scene
  const names = [...faults.keys()].filter(() => chance.chance(0.4))
  const counts = new Map<string, number>()
  while (world.nowMs < endMs) {
    const durationMs = Math.min(endMs - world.nowMs, 300 * 20 ** chance.fraction())
    const chosen = chance.chance(0.25) ? [] : names.filter(() => chance.below(names.length) < 2)
    const ends: (() => void)[] = []
    for (const name of chosen) {
      invariants.note(() => `fault: ${name} for ${durationMs.toFixed(0)} ms`)
      counts.set(name, (counts.get(name) ?? 0) + 1)
      const end = faults.get(name)!(scene, durationMs)
      if (end !== undefined) ends.push(end)
    }
    await world.sleep(durationMs)
    for (const end of ends) end()
  }
  heal(scene)
  return counts
}

/** Whatever is left of any fault is over, and every broker runs. */
function heal({ world, machines, invariants }: FaultScene): void {
  invariants.note(() => 'healed')
  world.network.heal()
  world.network.delayOf.clear()
  world.metadata.fault = undefined
  world.metadata.watchLagOf.clear()
  for (const machine of machines) {
    const disk = world.disk(machine.host)
    Object.assign(disk, normalDisk)
    disk.capacityBytes = unlimitedBytes
    disk.fault = undefined
    disk.unflip()
    world.metadata.rejoin(machine.host)
    world.resume(machine.host)
    machine.isKeptUp = true
    machine.start()
  }
}
