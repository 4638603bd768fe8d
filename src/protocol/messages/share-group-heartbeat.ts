import {
  array,
  type Incoming,
  int16,
  int32,
  message,
  type Outgoing,
  string,
  struct,
  uuid,
} from '../schema.ts'

/** Joins, stays in and leaves a share group (KIP-932). */
export const shareGroupHeartbeatRequest = message(
  'ShareGroupHeartbeatRequest',
  { apiKey: 76, versions: '1', flexible: '0+' },
  {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    rackId: string({ nullable: '0+', default: null }),
    subscribedTopicNames: array(string(), { nullable: '0+', default: null }),
  },
)
export type ShareGroupHeartbeatRequest = Incoming<typeof shareGroupHeartbeatRequest>

const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
}

/** The member's epoch, and its assignment when that has changed (KIP-932). */
export const shareGroupHeartbeatResponse = message(
  'ShareGroupHeartbeatResponse',
  { apiKey: 76, versions: '1', flexible: '0+' },
  {
    throttleTimeMs: int32({ default: 0 }),
    errorCode: int16(),
    errorMessage: string({ nullable: '0+', default: null }),
    memberId: string({ nullable: '0+', default: null }),
    memberEpoch: int32(),
    heartbeatIntervalMs: int32(),
    assignment: struct(
      {
        topicPartitions: array(topicPartitions),
      },
      { nullable: '0+', default: null },
    ),
  },
)
export type ShareGroupHeartbeatResponse = Outgoing<typeof shareGroupHeartbeatResponse>
