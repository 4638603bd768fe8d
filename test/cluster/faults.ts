/**
 * What is done to a cluster. A fault is inflicted, stays for at least its `holdMs` and until each
 * partition is writable again (or for `patienceMs`), and is healed.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../src/sim/random.ts'
import type { EtcdMember } from '../live-etcd.ts'
import type { Place } from './net.ts'
import type { Observer } from './observer.ts'
import type { BrokerNode, System } from './system.ts'

export interface FaultContext {
  readonly system: System
  readonly observer: Observer
  readonly random: Prng
  /** Of the producers and readers, not of the prober. */
  readonly clientPlace: Place
}

export interface Inflicted {
  /** Whom it struck. */
  readonly what: string
  heal(): Promise<void> | void
}

export interface Fault {
  readonly kind: string
  readonly holdMs: number
  /** What is promised about the time without a writable partition; undefined: nothing. */
  readonly goalMs?: number
  /** Undefined: there is nobody now to do it to. */
  inflict(context: FaultContext): Promise<Inflicted | undefined>
}

/** Longer than a broker's session of 9 s. */
const beyondSessionMs = 11_000
const cutOffMs = 1_000
const killGoalMs = 3_000
const sessionGoalMs = 12_000
const moveGoalMs = 300

export const ottlaFaults: readonly Fault[] = [
  { kind: 'kill -9 of a leader', holdMs: 500, goalMs: killGoalMs, inflict: killLeader },
  { kind: 'kill -9 of the controller', holdMs: 500, goalMs: killGoalMs, inflict: killController },
  { kind: 'leader cut off, then kill -9', holdMs: 500, inflict: cutAndKill },
  { kind: 'kill -9 of an etcd follower', holdMs: 2000, inflict: killEtcd(false) },
  { kind: 'kill -9 of the etcd leader', holdMs: 2000, inflict: killEtcd(true) },
  { kind: 'cut broker – broker', holdMs: 3000, goalMs: sessionGoalMs, inflict: cutBrokers },
  { kind: 'cut broker – etcd', holdMs: beyondSessionMs, goalMs: sessionGoalMs, inflict: cutStore },
  { kind: 'cut client – broker', holdMs: 4000, inflict: cutClient },
  { kind: 'SIGSTOP of a leader', holdMs: beyondSessionMs, goalMs: sessionGoalMs, inflict: pause },
  { kind: 'full disk of a leader', holdMs: 6000, inflict: fillDisk },
  { kind: 'controlled restart', holdMs: 0, goalMs: moveGoalMs, inflict: restart },
]

export const kafkaFaults: readonly Fault[] = [
  ...ottlaFaults.filter(({ kind }) => !kind.includes('etcd')),
  { kind: 'broker cut from all', holdMs: beyondSessionMs, inflict: isolate },
]

function nodeOf({ system }: FaultContext, id: number): BrokerNode | undefined {
  return system.brokers.find(node => node.id === id)
}

/** The broker that leads a partition chosen at random. */
function someLeader(context: FaultContext): BrokerNode | undefined {
  const { partitions } = context.observer.view
  const chosen = partitions[context.random.below(Math.max(1, partitions.length))]
  return chosen === undefined ? undefined : nodeOf(context, chosen.leader)
}

function others({ system }: FaultContext, node: BrokerNode): readonly BrokerNode[] {
  return system.brokers.filter(other => other !== node)
}

function oneOf<Item>({ random }: FaultContext, items: readonly Item[]): Item | undefined {
  return items[random.below(Math.max(1, items.length))]
}

async function kill(node: BrokerNode | undefined): Promise<Inflicted | undefined> {
  if (node === undefined) return undefined
  await node.server.kill()
  return { what: `broker ${node.id}`, heal: () => node.server.spawn() }
}

function killLeader(context: FaultContext): Promise<Inflicted | undefined> {
  return kill(someLeader(context))
}

/** What it took meanwhile was not replicated: nobody may have been shown it, nor told it was stored. */
async function cutAndKill(context: FaultContext): Promise<Inflicted | undefined> {
  const leader = someLeader(context)
  if (leader === undefined) return undefined
  const { net } = context.system
  for (const { server } of others(context, leader)) net.cut(leader.server.place, server.place)
  await delay(cutOffMs)
  const inflicted = await kill(leader)
  net.heal()
  return inflicted
}

function killController(context: FaultContext): Promise<Inflicted | undefined> {
  return kill(nodeOf(context, context.observer.view.controllerId))
}

function killEtcd(isLeader: boolean) {
  return async (context: FaultContext): Promise<Inflicted | undefined> => {
    const { etcd } = context.system
    if (etcd === undefined) return undefined
    const leader = await etcd.leader()
    const followers = etcd.members.filter(each => each !== leader)
    const member: EtcdMember | undefined = isLeader ? leader : oneOf(context, followers)
    await member?.kill()
    const what = `etcd member ${etcd.members.indexOf(member!) + 1}`
    return member && { what, heal: () => member.restart() }
  }
}

function cut(context: FaultContext, from: Place, to: readonly Place[]): Inflicted {
  const { net } = context.system
  for (const place of to) net.cut(from, place)
  const what = `${from.name} – ${to.map(({ name }) => name).join(', ')}`
  return { what, heal: () => net.heal() }
}

async function cutBrokers(context: FaultContext): Promise<Inflicted | undefined> {
  const leader = someLeader(context)
  const other = leader && oneOf(context, others(context, leader))
  if (leader === undefined || other === undefined) return undefined
  return cut(context, leader.server.place, [other.server.place])
}

/** From all members, or from a single one. */
async function cutStore(context: FaultContext): Promise<Inflicted | undefined> {
  const leader = someLeader(context)
  const { etcdPlaces } = context.system
  if (leader === undefined || etcdPlaces.length === 0) return undefined
  const isWhole = context.random.chance(0.75)
  const places = isWhole ? etcdPlaces : [oneOf(context, etcdPlaces)!]
  return cut(context, leader.server.place, places)
}

async function cutClient(context: FaultContext): Promise<Inflicted | undefined> {
  const leader = someLeader(context)
  return leader && cut(context, context.clientPlace, [leader.server.place])
}

/** From the other brokers, and so, in KRaft, from the other controllers. */
async function isolate(context: FaultContext): Promise<Inflicted | undefined> {
  const leader = someLeader(context)
  if (leader === undefined) return undefined
  const places = others(context, leader).map(({ server }) => server.place)
  return cut(context, leader.server.place, [...places, ...context.system.etcdPlaces])
}

async function pause(context: FaultContext): Promise<Inflicted | undefined> {
  const leader = someLeader(context)
  leader?.server.pause()
  return leader && { what: `broker ${leader.id}`, heal: () => leader.server.resume() }
}

async function fillDisk(context: FaultContext): Promise<Inflicted | undefined> {
  const leader = someLeader(context)
  if (leader === undefined || !leader.disk.isMounted) return undefined
  leader.disk.fill()
  return {
    what: `broker ${leader.id}`,
    async heal() {
      leader.disk.free()
      if (!context.system.endsWithFullDisk || leader.server.isRunning) return
      leader.server.spawn()
    },
  }
}

/** Each broker in turn, by a SIGTERM; it comes back as `bin`, where that is given. */
export function rollingFaults(bin?: string): readonly Fault[] {
  return [0, 1, 2].map(index => ({
    kind: bin === undefined ? 'rolling restart' : 'rolling upgrade',
    holdMs: 0,
    goalMs: moveGoalMs,
    async inflict({ system }) {
      const node = system.brokers[index]
      if (node === undefined) return undefined
      const tookMs = await node.server.stop()
      const [program = '', , ...words] = node.server.command
      if (bin !== undefined) node.server.command = [program, bin, ...words]
      node.server.spawn()
      return { what: `broker ${node.id}, stopped in ${tookMs.toFixed(0)} ms`, heal() {} }
    },
  }))
}

async function restart(context: FaultContext): Promise<Inflicted | undefined> {
  const leader = someLeader(context)
  if (leader === undefined) return undefined
  const tookMs = await leader.server.stop()
  leader.server.spawn()
  return { what: `broker ${leader.id}, stopped in ${tookMs.toFixed(0)} ms`, heal() {} }
}
