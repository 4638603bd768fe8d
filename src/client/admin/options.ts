/** What an admin is asked, and what it answers. */
import type { TopicPartition } from '../consumer/options.ts'

/** How one call waits. */
export interface AdminCallOptions {
  /** Ends the call: it rejects with the signal's reason. What was sent may still take effect. */
  readonly signal?: AbortSignal | undefined
  /** For the whole call, retries included. Default: `requestTimeoutMs` of the client, 30,000. */
  readonly timeoutMs?: number | undefined
}

/** A value of a config: what is no string is written as one. */
export type ConfigValue = string | number | boolean

/** A topic to create. */
export interface NewTopic {
  readonly topic: string
  /** Default: the broker's `num.partitions`. Not together with `assignments`. */
  readonly partitions?: number | undefined
  /** Default: the broker's `default.replication.factor`. Not together with `assignments`. */
  readonly replicationFactor?: number | undefined
  /** For each partition, from 0, the ids of the brokers that hold it, the preferred leader first. */
  readonly assignments?: readonly (readonly number[])[] | undefined
  /** Topic configs by name, as `retention.ms`. Default: those of the broker. */
  readonly configs?: Readonly<Record<string, ConfigValue>> | undefined
}

/** A topic that was created. */
export interface CreatedTopic {
  /** '' from brokers before Kafka 2.8, and when it was only validated. */
  readonly topicId: string
  /** −1 from brokers before Kafka 2.4. */
  readonly partitions: number
  /** −1 from brokers before Kafka 2.4. */
  readonly replicationFactor: number
}

/** Partitions to be added to a topic. */
export interface NewPartitions {
  readonly topic: string
  /** How many there are to be in all; more than now. */
  readonly count: number
  /** For each new partition the ids of the brokers that hold it. Default: the cluster decides. */
  readonly assignments?: readonly (readonly number[])[] | undefined
}

/** The replicas that a partition is to have. */
export interface NewReplicas extends TopicPartition {
  /** Ids of brokers, the preferred leader first; 'cancel' ends a move that is under way. */
  readonly replicas: readonly number[] | 'cancel'
}

/** A partition on its way to other replicas. */
export interface PartitionMove extends TopicPartition {
  /** Those it is to have, then those to be removed. */
  readonly replicas: readonly number[]
  /** Ids of brokers that copy it. */
  readonly adding: readonly number[]
  /** Ids of brokers that leave when those are in sync. */
  readonly removing: readonly number[]
}

/** Of the leader that a partition prefers, or of one that may have lost records. */
export type ElectionKind = 'preferred' | 'unclean'

/** How partitions are moved. */
export interface ReassignOptions extends AdminCallOptions {
  /** Whether partitions may get more or fewer replicas. Default true; asked of Kafka 4.0 and later. */
  readonly allowReplicationFactorChange?: boolean | undefined
}

/** How a change is made. */
export interface ValidateOptions extends AdminCallOptions {
  /** Only say whether it would be done. Default false. */
  readonly validateOnly?: boolean | undefined
}

/** A topic, as a list tells of it. */
export interface TopicListing {
  readonly topic: string
  /** '' from brokers before Kafka 2.8. */
  readonly topicId: string
  /** Kept by the brokers for themselves, as `__consumer_offsets` is. */
  readonly isInternal: boolean
  /** How many it has. */
  readonly partitions: number
  /** Of its first partition. */
  readonly replicationFactor: number
}

/** Where a partition is. */
export interface PartitionDescription {
  readonly partition: number
  /** The id of the broker that leads it; −1 while there is none. */
  readonly leader: number
  /** −1 from brokers before Kafka 2.1. */
  readonly leaderEpoch: number
  /** Ids of the brokers that hold it, the preferred leader first. */
  readonly replicas: readonly number[]
  /** Those of them that are in sync. */
  readonly isr: readonly number[]
  /** Those of them that are down. */
  readonly offlineReplicas: readonly number[]
}

/** What there is to know of a topic. */
export interface TopicDescription {
  /** '' from brokers before Kafka 2.8. */
  readonly topicId: string
  /** Kept by the brokers for themselves. */
  readonly isInternal: boolean
  /** In order. */
  readonly partitions: readonly PartitionDescription[]
  /** By name; undefined unless they were asked for. */
  readonly configs: Configs | undefined
}

/** A broker of the cluster, and where clients reach it. */
export interface BrokerDescription {
  readonly brokerId: number
  readonly host: string
  readonly port: number
  readonly rack: string | null
  /** Registered, but down or not ready; only where it was asked for. */
  readonly isFenced: boolean
}

/** The cluster, and who is in it. */
export interface ClusterDescription {
  /** Null from brokers before Kafka 0.10.1. */
  readonly clusterId: string | null
  /** The broker to which changes are sent; −1 while there is none. */
  readonly controllerId: number
  /** In order of their ids. */
  readonly brokers: readonly BrokerDescription[]
}

/** What has configs: a topic by its name, or a broker by its id; `''` is the default of all brokers. */
export interface ConfigResource {
  /** What it is. */
  readonly kind: 'topic' | 'broker'
  /** The topic, or the id of the broker as text. */
  readonly name: string
}

/** Configs by name. */
export type Configs = Readonly<Record<string, ConfigEntry>>

/** Where a value comes from, in Kafka's words. */
export type ConfigSource =
  | 'DYNAMIC_TOPIC_CONFIG'
  | 'DYNAMIC_BROKER_CONFIG'
  | 'DYNAMIC_DEFAULT_BROKER_CONFIG'
  | 'STATIC_BROKER_CONFIG'
  | 'DEFAULT_CONFIG'
  | 'DYNAMIC_BROKER_LOGGER_CONFIG'
  | 'CLIENT_METRICS_CONFIG'
  | 'GROUP_CONFIG'
  | 'UNKNOWN'

/** How a value is read. */
export type ConfigType =
  | 'BOOLEAN'
  | 'STRING'
  | 'INT'
  | 'SHORT'
  | 'LONG'
  | 'DOUBLE'
  | 'LIST'
  | 'CLASS'
  | 'PASSWORD'
  | 'UNKNOWN'

/** One value that a config has or would fall back to. */
export interface ConfigSynonym {
  /** Of the key that holds it, which may be another one: `log.retention.ms`. */
  readonly name: string
  readonly value: string | null
  /** Where it is set. */
  readonly source: ConfigSource
}

/** A config, and where its value comes from. */
export interface ConfigEntry {
  /** The key, as `retention.ms`. */
  readonly name: string
  /** Null: it has none, or is sensitive. */
  readonly value: string | null
  /** Where the value is set. */
  readonly source: ConfigSource
  /** Nobody has set it for this topic or broker. */
  readonly isDefault: boolean
  /** It cannot be changed while the broker runs. */
  readonly isReadOnly: boolean
  /** Its value is never told. */
  readonly isSensitive: boolean
  /** UNKNOWN from brokers before Kafka 2.6. */
  readonly type: ConfigType
  /** Null unless it was asked for. */
  readonly documentation: string | null
  /** What it has and would fall back to, in this order; empty unless it was asked for. */
  readonly synonyms: readonly ConfigSynonym[]
}

/** What is told of configs. */
export interface DescribeConfigsOptions extends AdminCallOptions {
  /** Only these. Default: all. */
  readonly names?: readonly string[] | undefined
  /** Default false. */
  readonly synonyms?: boolean | undefined
  /** Default false. */
  readonly documentation?: boolean | undefined
}

/** Changes of the configs of one topic or broker; what is not named stays. All of them or none. */
export interface ConfigChanges extends ConfigResource {
  /** New values by name. */
  readonly set?: Readonly<Record<string, ConfigValue>> | undefined
  /** Back to the default. */
  readonly reset?: readonly string[] | undefined
  /** Adds to a list. */
  readonly append?: Readonly<Record<string, ConfigValue>> | undefined
  /** Takes from a list. */
  readonly subtract?: Readonly<Record<string, ConfigValue>> | undefined
}

/**
 * Which offset: that of the oldest record, the next one to be written, the record with the greatest
 * timestamp, or the first record at or after a time (a Date, or milliseconds since 1970).
 */
export type OffsetSpec = 'earliest' | 'latest' | 'max-timestamp' | number | Date

/** An offset to be looked up. */
export interface OffsetQuery extends TopicPartition {
  /** Which one. */
  readonly at: OffsetSpec
}

/** How offsets are looked up. */
export interface ListOffsetsOptions extends AdminCallOptions {
  /** 'read_committed': 'latest' ends before the oldest open transaction. Default 'read_uncommitted'. */
  readonly isolation?: 'read_uncommitted' | 'read_committed' | undefined
}

/** An offset that was looked up. */
export interface ListedOffset {
  /** −1: no record is that late. */
  readonly offset: number
  /** Of that record, in milliseconds since 1970; −1 for 'earliest' and 'latest'. */
  readonly timestamp: number
  /** Of that record; −1 when it is not known. */
  readonly leaderEpoch: number
}

/** The oldest records of a partition. */
export interface RecordsToDelete extends TopicPartition {
  /** The first offset that stays; 'latest': all that are there now go. */
  readonly beforeOffset: number | 'latest'
}

/** A group, as a list tells of it. */
export interface GroupListing {
  readonly groupId: string
  /** `consumer`; '' when offsets were committed without members. */
  readonly protocolType: string
  /** `Stable`, `Empty` …; '' from brokers before Kafka 2.6. */
  readonly state: string
  /** `Classic`, `Consumer` …; '' from brokers before Kafka 4.0. */
  readonly type: string
  /** The id of the broker that coordinates it. */
  readonly coordinator: number
}

/** Which groups are listed. */
export interface ListGroupsOptions extends AdminCallOptions {
  /** Only these, `Stable` or `Empty` for instance. Default: all. */
  readonly states?: readonly string[] | undefined
  /** Only these, `Classic` or `Consumer` for instance. Default: all. */
  readonly types?: readonly string[] | undefined
}

/** A member of a group. */
export interface GroupMemberDescription {
  readonly memberId: string
  /** Of a static member (KIP-345). */
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly host: string
  /** Undefined: the members speak a protocol of their own. */
  readonly assignment: readonly TopicPartition[] | undefined
  /** Topics; undefined as above. */
  readonly subscription: readonly string[] | undefined
}

/** What there is to know of a group. */
export interface GroupDescription {
  /** `Stable`, `Empty`, `PreparingRebalance`, `CompletingRebalance`, `Dead` …, in Kafka's words. */
  readonly state: string
  /** Which protocol its members speak (KIP-848). */
  readonly type: 'Classic' | 'Consumer'
  /** `consumer`; '' when offsets were committed without members. */
  readonly protocolType: string
  /** How partitions are assigned: `range`, `cooperative-sticky` …; '' while there are no members. */
  readonly assignor: string
  /** Those that it has now. */
  readonly members: readonly GroupMemberDescription[]
  /** The id of the broker that coordinates it. */
  readonly coordinator: number
}

/** An offset that a group has committed: of the next message to read. */
export interface GroupOffset extends TopicPartition {
  readonly offset: number
  /** Of the message before it; −1 when that was not said (KIP-320). */
  readonly leaderEpoch: number
  /** Free text that was stored with it. */
  readonly metadata: string
}

/** A member by its id, or a static one by its instance id. */
export type MemberToRemove =
  | { readonly memberId: string; readonly groupInstanceId?: null | undefined }
  | { readonly groupInstanceId: string; readonly memberId?: string | undefined }

/** A member as it was named, with what was not said left empty. */
export interface MemberName {
  readonly memberId: string
  readonly groupInstanceId: string | null
}

/** One copy of a partition on one disk. */
export interface ReplicaDescription extends TopicPartition {
  /** On disk. */
  readonly bytes: number
  /** How many offsets it is behind. */
  readonly offsetLag: number
  /** It is being moved here from another directory of its broker. */
  readonly isFuture: boolean
}

/** A directory of a broker, and what lies in it. */
export interface LogDirDescription {
  /** Of the volume; −1 from brokers before Kafka 3.3, or where it is not known. */
  readonly totalBytes: number
  /** As `totalBytes`. */
  readonly usableBytes: number
  /** In order of topic and partition. */
  readonly replicas: readonly ReplicaDescription[]
}

/** The versions of an API that a broker speaks. */
export interface ApiVersion {
  readonly apiKey: number
  /** Both inclusive. */
  readonly minVersion: number
  /** As `minVersion`. */
  readonly maxVersion: number
}

/** The versions of a feature of the cluster (KIP-584). */
export interface FeatureVersions {
  /** As `metadata.version`. */
  readonly name: string
  /** Both inclusive. */
  readonly minVersion: number
  /** As `minVersion`. */
  readonly maxVersion: number
}

/** What a broker speaks. */
export interface BrokerVersions {
  /** In order of their keys. */
  readonly apis: readonly ApiVersion[]
  /** What it could do; empty from brokers before Kafka 2.7 (KIP-584). */
  readonly supportedFeatures: readonly FeatureVersions[]
  /** What the cluster has agreed on. */
  readonly finalizedFeatures: readonly FeatureVersions[]
}
