/**
 * Real clusters under real faults: node test/cluster/run.ts [--minutes N] [--seed N] [--kafka] …
 *
 * Three brokers and three members of etcd are processes in network namespaces of their own. Idempotent
 * producers of the Java client and librdkafka write to six partitions at a fixed rate, and readers of
 * both read all the time, while brokers and members are killed and paused, connections cut and disks
 * filled. In the end everything is read once more.
 *
 * Shown: no acknowledged message is lost, there twice, out of order or elsewhere than it was acknowledged
 * at; nothing that a reader was shown is gone; after each fault everything is in sync again. Printed
 * for each kind of fault: for how long a partition was not writable, as prober.ts sees it. Exit code 1
 * if anything of the first was not so.
 *
 *   --minutes N      of faults; 3 by default
 *   --seed N         decides which faults come, and whom they strike
 *   --kafka          the same with three brokers of Apache Kafka afterwards; --only-kafka without Ottla
 *   --faults TEXT    only kinds that contain this text; `none`: no faults
 *   --replication N  of the topics; 3 by default
 *   --rate N         messages a second of each producer; 200 by default
 *   --clients A,B    of java, librdkafka, ottla; the first two by default
 *   --loopback       no namespaces: all on loopback, with proxies between them
 *   --set KEY=VALUE  a setting of the brokers
 *   --json FILE      what was found, for programs
 *   --keep           leaves logs and data where they are
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Prng } from '../../src/sim/random.ts'
import { Campaign, type CampaignResult } from './campaign.ts'
import { type ClientName, setUp } from './clients.ts'
import { kafkaFaults, ottlaFaults } from './faults.ts'
import { startKafka } from './kafka.ts'
import { canMakeNamespaces, enterNamespace, isInNamespace, Namespaces } from './namespaces.ts'
import { startOttla } from './ottla.ts'
import { isGood, linesOf } from './report.ts'

/** Of a leader that waits for a follower it cannot reach: shorter than the 30 s of both brokers. */
const replicaLagMs = '8000'

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    kafka: { type: 'boolean', default: false },
    'only-kafka': { type: 'boolean', default: false },
    faults: { type: 'string' },
    replication: { type: 'string', default: '3' },
    rate: { type: 'string', default: '200' },
    clients: { type: 'string', default: 'java,librdkafka' },
    loopback: { type: 'boolean', default: false },
    set: { type: 'string', multiple: true, default: [] },
    json: { type: 'string' },
    keep: { type: 'boolean', default: false },
  },
})
const seed = Number(values.seed)
const replication = Number(values.replication)
const clients = values.clients.split(',') as ClientName[]

async function runOne(label: 'ottla' | 'kafka'): Promise<CampaignResult> {
  const directory = mkdtempSync(join(tmpdir(), `ottla-cluster-${label}-`))
  const net = new Namespaces()
  const startedAt = performance.now()
  const say = (what: string) => {
    const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
    console.log(`  ${seconds.padStart(4)} s  ${what}`)
  }
  const settings = Object.fromEntries([
    ['replica.lag.time.max.ms', replicaLagMs],
    ...values.set.map(text => [text.split('=', 1)[0], text.slice(text.indexOf('=') + 1)]),
  ])
  const start = label === 'ottla' ? startOttla : startKafka
  const system = await start({ directory, net, brokers: 3, replication, settings })
  const all = label === 'ottla' ? ottlaFaults : kafkaFaults
  const { faults: wanted } = values
  const faults = wanted === undefined ? all : all.filter(({ kind }) => kind.includes(wanted))
  const campaign = new Campaign(system, new Prng(seed, label), {
    seconds: Number(values.minutes) * 60,
    replication,
    rate: Number(values.rate),
    clients,
    faults,
    say,
  })
  const result = await campaign.run()
  for (const line of linesOf(result)) console.log(line)
  await system.remove()
  await net.close()
  if (values.keep || !isGood(result)) console.log(`  logs: ${directory}`)
  else rmSync(directory, { recursive: true, force: true })
  return result
}

async function main(): Promise<number> {
  console.log(`cluster: ${values.minutes} minutes, --seed ${seed}`)
  setUp(clients)
  const results: CampaignResult[] = []
  if (!values['only-kafka']) results.push(await runOne('ottla'))
  if (values.kafka || values['only-kafka']) results.push(await runOne('kafka'))
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, undefined, 2))
  const bad = results.filter(result => !isGood(result)).length
  console.log(`cluster: ${results.length - bad} passed, ${bad} failed, --seed ${seed}`)
  return bad === 0 ? 0 : 1
}

if (!isInNamespace() && !values.loopback && canMakeNamespaces()) {
  process.exitCode = await enterNamespace()
} else {
  process.exitCode = await main()
}
