/**
 * Who had a partition when, by what the members of one group said, and how long a partition was
 * not read. Members tell on the same clock, in milliseconds: one has a partition from the moment
 * at which its listener hears of it until the listener that gives it up is through, and two that
 * have it in the same millisecond are a breach.
 */
import type { MemberEvent } from '../groups/events.ts'

/** From `since` until `until`, both in ms; `until` is infinite while it is held. */
interface Holding {
  readonly member: string
  readonly partition: number
  readonly since: number
  until: number
}

interface Reading {
  readonly member: string
  readonly at: number
  readonly holding: Holding
}

/** Between two readings of a partition by one member, with none of others in between, in ms. */
export interface Gap {
  readonly member: string
  readonly partition: number
  readonly from: number
  readonly ms: number
  /** It had the partition all the time. */
  readonly isKept: boolean
  /** Partitions were moved in the group meanwhile. */
  readonly inRebalance: boolean
}

export class Ownership {
  readonly #open = new Map<string, Map<number, Holding>>()
  readonly #holdings: Holding[] = []
  readonly #readings = new Map<number, Reading[]>()
  /** When partitions changed hands. */
  readonly #moves: number[] = []
  readonly breaches: string[] = []

  /** Events of a member have to come in its own order; those of several may be mixed. */
  hear(event: MemberEvent): void {
    const { member, at } = event
    const open = this.#open.get(member) ?? new Map<number, Holding>()
    this.#open.set(member, open)
    if (event.event === 'joined') {
      this.#moves.push(at)
      for (const partition of event.partitions) {
        if (open.has(partition)) continue
        const holding = { member, partition, since: at, until: Number.POSITIVE_INFINITY }
        open.set(partition, holding)
        this.#holdings.push(holding)
      }
      this.#end(
        open,
        [...open.keys()].filter(each => !event.partitions.includes(each)),
        at,
      )
    } else if (event.event === 'revoked') {
      this.#moves.push(at)
      this.#end(open, event.partitions ?? [...open.keys()], at)
    } else if (event.event === 'left' || event.event === 'failed') {
      this.#end(open, [...open.keys()], at)
    } else if (event.event === 'read') this.#read(member, event.partition, at)
  }

  /** Every two that had a partition at a time, in words. */
  twice(): string[] {
    const told: string[] = []
    for (const [partition, holdings] of Map.groupBy(this.#holdings, each => each.partition)) {
      const sorted = holdings.toSorted((a, b) => a.since - b.since || a.until - b.until)
      for (const [index, holding] of sorted.entries()) {
        for (const next of sorted.slice(index + 1)) {
          if (next.since >= holding.until) break
          if (next.member === holding.member || next.until === next.since) continue
          const ms = Math.min(holding.until, next.until) - next.since
          told.push(`${partition}: ${holding.member} and ${next.member} for ${ms} ms`)
        }
      }
    }
    return told
  }

  gaps(): Gap[] {
    const moves = this.#moves.toSorted((a, b) => a - b)
    return [...this.#readings].flatMap(([partition, unsorted]) => {
      const readings = unsorted.toSorted((a, b) => a.at - b.at)
      return readings.slice(1).flatMap((to, index) => {
        const from = readings[index]!
        if (from.member !== to.member) return []
        return {
          member: to.member,
          partition,
          from: from.at,
          ms: to.at - from.at,
          isKept: from.holding === to.holding,
          inRebalance: hasBetween(moves, from.at, to.at),
        }
      })
    })
  }

  #read(member: string, partition: number, at: number): void {
    const holding = this.#open.get(member)?.get(partition)
    if (holding === undefined) {
      this.breaches.push(`${member} reads ${partition}, which it has not, at ${at}`)
      return
    }
    const readings = this.#readings.get(partition) ?? []
    this.#readings.set(partition, readings)
    readings.push({ member, at, holding })
  }

  #end(open: Map<number, Holding>, partitions: readonly number[], at: number): void {
    for (const partition of partitions) {
      const holding = open.get(partition)
      if (holding !== undefined) holding.until = at
      open.delete(partition)
    }
  }
}

/** Whether one of the sorted numbers lies from `from` to `to`. */
function hasBetween(sorted: readonly number[], from: number, to: number): boolean {
  let low = 0
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (sorted[middle]! < from) low = middle + 1
    else high = middle
  }
  return low < sorted.length && sorted[low]! <= to
}
