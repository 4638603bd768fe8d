/** One record there and back, through a topic that is made for it and removed. */
import { type Address, Cluster } from '../client/cluster.ts'
import { createTopics, deleteTopics } from '../client/topics.ts'
import type { Io } from '../io/io.ts'
import { batches } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { orThrow } from './bootstrap.ts'
import type { Finding } from './doctor-words.ts'

const timeoutMs = 10_000
const maxBatchBytes = 1024 * 1024
/** Less is within what the network itself can hide. */
const noticedSkewMs = 1000

/** Writes and reads one record; then compares the clocks by the time that the broker stamped. */
export async function* roundTrip(io: Io, given: Address): AsyncGenerator<Finding, void> {
  const topic = `ottla-doctor-${io.random.u32().toString(36)}`
  const cluster = new Cluster(io, { bootstrap: [given], clientId: 'ottla-doctor', timeoutMs })
  const step = 'round trip'
  const isCreated = { value: false }
  try {
    const startedMs = io.clock.monotonicMs()
    const configs = new Map([['message.timestamp.type', 'LogAppendTime']])
    const [made] = await createTopics(cluster, [{ name: topic, partitions: 1, configs }])
    if (made?.error !== undefined) throw made.error
    isCreated.value = true
    const readyMs = io.clock.monotonicMs()
    const sentWallMs = io.clock.wallMs()
    const records = buildBatch({}, [{ value: topic, timestamp: sentWallMs }])
    const [written] = await cluster.produce([{ topic, partition: 0, records }], { acks: -1 })
    const { logAppendTimeMs } = orThrow(written!)
    const storedMs = io.clock.monotonicMs()
    const read = await firstValue(cluster, topic)
    if (read !== topic) throw new Error('what was read is not what was written')
    const readMs = io.clock.monotonicMs()
    const ms = (from: number, to: number) => `${Math.round(to - from)} ms`
    yield {
      step,
      state: 'good',
      text: `topic made in ${ms(startedMs, readyMs)}, record stored in ${ms(readyMs, storedMs)}, read in ${ms(storedMs, readMs)}`,
    }
    yield clockFinding(logAppendTimeMs - (sentWallMs + (storedMs - readyMs) / 2))
  } catch (error) {
    yield {
      step,
      state: 'bad',
      text: `failed: ${(error as Error).message}`,
      advice: 'The address is right, and the broker refuses the work: its log says more.',
    }
  } finally {
    if (isCreated.value) yield* removed(cluster, topic)
    cluster.close()
  }
}

async function firstValue(cluster: Cluster, topic: string): Promise<string | undefined> {
  const position = { topic, partition: 0, offset: 0 }
  const [fetched] = await cluster.fetch([position], { maxWaitMs: 5000 })
  for (const batch of batches(orThrow(fetched!).records, { partialTail: 'ignored' })) {
    for (const { value } of recordsOf(batch, maxBatchBytes)) return Buffer.from(value!).toString()
  }
  return undefined
}

async function* removed(cluster: Cluster, topic: string): AsyncGenerator<Finding, void> {
  const [outcome] = await deleteTopics(cluster, [topic]).catch((error: Error) => [{ error }])
  if (outcome?.error === undefined) return
  yield {
    step: 'clean up',
    state: 'odd',
    text: `the topic ${topic} is still there: ${outcome.error.message}`,
    advice: `\`ottla topics delete ${topic}\` removes it.`,
  }
}

function clockFinding(skewMs: number): Finding {
  const step = 'clocks'
  const seconds = (Math.abs(skewMs) / 1000).toFixed(1)
  if (Math.abs(skewMs) < noticedSkewMs) {
    return { step, state: 'good', text: 'those of broker and client agree' }
  }
  return {
    step,
    state: 'odd',
    text: `that of the broker is ${seconds} s ${skewMs > 0 ? 'ahead' : 'behind'}`,
    advice: 'Offsets by time, retention and lag in time will surprise: synchronise both (NTP).',
  }
}
