import { array, type Incoming, int16, int32, message, type Outgoing, string } from '../schema.ts'

/** Moves replicas between the log directories of a broker (KIP-113). v2 flexible. */
export const alterReplicaLogDirsRequest = message(
  'AlterReplicaLogDirsRequest',
  { apiKey: 34, versions: '1-2', flexible: '2+' },
  {
    dirs: array({
      path: string(),
      topics: array({
        name: string(),
        partitions: array(int32()),
      }),
    }),
  },
)
export type AlterReplicaLogDirsRequest = Incoming<typeof alterReplicaLogDirsRequest>

/** Whether each move has begun (KIP-113). v2 flexible. */
export const alterReplicaLogDirsResponse = message(
  'AlterReplicaLogDirsResponse',
  { apiKey: 34, versions: '1-2', flexible: '2+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    results: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
      }),
    }),
  },
)
export type AlterReplicaLogDirsResponse = Outgoing<typeof alterReplicaLogDirsResponse>
