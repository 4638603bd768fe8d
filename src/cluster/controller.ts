/** The controller role and its queue. (skeleton) */
import type { KafkaError } from '../protocol/errors.ts'
import type { ConfigScope } from './keys.ts'

export interface NewTopic {
  readonly name: string
  /** −1: the broker's default. */
  readonly partitionCount: number
  /** −1: the broker's default. */
  readonly replicationFactor: number
  /** Replicas by partition index, preferred first; with it the two numbers above are −1. */
  readonly assignments?: ReadonlyMap<number, readonly number[]>
  readonly configs: ReadonlyMap<string, string | null>
}

export interface RequestOptions {
  readonly validateOnly?: boolean
  /** Monotonic. */
  readonly deadlineMs: number
}

/** One answer a resource, in the order of the request. */
export interface Outcome {
  readonly error?: KafkaError
}

export interface CreatedTopic extends Outcome {
  readonly name: string
  readonly topicId?: string
  readonly partitionCount?: number
  readonly replicationFactor?: number
  /** Overrides as stored. */
  readonly configs?: ReadonlyMap<string, string>
}

export type TopicRef = { readonly name: string } | { readonly topicId: string }

export interface DeletedTopic extends Outcome {
  /** Both known when the topic was found. */
  readonly name?: string
  readonly topicId?: string
}

export interface NewPartitions {
  readonly name: string
  /** Wanted in all. */
  readonly count: number
  /** Replicas of each added partition. */
  readonly assignments?: readonly (readonly number[])[]
}

export interface ConfigResource {
  readonly type: ConfigScope
  /** Topic name, or broker id; '' is the default of all brokers. */
  readonly name: string
}

export interface ConfigOp {
  readonly key: string
  readonly op: 'SET' | 'DELETE' | 'APPEND' | 'SUBTRACT'
  readonly value: string | null
}

/** What the controller asks the config tables, which lie in the composition root's hands. */
export interface ConfigRules {
  readonly defaultPartitions: number
  readonly defaultReplicationFactor: number
  /** Throws KafkaError INVALID_CONFIG, or POLICY_VIOLATION. */
  validate(resource: ConfigResource, configs: ReadonlyMap<string, string>): void
  /** Keys whose values are lists: they alone take APPEND and SUBTRACT. */
  isList(type: ConfigScope, key: string): boolean
  /** Value of a list key without an override; '' is the empty list. */
  defaultValue(type: ConfigScope, key: string): string
  /** min.insync.replicas under these overrides. */
  minInsyncReplicas(overrides: ReadonlyMap<string, string>): number
  /** unclean.leader.election.enable under these overrides. */
  uncleanElection(overrides: ReadonlyMap<string, string>): boolean
}

export declare class Controller {
  /** This broker holds the controller key, as far as it knows. */
  readonly isActive: boolean
  createTopics(topics: readonly NewTopic[], options: RequestOptions): Promise<CreatedTopic[]>
  deleteTopics(topics: readonly TopicRef[], options: RequestOptions): Promise<DeletedTopic[]>
  createPartitions(topics: readonly NewPartitions[], options: RequestOptions): Promise<Outcome[]>
  /** AlterConfigs: replaces all overrides of each resource. */
  alterConfigs(
    changes: readonly { resource: ConfigResource; configs: ReadonlyMap<string, string | null> }[],
    options: RequestOptions,
  ): Promise<Outcome[]>
  incrementalAlterConfigs(
    changes: readonly { resource: ConfigResource; ops: readonly ConfigOp[] }[],
    options: RequestOptions,
  ): Promise<Outcome[]>
  close(): Promise<void>
}
