/** DescribeLogDirs (key 35), v1–5: the data directories and what each partition takes. */

import { DiskError } from '../../io/io.ts'
import { errorCode as codeOf } from '../../protocol/errors.ts'
import type {
  DescribeLogDirsRequest,
  DescribeLogDirsResponse,
} from '../../protocol/messages/describe-log-dirs.ts'
import type { FutureReplica } from '../../replica/log-moves.ts'
import type { Partition } from '../../replica/partition.ts'
import type { Failure, RequestContext } from '../context.ts'

type Result = DescribeLogDirsResponse['results'][number]

export async function describeLogDirs(
  ctx: RequestContext,
  request: DescribeLogDirsRequest,
): Promise<DescribeLogDirsResponse> {
  const isWanted = wantedPartitions(request)
  const results = ctx.domain.replicas
    .logDirs()
    .map(async ({ path: logDir, offline, partitions, futures }) => {
      const topics = replicas(partitions.filter(isWanted), futures.filter(isWanted))
      const failed = { errorCode: codeOf('KAFKA_STORAGE_ERROR'), logDir, topics: [] }
      if (offline !== undefined) return failed
      try {
        const { totalBytes, availableBytes } = await ctx.io.disk.space(logDir)
        return { errorCode: 0, logDir, topics, totalBytes, usableBytes: availableBytes }
      } catch (error) {
        if (error instanceof DiskError) return failed
        throw error
      }
    })
  return { errorCode: 0, results: await Promise.all(results) }
}

type PartitionName = Pick<Partition, 'topic' | 'index'>

function wantedPartitions({
  topics,
}: DescribeLogDirsRequest): (partition: PartitionName) => boolean {
  if (topics === null) return () => true
  const wanted = new Set(
    topics.flatMap(({ topic, partitions }) => partitions.map(index => `${topic}/${index}`)),
  )
  return ({ topic, index }) => wanted.has(`${topic}/${index}`)
}

/** Also the copies that are on their way to this directory. */
function replicas(
  partitions: readonly Partition[],
  futures: readonly FutureReplica[],
): Result['topics'] {
  const here = partitions.map(({ topic, index, sizeBytes }) => ({
    ...{ topic, index, sizeBytes },
    offsetLag: 0,
    isFutureKey: false,
  }))
  const coming = futures.map(future => ({ ...future, isFutureKey: true }))
  const byTopic = Map.groupBy([...here, ...coming], ({ topic }) => topic)
  return [...byTopic].map(([name, ofTopic]) => ({
    name,
    partitions: ofTopic.map(({ index, sizeBytes, offsetLag, isFutureKey }) => ({
      partitionIndex: index,
      partitionSize: sizeBytes,
      offsetLag,
      isFutureKey,
    })),
  }))
}

export function describeLogDirsFailure(
  _request: DescribeLogDirsRequest,
  { errorCode }: Failure,
): DescribeLogDirsResponse {
  return { errorCode, results: [] }
}
