/** Offsets of partitions, asked of the leaders of these; and the records before them. */
import { KafkaError } from '../../protocol/errors.ts'
import {
  deleteRecordsRequest,
  deleteRecordsResponse,
} from '../../protocol/messages/delete-records.ts'
import type { ClientError, OffsetFound } from '../cluster.ts'
import type { TopicPartition } from '../consumer/options.ts'
import type { AdminCall } from './call.ts'
import type {
  ListedOffset,
  ListOffsetsOptions,
  OffsetQuery,
  OffsetSpec,
  RecordsToDelete,
} from './options.ts'
import { asOutcomes, type Outcome, refusal, unanswered } from './outcome.ts'

/** Kafka's timestamps that are none. */
const specs = { latest: -1, earliest: -2, 'max-timestamp': -3 } as const

export async function listOffsets(
  call: AdminCall,
  queries: readonly OffsetQuery[],
  isolation: ListOffsetsOptions['isolation'],
): Promise<Outcome<TopicPartition, ListedOffset>[]> {
  const results = await ofPartitions(call, queries, async known => {
    const readCommitted = isolation === 'read_committed'
    const asked = known.map(({ topic, partition, at }) => ({
      topic,
      partition,
      timestamp: timestampOf(at),
    }))
    const found = new Map<TopicPartition, ListedOffset | ClientError>()
    const asking = rounds(asked).map(async round => {
      const answers = await call.cluster.listOffsets(round, { ...call.options, readCommitted })
      for (const [index, query] of round.entries()) found.set(query, listed(answers[index]!))
    })
    await Promise.all(asking)
    return asked.map(query => found.get(query)!)
  })
  return asOutcomes(queries, keyOf, results)
}

/** A request may name a partition once. */
function rounds<Item extends TopicPartition>(items: readonly Item[]): Item[][] {
  const found: Item[][] = []
  const times = new Map<string, number>()
  for (const item of items) {
    const name = `${item.topic}-${item.partition}`
    const round = times.get(name) ?? 0
    times.set(name, round + 1)
    found[round] ??= []
    found[round].push(item)
  }
  return found
}

function listed(found: OffsetFound | ClientError): ListedOffset | ClientError {
  if (found instanceof Error) return found
  const { offset, timestamp, leaderEpoch } = found
  return { offset, timestamp, leaderEpoch }
}

function timestampOf(at: OffsetSpec): number {
  return typeof at === 'string' ? specs[at] : Number(at)
}

export async function deleteRecords(
  call: AdminCall,
  records: readonly RecordsToDelete[],
): Promise<Outcome<TopicPartition, { logStartOffset: number }>[]> {
  const results = await ofPartitions(call, records, known =>
    call.cluster.perLeader(known, call.options, async (connection, mine, deadlineMs) => {
      const topics = [...Map.groupBy(mine, ({ topic }) => topic)].map(([name, partitions]) => ({
        name,
        partitions: partitions.map(({ partition, beforeOffset }) => ({
          partitionIndex: partition,
          offset: beforeOffset === 'latest' ? -1 : beforeOffset,
        })),
      }))
      const body = { topics, timeoutMs: call.brokerTimeoutMs }
      const [request, response] = [deleteRecordsRequest, deleteRecordsResponse]
      const answer = await connection.request(request, response, body, deadlineMs)
      const found = new Map(
        answer.topics.flatMap(({ name, partitions }) =>
          partitions.map(each => [`${name}-${each.partitionIndex}`, each]),
        ),
      )
      return mine.map(({ topic, partition }) => {
        const each = found.get(`${topic}-${partition}`)
        if (each === undefined) return unanswered(`partition ${topic}-${partition}`)
        const error = refusal(each.errorCode, `partition ${topic}-${partition}`)
        return error ?? { logStartOffset: each.lowWatermark }
      })
    }),
  )
  return asOutcomes(records, keyOf, results)
}

/**
 * Has `work` answer for the partitions that there are. The others are refused at once, rather than
 * looked for until the deadline.
 */
async function ofPartitions<Item extends TopicPartition, Value>(
  call: AdminCall,
  items: readonly Item[],
  work: (known: readonly Item[]) => Promise<(Value | ClientError)[]>,
): Promise<(Value | ClientError)[]> {
  if (items.length === 0) return []
  const names = [...new Set(items.map(({ topic }) => topic))]
  const { topics } = await call.caller.metadata(names)
  const byName = new Map(topics.map(each => [each.name, each]))
  const results = new Map<Item, Value | ClientError>()
  for (const item of items) {
    const topic = byName.get(item.topic)
    const what = `partition ${item.topic}-${item.partition}`
    const error = refusal(topic?.errorCode ?? 0, `topic ${item.topic}`)
    const isKnown = topic?.partitions.some(each => each.partitionIndex === item.partition)
    if (error !== undefined && error.error !== 'LEADER_NOT_AVAILABLE') results.set(item, error)
    else if (error === undefined && !isKnown) {
      results.set(item, new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `there is no ${what}`))
    }
  }
  const known = items.filter(item => !results.has(item))
  const answers = await work(known)
  for (const [index, item] of known.entries()) results.set(item, answers[index]!)
  return items.map(item => results.get(item)!)
}

function keyOf({ topic, partition }: TopicPartition): TopicPartition {
  return { topic, partition }
}
