/** What is known of topics, in the words of kafkajs. */
import type { Cluster, ClusterMetadata, PartitionInfo } from '../client/cluster.ts'
import type { Clock } from '../io/io.ts'
import { pause } from '../io/pause.ts'
import { type KafkaJSError, translated, translatedAfterRetries } from './errors.ts'

export type PartitionMetadata = {
  partitionErrorCode: number
  partitionId: number
  /** −1: none now. */
  leader: number
  replicas: number[]
  isr: number[]
  offlineReplicas?: number[]
}

export interface ITopicMetadata {
  name: string
  partitions: PartitionMetadata[]
}

export function topicMetadataOf(topic: ClusterMetadata['topics'][number]): ITopicMetadata {
  return {
    name: topic.name ?? '',
    partitions: topic.partitions.map(each => ({
      partitionErrorCode: each.errorCode,
      partitionId: each.partitionIndex,
      leader: each.leaderId,
      replicas: [...each.replicaNodes],
      isr: [...each.isrNodes],
      offlineReplicas: [...each.offlineReplicas],
    })),
  }
}

/** A topic that a broker creates, or that has no leader yet, is there after so long, or is not coming. */
export const creationMs = 5_000

/** How long a topic is waited for, and whether a broker may create it. */
export interface Waiting {
  readonly clock: Clock
  readonly create: boolean
  readonly waitMs: number
}

/** The partitions of a topic. One that is being created, or has no leader yet, is waited for. */
export async function partitionsOf(
  cluster: Cluster,
  topic: string,
  { clock, create, waitMs }: Waiting,
): Promise<PartitionMetadata[]> {
  const endMs = clock.monotonicMs() + waitMs
  for (let attempt = 0; ; attempt++) {
    try {
      return (await cluster.partitions(topic, { create })).map(placeOf)
    } catch (error) {
      const { retriable, type } = translated(error) as KafkaJSError & { type?: string }
      const pauseMs = cluster.nextBackoffMs(attempt)
      const comes = retriable && (create || type !== 'UNKNOWN_TOPIC_OR_PARTITION')
      if (!comes) throw translated(error)
      if (clock.monotonicMs() + pauseMs > endMs) throw translatedAfterRetries(error)
      await pause(clock, pauseMs)
    }
  }
}

function placeOf({ partition, leaderId, replicas, isr }: PartitionInfo): PartitionMetadata {
  return {
    partitionErrorCode: 0,
    partitionId: partition,
    leader: leaderId,
    replicas: [...replicas],
    isr: [...isr],
  }
}
