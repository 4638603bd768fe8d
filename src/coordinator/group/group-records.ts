/**
 * Records of __consumer_offsets that classic groups and their offsets are kept in: Kafka's own
 * schemas, so that either broker reads what the other wrote. A key and a value each begin with an
 * int16: of a key the kind, of a value its version.
 */
import { int16At, setInt16 } from '../../base/bytes.ts'
import { decode, encode } from '../../protocol/compile.ts'
import {
  groupMetadataKey,
  groupMetadataValue,
  legacyOffsetCommitKey,
  legacyOffsetCommitValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../../protocol/messages/group-records.ts'
import { type Fields, type Message, type OutgoingFields, zeroUuid } from '../../protocol/schema.ts'
import type { RecordCodec } from '../shard-state.ts'

/** A member of a stable generation. */
export interface StoredMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly subscription: Uint8Array
  readonly assignment: Uint8Array
}

/** A group as its last stable generation, or its end, left it. */
export interface StoredGroup {
  readonly protocolType: string
  readonly generationId: number
  readonly protocolName: string | null
  readonly leader: string | null
  /** When it came into this state, since the epoch; −1: not known. */
  readonly stateTimestampMs: number
  readonly members: readonly StoredMember[]
}

/** One committed offset. */
export interface StoredOffset {
  readonly offset: number
  /** −1: not known. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestampMs: number
  /** Of commits with a retention time of their own; −1: the group's retention counts (KIP-211). */
  readonly expireTimestampMs: number
  /** The zero uuid: not known. */
  readonly topicId: string
}

/** What a group's state is made of; a null value is a tombstone. */
export type GroupRecord =
  | { readonly kind: 'group'; readonly groupId: string; readonly value: StoredGroup | null }
  | {
      readonly kind: 'offset'
      readonly groupId: string
      readonly topic: string
      readonly partition: number
      readonly value: StoredOffset | null
    }

/**
 * Whether a record can hold the text: at most 32767 bytes of UTF-8. What a request brought may have
 * grown since: bytes that are no UTF-8 were replaced by longer ones.
 */
export function isStorable(text: string): boolean {
  return text.length * 3 <= 0x7fff || Buffer.byteLength(text) <= 0x7fff
}

/** The versions that Kafka 4.4 writes; what other versions lack it does not need. */
const writtenGroup = 3
const writtenOffset = 4
/** The one version that has a time of expiry; it has no leader epoch and no topic id. */
const writtenExpiringOffset = 1

/**
 * Kinds 0 to 2 are ours; the records of groups of the new protocols (KIP-848 and later), of which
 * there are many, are unknown here. A value of a version unknown to us does not parse: it throws,
 * for what it says is lost otherwise.
 */
export const groupRecordCodec: RecordCodec<GroupRecord> = {
  encode(record) {
    if (record.kind === 'group') {
      const { groupId: group, value } = record
      const key = prefixed(groupMetadataKey, 2, 0, { group })
      return { key, value: value === null ? null : groupBytes(value) }
    }
    const { groupId: group, topic, partition, value } = record
    const key = prefixed(offsetCommitKey, 1, 0, { group, topic, partition })
    return { key, value: value === null ? null : offsetBytes(value) }
  },
  decode(key, value) {
    if (key.length < 2) throw new RangeError('the key of a group record has no kind')
    switch (int16At(key, 0)) {
      case 0:
        return legacyOffset(key, value)
      case 1: {
        const { group: groupId, topic, partition } = decode(offsetCommitKey, 0, key, 2)
        const stored = value === null ? null : offsetOf(value)
        return { kind: 'offset', groupId, topic, partition, value: stored }
      }
      case 2: {
        const { group: groupId } = decode(groupMetadataKey, 0, key, 2)
        return { kind: 'group', groupId, value: value === null ? null : groupOf(value) }
      }
      default:
        return undefined
    }
  },
}

/** One piece of bytes: `prefix` as int16, then the message. */
function prefixed<F extends Fields>(
  message: Message<F>,
  prefix: number,
  version: number,
  fields: OutgoingFields<F>,
): Uint8Array {
  const chunks = encode(message, version, fields)
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.length, 2))
  setInt16(bytes, 0, prefix)
  let at = 2
  for (const chunk of chunks) {
    bytes.set(chunk, at)
    at += chunk.length
  }
  return bytes
}

function groupBytes(group: StoredGroup): Uint8Array {
  return prefixed(groupMetadataValue, writtenGroup, writtenGroup, {
    protocolType: group.protocolType,
    generation: group.generationId,
    protocol: group.protocolName,
    leader: group.leader,
    currentStateTimestamp: group.stateTimestampMs,
    members: group.members.map(member => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: member.subscription,
      assignment: member.assignment,
    })),
  })
}

function offsetBytes(stored: StoredOffset): Uint8Array {
  const version = stored.expireTimestampMs === -1 ? writtenOffset : writtenExpiringOffset
  return prefixed(offsetCommitValue, version, version, {
    offset: stored.offset,
    leaderEpoch: stored.leaderEpoch,
    metadata: stored.metadata,
    commitTimestamp: stored.commitTimestampMs,
    expireTimestamp: stored.expireTimestampMs,
    topicId: stored.topicId,
  })
}

function versionOf(value: Uint8Array): number {
  if (value.length < 2) throw new RangeError('the value of a group record has no version')
  return int16At(value, 0)
}

function groupOf(bytes: Uint8Array): StoredGroup {
  const value = decode(groupMetadataValue, versionOf(bytes), bytes, 2)
  return {
    protocolType: value.protocolType,
    generationId: value.generation,
    protocolName: value.protocol,
    leader: value.leader,
    stateTimestampMs: value.currentStateTimestamp,
    members: value.members.map(member => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeoutMs:
        member.rebalanceTimeout === -1 ? member.sessionTimeout : member.rebalanceTimeout,
      sessionTimeoutMs: member.sessionTimeout,
      subscription: new Uint8Array(member.subscription),
      assignment: new Uint8Array(member.assignment),
    })),
  }
}

function offsetOf(bytes: Uint8Array): StoredOffset {
  const value = decode(offsetCommitValue, versionOf(bytes), bytes, 2)
  return {
    offset: value.offset,
    leaderEpoch: value.leaderEpoch,
    metadata: value.metadata,
    commitTimestampMs: value.commitTimestamp,
    expireTimestampMs: value.expireTimestamp,
    topicId: value.topicId,
  }
}

function legacyOffset(key: Uint8Array, bytes: Uint8Array | null): GroupRecord {
  const { group: groupId, topic, partition } = decode(legacyOffsetCommitKey, 0, key, 2)
  const place = { kind: 'offset', groupId, topic, partition } as const
  if (bytes === null) return { ...place, value: null }
  // Kafka reads every value of either key with the newer schema, whose first form is the same.
  const version = versionOf(bytes)
  if (version !== 0) return { ...place, value: offsetOf(bytes) }
  const value = decode(legacyOffsetCommitValue, 0, bytes, 2)
  return {
    ...place,
    value: {
      offset: value.offset,
      leaderEpoch: -1,
      metadata: value.metadata,
      commitTimestampMs: value.commitTimestamp,
      expireTimestampMs: -1,
      topicId: zeroUuid,
    },
  }
}
