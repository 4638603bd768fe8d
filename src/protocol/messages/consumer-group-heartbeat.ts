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

/**
 * Joins, stays in and leaves a consumer group, and says what is owned (KIP-848). v1 regular
 * expressions, ids made by the client (KIP-1082).
 */
export const consumerGroupHeartbeatRequest = message(
  'ConsumerGroupHeartbeatRequest',
  { apiKey: 68, versions: '0-1', flexible: '0+' },
  {
    groupId: string(),
    memberId: string(),
    memberEpoch: int32(),
    instanceId: string({ nullable: '0+', default: null }),
    rackId: string({ nullable: '0+', default: null }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    subscribedTopicNames: array(string(), { nullable: '0+', default: null }),
    subscribedTopicRegex: string({ versions: '1+', nullable: '1+', default: null }),
    serverAssignor: string({ nullable: '0+', default: null }),
    topicPartitions: array(
      {
        topicId: uuid(),
        partitions: array(int32()),
      },
      { nullable: '0+', default: null },
    ),
  },
)
export type ConsumerGroupHeartbeatRequest = Incoming<typeof consumerGroupHeartbeatRequest>

const topicPartitions = {
  topicId: uuid(),
  partitions: array(int32()),
}

/** The member's epoch, and its assignment when that has changed (KIP-848). */
export const consumerGroupHeartbeatResponse = message(
  'ConsumerGroupHeartbeatResponse',
  { apiKey: 68, versions: '0-1', flexible: '0+' },
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
export type ConsumerGroupHeartbeatResponse = Outgoing<typeof consumerGroupHeartbeatResponse>
