/**
 * A simulated world: machines, a network between them, one metadata store, virtual time.
 *
 * Everything that happens is an event of one seeded queue: `run` takes one, lets all promise
 * callbacks that follow from it run (one real `setImmediate`; nothing else real is pending), and
 * repeats. So a run is a function of its seed. A process that is killed stays dead: its io answers
 * nothing any more and its timers are dropped, and `io(host)` afterwards is that of a new process
 * on the same machine, with the same disk.
 */

import type { Clock, Disk, Io, MetadataStore, Network, Random, Report, Timer } from '../io/io.ts'
import { SimulatedDisk } from './disk.ts'
import { EventQueue } from './events.ts'
import { Execution } from './execution.ts'
import { type Endpoint, SimulatedNetwork } from './network.ts'
import { Prng } from './random.ts'
import { SimulatedStore } from './store.ts'

/** 2026-01-01T00:00:00Z: where the wall clocks of a world begin. */
const epochMs = 1_767_225_600_000

/** One line that a simulated process reported. */
export interface ReportedLine {
  readonly atMs: number
  readonly host: string
  readonly level: 'info' | 'warn' | 'error'
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>>
}

/** A world; see above. Times are virtual milliseconds. */
export class World {
  /** Faults and delays of the network. */
  readonly network: SimulatedNetwork
  /** Content, faults and delays of the metadata store. */
  readonly metadata: SimulatedStore
  /** What the processes reported, in order. */
  readonly reported: ReportedLine[] = []
  /** Called after every event, with the hosts whose processes it ran. What it throws ends the run. */
  afterEvent: ((hosts: ReadonlySet<string>) => void) | undefined
  readonly #ran = new Set<string>()
  readonly #seed: number | bigint
  readonly #events: EventQueue
  readonly #machines = new Map<string, Machine>()
  #running = false

  constructor(seed: number | bigint) {
    this.#seed = seed
    this.#events = new EventQueue(seed)
    this.network = new SimulatedNetwork(this.#events, new Prng(seed, 'network'))
    this.metadata = new SimulatedStore(this.#events, new Prng(seed, 'store'))
  }

  /** Virtual milliseconds since the world began. */
  get nowMs(): number {
    return this.#events.nowMs
  }

  /** The running hash of all events: equal for equal seeds. */
  get fingerprint(): string {
    return this.#events.fingerprint
  }

  /** How many events have happened. */
  get eventCount(): number {
    return this.#events.processed
  }

  /** The io of the newest process on `host`; starts a process, and the machine, when there is none. */
  io(host = 'localhost'): Io {
    return (this.#machine(host).processes.at(-1) ?? this.#start(host)).io
  }

  /** The io of one more process on `host`, beside those that run there. */
  start(host = 'localhost'): Io {
    return this.#start(host).io
  }

  /** The metadata store as the newest process on `host` reaches it. */
  store(host = 'localhost'): MetadataStore {
    return (this.#machine(host).processes.at(-1) ?? this.#start(host)).store
  }

  /** The disk of a machine: its content, its faults. */
  disk(host = 'localhost'): SimulatedDisk {
    return this.#machine(host).disk
  }

  /** The clocks of a machine: their faults. */
  clock(host = 'localhost'): MachineClock {
    return this.#machine(host).clock
  }

  /** A seeded stream of its own, for a workload. */
  random(stream: string): Prng {
    return new Prng(this.#seed, `world/${stream}`)
  }

  /** Ends the processes of `host` at once; its disk keeps all that was written. */
  kill(host = 'localhost'): void {
    this.#end(host, false)
  }

  /** As `kill`; the disk also loses what was not synced, and peers see nothing until the next start. */
  powerLoss(host = 'localhost'): void {
    this.#end(host, true)
  }

  /** The processes of `host` run no more until `resume`; their machine does. */
  pause(host = 'localhost'): void {
    for (const { execution } of this.#machine(host).processes) execution.pause()
  }

  /** Undoes `pause`. */
  resume(host = 'localhost'): void {
    for (const { execution } of this.#machine(host).processes) execution.resume()
  }

  /** Notes a process's turn: for the process itself. */
  ran(host: string): void {
    this.#ran.add(host)
  }

  /** Inside `run`: lets virtual time pass. */
  sleep(ms: number): Promise<void> {
    return new Promise(resolve => {
      this.#events.schedule(ms, 'sleep', resolve)
    })
  }

  /**
   * Drives events until the promise of `scenario` settles, and settles the same way. Throws when
   * nothing is left that could happen, after `maxEvents`, when an event throws, and at an unhandled
   * rejection.
   */
  async run<T>(
    scenario: (world: World) => Promise<T>,
    { maxEvents = 5_000_000 }: { maxEvents?: number } = {},
  ): Promise<T> {
    if (this.#running) throw new Error('this world runs already')
    this.#running = true
    const others = process.listeners('unhandledRejection')
    const lastEvent = this.eventCount + maxEvents
    let failure: { readonly error: unknown } | undefined
    process.removeAllListeners('unhandledRejection')
    process.on('unhandledRejection', error => {
      failure ??= { error }
    })
    try {
      let outcome: { readonly value: T } | undefined
      scenario(this).then(
        value => {
          outcome = { value }
        },
        error => {
          failure ??= { error }
        },
      )
      for (;;) {
        await microtasksDone()
        if (failure !== undefined) throw failure.error
        if (this.afterEvent !== undefined) {
          this.afterEvent(this.#ran)
          this.#ran.clear()
        }
        if (outcome !== undefined) return outcome.value
        if (this.eventCount >= lastEvent)
          throw new Error(this.#stuck('no end after so many events'))
        if (!this.#events.step()) {
          throw new Error(this.#stuck('the scenario waits, but no event is left'))
        }
      }
    } finally {
      process.removeAllListeners('unhandledRejection')
      for (const listener of others) process.on('unhandledRejection', listener)
      this.#running = false
    }
  }

  #stuck(why: string): string {
    const where = `${this.nowMs.toFixed(3)} ms, ${this.eventCount} events, seed ${this.#seed}`
    const causes = 'itself, a dead process, or something real (a file, a dynamic import)'
    return `deadlock: ${why}; perhaps it waits for ${causes} (${where})`
  }

  #machine(host: string): Machine {
    let machine = this.#machines.get(host)
    if (machine === undefined) {
      const clock = new MachineClock(this.#events)
      const random = new Prng(this.#seed, `disk/${host}`)
      machine = {
        host,
        address: `10.0.0.${this.#machines.size + 1}`,
        disk: new SimulatedDisk(random, () => clock.wallMs),
        clock,
        processes: [],
        generation: 0,
      }
      this.#machines.set(host, machine)
    }
    return machine
  }

  #start(host: string): SimulatedProcess {
    const machine = this.#machine(host)
    machine.generation++
    this.network.booted(host)
    const random = new Prng(this.#seed, `random/${host}/${machine.generation}`)
    const process = new SimulatedProcess(this, this.#events, machine, random)
    machine.processes.push(process)
    return process
  }

  #end(host: string, machineDies: boolean): void {
    const machine = this.#machine(host)
    for (const process of machine.processes) {
      process.execution.end()
      machine.disk.detach(process.io.disk)
      this.network.detach(process, machineDies)
    }
    machine.processes.length = 0
    if (machineDies) machine.disk.powerLoss()
  }
}

/** A world for unit tests: `await simulated().run(async world => { const io = world.io() … })`. */
export function simulated(seed = 1): World {
  return new World(seed)
}

interface Machine {
  readonly host: string
  readonly address: string
  readonly disk: SimulatedDisk
  readonly clock: MachineClock
  readonly processes: SimulatedProcess[]
  generation: number
}

/** The two clocks of a machine, with their faults. */
export class MachineClock {
  /** Added to the wall clock: it may jump. */
  wallOffsetMs = 0
  readonly #events: EventQueue
  #rate = 1
  #base = { virtualMs: 0, localMs: 1000 }

  constructor(events: EventQueue) {
    this.#events = events
  }

  /** Milliseconds of this machine in one virtual one, about 1; monotonic time does not jump. */
  set rate(rate: number) {
    this.#base = { virtualMs: this.#events.nowMs, localMs: this.monotonicMs }
    this.#rate = rate
  }

  get rate(): number {
    return this.#rate
  }

  get monotonicMs(): number {
    return this.#base.localMs + (this.#events.nowMs - this.#base.virtualMs) * this.#rate
  }

  get wallMs(): number {
    return Math.floor(epochMs + this.wallOffsetMs + this.monotonicMs)
  }
}

class SimulatedProcess implements Endpoint {
  readonly host: string
  readonly address: string
  readonly io: Io
  readonly store: MetadataStore
  readonly execution: Execution

  constructor(world: World, events: EventQueue, machine: Machine, random: Random) {
    this.host = machine.host
    this.address = machine.address
    this.execution = new Execution(
      run => events.schedule(0, 'resume', run),
      () => world.ran(this.host),
      () => world.network.resumed(this),
    )
    this.io = {
      clock: this.#clockOf(machine.clock, events),
      random,
      disk: this.#diskOf(machine.disk, events),
      network: this.#networkOf(world.network),
      report: this.#reportOf(world),
    }
    this.store = world.metadata.attach(this.host, this.execution)
  }

  #clockOf(clock: MachineClock, events: EventQueue): Clock {
    return {
      wallMs: () => clock.wallMs,
      monotonicMs: () => clock.monotonicMs,
      timer: (delayMs, run): Timer => {
        const event = events.schedule(delayMs / clock.rate, 'timer', () =>
          this.execution.deliver(() => {
            if (!event.cancelled) run()
          }),
        )
        return {
          cancel() {
            event.cancelled = true
          },
        }
      },
    }
  }

  #diskOf(disk: SimulatedDisk, events: EventQueue): Disk {
    return disk.attach((delayMs, kind, run) =>
      events.schedule(delayMs, kind, () => this.execution.deliver(run)),
    )
  }

  #networkOf(network: SimulatedNetwork): Network {
    return network.attach(this)
  }

  #reportOf(world: World): Report {
    const at =
      (level: ReportedLine['level']) => (fields: ReportedLine['fields'], message: string) =>
        void world.reported.push({ atMs: world.nowMs, host: this.host, level, message, fields })
    return { info: at('info'), warn: at('warn'), error: at('error') }
  }
}

function microtasksDone(): Promise<void> {
  return new Promise(resolve => {
    setImmediate(resolve)
  })
}
