/** Offsets of partitions of which some may be gone. */
import type { Cluster, TopicPartition } from '../client/cluster.ts'
import { orThrow } from './bootstrap.ts'

export function partitionKey({ topic, partition }: TopicPartition): string {
  return `${topic}:${partition}`
}

/** The offsets at a time, or −1 the ends, −2 the beginnings; without those of topics that are gone. */
export async function offsetsAt(
  cluster: Cluster,
  places: readonly TopicPartition[],
  timestamp: number,
): Promise<Map<string, number>> {
  const topics = [...new Set(places.map(({ topic }) => topic))]
  const metadata = topics.length === 0 ? [] : (await cluster.metadata(topics)).topics
  const existing = new Set(
    metadata.flatMap(({ name, partitions }) =>
      partitions.map(each => partitionKey({ topic: name!, partition: each.partitionIndex })),
    ),
  )
  const asked = places.filter(place => existing.has(partitionKey(place)))
  const found = await cluster.listOffsets(
    asked.map(({ topic, partition }) => ({ topic, partition, timestamp })),
  )
  return new Map(asked.map((each, at) => [partitionKey(each), orThrow(found[at]!).offset]))
}
