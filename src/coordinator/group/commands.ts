/**
 * What a group coordinator is asked and what it answers, in words of the domain: no API versions,
 * no error codes of old versions; handlers translate.
 *
 * Bytes in a command may be views of the request: the state copies what it keeps. Bytes in an answer
 * belong to the state: send them, do not change them. Every refusal is a KafkaError: thrown by the
 * command, or the answer's `error` when the waiter was parked.
 */
import type { ErrorName } from '../../protocol/errors.ts'

/** Phases of a classic group; the words are those of DescribeGroups. */
export type GroupPhase = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

/** Which of a group's members speaks. */
export interface MemberRef {
  readonly groupId: string
  /** Empty: has none yet (JoinGroup, simple OffsetCommit). */
  readonly memberId: string
  /** Static members (KIP-345); null: dynamic. */
  readonly groupInstanceId: string | null
  /** On which connection: ours, for `disconnected`. */
  readonly connection: number
}

/** One way of assigning that a member knows, and what it says in it. */
export interface MemberProtocol {
  readonly name: string
  readonly metadata: Uint8Array
}

/** JoinGroup. */
export interface JoinGroup extends MemberRef {
  /** The id given to a member that comes without: instance or client id, hyphen, random characters. */
  readonly newMemberId: string
  readonly clientId: string
  readonly clientHost: string
  /** From JoinGroup v4 on a dynamic member has to come back with the id it is given (KIP-394). */
  readonly requireKnownMemberId: boolean
  /** From v9 on a static leader may be told to assign nothing (KIP-814). */
  readonly supportsSkippingAssignment: boolean
  readonly sessionTimeoutMs: number
  /** As long as the session where the version has none. */
  readonly rebalanceTimeoutMs: number
  readonly protocolType: string
  /** In the member's order of preference. */
  readonly protocols: readonly MemberProtocol[]
  readonly reason: string | null
}

/** A member as the leader sees it. */
export interface JoinedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly metadata: Uint8Array
}

/** The member is in a generation. */
export interface Joined {
  readonly memberId: string
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  /** Member id of the leader. */
  readonly leader: string
  readonly skipAssignment: boolean
  /** For the leader all members, else none. */
  readonly members: readonly JoinedMember[]
}

/** MEMBER_ID_REQUIRED: join again with this id (KIP-394). */
export interface MemberIdRequired {
  readonly memberIdRequired: string
}

/** What JoinGroup answers where it does not refuse. */
export type JoinAnswer = Joined | MemberIdRequired

/** SyncGroup. */
export interface SyncGroup extends MemberRef {
  readonly generationId: number
  /** Null where the version has none (KIP-559). */
  readonly protocolType: string | null
  readonly protocolName: string | null
  /** From the leader; a member without one is assigned nothing. */
  readonly assignments: readonly { readonly memberId: string; readonly assignment: Uint8Array }[]
}

/** What a member is to do. */
export interface Synced {
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Uint8Array
}

/** Heartbeat; answered with nothing, or refused. */
export interface Heartbeat extends MemberRef {
  readonly generationId: number
}

/** LeaveGroup: dynamic members by id, static ones by instance id, with the member id or empty. */
export interface LeaveGroup {
  readonly groupId: string
  readonly members: readonly LeavingMember[]
}

export interface LeavingMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly reason: string | null
}

/** One result per member of the command, in its order; NONE: has left. */
export interface Left {
  readonly members: readonly {
    readonly memberId: string
    readonly groupInstanceId: string | null
    readonly error: ErrorName
  }[]
}

/** OffsetCommit. Generation −1 without a member id: a simple consumer, or an admin. */
export interface CommitOffsets extends MemberRef {
  readonly generationId: number
  /** Undefined: as long as the group's offsets are retained (KIP-211); set by v2 to v4 alone. */
  readonly retentionMs: number | undefined
  readonly topics: readonly {
    readonly name: string
    /** The zero uuid where it is not known. */
    readonly topicId: string
    readonly partitions: readonly {
      readonly partition: number
      readonly offset: number
      /** −1: not known. */
      readonly leaderEpoch: number
      readonly metadata: string
    }[]
  }[]
}

/** One result per topic and partition, in the command's order; NONE: done. */
export interface PartitionResults {
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly { readonly partition: number; readonly error: ErrorName }[]
  }[]
}

/** OffsetFetch of one group; with `topics` null all that are committed. */
export interface FetchOffsets {
  readonly groupId: string
  readonly topics:
    | readonly { readonly name: string; readonly partitions: readonly number[] }[]
    | null
}

/** Committed offsets; offset −1, leader epoch −1 and empty metadata where there is none. */
export interface FetchedOffsets {
  readonly topics: readonly {
    readonly name: string
    readonly partitions: readonly FetchedOffset[]
  }[]
}

export interface FetchedOffset {
  readonly partition: number
  readonly offset: number
  readonly leaderEpoch: number
  readonly metadata: string
}

/** OffsetDelete (KIP-496). */
export interface DeleteOffsets {
  readonly groupId: string
  readonly topics: readonly { readonly name: string; readonly partitions: readonly number[] }[]
}

/** ListGroups; an empty filter lets all through, words in any case. */
export interface ListGroups {
  readonly phases: readonly string[]
  readonly types: readonly string[]
}

export interface ListedGroup {
  readonly groupId: string
  readonly protocolType: string
  readonly phase: GroupPhase
  readonly groupType: 'classic'
}

/** DescribeGroups, one group. A refusal for an absent one: GROUP_ID_NOT_FOUND. */
export interface DescribedGroup {
  readonly groupId: string
  readonly phase: GroupPhase
  readonly generationId: number
  readonly protocolType: string
  /** Empty unless Stable. */
  readonly protocolName: string
  readonly members: readonly DescribedMember[]
}

export interface DescribedMember {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  /** Empty unless Stable; the assignment is the last one given, as in Kafka. */
  readonly metadata: Uint8Array
  readonly assignment: Uint8Array
}

/** What the configuration says; may be replaced while running. */
export interface GroupSettings {
  /** `group.min.session.timeout.ms` */
  readonly minSessionTimeoutMs: number
  /** `group.max.session.timeout.ms` */
  readonly maxSessionTimeoutMs: number
  /** `group.max.size` */
  readonly maxSize: number
  /** `group.initial.rebalance.delay.ms` */
  readonly initialRebalanceDelayMs: number
  /** `offset.metadata.max.bytes` */
  readonly offsetMetadataMaxBytes: number
  /** `offsets.retention.minutes` */
  readonly offsetsRetentionMs: number
  /** `offsets.retention.check.interval.ms` */
  readonly offsetsRetentionCheckMs: number
  /** `group.disconnect.grace.ms` (ours); undefined: off. */
  readonly disconnectGraceMs: number | undefined
  /**
   * The largest record the log takes. A group whose members and assignments do not fit is refused
   * (its leader, UNKNOWN_SERVER_ERROR). A decision of many records may well be larger: the shard
   * splits it.
   */
  readonly maxRecordBytes: number
}
