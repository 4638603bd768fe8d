/**
 * How long a broker takes after kill -9 until it accepts again, with so much data in one partition of
 * 1 GiB segments: Ottla, and Apache Kafka beside it on the same volume, if asked.
 *
 * Ottla accepts once its logs are recovered. Kafka listens before: so the time until the partition has
 * answered a fetch of its last record is taken from both, too.
 */
import { statfsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { Client, orThrow } from '../../src/index.ts'
import { LiveBroker } from '../live-broker.ts'
import { LiveKafka } from '../live-kafka.ts'

const gib = 1024 ** 3
const valueBytes = 100_000
const topic = 'filled'
const deadlineMs = 600_000
/** What must stay free besides. */
const spareBytes = 5 * gib

/** A broker that can be killed and started again on its data. */
interface Recovering {
  readonly name: string
  readonly bootstrap: string
  kill(): Promise<void>
  /** Milliseconds until it accepts connections. */
  restart(): Promise<number>
  remove(): Promise<void>
}

/** Prints the times. Throws when there is no room. */
export async function measureRecovery(gibibytes: number, withKafka: boolean): Promise<void> {
  if (!(gibibytes > 0)) throw new Error('--recover-gib takes a number of GiB above 0')
  const { bavail, bsize } = statfsSync(tmpdir())
  const neededBytes = gibibytes * gib + spareBytes
  if (bavail * bsize < neededBytes) {
    throw new Error(`${tmpdir()} has ${bavail * bsize} bytes free, ${neededBytes} are needed`)
  }
  const starts = withKafka ? [startOttla, startKafka] : [startOttla]
  for (const start of starts) await measure(await start(), gibibytes)
}

async function startOttla(): Promise<Recovering> {
  const broker = await LiveBroker.start()
  return {
    name: 'Ottla',
    bootstrap: broker.bootstrap,
    kill: () => broker.kill(),
    restart: () => broker.restart(),
    remove: () => broker.remove(),
  }
}

async function startKafka(): Promise<Recovering> {
  const kafka = await LiveKafka.start()
  return {
    name: 'Apache Kafka',
    bootstrap: kafka.bootstrap,
    kill: () => kafka.kill(),
    restart: () => kafka.restart(),
    remove: () => kafka.remove(),
  }
}

async function measure(broker: Recovering, gibibytes: number): Promise<void> {
  try {
    const end = await fill(broker, gibibytes)
    await broker.kill()
    const startedAt = performance.now()
    const acceptsMs = await broker.restart()
    await readLast(broker.bootstrap, end)
    const readsMs = performance.now() - startedAt
    const times = `accepts after ${acceptsMs.toFixed(0)} ms, served its last record after`
    console.log(`  ${broker.name}, ${gibibytes} GiB, kill -9: ${times} ${readsMs.toFixed(0)} ms`)
  } finally {
    await broker.remove()
  }
}

/** Answers the end of the log. */
async function fill({ name, bootstrap }: Recovering, gibibytes: number): Promise<number> {
  await using client = new Client({ bootstrap })
  await using admin = client.admin()
  const configs = { 'segment.bytes': String(gib), 'retention.ms': '-1' }
  orThrow(await admin.createTopics([{ topic, partitions: 1, configs }]))
  await using producer = client.producer({ batchBytes: 900_000 })
  const count = Math.ceil((gibibytes * gib) / valueBytes)
  const value = Buffer.alloc(valueBytes, 'x')
  let shownAt = performance.now()
  for (let sent = 0; sent < count; sent += 100) {
    const some = Array.from({ length: Math.min(100, count - sent) }, () => ({ topic, value }))
    await producer.send(some)
    if (performance.now() - shownAt < 10_000) continue
    shownAt = performance.now()
    console.log(`  ${name}: ${((sent * valueBytes) / gib).toFixed(1)} of ${gibibytes} GiB`)
  }
  return count
}

async function readLast(bootstrap: string, end: number): Promise<void> {
  await using client = new Client({ bootstrap })
  const assignment = [{ topic, partition: 0, offset: end - 1 }]
  await using consumer = client.consumer({ assignment, offsetReset: 'none', maxWaitMs: 100 })
  const signal = AbortSignal.timeout(deadlineMs)
  for await (const { offset } of consumer.messages({ signal })) {
    if (offset === end - 1) return
    throw new Error(`read ${offset} instead of ${end - 1}`)
  }
  throw new Error(`the last record was not served within ${deadlineMs} ms`)
}
