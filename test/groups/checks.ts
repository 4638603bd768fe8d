/**
 * Judges what members and the broker said. It is told everything as it comes; what must not be is
 * a breach, a line for people. Order between members is that of their generations, never that of
 * arrival: pipes have no common order.
 */
import type { Committed, Joined, MemberEvent, Read } from './events.ts'

/** How many breaches of one kind are told in words. */
const maxTold = 5

/** What one group has done so far. */
interface GroupRecord {
  /** By generation: who owns each partition. */
  readonly owners: Map<number, Map<number, string>>
  /** By partition: how often each offset was read. */
  readonly reads: number[][]
  /** By partition and generation: the lowest and highest offset that was acknowledged. */
  readonly commits: Map<number, { lowest: number; highest: number; last: number }>[]
  /** By partition: the highest offset that was acknowledged, in any generation. */
  readonly acknowledged: number[]
  /** By partition: what the broker said last. */
  readonly polled: number[]
  generation: number
  commitCount: number
}

/** What is told of a group at the end. */
export interface GroupFigures {
  readonly generation: number
  readonly read: number
  readonly readAgain: number
  readonly commits: number
  /** Acknowledged messages that nobody has read. */
  readonly missing: number
}

export class Checks {
  readonly #partitions: number
  readonly #groups = new Map<string, GroupRecord>()
  /** By value: the partition that it was sent to. */
  readonly #sent: number[] = []
  /** By partition and offset: the value, as acknowledged or read first; undefined: not known. */
  readonly #values: (number | undefined)[][]
  /** By partition and offset. */
  readonly #produced: boolean[][]
  #producedCount = 0
  readonly #breaches = new Map<string, string[]>()
  readonly #counts = new Map<string, number>()

  constructor(groups: readonly string[], partitions: number) {
    this.#partitions = partitions
    this.#values = this.#each(() => [])
    this.#produced = this.#each(() => [])
    for (const group of groups) {
      this.#groups.set(group, {
        owners: new Map(),
        reads: this.#each(() => []),
        commits: this.#each(() => new Map()),
        acknowledged: this.#each(() => 0),
        polled: this.#each(() => 0),
        generation: -1,
        commitCount: 0,
      })
    }
  }

  /** How many messages were acknowledged. */
  get produced(): number {
    return this.#producedCount
  }

  /** Every breach in words; those beyond the first of a kind are only counted. */
  get breaches(): string[] {
    return [...this.#breaches].flatMap(([kind, told]) => {
      const more = (this.#counts.get(kind) ?? 0) - told.length
      return more > 0 ? [...told, `${kind}: ${more} more`] : told
    })
  }

  /** The next message's value. It may be stored from now on, acknowledged or not, even twice. */
  send(partition: number): number {
    return this.#sent.push(partition) - 1
  }

  acknowledge(partition: number, offset: number, value: number): void {
    this.#produced[partition]![offset] = true
    this.#producedCount += 1
    this.#hold(partition, offset, value, 'the acknowledgement')
  }

  hear(group: string, event: MemberEvent): void {
    const { member } = event
    if (event.event === 'joined') this.#joined(group, member, event)
    else if (event.event === 'read') this.#read(group, member, event)
    else if (event.event === 'committed') this.#committed(group, member, event)
    else if (event.event === 'failed') {
      this.breach('a member gave up', `${member} of ${group}: ${event.why}`)
    }
  }

  /** What is committed at least, as of now: to be taken before the broker is asked. */
  floor(group: string): readonly number[] {
    const { acknowledged, polled } = this.#group(group)
    return acknowledged.map((offset, partition) => Math.max(offset, polled[partition]!))
  }

  /** What the broker says is committed; `floor` was taken before it was asked. */
  poll(group: string, floor: readonly number[], offsets: ReadonlyMap<number, number>): void {
    const { polled } = this.#group(group)
    for (const [partition, least] of floor.entries()) {
      const offset = offsets.get(partition) ?? 0
      if (offset < least) {
        const what = `${group}-${partition}: ${offset} after ${least}`
        this.breach('a committed offset went back', what)
      }
      polled[partition] = Math.max(offset, polled[partition]!)
    }
  }

  breach(kind: string, what: string): void {
    const told = this.#breaches.get(kind) ?? []
    if (told.length < maxTold) told.push(`${kind}: ${what}`)
    this.#breaches.set(kind, told)
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }

  /** How many acknowledged messages the group has yet to read: all were read at the end. */
  missing(group: string): number {
    const { reads } = this.#group(group)
    let missing = 0
    for (const [partition, produced] of this.#produced.entries()) {
      produced.forEach((_, offset) => {
        if (reads[partition]![offset] === undefined) missing += 1
      })
    }
    return missing
  }

  /** After the members have read everything: each message that they did not is a breach. */
  finish(group: string): GroupFigures {
    const { reads, generation, commitCount } = this.#group(group)
    for (const [partition, produced] of this.#produced.entries()) {
      produced.forEach((_, offset) => {
        if (reads[partition]![offset] !== undefined) return
        const what = `${group} has not read offset ${offset} of partition ${partition}`
        this.breach('a message was lost', what)
      })
    }
    let [read, readAgain] = [0, 0]
    for (const counts of reads) {
      counts.forEach(count => {
        read += 1
        readAgain += count - 1
      })
    }
    return { generation, read, readAgain, commits: commitCount, missing: this.missing(group) }
  }

  #joined(group: string, member: string, { generation, id, partitions }: Joined): void {
    const record = this.#group(group)
    if (generation < 0) return
    record.generation = Math.max(generation, record.generation)
    const owners = record.owners.get(generation) ?? new Map<number, string>()
    record.owners.set(generation, owners)
    for (const partition of partitions) {
      const mine = `${member} (${id})`
      const owner = owners.get(partition) ?? mine
      owners.set(partition, mine)
      if (owner === mine) continue
      const what = `${group}-${partition} in generation ${generation}: ${owner} and ${mine}`
      this.breach('a partition was owned twice', what)
    }
  }

  #read(group: string, member: string, { partition, records }: Read): void {
    const counts = this.#group(group).reads[partition]
    for (const [offset, value] of records) {
      if (counts === undefined || this.#sent[value] !== partition) {
        const what = `${member} of ${group} read ${value} at ${offset} of partition ${partition}`
        this.breach('a message was never sent there', what)
        continue
      }
      counts[offset] = (counts[offset] ?? 0) + 1
      this.#hold(partition, offset, value, `${member} of ${group}`)
    }
  }

  /** A place in a log has one value for everybody. */
  #hold(partition: number, offset: number, value: number, by: string): void {
    const values = this.#values[partition]!
    const held = (values[offset] ??= value)
    if (held === value) return
    const what = `offset ${offset} of partition ${partition}: ${held}, and ${value} says ${by}`
    this.breach('a message changed', what)
  }

  #committed(group: string, member: string, { generation, offsets }: Committed): void {
    const record = this.#group(group)
    record.commitCount += 1
    for (const [partition, offset] of offsets) {
      record.acknowledged[partition] = Math.max(offset, record.acknowledged[partition]!)
      if (generation < 0) continue
      const commits = record.commits[partition]!
      for (const [other, { lowest, highest, last }] of commits) {
        const wrong =
          other < generation
            ? highest > offset
            : other > generation
              ? lowest < offset
              : last > offset
        if (!wrong) continue
        const what = `${group}-${partition}: ${offset} in generation ${generation} by ${member}`
        const against = `${lowest} to ${highest} in generation ${other}`
        this.breach('an acknowledged commit goes back', `${what}, ${against}`)
      }
      const mine = commits.get(generation)
      commits.set(generation, {
        lowest: Math.min(offset, mine?.lowest ?? offset),
        highest: Math.max(offset, mine?.highest ?? offset),
        last: offset,
      })
    }
  }

  #group(name: string): GroupRecord {
    const group = this.#groups.get(name)
    if (group === undefined) throw new Error(`there is no group ${name}`)
    return group
  }

  #each<Item>(make: () => Item): Item[] {
    return Array.from({ length: this.#partitions }, make)
  }
}
