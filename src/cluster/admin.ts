/** What can be asked of the controller, and what it answers: one answer a resource, in order. */
import type { KafkaError } from '../protocol/errors.ts'
import type { ConfigScope } from './keys.ts'

/** A topic to create. */
export interface NewTopic {
  readonly name: string
  /** −1: the default. */
  readonly partitionCount: number
  /** −1: the default. */
  readonly replicationFactor: number
  /** Replicas by partition index, preferred first; the two numbers above are −1 then. */
  readonly assignments?: ReadonlyMap<number, readonly number[]>
  readonly configs: ReadonlyMap<string, string | null>
}

/** How a request is to be carried out. */
export interface RequestOptions {
  /** Nothing is changed. */
  readonly validateOnly?: boolean
  /** Monotonic. */
  readonly deadlineMs: number
}

/** What became of one resource. */
export interface Outcome {
  readonly error?: KafkaError
}

/** With the fields below when there is no error. */
export interface CreatedTopic extends Outcome {
  readonly name: string
  /** The zero id when nothing was to be changed. */
  readonly topicId?: string
  readonly partitionCount?: number
  readonly replicationFactor?: number
  /** Overrides as stored. */
  readonly configs?: ReadonlyMap<string, string>
}

/** A topic as a client names it. */
export type TopicRef = { readonly name: string } | { readonly topicId: string }

/** What became of one topic to delete. */
export interface DeletedTopic extends Outcome {
  /** As asked for, or as found. */
  readonly name?: string
  readonly topicId?: string
}

/** Partitions to add to a topic. */
export interface NewPartitions {
  readonly name: string
  /** Wanted in all. */
  readonly count: number
  /** Replicas of each added partition, preferred first. */
  readonly assignments?: readonly (readonly number[])[]
}

/** A partition as a client names it. */
export interface PartitionRef {
  readonly topic: string
  readonly index: number
}

/** A partition and the replicas it is to have, in order of preference; null cancels its move. */
export interface NewReplicas extends PartitionRef {
  readonly replicas: readonly number[] | null
}

/** What became of the move of one partition. */
export type ReplicasOutcome = PartitionRef & Outcome

/** Of the leader that a partition prefers, or of one that may have lost records. */
export type ElectionKind = 'preferred' | 'unclean'

/** What became of one election. */
export interface ElectionOutcome extends PartitionRef, Outcome {
  /** Broker id. */
  readonly leader?: number
}

/** A level to bring a feature to (KIP-584). */
export interface FeatureUpdate {
  readonly feature: string
  readonly level: number
  readonly kind: 'upgrade' | 'safe-downgrade' | 'unsafe-downgrade' | 'unknown'
}

/** What has overrides: a topic, a broker, or all brokers. */
export interface ConfigResource {
  readonly type: ConfigScope
  /** Topic name, or broker id; '' is the default of all brokers. */
  readonly name: string
}

/** A change of one key (KIP-339). */
export interface ConfigOp {
  readonly key: string
  readonly op: 'SET' | 'DELETE' | 'APPEND' | 'SUBTRACT'
  readonly value: string | null
}

/** New overrides of a resource: all of them (AlterConfigs), or changes (KIP-339). */
export type ConfigChange = { readonly resource: ConfigResource } & (
  | { readonly configs: ReadonlyMap<string, string | null> }
  | { readonly ops: readonly ConfigOp[] }
)

/** What the controller asks the config tables; the composition root answers. */
export interface ConfigRules {
  readonly defaultPartitions: number
  readonly defaultReplicationFactor: number
  /** Throws KafkaError INVALID_CONFIG, or POLICY_VIOLATION. */
  validate(resource: ConfigResource, configs: ReadonlyMap<string, string>): void
  /** Only lists take APPEND and SUBTRACT. */
  isList(scope: ConfigScope, key: string): boolean
  /** The value of a list without an override, as text; '' is the empty list. */
  defaultList(scope: ConfigScope, key: string): string
  /** min.insync.replicas of a topic with these overrides. */
  minInsyncReplicas(overrides: ReadonlyMap<string, string>): number
  /** unclean.leader.election.enable of a topic with these overrides. */
  uncleanElection(overrides: ReadonlyMap<string, string>): boolean
}
