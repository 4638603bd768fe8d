/**
 * One system under load and faults: rounds in which each kind of fault comes once, in an order by
 * chance, one after the other, each healed and everything in sync before the next.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Prng } from '../../src/sim/random.ts'
import { type ClientName, ClientProgram } from './clients.ts'
import type { Fault, FaultContext } from './faults.ts'
import { Ledger, type Verdict } from './ledger.ts'
import type { Place } from './net.ts'
import { Observer } from './observer.ts'
import { bootstrapOf, type System } from './system.ts'
import { createTopics, endsOf, readAll } from './topics.ts'

export const partitions = 6
const topic = 'data'
const probeTopic = 'probe'
const startDeadlineMs = 120_000
/** So long a fault that leaves a partition without writes is looked at before it is healed. */
const patienceMs = 45_000
/** A single replica comes back with its broker alone. */
const patienceAloneMs = 3_000
const healDeadlineMs = 90_000
const finishDeadlineMs = 150_000
const progressMs = 5_000
const pollMs = 20

export interface CampaignOptions {
  readonly seconds: number
  readonly replication: number
  readonly rate: number
  readonly clients: readonly ClientName[]
  readonly faults: readonly Fault[]
  /** Ends after so many rounds, if the time is not over before; the order is that of the list. */
  readonly rounds?: number | undefined
  readonly say: (what: string) => void
  /** A client gives a send up after so long; without it ten minutes. */
  readonly patienceMs?: number | undefined
}

export interface FaultRow {
  readonly kind: string
  readonly goalMs: number | undefined
  /** Of each fault: the time without a writable partition, ms. */
  readonly outagesMs: number[]
}

export interface CampaignResult {
  readonly system: string
  readonly acknowledged: number
  readonly shown: number
  readonly failedSends: number
  readonly verdict: Verdict | undefined
  readonly rows: readonly FaultRow[]
  readonly breaches: readonly string[]
}

export class Campaign {
  readonly system: System
  readonly observer: Observer
  readonly #options: CampaignOptions
  readonly #random: Prng
  readonly #clientPlace: Place
  readonly #ledger = new Ledger(partitions)
  readonly #rows: Map<string, FaultRow>
  #clients: ClientProgram[] = []
  #doing = 'starts'

  constructor(system: System, random: Prng, options: CampaignOptions) {
    this.system = system
    this.#options = options
    this.#random = random
    this.#clientPlace = system.net.place('clients')
    this.observer = new Observer(
      system.net.place('prober'),
      bootstrapOf(system),
      probeTopic,
      partitions,
      [topic],
    )
    system.net.claim(system.net.place('prober'), this.observer.pid)
    this.#rows = new Map(
      options.faults.map(({ kind, goalMs }) => [kind, { kind, goalMs, outagesMs: [] }]),
    )
  }

  /** From the creation of topics to the verdict. */
  async run(): Promise<CampaignResult> {
    const progress = setInterval(() => this.#sayProgress(), progressMs)
    let verdict: Verdict | undefined
    try {
      await this.#start()
      await this.#rounds()
      verdict = await this.#finish()
    } catch (error) {
      this.#ledger.breach(`the run itself: ${error instanceof Error ? error.stack : error}`)
    } finally {
      clearInterval(progress)
      for (const client of this.#clients) client.kill()
      this.observer.close()
    }
    return {
      system: this.system.label,
      acknowledged: this.#ledger.acknowledged,
      shown: this.#ledger.shown,
      failedSends: this.#clients.reduce((sum, { failed }) => sum + failed, 0),
      verdict,
      rows: [...this.#rows.values()],
      breaches: this.#ledger.breaches,
    }
  }

  async #start(): Promise<void> {
    const { replication, rate, clients, patienceMs } = this.#options
    const bootstrap = bootstrapOf(this.system)
    await createTopics(
      bootstrap,
      [topic, probeTopic].map(name => ({
        topic: name,
        partitions,
        replicationFactor: replication,
      })),
    )
    const isReady = await this.#until(startDeadlineMs, () => this.#isWhole(0))
    if (!isReady) throw new Error(`the cluster does not become whole: ${this.#condition(0)}`)
    const task = { bootstrap, topic, partitions, rate, ...(patienceMs && { patienceMs }) }
    const { net } = this.system
    this.#clients = clients.flatMap(name =>
      (['feed', 'read'] as const).map(
        role => new ClientProgram(net, this.#clientPlace, name, { ...task, role }, this.#ledger),
      ),
    )
    await this.#until(startDeadlineMs, () => this.#ledger.shown > 0)
  }

  async #rounds(): Promise<void> {
    const { faults, seconds, rounds } = this.#options
    const endMs = performance.now() + seconds * 1000
    for (
      let round = 0;
      faults.length > 0 && round < (rounds ?? Number.POSITIVE_INFINITY);
      round++
    ) {
      for (const fault of rounds === undefined ? shuffled(faults, this.#random) : faults) {
        if (performance.now() >= endMs) return
        await this.#suffer(fault)
      }
    }
    if (faults.length === 0) await delay(seconds * 1000)
  }

  async #suffer(fault: Fault): Promise<void> {
    const context: FaultContext = {
      system: this.system,
      observer: this.observer,
      random: this.#random,
      clientPlace: this.#clientPlace,
    }
    this.#doing = fault.kind
    this.observer.begin()
    const begunAt = Date.now()
    const inflicted = await fault.inflict(context)
    if (inflicted === undefined) return
    const struckAt = Date.now()
    const startedAt = performance.now()
    const { observer } = this
    const longest = this.#options.replication > 1 ? patienceMs : patienceAloneMs
    const isBack = await this.#until(longest, () => observer.isWritableSince(struckAt))
    const trouble = isBack ? '' : `, ${observer.notWritableSince(struckAt)} not writable`
    await delay(Math.max(0, fault.holdMs - (performance.now() - startedAt)))
    this.#doing = `${fault.kind}, healing`
    await inflicted.heal()
    const healedAt = Date.now()
    await this.#until(healDeadlineMs, () => this.#isWhole(healedAt))
    const { ms, partition, endedAt } = observer.outage
    this.#rows.get(fault.kind)!.outagesMs.push(ms)
    const wholeMs = Date.now() - healedAt
    const { say } = this.#options
    const outage = `${ms} ms in partition ${partition} until ${endedAt - begunAt} ms${trouble}`
    say(`${fault.kind}: ${inflicted.what}; ${outage}; whole ${wholeMs} ms after it was healed`)
    if (!this.#isWhole(healedAt)) {
      const condition = this.#condition(healedAt)
      this.#ledger.breach(`${fault.kind}: not whole ${healDeadlineMs} ms after: ${condition}`)
      say(`not whole: ${condition}`)
    }
    this.#buryTheDead()
  }

  /** A broker that ended although nobody ended it is told of, and comes back. */
  #buryTheDead(): void {
    for (const { server } of this.system.brokers) {
      if (server.isRunning) continue
      this.#ledger.breach(server.died ?? `${server.name} does not run`)
      server.spawn()
    }
  }

  async #finish(): Promise<Verdict> {
    this.#doing = 'the end'
    const bootstrap = bootstrapOf(this.system)
    const feeds = this.#clients.filter(({ role }) => role === 'feed')
    const readers = this.#clients.filter(({ role }) => role === 'read')
    await Promise.all(feeds.map(feed => feed.finish(finishDeadlineMs)))
    const ends = await endsOf(bootstrap, topic, partitions)
    if (!(await this.#until(finishDeadlineMs, () => this.#ledger.hasReached(ends)))) {
      this.#ledger.breach('a reader has not come to the end')
    }
    await Promise.all(readers.map(reader => reader.finish(finishDeadlineMs)))
    return this.#ledger.judge(await readAll(bootstrap, topic, ends))
  }

  /** Every broker answers, every replica is in sync, every partition takes writes. */
  #isWhole(since: number): boolean {
    const { observer, system } = this
    return (
      observer.view.answering.length === system.brokers.length &&
      observer.isInSync(this.#options.replication) &&
      observer.isWritableSince(since)
    )
  }

  #condition(since: number): string {
    const { view } = this.observer
    const isBad = ({ leader, isr }: { leader: number; isr: readonly number[] }) =>
      leader < 0 || isr.length < this.#options.replication
    const behind = view.partitions
      .filter(isBad)
      .map(each => `${each.topic}-${each.partition} led by ${each.leader}, in sync ${each.isr}`)
    const brokers = `${view.answering.length} of ${this.system.brokers.length} brokers answer`
    const stuck = this.observer.notWritableSince(since)
    return `${brokers}; not writable ${stuck}; ${behind.join('; ')}`
  }

  #sayProgress(): void {
    const { acknowledged, shown, breaches } = this.#ledger
    const trouble = breaches.length > 0 ? `, ${breaches.length} BREACHES` : ''
    const figures = `${acknowledged} acknowledged, ${shown} shown${trouble}`
    this.#options.say(`${figures}; ${this.#doing}`)
  }

  async #until(ms: number, isTrue: () => boolean): Promise<boolean> {
    const deadline = performance.now() + ms
    while (!isTrue()) {
      if (performance.now() > deadline) return false
      await delay(pollMs)
    }
    return true
  }
}

function shuffled<Item>(items: readonly Item[], random: Prng): Item[] {
  const left = [...items]
  return items.map(() => left.splice(random.below(left.length), 1)[0]!)
}
