/**
 * Consumer groups under stress: node test/groups/run.ts [--seconds N] [--members N] [--seed N] [--record FILE]
 *
 * Two groups, each with members of the Java client, kafkajs, librdkafka and Ottla, read 100 partitions
 * while members join, leave, are killed and are stopped for longer than their session, and while
 * the broker is killed and started again on the same data. BOOTSTRAP=host:port: against that
 * broker, which is left alone.
 *
 * Shown: every acknowledged message is read in each group; no partition has two owners in one
 * generation; committed offsets never go back, and none that was acknowledged is forgotten, whoever
 * commits late. Prints what happened and how long groups took to recover; exit code 1 if not shown.
 * FILE gets all that members said and that happened to them, one JSON line each.
 */
import { openSync, writeSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { type Address, Cluster } from '../../src/client/cluster.ts'
import { describeGroup } from '../../src/client/groups.ts'
import { createTopics } from '../../src/client/topics.ts'
import { nodeIo } from '../../src/io/node.ts'
import { Prng } from '../../src/sim/random.ts'
import { LiveBroker } from '../live-broker.ts'
import { Checks } from './checks.ts'
import { Crowd } from './crowd.ts'
import type { MemberEvent } from './events.ts'
import { Feed } from './feed.ts'
import { clients, commandOf } from './program.ts'
import { Rebalances } from './rebalances.ts'
import { Witness } from './witness.ts'

const partitions = 100
/** Between two things that happen to members. */
const calmMs = { least: 1000, most: 4000 }
const startDeadlineMs = 120_000
const drainDeadlineMs = 120_000
const finishDeadlineMs = 60_000
const progressMs = 5000

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '300' },
    members: { type: 'string', default: '50' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    record: { type: 'string' },
  },
})
const [seconds = 0, size = 0, seed = 0] = [values.seconds, values.members, values.seed].map(Number)
if (![seconds, size, seed].every(Number.isInteger) || seconds < 10 || size < 6) {
  throw new Error(
    'usage: node test/groups/run.ts [--seconds 300] [--members 50] [--seed N] [--tell]',
  )
}

const run = Date.now()
const topic = `groups-${run}`
const groups = ['one', 'two'].map(name => `${topic}-${name}`)
const commands = new Map(clients.map(client => [client, commandOf(client)]))
const foreign = process.env['BOOTSTRAP']
const broker = foreign === undefined ? await LiveBroker.start() : undefined
const bootstrap = broker?.bootstrap ?? foreign!
const cluster = new Cluster(nodeIo(), { bootstrap: [addressOf(bootstrap)], timeoutMs: 60_000 })
const checks = new Checks(groups, partitions)
const rebalances = new Rebalances(partitions)
const startedAt = performance.now()
/** From the moment at which the broker accepts again to a group's next commit. */
const recoveriesMs: number[] = []
const waitsForCommit = new Map<string, number>()
const refused = new Map<string, number>()
let brokerEnds = 0
let brokerKills = 0
/** Ends the waits of those who disturb. */
const ending = new AbortController()
const recordFile = values.record === undefined ? undefined : openSync(values.record, 'w')

console.log(`groups: ${size} members, ${partitions} partitions, ${seconds} s, --seed ${seed}`)
const [created] = await createTopics(cluster, [{ name: topic, partitions, replicationFactor: 1 }])
if (created?.error !== undefined) throw created.error
const feed = new Feed(cluster, topic, partitions, checks, new Prng(seed, 'feed'))
const witness = new Witness(
  cluster,
  { name: topic, id: created!.topicId },
  groups,
  checks,
  new Prng(seed, 'witness'),
)
const crowd = new Crowd({
  groups,
  size,
  random: new Prng(seed, 'crowd'),
  commands: new Map([...commands].map(([client, words]) => [client, [...words, bootstrap, topic]])),
  onEvent: hear,
  onDisturbance: disturbance => {
    record(disturbance)
    rebalances.begin(disturbance)
  },
  onCircumstance: (group, circumstance) => rebalances.circumstance(group, circumstance),
  onTrouble: what => checks.breach('a program of members', what),
})

function record(what: object): void {
  if (recordFile !== undefined) writeSync(recordFile, `${JSON.stringify(what)}\n`)
}

function hear(group: string, event: MemberEvent): void {
  record({ group, ...event })
  checks.hear(group, event)
  if (event.event === 'joined') {
    for (const recovered of rebalances.joined(group, event)) record(recovered)
    witness.joined(group, event)
  } else if (event.event === 'committed') {
    const since = waitsForCommit.get(group)
    if (since === undefined || event.at < since) return
    waitsForCommit.delete(group)
    recoveriesMs.push(event.at - since)
  } else if (event.event === 'refused') {
    const why = event.why.replace(/^.*?(Exception|Error|KafkaJS\w+): ?/, '').slice(0, 90)
    refused.set(why, (refused.get(why) ?? 0) + 1)
  }
}

/** The broker ends and comes back: two times of three it is killed. */
async function restartBroker(live: LiveBroker, random: Prng): Promise<void> {
  const kindly = brokerEnds % 3 === 1
  record({ broker: kindly ? 'stop' : 'kill', at: Date.now() })
  await (kindly ? live.stop() : live.kill())
  for (const group of groups) rebalances.circumstance(group, 'the broker down')
  const downMs = random.between(0, 2000)
  await delay(downMs)
  const acceptsMs = await live.restart()
  record({ broker: 'accepts', at: Date.now() })
  brokerEnds += 1
  if (!kindly) brokerKills += 1
  const how = kindly ? 'stopped' : 'killed'
  say(`broker ${how}, ${downMs.toFixed(0)} ms, accepts after ${acceptsMs.toFixed(0)} ms`)
  for (const group of groups) {
    rebalances.circumstance(group, '')
    waitsForCommit.set(group, Date.now())
  }
}

async function killBroker(live: LiveBroker): Promise<void> {
  const random = new Prng(seed, 'broker')
  const everyMs = (Math.min(60, Math.max(10, seconds / 3)) * 1000) / 1.25
  while (await calm(everyMs * random.between(0.75, 1.25))) await restartBroker(live, random)
}

async function disturb(): Promise<void> {
  const random = new Prng(seed, 'calm')
  while (await calm(random.between(calmMs.least, calmMs.most))) {
    crowd.disturb(groups[random.below(groups.length)]!)
  }
}

/** False when the run ends meanwhile. */
function calm(ms: number): Promise<boolean> {
  return delay(ms, true, { signal: ending.signal }).catch(() => false)
}

/** Until each group has committed the end of every partition, and has read every message. */
async function drain(): Promise<void> {
  const queries = Array.from({ length: partitions }, (_, partition) => ({
    topic,
    partition,
    timestamp: -1,
  }))
  const found = await cluster.listOffsets(queries)
  const ends = found.map(each => {
    if (each instanceof Error) throw each
    return each.offset
  })
  for (const group of groups) {
    await within(drainDeadlineMs, `${group} has not committed the end`, async () => {
      const offsets = await witness.poll(group)
      return ends.every((end, partition) => end === (offsets.get(partition) ?? 0))
    })
  }
}

/** False, and a breach, when it does not come true. */
async function within(ms: number, otherwise: string, done: () => Promise<boolean> | boolean) {
  const deadline = performance.now() + ms
  while (!(await done())) {
    if (performance.now() > deadline) {
      checks.breach('not in time', `${otherwise} within ${ms / 1000} s`)
      return
    }
    await delay(200)
  }
}

async function finish(): Promise<void> {
  const late = delay(finishDeadlineMs, 'late', { ref: false })
  if ((await Promise.race([crowd.finish(), late])) === 'late') {
    checks.breach('not in time', `these do not leave: ${crowd.running}`)
    return
  }
  for (const group of groups) {
    await within(15_000, `${group} has members although all left`, async () => {
      const description = await describeGroup(cluster, group)
      return description?.state === 'Empty'
    })
  }
}

function say(what: string): void {
  console.log(`  ${((performance.now() - startedAt) / 1000).toFixed(0).padStart(4)} s  ${what}`)
}

const progress = setInterval(() => {
  const present = groups.map(group => crowd.present(group)).join('+')
  const missing = groups.map(group => checks.missing(group)).join('+')
  const { produced, breaches } = checks
  say(
    `${present} members, ${rebalances.generations} generations, ${produced} produced, ` +
      `${missing} to be read${breaches.length > 0 ? `, ${breaches.length} BREACHES` : ''}`,
  )
}, progressMs)

try {
  crowd.start()
  const feeding = feed.run()
  await within(startDeadlineMs, 'the groups are not complete', () =>
    groups.every(group => crowd.present(group) === size / groups.length),
  )
  say('every member has an assignment')
  const witnessing = witness.run()
  const work = [disturb(), ...(broker === undefined ? [] : [killBroker(broker)])]
  await Promise.race([delay(seconds * 1000), Promise.all([...work, witnessing, feeding])])
  ending.abort()
  await Promise.all(work)
  crowd.settle()
  feed.stop()
  await feeding
  say('no more messages, everybody comes back')
  await drain()
  witness.stop()
  await witnessing
  await finish()
} catch (error) {
  checks.breach('the run itself', error instanceof Error ? (error.stack ?? '') : `${error}`)
}
clearInterval(progress)
await crowd.kill()
cluster.close()
report()
if (broker !== undefined) {
  if (checks.breaches.length > 0) console.log(`The broker's last words:\n${broker.logTail()}`)
  await broker.remove()
}
process.exitCode = checks.breaches.length === 0 ? 0 : 1

function report(): void {
  for (const line of broker?.surprises() ?? []) checks.breach('the broker says', line)
  if (broker?.died !== undefined) checks.breach('the broker', broker.died)
  const happened = [...crowd.counts].map(([cause, count]) => `${cause} ${count}`).join(', ')
  console.log(`\nTo members: ${happened}`)
  console.log(`The broker: killed ${brokerKills}, stopped ${brokerEnds - brokerKills}`)
  console.log(`Messages: ${checks.produced} acknowledged, ${feed.unknown} with unknown outcome`)
  for (const group of groups) {
    const { generation, read, readAgain, commits, missing } = checks.finish(group)
    console.log(
      `${group}: last generation ${generation}, ${read} read, ${readAgain} again, ` +
        `${missing} missing, ${commits} commits`,
    )
  }
  console.log(
    `Committed offsets asked for ${witness.polls} times; late commits: ${counts(witness.refusals)}`,
  )
  console.log(`Commits of members that were refused: ${counts(refused)}`)
  if (recoveriesMs.length > 0) {
    const next = recoveriesMs.map(ms => (ms / 1000).toFixed(1)).join(', ')
    console.log(`From the broker's return to a group's next commit, s: ${next}`)
  }
  console.log(`\n${'Until every partition has an owner, ms'.padEnd(40)} count    p50    p99    max`)
  for (const { what, count, p50, p99, max } of rebalances.rows()) {
    const figures = [count, p50, p99, max].map((figure, i) => `${figure}`.padStart(i === 0 ? 6 : 7))
    console.log(what.padEnd(40) + figures.join(''))
  }
  for (const breach of checks.breaches) console.log(`BREACH ${breach}`)
  const passed = checks.breaches.length === 0
  console.log(`groups: ${passed ? '1 passed, 0 failed' : `0 passed, 1 failed, --seed ${seed}`}`)
}

function counts(found: ReadonlyMap<string, number>): string {
  return [...found].map(([what, count]) => `${what} ${count}`).join(', ') || 'none'
}

function addressOf(text: string): Address {
  const colon = text.lastIndexOf(':')
  return { host: text.slice(0, colon), port: Number(text.slice(colon + 1)) }
}
