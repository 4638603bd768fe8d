/** Requests of groups about partitions, of which some may not exist. */
import type { Topic } from '../cluster/image.ts'
import type { PartitionResults } from '../coordinator/group/commands.ts'
import { errorCode } from '../protocol/errors.ts'
import { zeroUuid } from '../protocol/schema.ts'
import type { RequestContext } from './context.ts'

interface Indexed {
  readonly partitionIndex: number
}

interface AskedTopic<P extends Indexed> {
  readonly name: string
  readonly topicId?: string
  readonly partitions: readonly P[]
}

interface ExistingTopic<P extends Indexed> {
  readonly name: string
  readonly topicId: string
  readonly partitions: readonly P[]
}

/**
 * Calls `ask` before the first await with what exists, if anything does; answers for every partition
 * in the order of the request. Rejects as `ask` does.
 */
export async function askOfExisting<P extends Indexed>(
  ctx: RequestContext,
  topics: readonly AskedTopic<P>[],
  isById: boolean,
  ask: (existing: readonly ExistingTopic<P>[]) => Promise<PartitionResults>,
) {
  const found = topics.map(({ name, topicId = zeroUuid, partitions }) => {
    const topic = isById ? ctx.image.topicById(topicId) : ctx.image.topicByName(name)
    return {
      asked: { name, topicId },
      name: topic?.name ?? name,
      topicId: topic?.topicId ?? topicId,
      partitions: partitions.filter(partition => has(topic, partition)),
      isHere: partitions.map(partition => has(topic, partition)),
      all: partitions,
      refusal: errorCode(
        isById && topic === undefined ? 'UNKNOWN_TOPIC_ID' : 'UNKNOWN_TOPIC_OR_PARTITION',
      ),
    }
  })
  const existing = found.filter(({ partitions }) => partitions.length > 0)
  const results = existing.length === 0 ? [] : (await ask(existing)).topics
  const resultsOf = new Map(existing.map((topic, i) => [topic, results[i]!.partitions.values()]))
  return found.map(topic => ({
    ...topic.asked,
    partitions: topic.all.map(({ partitionIndex }, i) => {
      if (!topic.isHere[i]) return { partitionIndex, errorCode: topic.refusal }
      const { error } = resultsOf.get(topic)!.next().value!
      return { partitionIndex, errorCode: errorCode(error) }
    }),
  }))
}

function has(topic: Topic | undefined, { partitionIndex }: Indexed): boolean {
  return topic?.partitions[partitionIndex] !== undefined
}
