/**
 * One group of three clients:
 *
 *     node test/client/mixed-group.ts [--seconds N] [--assignor NAME]... [--seed N] [--kafka | --bootstrap HOST:PORT]
 *
 * Members of Ottla's Consumer, of the Java client and of librdkafka read 12 partitions, which our
 * Producer feeds; one of each to begin with, then members join and leave, `--seconds` for each assignor
 * (120, and 30 for CI; cooperative-sticky, then range). The broker is Ottla, in a process of its own, or
 * Apache Kafka, or one that is named.
 *
 * Shown: every acknowledged message is read and committed; no partition has two owners, neither in
 * one generation nor at one time; committed offsets never go back; with cooperative-sticky the
 * partitions that a member keeps are read on while others move. Exit code 1 if not shown.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Cluster } from '../../src/client/cluster.ts'
import { fetchOffsets } from '../../src/client/groups.ts'
import { createTopics } from '../../src/client/topics.ts'
import { nodeIo } from '../../src/io/node.ts'
import { Prng } from '../../src/sim/random.ts'
import { Checks } from '../groups/checks.ts'
import type { MemberEvent } from '../groups/events.ts'
import { type Client, commandOf, Program } from '../groups/program.ts'
import { LiveBroker } from '../live-broker.ts'
import { LiveKafka } from '../live-kafka.ts'
import { Feed } from './feed.ts'
import { type Gap, Ownership } from './ownership.ts'

const clients: readonly Client[] = ['ottla', 'java', 'librdkafka']
const seatsEach = 2
const partitions = 12
const feedEveryMs = 25
const calmMs = { least: 1500, most: 4000 }
/**
 * What a partition that stays with our consumer may wait at most; a busy machine takes a few hundred.
 * Of the others it is told: librdkafka's stop for up to two seconds, with Apache Kafka as well.
 */
const keptBoundMs = 1000
const startDeadlineMs = 60_000
const drainDeadlineMs = 60_000

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '120' },
    assignor: { type: 'string', multiple: true, default: ['cooperative-sticky', 'range'] },
    bootstrap: { type: 'string' },
    kafka: { type: 'boolean', default: false },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
  },
})
const seconds = Number(values.seconds)
const seed = Number(values.seed)

interface Seat {
  readonly member: string
  readonly program: Program
  state: 'out' | 'joining' | 'in' | 'leaving'
}

class MixedGroup {
  readonly #cluster: Cluster
  readonly #bootstrap: string
  readonly #topic: string
  readonly #group: string
  readonly #random: Prng
  readonly #programs: readonly Program[]
  readonly #seats: readonly Seat[]
  readonly checks: Checks
  readonly ownership = new Ownership()
  readonly counts = { joins: 0, leaves: 0 }
  /** How often each set of clients had members, as of the disturbances. */
  readonly mixtures = new Map<string, number>()

  constructor(cluster: Cluster, bootstrap: string, assignor: string, topic: string) {
    this.#cluster = cluster
    this.#bootstrap = bootstrap
    this.#topic = topic
    this.#group = `${topic}-group`
    this.#random = new Prng(seed, assignor)
    this.checks = new Checks([this.#group], partitions)
    const programs = clients.map(client => {
      const command = [...commandOf(client), bootstrap, topic]
      const trouble = (what: string) => this.checks.breach('a program of members', what)
      return new Program(client, command, event => this.#hear(event), trouble, {
        ASSIGNOR: assignor,
      })
    })
    this.#programs = programs
    this.#seats = programs.flatMap(program =>
      Array.from({ length: seatsEach }, (_, index) => ({
        member: `${program.client}-${index}`,
        program,
        state: 'out' as const,
      })),
    )
  }

  /** Everything that is to be shown, from the first member to the last. */
  async run(): Promise<void> {
    const feed = new Feed(this.#bootstrap, this.#topic, partitions, this.checks, feedEveryMs)
    const feeding = feed.run()
    for (const seat of this.#seats) if (seat.member.endsWith('-0')) this.#join(seat)
    await this.#until(startDeadlineMs, 'one member of each client', () => this.#in() === 3)
    const endMs = performance.now() + seconds * 1000
    while (performance.now() < endMs) {
      await delay(calmMs.least + this.#random.fraction() * (calmMs.most - calmMs.least))
      this.#disturb()
    }
    feed.stop()
    await feeding
    for (const failure of feed.failures) this.checks.breach('a message was not sent', failure)
    await this.#until(drainDeadlineMs, 'the end is committed', () => this.#isDone())
    for (const program of this.#programs) program.finish()
    const ended = Promise.all(this.#programs.map(program => program.ended))
    const late = delay(drainDeadlineMs, 'late', { ref: false })
    if ((await Promise.race([ended, late])) === 'late') {
      this.checks.breach('not in time', 'members do not leave')
    }
  }

  kill(): void {
    for (const program of this.#programs) program.kill()
  }

  /** What there is to say, with the breaches at its end. */
  report(assignor: string): string[] {
    const { read, readAgain, commits, generation, missing } = this.checks.finish(this.#group)
    for (const told of this.ownership.twice()) {
      this.checks.breach('a partition was owned twice at a time', told)
    }
    for (const told of this.ownership.breaches) this.checks.breach('read without owning', told)
    const gaps = this.ownership.gaps()
    const kept = gaps.filter(each => each.isKept && each.inRebalance)
    const ours = kept.filter(each => each.member.startsWith('ottla-'))
    for (const { member, partition, ms } of ours) {
      if (assignor !== 'cooperative-sticky' || ms <= keptBoundMs) continue
      const what = `${member}, partition ${partition}: ${ms} ms`
      this.checks.breach('a partition that stays was stopped', what)
    }
    const mixtures = [...this.mixtures].map(([who, count]) => `${who} ${count}`).join(', ')
    return [
      `${assignor}: ${this.checks.produced} acknowledged, ${read} read, ${readAgain} again, ${missing} missing`,
      `  ${generation} generations, ${this.counts.joins} joins, ${this.counts.leaves} leaves, ${commits} commits`,
      `  members after each: ${mixtures}`,
      '  from one reading of a partition to the next by the same member, ms:   count    p50    p99    max',
      ...clients.flatMap(client => [
        line(client, 'calm', gaps, each => each.isKept && !each.inRebalance),
        line(client, 'kept in a rebalance', gaps, each => each.isKept && each.inRebalance),
        line(client, 'given up and had again', gaps, each => !each.isKept),
      ]),
      ...this.checks.breaches.map(breach => `  BREACH ${breach}`),
    ]
  }

  #hear(event: MemberEvent): void {
    this.checks.hear(this.#group, event)
    this.ownership.hear(event)
    const seat = this.#seats.find(({ member }) => member === event.member)
    if (event.event === 'joined' && seat?.state === 'joining') seat.state = 'in'
    if (event.event === 'left' && seat !== undefined) seat.state = 'out'
  }

  #in(): number {
    return this.#seats.filter(({ state }) => state === 'in').length
  }

  #disturb(): void {
    const out = this.#seats.filter(({ state }) => state === 'out')
    const present = this.#seats.filter(({ state }) => state === 'in')
    const joins = present.length < 3 || (out.length > 0 && this.#random.fraction() < 0.5)
    const from = joins ? out : present
    const seat = from[this.#random.below(Math.max(1, from.length))]
    if (seat === undefined) return
    if (joins) this.#join(seat)
    else {
      this.counts.leaves++
      seat.state = 'leaving'
      seat.program.leave(seat.member)
    }
    const counted = clients.map(client => {
      const mine = this.#seats.filter(({ program }) => program.client === client)
      return mine.filter(({ state }) => state === 'in' || state === 'joining').length
    })
    const mixture = counted.join('+')
    this.mixtures.set(mixture, (this.mixtures.get(mixture) ?? 0) + 1)
  }

  #join(seat: Seat): void {
    this.counts.joins++
    seat.state = 'joining'
    seat.program.start(seat.member, this.#group)
  }

  async #isDone(): Promise<boolean> {
    const topic = this.#topic
    const queries = Array.from({ length: partitions }, (_, partition) => partition)
    const ends = await this.#cluster.listOffsets(
      queries.map(partition => ({ topic, partition, timestamp: -1 })),
    )
    const committed = new Map(
      (await fetchOffsets(this.#cluster, this.#group)).map(each => [each.partition, each.offset]),
    )
    return ends.every(
      (end, partition) => !(end instanceof Error) && end.offset === (committed.get(partition) ?? 0),
    )
  }

  async #until(ms: number, what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
    const deadlineMs = performance.now() + ms
    while (!(await isTrue())) {
      if (performance.now() > deadlineMs) {
        const states = this.#seats.map(({ member, state }) => `${member} ${state}`).join(', ')
        this.checks.breach('not in time', `${what} after ${ms} ms (${states})`)
        return
      }
      await delay(100)
    }
  }
}

function line(
  client: Client,
  what: string,
  gaps: readonly Gap[],
  isIt: (gap: Gap) => boolean,
): string {
  const times = gaps
    .filter(gap => gap.member.startsWith(`${client}-`) && isIt(gap))
    .map(({ ms }) => ms)
    .sort((a, b) => a - b)
  const at = (share: number) => times[Math.ceil(times.length * share) - 1] ?? Number.NaN
  const figures = [times.length, at(0.5), at(0.99), at(1)]
  const cells = figures.map((figure, index) => `${figure}`.padStart(index === 0 ? 9 : 7))
  return `    ${`${client}, ${what}`.padEnd(63)}${cells.join('')}`
}

const kafka = values.kafka ? await LiveKafka.start() : undefined
const isGiven = kafka !== undefined || values.bootstrap !== undefined
const broker = isGiven ? undefined : await LiveBroker.start()
const bootstrap = values.bootstrap ?? (kafka ?? broker!).bootstrap
const [host = '', port = ''] = bootstrap.split(':')
const cluster = new Cluster(nodeIo(), { bootstrap: [{ host, port: Number(port) }] })
let failed = 0
try {
  for (const assignor of values.assignor) {
    const topic = `mixed-${Date.now()}`
    const [created] = await createTopics(cluster, [
      { name: topic, partitions, replicationFactor: 1 },
    ])
    if (created?.error !== undefined) throw created.error
    const group = new MixedGroup(cluster, bootstrap, assignor, topic)
    console.log(`mixed group: ${assignor}, ${seconds} s, --seed ${seed}`)
    await group.run().finally(() => group.kill())
    for (const told of group.report(assignor)) console.log(told)
    if (group.checks.breaches.length > 0) failed++
  }
} finally {
  cluster.close()
  for (const surprise of broker?.surprises() ?? []) {
    console.log(`BREACH the broker says ${surprise}`)
    failed++
  }
  await broker?.remove()
  await kafka?.remove()
}
console.log(`mixed group: ${values.assignor.length - failed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
