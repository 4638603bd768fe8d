/** What a cluster's metadata says of its health: pure, for `cluster status`. */
import type { PartitionMove } from '../client/admin/options.ts'
import type { ClusterMetadata } from '../client/cluster.ts'
import { addressText } from './doctor-words.ts'

/** One broker: that is there, or that replicas are assigned to. */
export interface BrokerHealth {
  readonly id: number
  /** `host:port`; null when it is down. */
  readonly address: string | null
  readonly rack: string | null
  readonly isController: boolean
  /** Partitions that it leads; that it has a copy of; of these, those that are in sync. */
  readonly leaders: number
  readonly replicas: number
  readonly inSync: number
}

/** A partition that somebody may have to look after. */
export interface PartitionHealth {
  readonly topic: string
  readonly partition: number
  /** −1: none, so it is neither read nor written. */
  readonly leader: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
  readonly state: 'offline' | 'under-replicated'
}

export interface ClusterHealth {
  readonly clusterId: string | null
  /** −1: none is known. */
  readonly controllerId: number
  readonly brokers: readonly BrokerHealth[]
  readonly topics: number
  readonly partitions: number
  /** Those without a leader first. */
  readonly troubled: readonly PartitionHealth[]
  /** Undefined: the brokers do not tell. */
  readonly moves: readonly PartitionMove[] | undefined
}

/** Topics that could not be described are left out. */
export function clusterHealth(
  { clusterId, controllerId, brokers, topics }: ClusterMetadata,
  moves: readonly PartitionMove[] | undefined,
): ClusterHealth {
  const partitions = topics.flatMap(({ name, partitions: own }) =>
    own.map(each => ({
      topic: name!,
      partition: each.partitionIndex,
      leader: each.leaderId,
      replicas: each.replicaNodes,
      isr: each.isrNodes,
    })),
  )
  const troubled = partitions.flatMap((each): PartitionHealth[] => {
    if (each.leader < 0) return [{ ...each, state: 'offline' }]
    return each.isr.length < each.replicas.length ? [{ ...each, state: 'under-replicated' }] : []
  })
  const ids = new Set(brokers.map(({ nodeId }) => nodeId))
  for (const { replicas } of partitions) for (const id of replicas) ids.add(id)
  const count = (has: (each: (typeof partitions)[number]) => boolean) =>
    partitions.filter(has).length
  return {
    clusterId,
    controllerId,
    brokers: [...ids]
      .sort((a, b) => a - b)
      .map(id => {
        const there = brokers.find(({ nodeId }) => nodeId === id)
        return {
          id,
          address: there === undefined ? null : addressText(there),
          rack: there?.rack ?? null,
          isController: id === controllerId,
          leaders: count(({ leader }) => leader === id),
          replicas: count(({ replicas }) => replicas.includes(id)),
          inSync: count(({ isr }) => isr.includes(id)),
        }
      }),
    topics: topics.length,
    partitions: partitions.length,
    troubled: troubled.sort(
      (a, b) =>
        Number(a.state !== 'offline') - Number(b.state !== 'offline') ||
        (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1),
    ),
    moves,
  }
}
