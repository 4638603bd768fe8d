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
  readonly state: 'offline' | 'under-min-isr' | 'under-replicated'
  /** In sync it has to be at least on so many for writes with acks=all; null: not told. */
  readonly minIsr: number | null
}

/** What metadata does not tell. */
export interface MoreFacts {
  /** Undefined: the brokers do not tell. */
  readonly moves?: readonly PartitionMove[] | undefined
  /** Ids of brokers that the cluster knows, and whether they are there or not. */
  readonly known?: readonly number[] | undefined
  /** min.insync.replicas by topic, at least of those with copies that are not in sync. */
  readonly minIsr?: ReadonlyMap<string, number> | undefined
}

export interface ClusterHealth {
  readonly clusterId: string | null
  /** −1: none is known. */
  readonly controllerId: number
  readonly brokers: readonly BrokerHealth[]
  readonly topics: number
  readonly partitions: number
  /** Those without a leader first, then those that refuse writes with acks=all. */
  readonly troubled: readonly PartitionHealth[]
  /** Undefined: the brokers do not tell. */
  readonly moves: readonly PartitionMove[] | undefined
}

/** The worst first. */
const states = ['offline', 'under-min-isr', 'under-replicated'] as const

/** Topics of which a copy is not in sync. */
export function laggingTopics({ topics }: ClusterMetadata): string[] {
  return topics
    .filter(({ partitions }) =>
      partitions.some(({ isrNodes, replicaNodes }) => isrNodes.length < replicaNodes.length),
    )
    .map(({ name }) => name!)
}

/** Topics that could not be described are left out. */
export function clusterHealth(
  { clusterId, controllerId, brokers, topics }: ClusterMetadata,
  { moves, known = [], minIsr = new Map() }: MoreFacts,
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
    const wanted = minIsr.get(each.topic)
    // What a move adds does not count before it is over.
    const copies = each.replicas.length - addedIn(moves, each)
    const needed = wanted === undefined ? null : Math.min(wanted, copies)
    const state =
      each.leader < 0
        ? 'offline'
        : each.isr.length < (needed ?? 0)
          ? 'under-min-isr'
          : 'under-replicated'
    const isWhole = each.leader >= 0 && each.isr.length >= each.replicas.length
    return isWhole ? [] : [{ ...each, state, minIsr: needed }]
  })
  const ids = new Set([...brokers.map(({ nodeId }) => nodeId), ...known])
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
        states.indexOf(a.state) - states.indexOf(b.state) ||
        (a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1),
    ),
    moves,
  }
}

function addedIn(
  moves: readonly PartitionMove[] | undefined,
  { topic, partition }: { readonly topic: string; readonly partition: number },
): number {
  const move = moves?.find(each => each.topic === topic && each.partition === partition)
  return move?.adding.length ?? 0
}
