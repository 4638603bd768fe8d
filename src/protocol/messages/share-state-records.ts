import {
  array,
  type Incoming,
  int8,
  int16,
  int32,
  int64,
  message,
  string,
  uuid,
} from '../schema.ts'

/** ShareSnapshotKey. */
export const shareSnapshotKey = message(
  'ShareSnapshotKey',
  { apiKey: 0, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    topicId: uuid(),
    partition: int32(),
  },
)
export type ShareSnapshotKey = Incoming<typeof shareSnapshotKey>

/** ShareSnapshotValue. */
export const shareSnapshotValue = message(
  'ShareSnapshotValue',
  { apiKey: 0, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    snapshotEpoch: int32(),
    stateEpoch: int32(),
    leaderEpoch: int32(),
    startOffset: int64(),
    deliveryCompleteCount: int32({ tag: 0, default: -1 }),
    createTimestamp: int64(),
    writeTimestamp: int64(),
    stateBatches: array({
      firstOffset: int64(),
      lastOffset: int64(),
      deliveryState: int8(),
      deliveryCount: int16(),
    }),
  },
)
export type ShareSnapshotValue = Incoming<typeof shareSnapshotValue>

/** ShareUpdateKey. */
export const shareUpdateKey = message(
  'ShareUpdateKey',
  { apiKey: 1, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    groupId: string(),
    topicId: uuid(),
    partition: int32(),
  },
)
export type ShareUpdateKey = Incoming<typeof shareUpdateKey>

/** ShareUpdateValue. */
export const shareUpdateValue = message(
  'ShareUpdateValue',
  { apiKey: 1, type: 'coordinator-value', versions: '0', flexible: '0+' },
  {
    snapshotEpoch: int32(),
    leaderEpoch: int32(),
    startOffset: int64(),
    deliveryCompleteCount: int32({ tag: 0, default: -1 }),
    stateBatches: array({
      firstOffset: int64(),
      lastOffset: int64(),
      deliveryState: int8(),
      deliveryCount: int16(),
    }),
  },
)
export type ShareUpdateValue = Incoming<typeof shareUpdateValue>
