/**
 * Records of __consumer_offsets that offsets and classic groups are kept in. An int16 stands in
 * front of each: of a key the record type, of a value its version.
 */
import { array, bytes, type Incoming, int32, int64, message, string, uuid } from '../schema.ts'

/** Key of a committed offset in its first form, record type 0; nobody writes it any more. */
export const legacyOffsetCommitKey = message(
  'LegacyOffsetCommitKey',
  { apiKey: 0, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    group: string(),
    topic: string(),
    partition: int32(),
  },
)
export type LegacyOffsetCommitKey = Incoming<typeof legacyOffsetCommitKey>

/** A committed offset in its first form; nobody writes it any more. */
export const legacyOffsetCommitValue = message(
  'LegacyOffsetCommitValue',
  { apiKey: 0, type: 'coordinator-value', versions: '0', flexible: 'none' },
  {
    offset: int64(),
    metadata: string(),
    commitTimestamp: int64(),
  },
)
export type LegacyOffsetCommitValue = Incoming<typeof legacyOffsetCommitValue>

/** Key of a committed offset of a group, record type 1. */
export const offsetCommitKey = message(
  'OffsetCommitKey',
  { apiKey: 1, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    group: string(),
    topic: string(),
    partition: int32(),
  },
)
export type OffsetCommitKey = Incoming<typeof offsetCommitKey>

/**
 * A committed offset. v1 expires at a time of its own · v2 no longer (KIP-211) · v3 leader epoch
 * (KIP-320) · v4 flexible, topic id (KIP-848).
 */
export const offsetCommitValue = message(
  'OffsetCommitValue',
  { apiKey: 1, type: 'coordinator-value', versions: '0-4', flexible: '4+' },
  {
    offset: int64(),
    leaderEpoch: int32({ versions: '3+', default: -1, ignorable: true }),
    metadata: string(),
    commitTimestamp: int64(),
    expireTimestamp: int64({ versions: '1', default: -1, ignorable: true }),
    topicId: uuid({ versions: '4+', tag: 0, ignorable: true }),
  },
)
export type OffsetCommitValue = Incoming<typeof offsetCommitValue>

/** Key of a classic group, record type 2. */
export const groupMetadataKey = message(
  'GroupMetadataKey',
  { apiKey: 2, type: 'coordinator-key', versions: '0', flexible: 'none' },
  {
    group: string(),
  },
)
export type GroupMetadataKey = Incoming<typeof groupMetadataKey>

const memberMetadata = {
  memberId: string(),
  groupInstanceId: string({ versions: '3+', nullable: '3+', default: null, ignorable: true }),
  clientId: string(),
  clientHost: string(),
  rebalanceTimeout: int32({ versions: '1+', default: -1, ignorable: true }),
  sessionTimeout: int32(),
  subscription: bytes(),
  assignment: bytes(),
}

/**
 * A classic group and its members. v1 rebalance timeout (KIP-62) · v2 time of the state (KIP-211)
 * · v3 static members (KIP-345) · v4 flexible.
 */
export const groupMetadataValue = message(
  'GroupMetadataValue',
  { apiKey: 2, type: 'coordinator-value', versions: '0-4', flexible: '4+' },
  {
    protocolType: string(),
    generation: int32(),
    protocol: string({ nullable: '0+' }),
    leader: string({ nullable: '0+' }),
    currentStateTimestamp: int64({ versions: '2+', default: -1, ignorable: true }),
    members: array(memberMetadata),
  },
)
export type GroupMetadataValue = Incoming<typeof groupMetadataValue>
