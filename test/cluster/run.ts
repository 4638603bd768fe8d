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
 *   --bin FILE       the program of the brokers, of an installed package; without it the sources are built
 *   --json FILE      what was found, for programs
 *   --keep           leaves the logs where they are
 *
 * Instead of faults by chance:
 *
 *   --rolling        SIGTERM to each broker in turn, twice, under our client and Java's, with their
 *                    default patience: no send fails
 *   --upgrade COMMIT brokers of that commit's package, replaced in turn by those of HEAD's
 *   --failover-partitions N   how long until so many partitions are writable when a broker was killed
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Prng } from '../../src/sim/random.ts'
import { Campaign, type CampaignOptions, type CampaignResult } from './campaign.ts'
import { type ClientName, setUp } from './clients.ts'
import { measureFailover } from './failover.ts'
import { type Fault, kafkaFaults, ottlaFaults, rollingFaults } from './faults.ts'
import { startKafka } from './kafka.ts'
import { Loopback } from './loopback.ts'
import { canMakeNamespaces, enterNamespace, isInNamespace, Namespaces } from './namespaces.ts'
import { startOttla } from './ottla.ts'
import {
  build,
  builtProgramOf,
  commitOf,
  install,
  knowsSharedStore,
  programOf,
} from './packages.ts'
import { isGood, linesOf } from './report.ts'
import type { System, SystemOptions } from './system.ts'

type Label = 'ottla' | 'kafka'

/** Of a leader that waits for a follower it cannot reach: shorter than the 30 s of both brokers. */
const replicaLagMs = '8000'
/** Names the folder of what was built, or of the packages for an upgrade. */
const packagesVariable = 'CLUSTER_TEST_PACKAGES'
/** The default of our client and of Java's. */
const usualPatienceMs = 120_000
const rollingRounds = 2
const rollingSeconds = 600

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '3' },
    seed: { type: 'string', default: String(Date.now() % 1_000_000) },
    kafka: { type: 'boolean', default: false },
    'only-kafka': { type: 'boolean', default: false },
    faults: { type: 'string' },
    replication: { type: 'string', default: '3' },
    rate: { type: 'string', default: '200' },
    clients: { type: 'string' },
    loopback: { type: 'boolean', default: false },
    set: { type: 'string', multiple: true, default: [] },
    bin: { type: 'string' },
    json: { type: 'string' },
    keep: { type: 'boolean', default: false },
    rolling: { type: 'boolean', default: false },
    upgrade: { type: 'string' },
    'failover-partitions': { type: 'string' },
  },
})
const seed = Number(values.seed)
const replication = Number(values.replication)
const isRolling = values.rolling || values.upgrade !== undefined
const clients = (values.clients ?? (isRolling ? 'java,ottla' : 'java,librdkafka')).split(
  ',',
) as ClientName[]
const startedAt = performance.now()

function say(what: string): void {
  const seconds = ((performance.now() - startedAt) / 1000).toFixed(0)
  console.log(`  ${seconds.padStart(4)} s  ${what}`)
}

/** Runs `work` with three brokers and takes them away; their logs stay when it answers false. */
async function withSystem(
  label: Label,
  bin: string,
  work: (system: System) => Promise<boolean>,
): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), `ottla-cluster-${label}-`))
  const net = isInNamespace() ? new Namespaces() : new Loopback()
  const settings = Object.fromEntries([
    ['replica.lag.time.max.ms', replicaLagMs],
    ...values.set.map(text => [text.split('=', 1)[0], text.slice(text.indexOf('=') + 1)]),
  ])
  const options: SystemOptions = { directory, net, brokers: 3, replication, settings }
  const system = await (label === 'ottla' ? startOttla(options, bin) : startKafka(options))
  let isFine = false
  try {
    isFine = await work(system)
  } finally {
    const keeps = values.keep || !isFine
    await system.remove()
    await net.close()
    if (keeps) console.log(`  logs: ${directory}`)
    else rmSync(directory, { recursive: true, force: true })
  }
}

function program(): string {
  return values.bin ?? builtProgramOf(process.env[packagesVariable] ?? '')
}

async function campaign(
  label: Label,
  options: Pick<CampaignOptions, 'faults' | 'rounds' | 'patienceMs' | 'seconds'>,
  bin = program(),
): Promise<CampaignResult> {
  const { promise, resolve } = Promise.withResolvers<CampaignResult>()
  await withSystem(label, bin, async system => {
    const rate = Number(values.rate)
    const all = { ...options, replication, rate, clients, say }
    const result = await new Campaign(system, new Prng(seed, label), all).run()
    for (const line of linesOf(result)) console.log(line)
    resolve(result)
    return isGood(result)
  })
  return await promise
}

function byChance(label: Label): Promise<CampaignResult> {
  const all = label === 'ottla' ? ottlaFaults : kafkaFaults
  const { faults: wanted, minutes } = values
  const faults: readonly Fault[] =
    wanted === undefined ? all : all.filter(({ kind }) => kind.includes(wanted))
  return campaign(label, { faults, seconds: Number(minutes) * 60 })
}

function rolling(label: Label): Promise<CampaignResult> {
  return campaign(label, {
    faults: rollingFaults(),
    rounds: rollingRounds,
    patienceMs: usualPatienceMs,
    seconds: rollingSeconds,
  })
}

/** Packs both commits; answers false where there is nothing to upgrade from. */
function pack(from: string, directory: string): boolean {
  const [old, young] = [commitOf(from), commitOf('HEAD')]
  if (old === undefined || young === undefined || !knowsSharedStore(old)) {
    console.log(`cluster: no upgrade from ${from}: there is no such commit that knows clusters`)
    return false
  }
  say(`packs ${old.slice(0, 12)} and ${young.slice(0, 12)}`)
  install(old, join(directory, 'old'))
  install(young, join(directory, 'young'))
  return true
}

function upgrade(directory: string): Promise<CampaignResult> {
  return campaign(
    'ottla',
    {
      faults: rollingFaults(programOf(join(directory, 'young'))),
      rounds: 1,
      patienceMs: usualPatienceMs,
      seconds: rollingSeconds,
    },
    programOf(join(directory, 'old')),
  )
}

async function failover(label: Label, partitions: number): Promise<void> {
  await withSystem(label, program(), async system => {
    const rows = await measureFailover(system, partitions, say)
    console.log(`${label}: ${partitions} partitions, replication factor 3`)
    for (const { calmMs, writableMs, inSyncMs } of rows) {
      const [calm, writable, whole] = [calmMs, writableMs, inSyncMs].map(ms => ms.toFixed(0))
      console.log(
        `  a write to all ${calm} ms; after kill -9 ${writable} ms; all in sync ${whole} ms`,
      )
    }
    return true
  })
}

async function main(): Promise<number> {
  process.setMaxListeners(0) // one for each process
  // Whoever was started or mounted is taken away when the process exits.
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => process.exit(1))
  console.log(`cluster: --seed ${seed}`)
  const labels: Label[] = values['only-kafka']
    ? ['kafka']
    : values.kafka
      ? ['ottla', 'kafka']
      : ['ottla']
  if (values['failover-partitions'] !== undefined) {
    for (const label of labels) await failover(label, Number(values['failover-partitions']))
    return 0
  }
  const results: CampaignResult[] = []
  const packages = process.env[packagesVariable] ?? ''
  if (values.upgrade !== undefined) results.push(await upgrade(packages))
  else {
    for (const label of labels) {
      results.push(await (values.rolling ? rolling(label) : byChance(label)))
    }
  }
  if (values.json !== undefined) writeFileSync(values.json, JSON.stringify(results, undefined, 2))
  const bad = results.filter(result => !isGood(result)).length
  console.log(`cluster: ${results.length - bad} passed, ${bad} failed, --seed ${seed}`)
  return bad === 0 ? 0 : 1
}

/** What needs the network of the machine comes first. */
async function start(): Promise<number> {
  const packages = mkdtempSync(join(tmpdir(), 'ottla-built-'))
  try {
    if (values['failover-partitions'] === undefined) setUp(clients)
    if (values.upgrade === undefined) build(packages)
    else if (!pack(values.upgrade, packages)) return 0
    process.env[packagesVariable] = packages
    return await (!values.loopback && canMakeNamespaces() ? enterNamespace() : main())
  } finally {
    rmSync(packages, { recursive: true, force: true })
  }
}

process.exitCode = await (isInNamespace() ? main() : start())
