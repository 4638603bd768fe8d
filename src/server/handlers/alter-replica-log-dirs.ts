/**
 * AlterReplicaLogDirs (key 34), v1–2: begins to move replicas to other data directories of this
 * broker (KIP-113). DescribeLogDirs shows how far each is; a replica that does not exist yet gets
 * REPLICA_NOT_AVAILABLE and, unlike with Kafka, is not remembered.
 */
import type {
  AlterReplicaLogDirsRequest,
  AlterReplicaLogDirsResponse,
} from '../../protocol/messages/alter-replica-log-dirs.ts'
import type { Failure, RequestContext } from '../context.ts'

export async function alterReplicaLogDirs(
  ctx: RequestContext,
  request: AlterReplicaLogDirsRequest,
): Promise<AlterReplicaLogDirsResponse> {
  return answer(request, (path, topic, index) => {
    try {
      ctx.domain.replicas.move(topic, index, path)
      return 0
    } catch (error) {
      return ctx.refusal(error).errorCode
    }
  })
}

export function alterReplicaLogDirsFailure(
  request: AlterReplicaLogDirsRequest,
  { errorCode }: Failure,
): AlterReplicaLogDirsResponse {
  return answer(request, () => errorCode)
}

/** By topic: one may be named under several directories. */
function answer(
  { dirs }: AlterReplicaLogDirsRequest,
  errorOf: (path: string, topic: string, index: number) => number,
): AlterReplicaLogDirsResponse {
  const asked = dirs.flatMap(({ path, topics }) =>
    topics.flatMap(({ name, partitions }) =>
      partitions.map(partitionIndex => ({
        topic: name,
        partitionIndex,
        errorCode: errorOf(path, name, partitionIndex),
      })),
    ),
  )
  const byTopic = Map.groupBy(asked, ({ topic }) => topic)
  return {
    results: [...byTopic].map(([topicName, ofTopic]) => ({
      topicName,
      partitions: ofTopic.map(({ partitionIndex, errorCode }) => ({ partitionIndex, errorCode })),
    })),
  }
}
