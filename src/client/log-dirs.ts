/** What replicas take on the disks of their brokers. */
import { errorName } from '../protocol/errors.ts'
import {
  describeLogDirsRequest,
  describeLogDirsResponse,
} from '../protocol/messages/describe-log-dirs.ts'
import type { Caller, TopicPartition } from './cluster.ts'

/** One copy of a partition on one broker. */
export interface ReplicaSize extends TopicPartition {
  readonly brokerId: number
  readonly bytes: number
}

/** The sizes that could be had, and why some could not. */
export interface ReplicaSizes {
  readonly sizes: readonly ReplicaSize[]
  /** One sentence for each broker or directory that did not tell. */
  readonly gaps: readonly string[]
}

/**
 * Asks each broker for the sizes of these partitions, or of all. A broker that cannot be asked is a
 * gap, no error: the rest is still worth knowing.
 */
export async function replicaSizes(
  cluster: Caller,
  brokerIds: readonly number[],
  partitions?: readonly TopicPartition[],
): Promise<ReplicaSizes> {
  const wanted = partitions && [...Map.groupBy(partitions, ({ topic }) => topic)]
  const topics =
    wanted?.map(([topic, mine]) => ({ topic, partitions: mine.map(each => each.partition) })) ??
    null
  const answers = brokerIds.map(async (brokerId): Promise<ReplicaSizes> => {
    try {
      const answer = await cluster.callBroker(
        brokerId,
        describeLogDirsRequest,
        describeLogDirsResponse,
        { topics },
        ({ errorCode }) => errorCode,
      )
      const failed = answer.results.filter(({ errorCode }) => errorCode !== 0)
      return {
        gaps: failed.map(
          each => `broker ${brokerId}, ${each.logDir}: ${errorName(each.errorCode)}`,
        ),
        sizes: answer.results
          .flatMap(result => result.topics)
          .flatMap(({ name, partitions: mine }) =>
            mine
              .filter(({ isFutureKey }) => !isFutureKey)
              .map(({ partitionIndex, partitionSize }) => ({
                topic: name,
                partition: partitionIndex,
                brokerId,
                bytes: partitionSize,
              })),
          ),
      }
    } catch (error) {
      return { sizes: [], gaps: [`broker ${brokerId}: ${(error as Error).message}`] }
    }
  })
  const all = await Promise.all(answers)
  return { sizes: all.flatMap(each => each.sizes), gaps: all.flatMap(each => each.gaps) }
}
