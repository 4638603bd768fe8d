/**
 * Kafka's own tools for what only a cluster has, against three brokers: moves of partitions, elections
 * of leaders, brokers that leave for good, levels of features, throttles. Each step says what the tool
 * of Apache Kafka 4 prints against Kafka itself; where Ottla is another broker, the step says so.
 *
 *     node test/cluster/tools.ts        about 40 s; ends with code 1 at the first difference
 */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { type Ran, Tools } from '../clients/kafka-tools/tools.ts'
import { Loopback } from './loopback.ts'
import { startOttla } from './ottla.ts'
import { bootstrapOf, type System } from './system.ts'

const root = join(import.meta.dirname, '../..')
const deadlineMs = 30_000
const topic = 'words'

/** What is asked again and again until it holds. */
async function eventually(check: () => Promise<void>): Promise<void> {
  const end = performance.now() + deadlineMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > end) throw error
      await delay(200)
    }
  }
}

class Steps {
  readonly #tools: Tools
  readonly #system: System
  readonly #directory: string

  constructor(tools: Tools, system: System, directory: string) {
    this.#tools = tools
    this.#system = system
    this.#directory = directory
  }

  async run(): Promise<void> {
    const steps = [
      () => this.#generate(),
      () => this.#refuse(),
      () => this.#move(),
      () => this.#cancel(),
      () => this.#elect(),
      () => this.#throttle(),
      () => this.#features(),
      () => this.#lose(),
      () => this.#leave(),
    ]
    for (const [index, step] of steps.entries()) {
      const startedAt = performance.now()
      await step()
      const tookS = ((performance.now() - startedAt) / 1000).toFixed(1)
      console.log(`ok ${index + 1} ${names[index]} (${tookS} s)`)
    }
  }

  async #generate(): Promise<void> {
    const replicas = ['--replica-assignment', '1:2,2:1,1:2,2:1']
    await this.#tools.run('kafka-topics', [
      ...['--create', '--topic', topic, ...replicas, '--config', 'min.insync.replicas=1'],
      // Little at a time, so that a throttle has something to hold back.
      ...['--config', 'max.message.bytes=70000'],
    ])
    const filled = ['--topic', topic, '--num-records', '6000', '--record-size', '1000']
    await this.#tools.run('kafka-producer-perf-test', [...filled, '--throughput', '-1'])
    const topics = this.#file('topics', { version: 1, topics: [{ topic }] })
    const generate = ['--generate', '--topics-to-move-json-file', topics]
    const said = await this.#reassign(...generate, '--broker-list', '1,2,3')
    const [current, proposed] = said.match(/\{"version".*\}/g)!.map(text => JSON.parse(text))
    assert.deepEqual(
      current.partitions.map(({ replicas: own }: { replicas: number[] }) => own),
      [
        [1, 2],
        [2, 1],
        [1, 2],
        [2, 1],
      ],
    )
    assert.match(current.partitions[0].log_dirs[0], /^\//)
    const used = proposed.partitions.flatMap(({ replicas: own }: { replicas: number[] }) => own)
    assert.deepEqual([...new Set(used)].sort(), [1, 2, 3])
  }

  async #refuse(): Promise<void> {
    const file = this.#plan([[0, [3, 2, 1]]])
    const wider = await this.#tryReassign('--execute', file, '--disallow-replication-factor-change')
    assert.equal(wider.code, 1)
    assert.match(wider.stdout, /words-0: The replication factor is changed from 2 to 3/)
    const unknown = await this.#tryReassign('--execute', this.#plan([[9, [3, 2]]]))
    assert.notEqual(unknown.code, 0)
  }

  async #move(): Promise<void> {
    const plan = this.#plan([
      [0, [3, 2]],
      [1, [2, 3]],
      [2, [1, 2]],
    ])
    const begun = await this.#reassign('--execute', ...plan, '--throttle', '20000')
    assert.match(begun, /Successfully started partition reassignments for words-0,words-1,words-2/)
    const list = await this.#reassign('--list')
    assert.match(list, /words-0: replicas: 3,2,1\. adding: 3\. removing: 1\./)
    assert.match(list, /words-1: replicas: 2,3,1\. adding: 3\. removing: 1\./)
    assert.doesNotMatch(list, /words-2/)
    const described = await this.#tools.run('kafka-topics', ['--describe', '--topic', topic])
    assert.match(described, /PartitionCount: 4\s+ReplicationFactor: 2/)
    const moving = /Replicas: 3,2,1\s+Isr: [12,]+\s+Adding Replicas: 3\s+Removing Replicas: 1/
    assert.match(described, moving)
    // Who is added is no replica that is missing.
    assert.equal(await this.#describe('--under-replicated-partitions'), '')
    const again = await this.#tryReassign('--execute', ...plan)
    assert.match(again.stdout + again.stderr, /there is an existing partition assignment/)
    await this.#reassign('--execute', ...plan, '--additional', '--throttle', '100000000')
    await eventually(async () => {
      const verified = await this.#reassign('--verify', ...plan)
      assert.match(verified, /partition words-0 is completed\.\n.*words-1 is completed/)
      assert.match(verified, /Clearing broker-level throttles on brokers 1,2,3/)
    })
    assert.match(await this.#reassign('--list'), /No partition reassignments found/)
  }

  async #cancel(): Promise<void> {
    const plan = this.#plan([[0, [3, 2, 1]]])
    await this.#reassign('--execute', ...plan, '--throttle', '20000')
    const cancelled = await this.#reassign('--cancel', ...plan)
    assert.match(cancelled, /Successfully cancelled partition reassignment for: words-0/)
    assert.match(await this.#reassign('--cancel', ...plan), /None of the specified/)
    const described = await this.#tools.run('kafka-topics', ['--describe', '--topic', topic])
    assert.match(described, /Partition: 0\s+Leader: [23]\s+Replicas: 3,2\s/)
    assert.doesNotMatch(described, /throttled/)
  }

  async #elect(): Promise<void> {
    await this.#elects('preferred', '--all-topic-partitions')
    const one = ['--topic', topic, '--partition', '0']
    const none = ['--election-type', 'preferred', '--topic', topic, '--partition', '77']
    const [preferred, unclean, refused] = await Promise.all([
      this.#elects('preferred', ...one),
      this.#elects('unclean', ...one),
      this.#tools.tryRun('kafka-leader-election', none),
    ])
    for (const said of [preferred, unclean]) {
      assert.match(said, /already elected for partitions words-0/)
    }
    assert.match(refused.stdout + refused.stderr, /UnknownTopicOrPartition.*No such partition/)
  }

  async #throttle(): Promise<void> {
    const rates = 'leader.replication.throttled.rate=1000,follower.replication.throttled.rate=1000'
    const broker = ['--entity-type', 'brokers', '--entity-name', '1']
    const ofTopic = ['--entity-type', 'topics', '--entity-name', topic]
    const replicas = 'leader.replication.throttled.replicas'
    await Promise.all([
      this.#configs('--alter', ...broker, '--add-config', rates),
      this.#configs('--alter', ...ofTopic, '--add-config', `${replicas}=[0:1,1:2]`),
    ])
    const wrong = ['--alter', ...ofTopic, '--add-config', `${replicas}=x`]
    const [described, ofBroker, refused] = await Promise.all([
      this.#configs('--describe', ...ofTopic),
      this.#configs('--describe', ...broker),
      this.#tools.tryRun('kafka-configs', wrong),
    ])
    assert.match(described, /throttled\.replicas=0:1,1:2 /)
    assert.match(ofBroker, /throttled\.rate=1000 sensitive/)
    assert.match(refused.stdout + refused.stderr, /must be the literal '\*' or a list of replicas/)
    await Promise.all([
      this.#configs('--alter', ...broker, '--delete-config', rates.replaceAll('=1000', '')),
      this.#configs('--alter', ...ofTopic, '--delete-config', replicas),
    ])
    assert.doesNotMatch(await this.#configs('--describe', ...broker), /throttled/)
  }

  /** Ottla has one feature, and it is not one of Kafka's. */
  async #features(): Promise<void> {
    const described = await this.#tools.run('kafka-features', ['describe'])
    assert.match(described, /Feature: ottla\.version\s+SupportedMinVersion: 1\s/)
    const level = /FinalizedVersionLevel: (\d+)/.exec(described)![1]
    const upgrade = ['upgrade', '--feature']
    const same = await this.#tools.tryRun('kafka-features', [...upgrade, `ottla.version=${level}`])
    assert.match(same.stdout, new RegExp(`ottla.version was upgraded to ${level}`))
    const wrong = ['ottla.version=99', 'metadata.version=99']
    const ran = wrong.map(each => this.#tools.tryRun('kafka-features', [...upgrade, each]))
    for (const refused of await Promise.all(ran)) {
      assert.equal(refused.code, 1)
      assert.match(refused.stdout, /Could not upgrade \S+ to 99\. .*Invalid update version 99/)
    }
  }

  /** A broker is lost; what only it has is unavailable, and an unclean election helps the rest. */
  async #lose(): Promise<void> {
    const alone = ['--create', '--topic', 'alone', '--replica-assignment', '3']
    await this.#tools.run('kafka-topics', alone)
    await this.#system.brokers[2]!.server.kill()
    await eventually(async () => {
      const behind = await this.#describe('--under-replicated-partitions')
      assert.match(behind, /Topic: words\s+Partition: 0\s+Leader: 2\s+Replicas: 3,2\s+Isr: 2\s/)
    })
    const offline = await this.#describe('--unavailable-partitions')
    assert.match(
      offline,
      /Topic: alone\s+Partition: 0\s+Leader: none\s+Replicas: 3\s+Isr:\s+Elr: 3\s/,
    )
    assert.doesNotMatch(offline, /words/)
    const gone = ['--election-type', 'unclean', '--topic', 'alone', '--partition', '0']
    const refused = await this.#tools.tryRun('kafka-leader-election', gone)
    assert.match(refused.stdout + refused.stderr, /EligibleLeadersNotAvailable/)
    await this.#tools.run('kafka-topics', ['--delete', '--topic', 'alone'])
  }

  /** Kafka would forget a broker that still is a replica; here it has to hold nothing. */
  async #leave(): Promise<void> {
    const listed = await this.#tools.run('kafka-cluster', [
      'list-endpoints',
      '--include-fenced-brokers',
    ])
    assert.match(listed, /^1 .* unfenced +broker/m)
    assert.match(listed, /^3 +127\.0\.0\.1 \d+ .* fenced +broker/m)
    const holds = await this.#tools.tryRun('kafka-cluster', ['unregister', '--id', '3'])
    assert.match(holds.stdout + holds.stderr, /broker 3 is a replica of 2 partitions/)
    const plan = this.#plan([
      [0, [1, 2]],
      [1, [2, 1]],
    ])
    await this.#reassign('--execute', ...plan)
    await eventually(async () => {
      assert.match(
        await this.#reassign('--verify', ...plan, '--preserve-throttles'),
        /words-0 is completed[\s\S]*words-1 is c/,
      )
    })
    await this.#tools.run('kafka-cluster', ['unregister', '--id', '3'])
    const unknown = await this.#tools.tryRun('kafka-cluster', ['unregister', '--id', '3'])
    assert.match(unknown.stdout + unknown.stderr, /Broker ID 3 is not currently registered/)
    const rest = await this.#tools.run('kafka-cluster', [
      'list-endpoints',
      '--include-fenced-brokers',
    ])
    assert.doesNotMatch(rest, /^3 /m)
  }

  #file(name: string, content: unknown): string {
    const path = join(this.#directory, `${name}.json`)
    writeFileSync(path, JSON.stringify(content))
    return path
  }

  /** The words that name a plan. */
  #plan(partitions: readonly (readonly [partition: number, replicas: number[]])[]): string[] {
    const list = partitions.map(([partition, replicas]) => ({ topic, partition, replicas }))
    const path = this.#file('plan', { version: 1, partitions: list })
    return ['--reassignment-json-file', path]
  }

  #reassign(...args: readonly (string | string[])[]): Promise<string> {
    return this.#tools.run('kafka-reassign-partitions', args.flat())
  }

  #tryReassign(...args: readonly (string | string[])[]): Promise<Ran> {
    return this.#tools.tryRun('kafka-reassign-partitions', args.flat())
  }

  #elects(kind: 'preferred' | 'unclean', ...args: string[]): Promise<string> {
    return this.#tools.run('kafka-leader-election', ['--election-type', kind, ...args])
  }

  #configs(...args: string[]): Promise<string> {
    return this.#tools.run('kafka-configs', args)
  }

  #describe(...args: string[]): Promise<string> {
    return this.#tools.run('kafka-topics', ['--describe', ...args])
  }
}

const names = [
  'generate',
  'what is refused',
  'execute, list, verify with a throttle',
  'cancel',
  'leader election',
  'throttles as configs',
  'features',
  'a broker is lost',
  'a broker leaves for good',
]

const setup = join(root, 'test/clients/kafka-tools/setup')
const classPath = execFileSync(setup, { encoding: 'utf8' }).trim().split('\n').at(-1)!
const directory = mkdtempSync(join(tmpdir(), 'ottla-tools-'))
const net = new Loopback()
const settings = { 'offsets.topic.replication.factor': '1' }
const options = { directory, net, brokers: 3, replication: 3, settings }
const system = await startOttla(options, join(root, 'src/bin.js'))
try {
  const tools = new Tools(classPath, bootstrapOf(system))
  await eventually(async () => {
    const { stdout } = await tools.tryRun('kafka-cluster', ['list-endpoints'])
    assert.equal(stdout.match(/ broker /g)?.length, 3, stdout)
  })
  await new Steps(tools, system, directory).run()
  for (const { server } of system.brokers) assert.equal(server.died, undefined)
} catch (error) {
  console.error(error)
  process.exitCode = 1
} finally {
  await system.remove()
  await net.close()
  rmSync(directory, { recursive: true, force: true })
}
