/**
 * Cases of the conformance suite, and what they are given. A case does something with the client,
 * asserts what has to be, and answers what it saw: plain data, the same against every broker.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { Cluster } from '../../src/client/cluster.ts'
import { createTopics, deleteTopics } from '../../src/client/topics.ts'
import {
  type ClientOptions,
  Consumer,
  type ConsumerSettings,
  KafkaError,
  type Message,
} from '../../src/index.ts'
import { nodeIo } from '../../src/io/node.ts'
import { type BuildOptions, buildBatch, type NewRecord } from '../../src/protocol/records/build.ts'

export interface Case {
  /** A sentence of behaviour. */
  readonly name: string
  /** Throws when it is not so. Strings that hold a name of the scene's are told without it. */
  readonly run: (scene: Scene) => Promise<unknown>
}

export interface Outcome {
  readonly name: string
  readonly ms: number
  readonly failure?: string
  /** Without names that differ from run to run. */
  readonly saw?: unknown
}

const caseDeadlineMs = 45_000
const pollMs = 10

/** A broker, and names of one's own in it, for one case. */
export class Scene {
  readonly bootstrap: string
  readonly cluster: Cluster
  /** All names begin with it. */
  readonly prefix: string
  readonly #topics: string[] = []
  readonly #consumers: Consumer<unknown, unknown>[] = []
  #names = 0

  constructor(bootstrap: string, prefix: string) {
    const [host = '', port = ''] = bootstrap.split(':')
    this.bootstrap = bootstrap
    this.prefix = prefix
    this.cluster = new Cluster(nodeIo(), { bootstrap: [{ host, port: Number(port) }] })
  }

  /** A name that nothing has yet. */
  name(what: string): string {
    return `${this.prefix}-${what}${this.#names++}`
  }

  async topic(
    partitions = 1,
    configs: Readonly<Record<string, string>> = {},
    name = this.name('topic'),
  ): Promise<string> {
    const [outcome] = await createTopics(this.cluster, [
      { name, partitions, replicationFactor: 1, configs: new Map(Object.entries(configs)) },
    ])
    if (outcome?.error !== undefined) throw outcome.error
    this.#topics.push(name)
    // Apache Kafka makes a topic known a moment later.
    await until('the topic is known', async () => {
      const { topics } = await this.cluster.metadata([name])
      return topics[0]?.errorCode === 0 && topics[0].partitions.every(each => each.leaderId >= 0)
    })
    return name
  }

  /** One batch; answers its first offset. */
  async store(
    topic: string,
    partition: number,
    records: readonly NewRecord[],
    options: BuildOptions = {},
  ): Promise<number> {
    const batch = { topic, partition, records: buildBatch(options, records) }
    const [answer] = await this.cluster.produce([batch], { acks: -1 })
    if (answer === undefined || answer instanceof Error) throw answer
    return answer.baseOffset
  }

  /** `count` records in each of the partitions, with values `<partition>-<n>`. */
  async fill(topic: string, partitions: number, count: number, from = 0): Promise<void> {
    for (let partition = 0; partition < partitions; partition++) {
      const records = Array.from({ length: count }, (_, n) => ({
        value: `${partition}-${from + n}`,
        timestamp: 1_000_000 + from + n,
      }))
      await this.store(topic, partition, records)
    }
  }

  /** Closed at the end of the case. Begins at the beginning, heartbeats often; values are strings. */
  consumer(
    options: Partial<ClientOptions & ConsumerSettings<Buffer | null, string>>,
  ): Consumer<Buffer | null, string> {
    const consumer = new Consumer({
      bootstrap: this.bootstrap,
      offsetReset: 'earliest',
      maxWaitMs: 200,
      heartbeatIntervalMs: 200,
      sessionTimeoutMs: 10_000,
      value: (bytes: Buffer | null) => String(bytes),
      ...options,
    })
    this.#consumers.push(consumer as Consumer<unknown, unknown>)
    return consumer
  }

  /** Reads that many messages; their consumer is closed then. */
  async read(
    options: Partial<ClientOptions & ConsumerSettings<Buffer | null, string>>,
    count: number,
  ): Promise<Message<Buffer | null, string>[]> {
    return await take(this.consumer(options), count)
  }

  async remove(): Promise<void> {
    await Promise.allSettled(this.#consumers.map(consumer => consumer.close()))
    if (this.#topics.length > 0) await deleteTopics(this.cluster, this.#topics).catch(() => {})
    this.cluster.close()
  }
}

/** The next `count` messages of a consumer, which is closed by it. */
export async function take<K, V>(
  consumer: Consumer<K, V>,
  count: number,
): Promise<Message<K, V>[]> {
  const found: Message<K, V>[] = []
  for await (const message of consumer) {
    found.push(message)
    if (found.length === count) break
  }
  return found
}

/** Throws when it does not come true in 20 s. */
export async function until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
  const deadlineMs = performance.now() + 20_000
  while (!(await isTrue())) {
    if (performance.now() > deadlineMs) throw new Error(`not so after 20 s: ${what}`)
    await delay(pollMs)
  }
}

/** The name and code of the error that comes of it; throws when none does. */
export async function errorOf(work: () => unknown): Promise<string> {
  try {
    await work()
  } catch (error) {
    if (error instanceof KafkaError) return `${error.name} ${error.error}`
    if (!(error instanceof Error)) throw error
    const code = 'code' in error ? ` ${error.code}` : ''
    return `${error.name}${code}`
  }
  throw new Error('nothing was thrown')
}

/** Never throws. */
export async function judge(each: Case, bootstrap: string, prefix: string): Promise<Outcome> {
  const scene = new Scene(bootstrap, prefix)
  const startMs = performance.now()
  const took = () => Math.round(performance.now() - startMs)
  const late = new AbortController()
  try {
    const saw = await Promise.race([
      each.run(scene),
      delay(caseDeadlineMs, undefined, { signal: late.signal }).then(() => {
        throw new Error(`not over after ${caseDeadlineMs} ms`)
      }),
    ])
    const text = JSON.stringify(saw ?? null).replaceAll(prefix, '')
    return { name: each.name, ms: took(), saw: JSON.parse(text) }
  } catch (error) {
    const failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    return { name: each.name, ms: took(), failure: failure.replaceAll(prefix, '').slice(0, 500) }
  } finally {
    late.abort()
    await scene.remove()
  }
}
