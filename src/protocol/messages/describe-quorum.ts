import {
  array,
  type Incoming,
  int16,
  int32,
  int64,
  message,
  type Outgoing,
  string,
  uint16,
  uuid,
} from '../schema.ts'

/** Asks for the state of the KRaft quorum (KIP-595). */
export const describeQuorumRequest = message(
  'DescribeQuorumRequest',
  { apiKey: 55, versions: '0-2', flexible: '0+' },
  {
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
      }),
    }),
  },
)
export type DescribeQuorumRequest = Incoming<typeof describeQuorumRequest>

const replicaState = {
  replicaId: int32(),
  replicaDirectoryId: uuid({ versions: '2+' }),
  logEndOffset: int64(),
  lastFetchTimestamp: int64({ versions: '1+', default: -1, ignorable: true }),
  lastCaughtUpTimestamp: int64({ versions: '1+', default: -1, ignorable: true }),
}

/**
 * Leader, voters and observers (KIP-595). v1 when they last fetched (KIP-836) · v2 directory ids,
 * endpoints (KIP-853).
 */
export const describeQuorumResponse = message(
  'DescribeQuorumResponse',
  { apiKey: 55, versions: '0-2', flexible: '0+' },
  {
    errorCode: int16(),
    errorMessage: string({ versions: '2+', nullable: '2+', ignorable: true }),
    topics: array({
      topicName: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        errorMessage: string({ versions: '2+', nullable: '2+', ignorable: true }),
        leaderId: int32(),
        leaderEpoch: int32(),
        highWatermark: int64(),
        currentVoters: array(replicaState),
        observers: array(replicaState),
      }),
    }),
    nodes: array(
      {
        nodeId: int32(),
        listeners: array({
          name: string(),
          host: string(),
          port: uint16(),
        }),
      },
      { versions: '2+' },
    ),
  },
)
export type DescribeQuorumResponse = Outgoing<typeof describeQuorumResponse>
