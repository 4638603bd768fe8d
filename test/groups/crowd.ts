/**
 * The members of all groups: seats, each of one group and one client, in which a member comes and
 * goes. Most of a client's members share one program; some sit in a program of their own, which is
 * killed or stopped (SIGSTOP) with nothing said to anybody.
 */
import type { Prng } from '../../src/sim/random.ts'
import type { MemberEvent } from './events.ts'
import { type Client, clients, Program } from './program.ts'
import type { Cause, Disturbance } from './rebalances.ts'

/** A stopped member wakes up after its session, of 6 s, and commits what it had read. */
const pauseMs = { least: 8000, most: 12_000 }
/** Of a client's members in a group, those alone in their program. */
const aloneShare = 0.25
/** Members that are in, at least. */
const inShare = 0.8

interface Seat {
  readonly member: string
  readonly group: string
  readonly client: Client
  readonly alone: boolean
  program: Program | undefined
  state: 'out' | 'joining' | 'in' | 'leaving' | 'paused'
}

export interface CrowdOptions {
  readonly groups: readonly string[]
  readonly size: number
  readonly random: Prng
  /** The command of a client's program of members, with its arguments. */
  readonly commands: ReadonlyMap<Client, readonly string[]>
  readonly onEvent: (group: string, event: MemberEvent) => void
  readonly onDisturbance: (disturbance: Disturbance) => void
  readonly onCircumstance: (group: string, circumstance: string) => void
  readonly onTrouble: (what: string) => void
}

export class Crowd {
  readonly #options: CrowdOptions
  readonly #random: Prng
  readonly #seats = new Map<string, Seat>()
  /** The programs that members share. */
  readonly #hosts = new Map<Client, Program>()
  readonly #programs = new Set<Program>()
  readonly #wakers = new Map<Seat, NodeJS.Timeout>()
  readonly counts = new Map<Cause, number>()

  constructor(options: CrowdOptions) {
    this.#options = options
    this.#random = options.random
    process.once('exit', () => {
      for (const program of this.#programs) program.kill()
    })
    const perKind = options.size / options.groups.length / clients.length
    for (let i = 0; i < options.size; i++) {
      const group = options.groups[i % options.groups.length]!
      const turn = Math.floor(i / options.groups.length)
      const client = clients[turn % clients.length]!
      const nth = Math.floor(turn / clients.length)
      const alone = nth < Math.max(1, Math.round(perKind * aloneShare))
      const member = `${client}-${i}`
      this.#seats.set(member, { member, group, client, alone, program: undefined, state: 'out' })
    }
  }

  /** All members join. */
  start(): void {
    for (const group of this.#options.groups) {
      const seats = this.#of(group, ['out'])
      this.#disturb('start', seats)
      for (const seat of seats) this.#join(seat)
    }
  }

  /** Members that have an assignment. */
  present(group: string): number {
    return this.#of(group, ['in']).length
  }

  /** Something happens to a member of this group. */
  disturb(group: string): void {
    const kind = this.#random.fraction()
    const out = this.#of(group, ['out'])
    const present = this.#of(group, ['in'])
    const seats = this.#of(group, ['out', 'joining', 'in', 'leaving', 'paused'])
    const scarce = present.length + this.#of(group, ['joining']).length < seats.length * inShare
    const alone = present.filter(seat => seat.alone)
    const lone = alone.length === 0 ? undefined : this.#pick(alone)
    if (scarce || kind < 0.36) this.#comeBack(out)
    else if (kind < 0.62) this.#leave(present)
    else if (kind < 0.84) this.#kill(lone)
    else if (kind < 0.96) this.#pause(lone)
    else this.#restartHost()
  }

  /** Everybody is back in. */
  settle(): void {
    for (const [seat, waker] of this.#wakers) {
      clearTimeout(waker)
      this.#wake(seat)
    }
    for (const group of this.#options.groups) this.#comeBack(this.#of(group, ['out']), true)
  }

  /** Everybody leaves and every program ends; resolves when they have. */
  async finish(): Promise<void> {
    for (const program of this.#programs) program.finish()
    await Promise.all([...this.#programs].map(program => program.ended))
  }

  /** Ends all programs at once. */
  async kill(): Promise<void> {
    for (const program of this.#programs) program.kill()
    await Promise.all([...this.#programs].map(program => program.ended))
  }

  /** Those that have not ended: after a while, they hang. */
  get running(): string {
    const left = [...this.#seats.values()].filter(({ program }) => this.#programs.has(program!))
    return left.map(({ member, state }) => `${member} (${state})`).join(', ')
  }

  #comeBack(out: readonly Seat[], all = false): void {
    const seats = all ? out : out.length > 0 ? [this.#pick(out)] : []
    if (seats.length === 0) return
    this.#disturb('join', seats)
    for (const seat of seats) this.#join(seat)
  }

  #join(seat: Seat): void {
    seat.program ??= seat.alone ? this.#launch(seat.client) : this.#host(seat.client)
    seat.state = 'joining'
    seat.program.start(seat.member, seat.group)
  }

  #leave(present: readonly Seat[]): void {
    if (present.length === 0) return
    const seat = this.#pick(present)
    this.#disturb('leave', [seat])
    seat.state = 'leaving'
    seat.program?.leave(seat.member)
  }

  #kill(seat: Seat | undefined): void {
    if (seat === undefined) return
    this.#disturb('kill', [seat])
    seat.program?.kill()
    seat.program = undefined
    seat.state = 'out'
  }

  #pause(seat: Seat | undefined): void {
    if (seat === undefined || this.#of(seat.group, ['paused']).length > 0) return
    this.#disturb('pause', [seat])
    this.#options.onCircumstance(seat.group, 'a member stopped')
    seat.state = 'paused'
    seat.program?.pause()
    const forMs = this.#random.between(pauseMs.least, pauseMs.most)
    this.#wakers.set(
      seat,
      setTimeout(() => this.#wake(seat), forMs),
    )
  }

  #wake(seat: Seat): void {
    this.#wakers.delete(seat)
    this.#options.onCircumstance(seat.group, '')
    this.#disturb('resume', [seat])
    seat.state = 'joining'
    seat.program?.resume()
  }

  /** The program that members of all groups share is killed; another takes its place. */
  #restartHost(): void {
    const client = this.#pick(clients)
    const killed = this.#hosts.get(client)
    if (killed === undefined) return
    killed.kill()
    this.#hosts.delete(client)
    const seats = [...this.#seats.values()].filter(({ program }) => program === killed)
    for (const seat of seats) seat.program = undefined
    for (const group of this.#options.groups) {
      const back = seats.filter(seat => seat.group === group && /^(in|joining)$/.test(seat.state))
      this.#disturb('restart', back)
      for (const seat of back) this.#join(seat)
    }
    for (const seat of seats) if (seat.state === 'leaving') seat.state = 'out'
  }

  #host(client: Client): Program {
    const host = this.#hosts.get(client) ?? this.#launch(client)
    this.#hosts.set(client, host)
    return host
  }

  #launch(client: Client): Program {
    const { commands, onTrouble } = this.#options
    const onEvent = (event: MemberEvent) => this.#hear(program, event)
    const program: Program = new Program(client, commands.get(client)!, onEvent, onTrouble)
    this.#programs.add(program)
    void program.ended.then(() => this.#programs.delete(program))
    return program
  }

  #hear(program: Program, event: MemberEvent): void {
    const seat = this.#seats.get(event.member)
    if (seat === undefined) {
      this.#options.onTrouble(`there is no member ${event.member}`)
      return
    }
    this.#options.onEvent(seat.group, event)
    if (seat.program !== program) return // of a program that was killed
    if (event.event === 'joined' && seat.state === 'joining') seat.state = 'in'
    if (event.event === 'left') seat.state = 'out'
  }

  #disturb(cause: Cause, seats: readonly Seat[]): void {
    const group = seats[0]?.group
    if (group === undefined) return
    this.counts.set(cause, (this.counts.get(cause) ?? 0) + 1)
    const members = seats.map(({ member }) => member)
    this.#options.onDisturbance({ group, cause, at: Date.now(), members })
  }

  #of(group: string, states: readonly Seat['state'][]): Seat[] {
    return [...this.#seats.values()].filter(
      seat => seat.group === group && states.includes(seat.state),
    )
  }

  #pick<Item>(items: readonly Item[]): Item {
    return items[this.#random.below(items.length)]!
  }
}
