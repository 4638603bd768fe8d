/**
 * Which replicas go where: the pure part of `ottla topics reassign`.
 *
 * 1. A replica moves only where it has to: its broker is to be left, or the partition is to have more
 *    or fewer of them. What comes goes to a rack that has no replica of the partition yet, then to
 *    the broker with the fewest of the topic, then to the one with the fewest in all.
 * 2. When brokers were named to hold the topics (`evens`), further replicas move until racks are
 *    used and no broker has two more than another: within each topic first, then over all of them.
 * 3. Who is preferred as leader stays that; where it left, the replica takes over that is preferred
 *    least often, and with `evens` leaders are spread as replicas are.
 */
import { Failure } from './failure.ts'
import { plural } from './output.ts'

/** A partition with its replicas, the preferred leader first. */
export interface PlacedPartition {
  readonly topic: string
  readonly partition: number
  readonly replicas: readonly number[]
}

/** A broker that replicas may go to. */
export interface TakingBroker {
  readonly brokerId: number
  /** Those without one count as one rack. */
  readonly rack: string | null
}

/** What is asked for. */
export interface Wish {
  readonly taking: readonly TakingBroker[]
  /** Brokers whose replicas have to go. */
  readonly leaves: (brokerId: number) => boolean
  /** Replicas of each partition; undefined: as many as it has. */
  readonly replicationFactor: number | undefined
  /** Whether replicas also move to be spread evenly over `taking`. */
  readonly evens: boolean
}

/** A partition that changes. */
export interface PlannedMove extends PlacedPartition {
  readonly before: readonly number[]
  /** Those of `replicas` that were none. */
  readonly adding: readonly number[]
  readonly removing: readonly number[]
}

/**
 * The partitions of `chosen` that change, in their order. `others` are those that stay, for their
 * brokers have work already. Throws Failure when there are too few brokers.
 */
export function planMoves(
  chosen: readonly PlacedPartition[],
  others: readonly PlacedPartition[],
  wish: Wish,
): PlannedMove[] {
  const layout = new Layout(chosen, others, wish)
  for (const place of layout.places) layout.settle(place)
  if (wish.evens) {
    for (const place of layout.places) layout.useRacks(place)
    for (const ofTopic of layout.byTopic()) layout.even(ofTopic, 'topic')
    layout.even(layout.places, 'all')
  }
  layout.chooseLeaders()
  return layout.places.flatMap(({ topic, partition, before, replicas }) => {
    const isSame = before.every((id, index) => id === replicas[index])
    if (isSame && before.length === replicas.length) return []
    const adding = replicas.filter(id => !before.includes(id))
    const removing = before.filter(id => !replicas.includes(id))
    return [{ topic, partition, before, replicas, adding, removing }]
  })
}

interface Place {
  readonly topic: string
  readonly partition: number
  readonly before: readonly number[]
  replicas: number[]
}

/** How many of something each broker has: of one topic, and in all. */
class Counts {
  readonly #byTopic = new Map<string, Map<number, number>>()

  of(brokerId: number, topic = ''): number {
    return this.#byTopic.get(topic)?.get(brokerId) ?? 0
  }

  add(brokerId: number, topic: string, by: 1 | -1): void {
    for (const name of ['', topic]) {
      const counts = this.#byTopic.get(name) ?? new Map<number, number>()
      this.#byTopic.set(name, counts.set(brokerId, (counts.get(brokerId) ?? 0) + by))
    }
  }
}

type Scope = 'topic' | 'all'

/** Has `to` do for a partition what `from` does; false where that cannot be. */
type Change = (place: Place, from: number, to: number) => boolean

class Layout {
  readonly places: readonly Place[]
  readonly #wish: Wish
  readonly #racks: ReadonlyMap<number, string | null>
  readonly #rackCount: number
  readonly #held = new Counts()
  readonly #preferred = new Counts()

  constructor(chosen: readonly PlacedPartition[], others: readonly PlacedPartition[], wish: Wish) {
    this.#wish = wish
    this.#racks = new Map(wish.taking.map(({ brokerId, rack }) => [brokerId, rack]))
    this.#rackCount = new Set(this.#racks.values()).size
    this.places = chosen.map(({ topic, partition, replicas }) => ({
      topic,
      partition,
      before: replicas,
      replicas: [...replicas],
    }))
    for (const { topic, replicas } of [...chosen, ...others]) {
      for (const id of replicas) this.#held.add(id, topic, 1)
      if (replicas.length > 0) this.#preferred.add(replicas[0]!, topic, 1)
    }
  }

  byTopic(): Place[][] {
    return [...Map.groupBy(this.places, ({ topic }) => topic).values()]
  }

  /** Has who must leave replaced in its place, and the wanted number of replicas. */
  settle(place: Place): void {
    const wanted = this.#wish.replicationFactor ?? place.replicas.length
    const staying = place.replicas.filter(id => !this.#wish.leaves(id))
    while (staying.length > wanted) {
      const [worst] = staying.slice(1).sort((a, b) => this.#worse(staying, place.topic, a, b))
      staying.splice(staying.indexOf(worst!), 1)
    }
    const coming: number[] = []
    while (staying.length + coming.length < wanted) {
      coming.push(this.#best(place, [...staying, ...coming], wanted))
    }
    // Places that became free are taken in order, so that who stays keeps its own.
    const kept = place.replicas.flatMap(id => {
      if (staying.includes(id)) return [id]
      return this.#wish.leaves(id) && coming.length > 0 ? [coming.shift()!] : []
    })
    this.#replace(place, [...kept, ...coming])
  }

  /** Moves replicas that share a rack to racks without any, as far as there are. */
  useRacks(place: Place): void {
    const wanted = Math.min(place.replicas.length, this.#rackCount)
    while (this.#racksOf(place.replicas) < wanted) {
      const twin = place.replicas.findLastIndex(
        (id, index) =>
          place.replicas.findIndex(each => this.#rack(each) === this.#rack(id)) < index,
      )
      const left = place.replicas.toSpliced(twin, 1)
      this.#replace(
        place,
        place.replicas.with(twin, this.#best(place, left, place.replicas.length)),
      )
    }
  }

  /** Moves replicas from brokers with many to brokers with few, until none has two more. */
  even(places: readonly Place[], scope: Scope): void {
    this.#even(places, scope, this.#held, (place, from, to) => {
      const { replicas } = place
      if (!replicas.includes(from) || replicas.includes(to)) return false
      const after = replicas.map(id => (id === from ? to : id))
      if (this.#racksOf(after) < this.#racksOf(replicas)) return false
      this.#replace(place, after)
      return true
    })
  }

  /** A replica for each partition whose preferred leader left; with `evens`, the others change, too. */
  chooseLeaders(): void {
    for (const place of this.places) {
      const { topic, before, replicas } = place
      if (replicas.includes(before[0]!)) continue
      const [least] = replicas.toSorted(
        (a, b) =>
          this.#preferred.of(a, topic) - this.#preferred.of(b, topic) ||
          this.#preferred.of(a) - this.#preferred.of(b) ||
          replicas.indexOf(a) - replicas.indexOf(b),
      )
      this.#prefer(place, before[0]!, least!)
    }
    if (!this.#wish.evens) return
    const change = (place: Place, from: number, to: number) => {
      if (place.replicas[0] !== from || !place.replicas.includes(to)) return false
      this.#prefer(place, from, to)
      return true
    }
    for (const ofTopic of this.byTopic()) this.#even(ofTopic, 'topic', this.#preferred, change)
    this.#even(this.places, 'all', this.#preferred, change)
  }

  /**
   * Each change makes a gap smaller, so it ends. Who lacks some is given first, then those with too
   * many give; what goes by way of a third broker is for the end, where racks leave nothing else.
   */
  #even(places: readonly Place[], scope: Scope, counts: Counts, change: Change): void {
    const ids = [...this.#racks.keys()]
    const topic = scope === 'topic' ? places[0]!.topic : ''
    const mean = ids.reduce((sum, id) => sum + counts.of(id, topic), 0) / ids.length
    const [least, most] = [Math.floor(mean), Math.ceil(mean)]
    const stages = [
      (has: number, gets: number) => has > least && gets < least,
      (has: number, gets: number) => has > most && gets < most,
      () => true,
    ]
    while (stages.some(stage => this.#sweep(places, scope, counts, change, stage))) {}
  }

  #sweep(
    places: readonly Place[],
    scope: Scope,
    counts: Counts,
    change: Change,
    stage: (has: number, gets: number) => boolean,
  ): boolean {
    const topic = scope === 'topic' ? places[0]!.topic : ''
    const helps = (from: number, to: number) => {
      const [has, gets] = [counts.of(from, topic), counts.of(to, topic)]
      return has - gets > 1 && stage(has, gets)
    }
    let hasChanged = false
    for (const [from, to] of this.#pairs(counts, topic, helps)) {
      for (const place of places) {
        if (!helps(from, to)) break
        const { topic: own } = place
        const isFair = scope === 'topic' || counts.of(from, own) > counts.of(to, own)
        if (isFair && change(place, from, to)) hasChanged = true
      }
    }
    return hasChanged
  }

  /** Those of which a change `helps`; the widest gap first, in the topic and then in all. */
  #pairs(
    counts: Counts,
    topic: string,
    helps: (from: number, to: number) => boolean,
  ): [from: number, to: number][] {
    const ids = [...this.#racks.keys()]
    const gap = ([from, to]: readonly [number, number], of: string) =>
      counts.of(from, of) - counts.of(to, of)
    return ids
      .flatMap(from => ids.map((to): [number, number] => [from, to]))
      .filter(([from, to]) => helps(from, to))
      .sort(
        (a, b) =>
          gap(b, topic) - gap(a, topic) || gap(b, '') - gap(a, '') || a[0] - b[0] || a[1] - b[1],
      )
  }

  /** Who is best to hold another replica. Throws Failure. */
  #best({ topic, partition }: Place, has: readonly number[], wanted: number): number {
    const racks = new Set(has.map(id => this.#rack(id)))
    const [best] = this.#wish.taking
      .filter(({ brokerId }) => !has.includes(brokerId))
      .toSorted(
        (a, b) =>
          Number(racks.has(a.rack)) - Number(racks.has(b.rack)) ||
          this.#held.of(a.brokerId, topic) - this.#held.of(b.brokerId, topic) ||
          this.#held.of(a.brokerId) - this.#held.of(b.brokerId) ||
          a.brokerId - b.brokerId,
      )
    if (best !== undefined) return best.brokerId
    const taking = this.#wish.taking.map(({ brokerId }) => brokerId).join(', ') || 'none'
    throw new Failure(
      `${topic}-${partition} is to have ${plural(wanted, 'replica')}, each on a broker of its own, and those that may hold them are: ${taking}. Start another broker, or lower --replication-factor`,
    )
  }

  /** Who is to leave comes first: one whose rack is in use twice, then one who has many. */
  #worse(has: readonly number[], topic: string, a: number, b: number): number {
    const isTwin = (id: number) =>
      Number(has.some(each => each !== id && this.#rack(each) === this.#rack(id)))
    return (
      isTwin(b) - isTwin(a) ||
      this.#held.of(b, topic) - this.#held.of(a, topic) ||
      this.#held.of(b) - this.#held.of(a) ||
      has.indexOf(b) - has.indexOf(a)
    )
  }

  #replace(place: Place, replicas: number[]): void {
    for (const id of place.replicas) this.#held.add(id, place.topic, -1)
    for (const id of replicas) this.#held.add(id, place.topic, 1)
    place.replicas = replicas
  }

  #prefer(place: Place, from: number, to: number): void {
    this.#preferred.add(from, place.topic, -1)
    this.#preferred.add(to, place.topic, 1)
    place.replicas = [to, ...place.replicas.filter(id => id !== to)]
  }

  /** A broker that takes nothing is in a rack of its own, as far as is known. */
  #rack(brokerId: number): string | null | number {
    const rack = this.#racks.get(brokerId)
    return rack === undefined ? brokerId : rack
  }

  #racksOf(replicas: readonly number[]): number {
    return new Set(replicas.map(id => this.#rack(id))).size
  }
}
