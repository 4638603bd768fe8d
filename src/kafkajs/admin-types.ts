/** What an admin is asked, and what it answers, in the words of kafkajs. Offsets are digits. */
import type { ConfigResourceTypes, ConfigSource } from './constants.ts'
import type { DeleteGroupsResult } from './errors.ts'
import type { AdminEvents, On } from './events.ts'
import type { Logger } from './logger.ts'
import type { PartitionOffset } from './offsets.ts'
import type { RetryOptions } from './retry.ts'
import type { ITopicMetadata } from './topic-metadata.ts'

export interface AdminConfig {
  retry?: RetryOptions | undefined
}

export interface ReplicaAssignment {
  partition: number
  replicas: number[]
}

export interface IResourceConfigEntry {
  name: string
  value: string
}

export interface ITopicConfig {
  topic: string
  /** Default: the broker's. */
  numPartitions?: number | undefined
  /** Default: the broker's. */
  replicationFactor?: number | undefined
  replicaAssignment?: ReplicaAssignment[] | undefined
  configEntries?: IResourceConfigEntry[] | undefined
}

export interface ITopicPartitionConfig {
  topic: string
  /** How many there are to be in all. */
  count: number
  assignments?: number[][] | undefined
}

export interface ResourceConfigQuery {
  type: ConfigResourceTypes
  name: string
  /** Default: all. */
  configNames?: string[] | undefined
}

export interface ConfigSynonyms {
  configName: string
  configValue: string
  configSource: ConfigSource
}

export interface ConfigEntries {
  configName: string
  configValue: string
  isDefault: boolean
  configSource: ConfigSource
  isSensitive: boolean
  readOnly: boolean
  configSynonyms: ConfigSynonyms[]
}

export interface DescribeConfigResponse {
  resources: {
    configEntries: ConfigEntries[]
    errorCode: number
    errorMessage: string
    resourceName: string
    resourceType: ConfigResourceTypes
  }[]
  throttleTime: number
}

export interface IResourceConfig {
  type: ConfigResourceTypes
  name: string
  configEntries: IResourceConfigEntry[]
}

export interface AlterConfigResponse {
  resources: { errorCode: number; resourceName: string; resourceType: ConfigResourceTypes }[]
}

export type SeekEntry = PartitionOffset
export type FetchOffsetsPartition = PartitionOffset & { metadata: string | null }

export type MemberDescription = {
  clientHost: string
  clientId: string
  memberId: string
  /** For `AssignerProtocol.MemberAssignment.decode`. */
  memberAssignment: Buffer
  /** For `AssignerProtocol.MemberMetadata.decode`. */
  memberMetadata: Buffer
}

export type ConsumerGroupState =
  | 'Unknown'
  | 'PreparingRebalance'
  | 'CompletingRebalance'
  | 'Stable'
  | 'Dead'
  | 'Empty'

export type GroupDescription = {
  errorCode: number
  groupId: string
  members: MemberDescription[]
  protocol: string
  protocolType: string
  /** 'Dead': there is none of that name. */
  state: ConsumerGroupState
}
export type GroupDescriptions = { groups: GroupDescription[] }
export type GroupOverview = { groupId: string; protocolType: string }

export type Admin = {
  /** Idempotent. */
  connect(): Promise<void>
  /** It can connect again. */
  disconnect(): Promise<void>
  /** With those of the brokers themselves. */
  listTopics(): Promise<string[]>
  /** False when all those that were not created exist already. Milliseconds, as all times here. */
  createTopics(options: {
    validateOnly?: boolean | undefined
    /** It is waited for them in any case. */
    waitForLeaders?: boolean | undefined
    timeout?: number | undefined
    topics: ITopicConfig[]
  }): Promise<boolean>
  deleteTopics(options: { topics: string[]; timeout?: number | undefined }): Promise<void>
  createPartitions(options: {
    validateOnly?: boolean | undefined
    timeout?: number | undefined
    topicPartitions: ITopicPartitionConfig[]
  }): Promise<boolean>
  /** Of all topics when none is named. */
  fetchTopicMetadata(options?: {
    topics?: string[] | undefined
  }): Promise<{ topics: ITopicMetadata[] }>
  /** Of all partitions of these topics, '-1' where there is none; or all that the group has. */
  fetchOffsets(options: {
    groupId: string
    topics?: string[] | undefined
    /** Commits the end where there is none, and answers that. */
    resolveOffsets?: boolean | undefined
  }): Promise<{ topic: string; partitions: FetchOffsetsPartition[] }[]>
  fetchTopicOffsets(topic: string): Promise<(SeekEntry & { high: string; low: string })[]>
  /** The end where no message is that late. */
  fetchTopicOffsetsByTimestamp(topic: string, timestamp?: number): Promise<SeekEntry[]>
  describeCluster(): Promise<{
    brokers: { nodeId: number; host: string; port: number }[]
    controller: number | null
    clusterId: string
  }>
  /** Of a group without members. '-1' is the end, '-2' the beginning. */
  setOffsets(options: { groupId: string; topic: string; partitions: SeekEntry[] }): Promise<void>
  resetOffsets(options: {
    groupId: string
    topic: string
    /** Default false: the end. */
    earliest?: boolean | undefined
  }): Promise<void>
  describeConfigs(configs: {
    resources: ResourceConfigQuery[]
    includeSynonyms?: boolean | undefined
  }): Promise<DescribeConfigResponse>
  /** What is not named goes back to its default. */
  alterConfigs(configs: {
    validateOnly?: boolean | undefined
    resources: IResourceConfig[]
  }): Promise<AlterConfigResponse>
  listGroups(): Promise<{ groups: GroupOverview[] }>
  deleteGroups(groupIds: string[]): Promise<DeleteGroupsResult[]>
  describeGroups(groupIds: string[]): Promise<GroupDescriptions>
  /** Deletes what is before these offsets; '-1' is the end. */
  deleteTopicRecords(options: { topic: string; partitions: SeekEntry[] }): Promise<void>
  /** This and the next ones throw KafkaJSNotImplemented. */
  describeAcls(options: object): Promise<never>
  deleteAcls(options: object): Promise<never>
  createAcls(options: object): Promise<never>
  alterPartitionReassignments(options: object): Promise<never>
  listPartitionReassignments(options: object): Promise<never>
  on: On<AdminEvents>
  logger(): Logger
  readonly events: AdminEvents
}
