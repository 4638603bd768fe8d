/** Records of __share_group_state (KIP-932). */
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

/** Key of the whole state of a share partition, record type 0 of __share_group_state (KIP-932). */
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

/** The whole state of a share partition; updates since the snapshot add to it (KIP-932). */
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

/** Key of a change to a share partition's state, record type 1 of __share_group_state (KIP-932). */
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

/** What has changed in a share partition since its snapshot (KIP-932). */
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
