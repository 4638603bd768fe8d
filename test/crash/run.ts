/**
 * kill -9 at random instants: node test/crash/run.ts [--kills N] [--seconds-between S] [--seed N]
 *                             node test/crash/run.ts --recover-gib N [--kafka]
 *
 * A broker in a process of its own is killed again and again while our producer fills four topics,
 * while retention and DeleteRecords take from two of them and the two others are compacted all the time;
 * one time out of four once more while it starts. After each start everything is read back: what was
 * acknowledged and may not have been removed is there, at its offset, once, in order; the newest record of
 * each key is in the compacted topics. Prints figures; exit code 1 and the seed when a promise is broken.
 *
 * `--recover-gib` measures instead how long a start after kill -9 takes with so much data.
 */
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { Client, orThrow } from '../../src/index.ts'
import { nodeIo } from '../../src/io/node.ts'
import { verify } from '../../src/log/verify.ts'
import { Prng } from '../../src/sim/random.ts'
import { LiveBroker } from '../live-broker.ts'
import { type CheckedPartition, checkAll } from './check.ts'
import { partitionsOfEach, topics } from './content.ts'
import { Load } from './load.ts'
import { measureRecovery } from './recovery.ts'

const { values } = parseArgs({
  options: {
    kills: { type: 'string', default: '20' },
    'seconds-between': { type: 'string', default: '1.5' },
    seed: { type: 'string', default: '1' },
    'recover-gib': { type: 'string' },
    kafka: { type: 'boolean', default: false },
  },
})
const kills = Number(values.kills)
const secondsBetween = Number(values['seconds-between'])
const seed = Number(values.seed)
if (!(Number.isInteger(kills) && kills > 0 && secondsBetween > 0 && Number.isInteger(seed))) {
  throw new Error('usage: npm run test:crash -- [--kills N] [--seconds-between S] [--seed N]')
}

/** Retention and compaction so often that kills meet them at work. */
const settings = {
  'log.retention.check.interval.ms': '200',
  'log.cleaner.backoff.ms': '20',
  'log.segment.delete.delay.ms': '500',
}

class CrashTest {
  readonly #random = new Prng(seed, 'crash')
  readonly #broker: LiveBroker
  readonly #client: Client
  readonly #load: Load
  readonly startsMs: number[] = []
  kills = 0
  killsAtStart = 0
  #checked: CheckedPartition[] = []

  constructor(broker: LiveBroker, client: Client) {
    this.#broker = broker
    this.#client = client
    this.#load = new Load(client)
  }

  async run(): Promise<void> {
    await using admin = this.#client.admin()
    orThrow(
      await admin.createTopics(topics.map(each => ({ ...each, partitions: partitionsOfEach }))),
    )
    let shownAt = performance.now()
    while (this.kills < kills) {
      await this.#round()
      if (performance.now() - shownAt < 10_000) continue
      shownAt = performance.now()
      const records = this.#load.partitions.reduce((sum, { sent }) => sum + sent, 0)
      console.log(`  ${this.kills} kills, ${records} records acknowledged and checked`)
    }
    await this.#load.close()
    await this.#verifyFiles()
  }

  async #round(): Promise<void> {
    this.#load.resume()
    await delay(this.#random.below(2000 * secondsBetween))
    await this.#broker.kill()
    this.kills++
    while (this.#random.below(4) === 0 && this.kills < kills) {
      await this.#broker.startAndKill(this.#random.below(500))
      this.kills++
      this.killsAtStart++
    }
    this.startsMs.push(await this.#broker.restart())
    await this.#load.pause()
    const [failure] = this.#load.failures
    if (failure !== undefined) throw new Error(failure)
    this.#checked = await checkAll(this.#client, this.#load.partitions)
    const [complaint] = this.#complaints()
    if (complaint !== undefined) throw new Error(complaint)
  }

  #complaints(): string[] {
    const damage = /damaged|corrupt|offline|below its recovery point|has nothing (before|between)/
    const lines = this.#broker.log().split('\n')
    return [...this.#broker.surprises(), ...lines.filter(line => damage.test(line))]
  }

  /** After a clean stop all files are whole. */
  async #verifyFiles(): Promise<void> {
    await this.#broker.stop()
    const io = nodeIo()
    const { findings } = await verify(io.disk, join(this.#broker.directory, 'data'), { deep: true })
    const [first] = findings
    if (first !== undefined) throw new Error(`${first.path}: ${first.what}`)
  }

  show(): void {
    const sorted = [...this.startsMs].sort((a, b) => a - b)
    const p50 = sorted[Math.floor(sorted.length / 2)] ?? 0
    const max = sorted.at(-1) ?? 0
    const times = `p50 ${p50.toFixed(0)} ms, max ${max.toFixed(0)} ms`
    console.log(`  ${this.kills} kills, ${this.killsAtStart} of them while it started`)
    console.log(`  ${sorted.length} starts, from spawn to accepting: ${times}`)
    console.log(`  ${this.#load.deletions} DeleteRecords answered`)
    for (const { where, start, end, records } of this.#checked) {
      console.log(`  ${where}: ${end} records, the log starts at ${start}, ${records} are there`)
    }
  }
}

async function run(): Promise<boolean> {
  const broker = await LiveBroker.start({ settings })
  const client = new Client({ bootstrap: broker.bootstrap })
  const test = new CrashTest(broker, client)
  console.log(`crash: kill -9 ${kills} times, ${secondsBetween} s between, seed ${seed}`)
  try {
    await test.run()
    return true
  } catch (error) {
    console.log(`seed ${seed}, after ${test.kills} kills: ${(error as Error).stack}`)
    console.log(`The broker's last words:\n${broker.logTail()}`)
    return false
  } finally {
    test.show()
    await client.close().catch(() => {})
    await broker.remove()
  }
}

if (values['recover-gib'] !== undefined) {
  await measureRecovery(Number(values['recover-gib']), values.kafka)
} else {
  const passed = await run()
  console.log(passed ? 'crash: 1 passed, 0 failed' : 'crash: 0 passed, 1 failed')
  process.exitCode = passed ? 0 : 1
}
