/** DescribeLogDirs (key 35), v1–5: the data directories and what each partition takes. */

import { DiskError } from '../../io/io.ts'
import { errorCode as codeOf } from '../../protocol/errors.ts'
import type {
  DescribeLogDirsRequest,
  DescribeLogDirsResponse,
} from '../../protocol/messages/describe-log-dirs.ts'
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
    .map(async ({ path: logDir, offline, partitions }) => {
      const topics = sizes(partitions.filter(isWanted))
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

function wantedPartitions({ topics }: DescribeLogDirsRequest): (partition: Partition) => boolean {
  if (topics === null) return () => true
  const wanted = new Set(
    topics.flatMap(({ topic, partitions }) => partitions.map(index => `${topic}/${index}`)),
  )
  return ({ topic, index }) => wanted.has(`${topic}/${index}`)
}

function sizes(partitions: readonly Partition[]): Result['topics'] {
  const byTopic = Map.groupBy(partitions, ({ topic }) => topic)
  return [...byTopic].map(([name, ofTopic]) => ({
    name,
    partitions: ofTopic.map(({ index, sizeBytes }) => ({
      partitionIndex: index,
      partitionSize: sizeBytes,
      offsetLag: 0,
      isFutureKey: false,
    })),
  }))
}

export function describeLogDirsFailure(
  _request: DescribeLogDirsRequest,
  { errorCode }: Failure,
): DescribeLogDirsResponse {
  return { errorCode, results: [] }
}
