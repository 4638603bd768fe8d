/**
 * What an administrator does to a simulated cluster while it suffers: topics come and go, replicas move
 * and move back, preferred leaders are elected, min.insync.replicas changes. Nothing is made of the
 * answers, for most of them say no more than that time ran out; the invariants judge.
 */
import type { Cluster } from '../client/cluster.ts'
import { alterConfigs } from '../client/configs.ts'
import { ConnectionError } from '../client/connection.ts'
import { createTopics, deleteTopics } from '../client/topics.ts'
import { KafkaError } from '../protocol/errors.ts'
import {
  alterPartitionReassignmentsRequest,
  alterPartitionReassignmentsResponse,
} from '../protocol/messages/alter-partition-reassignments.ts'
import { electLeadersRequest, electLeadersResponse } from '../protocol/messages/elect-leaders.ts'
import type { Prng } from './random.ts'
import type { Workload } from './workload.ts'
import type { World } from './world.ts'

/** What may be changed, and within which bounds. */
export interface AdminScene {
  readonly world: World
  readonly cluster: Cluster
  readonly chance: Prng
  readonly workload: Workload
  readonly brokerIds: readonly number[]
  readonly replicationFactor: number
  /** The most that min.insync.replicas is set to. */
  readonly mostMinIsr: number
}

type Act = (scene: AdminScene) => Promise<unknown>

const timeoutMs = 3_000
const preferred = 0

const acts: readonly Act[] = [
  async scene => {
    const name = `scratch${scene.chance.below(4)}`
    const { cluster, replicationFactor } = scene
    await createTopics(cluster, [{ name, partitions: 1, replicationFactor }])
  },
  async scene => {
    await deleteTopics(scene.cluster, [`scratch${scene.chance.below(4)}`])
  },
  async scene => {
    const { chance, cluster, mostMinIsr } = scene
    const { topic } = some(scene)
    const change = new Map([['min.insync.replicas', String(1 + chance.below(mostMinIsr))]])
    await alterConfigs(cluster, { kind: 'topic', name: topic }, change)
  },
  async scene => {
    const { topic, partition } = some(scene)
    await scene.cluster.call(electLeadersRequest, electLeadersResponse, {
      electionType: preferred,
      topicPartitions: [{ topic, partitions: [partition] }],
      timeoutMs,
    })
  },
  reassign,
  reassign,
]

/** Others, or none: the move under way is given up. */
async function reassign(scene: AdminScene): Promise<void> {
  const { chance, cluster, brokerIds, replicationFactor } = scene
  const { topic, partition } = some(scene)
  const left = [...brokerIds]
  const replicas = Array.from(
    { length: replicationFactor },
    () => left.splice(chance.below(left.length), 1)[0]!,
  )
  const wanted = chance.chance(0.3) ? null : replicas
  await cluster.call(alterPartitionReassignmentsRequest, alterPartitionReassignmentsResponse, {
    timeoutMs,
    topics: [{ name: topic, partitions: [{ partitionIndex: partition, replicas: wanted }] }],
  })
}

function some({ workload, chance }: AdminScene) {
  return workload.partitions[chance.below(workload.partitions.length)]!
}

/** One thing after the other until the workload settles. */
export async function administerUntilSettling(scene: AdminScene): Promise<void> {
  const { world, chance, workload } = scene
  while (!workload.isSettling) {
    await world.sleep(chance.between(50, 2_500))
    if (workload.isSettling) return
    try {
      await acts[chance.below(acts.length)]!(scene)
    } catch (error) {
      if (!(error instanceof KafkaError || error instanceof ConnectionError)) throw error
    }
  }
}
