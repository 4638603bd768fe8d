/** What the programs here share: where the broker is, names of their own, and how they say what they saw. */
import { type Admin, type ConsumerConfig, Kafka, logLevel } from 'kafkajs'

const [bootstrap = '', prefix = ''] = process.argv.slice(2)

/** A name that no other run uses; what is said is said without the prefix. */
export const named = (name: string): string => `${prefix}-${name}`

export const kafka = new Kafka({
  clientId: 'program',
  brokers: [bootstrap],
  logLevel: logLevel.NOTHING,
  retry: { initialRetryTime: 50, retries: 3 },
})

export function say(fact: string, value: unknown): void {
  const line = JSON.stringify({ fact, value }, (_, each) => sorted(toldOf(each)))
  process.stdout.write(`${line.replaceAll(`${prefix}-`, '')}\n`)
}

/** What a program can tell of an error without its words, and without what is below the client's own. */
function toldOf(value: unknown): unknown {
  if (!(value instanceof Error)) return value
  const { name } = value
  const fields = value as { retriable?: boolean; type?: string; code?: unknown }
  const { retriable, type, code } = fields
  const cause = value.cause as Error | undefined
  const isBelow = cause === undefined || ['KafkaError', 'ConnectionError'].includes(cause.name)
  const number = typeof code === 'number' ? code : undefined
  return { name, retriable, type, code: number, cause: isBelow ? undefined : cause }
}

/** The order of fields is no difference. */
function sorted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** The error by which `work` fails. */
export async function failure(work: () => unknown): Promise<unknown> {
  try {
    await work()
    return 'nothing'
  } catch (error) {
    return error
  }
}

export async function createTopic(name: string, numPartitions = 1): Promise<string> {
  const admin = kafka.admin()
  await admin.connect()
  await admin.createTopics({
    waitForLeaders: false,
    topics: [{ topic: named(name), numPartitions }],
  })
  await present(admin, named(name))
  await pause(300) // in Apache Kafka its leaders are known before they lead
  await admin.disconnect()
  return named(name)
}

/** Apache Kafka answers before a topic is there, and kafkajs does not always wait for it. */
export async function present(admin: Admin, topic: string): Promise<void> {
  for (let turn = 0; turn < 50; turn++) {
    try {
      await admin.fetchTopicMetadata({ topics: [topic] })
      return
    } catch {
      await pause(100)
    }
  }
}

/** As fast as a test wants it. */
export const quick: Partial<ConsumerConfig> = {
  maxWaitTimeInMs: 100,
  heartbeatInterval: 200,
  sessionTimeout: 10_000,
  retry: { initialRetryTime: 50, retries: 3 },
}

export function counter(count: number): { readonly done: Promise<void>; add(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  let left = count
  return {
    done: promise,
    add() {
      if (--left === 0) resolve()
    },
  }
}

export const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
