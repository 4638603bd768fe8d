/**
 * What a group has committed for the partitions that a consumer is about to read. Only what stands:
 * while a transaction that commits offsets is open (KIP-447) the answer is waited for, for a consumer
 * that began at the old offsets would read again what the transaction has settled.
 */
import { errorName } from '../../protocol/errors.ts'
import { offsetFetchRequest, offsetFetchResponse } from '../../protocol/messages/offset-fetch.ts'
import type { Incoming } from '../../protocol/schema.ts'
import { zeroUuid } from '../../protocol/schema.ts'
import { type Cluster, refused } from '../cluster.ts'
import type { TopicPartition, TopicPartitionOffset } from './options.ts'

type Answer = Incoming<typeof offsetFetchResponse>

/** Partitions without a committed offset, and of topics that do not exist, are left out. Rejects with ClientError. */
export async function committedOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<readonly TopicPartitionOffset[]> {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  const ids = await cluster.topicIds([...byTopic.keys()])
  const topics = [...byTopic].flatMap(([name, mine]) => {
    const topicId = ids.get(name)
    const partitionIndexes = mine.map(({ partition }) => partition)
    return topicId === undefined ? [] : [{ name, topicId, partitionIndexes }]
  })
  if (topics.length === 0) return []
  const answer = await cluster.callCoordinator(
    groupId,
    offsetFetchRequest,
    offsetFetchResponse,
    version => ({
      ...(version >= 8 ? { groups: [{ groupId, topics }] } : { groupId, topics }),
      requireStable: version >= 7,
    }),
    answer => answer.groups[0]?.errorCode || answer.errorCode || unstable(answer),
  )
  // A topic without an id, of a broker before them, is told by its name.
  const names = new Map(topics.map(({ name, topicId }) => [topicId, name]))
  names.delete(zeroUuid)
  return topicsOf(answer).flatMap(({ name, topicId, partitions }) => {
    const topic = name || (names.get(topicId) ?? '')
    return partitions.flatMap(each => {
      const error = refused(each.errorCode, `the committed offset of ${topic || topicId}`)
      // A topic that was made anew has another id: the next call asks for it.
      if (error?.error === 'UNKNOWN_TOPIC_ID')
        for (const known of names.values()) cluster.forget(known)
      if (error !== undefined) throw error
      if (each.committedOffset < 0) return []
      return [
        {
          topic,
          partition: each.partitionIndex,
          offset: each.committedOffset,
          leaderEpoch: each.committedLeaderEpoch,
          metadata: each.metadata ?? '',
        },
      ]
    })
  })
}

function topicsOf({ groups, topics }: Answer) {
  return groups[0]?.topics ?? topics.map(each => ({ ...each, topicId: zeroUuid }))
}

/** One partition that is not decided yet makes the whole question come again. */
function unstable(answer: Answer): number {
  const codes = topicsOf(answer).flatMap(({ partitions }) => partitions.map(p => p.errorCode))
  return codes.find(code => errorName(code) === 'UNSTABLE_OFFSET_COMMIT') ?? 0
}
