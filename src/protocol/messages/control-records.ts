/**
 * Keys and values of control records, and the entries of the transaction index. Those of KRaft are
 * for tools.
 */
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

/** The key of a control record: 0 abort, 1 commit, 2 and above KRaft's. */
export const controlRecordTypeSchema = message(
  'ControlRecordTypeSchema',
  { versions: '0', flexible: 'none' },
  {
    type: int16(),
  },
)
export type ControlRecordTypeSchema = Incoming<typeof controlRecordTypeSchema>

/**
 * The value of a transaction marker: ends what its producer had open in this partition (KIP-98).
 */
export const endTxnMarker = message(
  'EndTxnMarker',
  { versions: '0', flexible: 'none' },
  {
    coordinatorEpoch: int32(),
  },
)
export type EndTxnMarker = Incoming<typeof endTxnMarker>

/** An entry of a segment's transaction index, for readers of committed records (KIP-98). */
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

/**
 * The control record with which a KRaft leader begins its epoch (KIP-595). v1 directory ids
 * (KIP-853).
 */
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

/** The control record that begins a KRaft snapshot (KIP-630). */
export const snapshotHeaderRecord = message(
  'SnapshotHeaderRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16(),
    lastContainedLogTimestamp: int64(),
  },
)
export type SnapshotHeaderRecord = Incoming<typeof snapshotHeaderRecord>

/** The control record that ends a KRaft snapshot (KIP-630). */
export const snapshotFooterRecord = message(
  'SnapshotFooterRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16(),
  },
)
export type SnapshotFooterRecord = Incoming<typeof snapshotFooterRecord>

/** The control record that says which KRaft version the quorum speaks (KIP-853). */
export const kRaftVersionRecord = message(
  'KRaftVersionRecord',
  { versions: '0', flexible: '0+' },
  {
    version: int16(),
    kRaftVersion: int16(),
  },
)
export type KRaftVersionRecord = Incoming<typeof kRaftVersionRecord>

/** The control record that lists the voters of a KRaft quorum (KIP-853). */
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
