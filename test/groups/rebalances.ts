/**
 * How long a group takes until every partition has an owner again, after something happened to one
 * of its members. A generation counts when its members have all their assignments: together they
 * are all partitions. Times are those at which the members themselves heard.
 */
import type { Joined, MemberEvent } from './events.ts'

export type Cause = 'start' | 'join' | 'leave' | 'kill' | 'restart' | 'pause' | 'resume'
/** The causes after which members are out of their group. */
const departures: readonly Cause[] = ['leave', 'kill', 'pause']

/** What happened; `members` are out of the group after it, or in it. */
export interface Disturbance {
  readonly group: string
  readonly cause: Cause
  readonly at: number
  readonly members: readonly string[]
}

type JoinedEvent = MemberEvent & Joined

interface Pending extends Disturbance {
  readonly after: number
  /** Something else that the group has to wait for. */
  circumstance: string
}

interface Coverage {
  readonly partitions: Set<number>
  readonly members: Set<string>
  at: number
}

export interface Row {
  readonly what: string
  readonly count: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export class Rebalances {
  readonly #partitions: number
  readonly #pending = new Set<Pending>()
  /** By group: its last generation of which anything was heard. */
  readonly #generations = new Map<string, number>()
  readonly #coverage = new Map<string, Coverage>()
  readonly #circumstances = new Map<string, string>()
  readonly #times = new Map<string, number[]>()

  constructor(partitions: number) {
    this.#partitions = partitions
  }

  begin(disturbance: Disturbance): void {
    const { group, members } = disturbance
    for (const each of this.#pending) {
      // It waits for what is no more: a member that was to be out is back, or the reverse.
      if (each.group === group && each.members.some(name => members.includes(name))) {
        this.#pending.delete(each)
      }
    }
    const after = this.#generations.get(group) ?? -1
    const circumstance = this.#circumstances.get(group) ?? ''
    this.#pending.add({ ...disturbance, after, circumstance })
  }

  /** What a group suffers from until it is told ''; rebalances meanwhile are counted apart. */
  circumstance(group: string, circumstance: string): void {
    this.#circumstances.set(group, circumstance)
    if (circumstance === '') return
    for (const each of this.#pending) if (each.group === group) each.circumstance = circumstance
  }

  /** Answers what the group has recovered from by this. */
  joined(group: string, event: JoinedEvent): (Disturbance & { readonly tookMs: number })[] {
    const { member, at, generation, partitions } = event
    if (generation < 0) return []
    this.#generations.set(group, Math.max(generation, this.#generations.get(group) ?? -1))
    const key = `${group} ${generation}`
    const coverage = this.#coverage.get(key) ?? { partitions: new Set(), members: new Set(), at: 0 }
    this.#coverage.set(key, coverage)
    for (const partition of partitions) coverage.partitions.add(partition)
    coverage.members.add(member)
    coverage.at = Math.max(at, coverage.at)
    if (coverage.partitions.size < this.#partitions) return []
    const recovered: (Disturbance & { readonly tookMs: number })[] = []
    for (const each of this.#pending) {
      if (each.group !== group || generation <= each.after) continue
      const out = departures.includes(each.cause)
      if (each.members.some(name => coverage.members.has(name) === out)) continue
      this.#pending.delete(each)
      const what = each.circumstance === '' ? each.cause : `${each.cause}, ${each.circumstance}`
      const times = this.#times.get(what) ?? []
      const tookMs = coverage.at - each.at
      times.push(tookMs)
      this.#times.set(what, times)
      recovered.push({ ...each, tookMs })
    }
    return recovered
  }

  /** How many times a group had an owner for every partition. */
  get generations(): number {
    return [...this.#coverage.values()].filter(
      ({ partitions }) => partitions.size === this.#partitions,
    ).length
  }

  /** What a group has not recovered from. */
  get pending(): readonly Disturbance[] {
    return [...this.#pending]
  }

  /** By cause, in ms. */
  rows(): Row[] {
    return [...this.#times]
      .map(([what, times]) => {
        const sorted = times.toSorted((a, b) => a - b)
        const at = (share: number) => sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
        return { what, count: sorted.length, p50: at(0.5), p99: at(0.99), max: at(1) }
      })
      .sort((a, b) => (a.what < b.what ? -1 : 1))
  }
}
