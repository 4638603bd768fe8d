/**
 * Records of __consumer_offsets that classic groups and their offsets are kept in: Kafka's own
 * schemas, so that either broker reads what the other wrote. A key and a value each begin with an
 * int16: of a key the kind, of a value its version.
 */
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

export declare const groupRecordCodec: RecordCodec<GroupRecord>
