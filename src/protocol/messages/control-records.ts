import {
  array,
  type Incoming,
  int16,
  int32,
  int64,
  message,
  string,
  struct,
  uint16,
  uuid,
} from '../schema.ts'

/** ControlRecordTypeSchema. */
export const controlRecordTypeSchema = message(
  'ControlRecordTypeSchema',
  { versions: '0', flexible: 'none' },
  {
    type: int16(),
  },
)
export type ControlRecordTypeSchema = Incoming<typeof controlRecordTypeSchema>

/** EndTxnMarker. */
export const endTxnMarker = message(
  'EndTxnMarker',
  { versions: '0', flexible: 'none' },
  {
    coordinatorEpoch: int32(),
  },
)
export type EndTxnMarker = Incoming<typeof endTxnMarker>

/** AbortedTxn. */
export const abortedTxn = message(
  'AbortedTxn',
  { versions: '0', flexible: 'none' },
  {
    producerId: int64(),
    firstOffset: int64(),
    lastOffset: int64(),
    lastStableOffset: int64(),
  },
)
export type AbortedTxn = Incoming<typeof abortedTxn>

const voter = {
  voterId: int32(),
  voterDirectoryId: uuid({ versions: '1+' }),
}

/** LeaderChangeMessage. */
export const leaderChangeMessage = message(
  'LeaderChangeMessage',
  { versions: '0-1', flexible: '0+' },
  {
    version: int16(),
    leaderId: int32(),
    voters: array(voter),
    grantingVoters: array(voter),
  },
)
export type LeaderChangeMessage = Incoming<typeof leaderChangeMessage>

/** SnapshotHeaderRecord. */
export const snapshotHeaderRecord = message(
  'SnapshotHeaderRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16(),
    lastContainedLogTimestamp: int64(),
  },
)
export type SnapshotHeaderRecord = Incoming<typeof snapshotHeaderRecord>

/** SnapshotFooterRecord. */
export const snapshotFooterRecord = message(
  'SnapshotFooterRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16(),
  },
)
export type SnapshotFooterRecord = Incoming<typeof snapshotFooterRecord>

/** KRaftVersionRecord. */
export const kRaftVersionRecord = message(
  'KRaftVersionRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16(),
    kRaftVersion: int16(),
  },
)
export type KRaftVersionRecord = Incoming<typeof kRaftVersionRecord>

/** VotersRecord. */
export const votersRecord = message(
  'VotersRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16(),
    voters: array({
      voterId: int32(),
      voterDirectoryId: uuid(),
      endpoints: array({
        name: string(),
        host: string(),
        port: uint16(),
      }),
      kRaftVersionFeature: struct({
        minSupportedVersion: int16(),
        maxSupportedVersion: int16(),
      }),
    }),
  },
)
export type VotersRecord = Incoming<typeof votersRecord>
