/** The topics of a run: made at its start, read to their end when it is over. */
import { setTimeout as delay } from 'node:timers/promises'
import { Client, KafkaError, orThrow, serializers } from '../../src/index.ts'

const createDeadlineMs = 120_000
const readDeadlineMs = 120_000

export interface NewTopic {
  readonly topic: string
  readonly partitions: number
  readonly replicationFactor: number
}

/** Until there are brokers enough. */
export async function createTopics(bootstrap: string, topics: readonly NewTopic[]): Promise<void> {
  await using client = new Client({ bootstrap })
  const admin = client.admin()
  const deadline = performance.now() + createDeadlineMs
  for (;;) {
    try {
      for (const outcome of await admin.createTopics(topics)) {
        const { error } = outcome
        const isThere = error instanceof KafkaError && error.error === 'TOPIC_ALREADY_EXISTS'
        if (error !== undefined && !isThere) throw error
      }
      return
    } catch (error) {
      if (performance.now() > deadline) throw error
      await delay(500)
    }
  }
}

/** The offsets behind the last record of each partition. */
export async function endsOf(bootstrap: string, topic: string, count: number): Promise<number[]> {
  await using client = new Client({ bootstrap })
  const queries = Array.from({ length: count }, (_, partition) => ({
    topic,
    partition,
    at: 'latest' as const,
  }))
  const found = orThrow(await client.admin().listOffsets(queries))
  return found.map(({ offset }) => offset)
}

/** All values, by partition and offset. Throws when it does not come to the ends in time. */
export async function readAll(
  bootstrap: string,
  topic: string,
  ends: readonly number[],
): Promise<string[][]> {
  await using client = new Client({ bootstrap })
  const found: string[][] = ends.map(() => [])
  const open = new Set([...ends.keys()].filter(partition => ends[partition]! > 0))
  if (open.size === 0) return found
  const assignment = [...open].map(partition => ({ topic, partition, offset: 0 }))
  await using consumer = client.consumer({
    assignment,
    offsetReset: 'none',
    maxWaitMs: 100,
    value: serializers.string,
  })
  const signal = AbortSignal.timeout(readDeadlineMs)
  for await (const { partition, messages } of consumer.batches({ signal })) {
    for (const { offset, value } of messages) found[partition]![offset] = value ?? ''
    if ((messages.at(-1)?.offset ?? -1) + 1 >= ends[partition]!) open.delete(partition)
    if (open.size === 0) return found
  }
  throw new Error(`partitions ${[...open]} of ${topic} cannot be read to their end`)
}
