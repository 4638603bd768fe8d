/** Everything that kafkajs exports. */
export type * from './admin-types.ts'
export {
  type Assigner,
  AssignerProtocol,
  type Assignment,
  type Cluster,
  type GroupMember,
  type GroupMemberAssignment,
  type GroupState,
  type ISerializer,
  type MemberAssignment,
  type MemberMetadata,
  type PartitionAssigner,
  PartitionAssigners,
} from './assigners.ts'
export * from './constants.ts'
export type * from './consumer-types.ts'
export {
  type DeleteGroupsResult,
  KafkaJSAggregateError,
  KafkaJSAlterPartitionReassignmentsError,
  KafkaJSBrokerNotFound,
  KafkaJSConnectionClosedError,
  KafkaJSConnectionError,
  type KafkaJSConnectionErrorMetadata,
  KafkaJSCreateTopicError,
  KafkaJSDeleteGroupsError,
  KafkaJSDeleteTopicRecordsError,
  type KafkaJSDeleteTopicRecordsErrorPartition,
  KafkaJSError,
  type KafkaJSErrorMetadata,
  KafkaJSGroupCoordinatorNotFound,
  KafkaJSLockTimeout,
  KafkaJSMetadataNotLoaded,
  KafkaJSNonRetriableError,
  KafkaJSNotImplemented,
  KafkaJSNumberOfRetriesExceeded,
  KafkaJSOffsetOutOfRange,
  KafkaJSPartialMessageError,
  KafkaJSProtocolError,
  KafkaJSRequestTimeoutError,
  KafkaJSSASLAuthenticationError,
  KafkaJSServerDoesNotSupportApiKey,
  KafkaJSStaleTopicMetadataAssignment,
  KafkaJSTimeout,
  KafkaJSTopicMetadataNotLoaded,
  KafkaJSUnsupportedMagicByteInMessageSet,
} from './errors.ts'
export type {
  AdminEvents,
  ConnectEvent,
  ConsumerCommitOffsetsEvent,
  ConsumerCrashEvent,
  ConsumerEndBatchProcessEvent,
  ConsumerEvents,
  ConsumerGroupJoinEvent,
  ConsumerHeartbeatEvent,
  ConsumerRebalancingEvent,
  ConsumerReceivedUnsubcribedTopicsEvent,
  ConsumerStartBatchProcessEvent,
  DisconnectEvent,
  IMemberAssignment,
  InstrumentationEvent,
  ProducerEvents,
  RemoveInstrumentationEventListener,
} from './events.ts'
export { type BrokersFunction, Kafka, type KafkaConfig } from './kafka.ts'
export type { LogEntry, Logger, LoggerEntryContent, logCreator } from './logger.ts'
export type {
  Offsets,
  OffsetsByTopicPartition,
  PartitionOffset,
  TopicOffsets,
  TopicPartition,
  TopicPartitionOffset,
  TopicPartitionOffsetAndMetadata,
  TopicPartitions,
} from './offsets.ts'
export { Partitioners } from './partitioners.ts'
export type * from './producer-types.ts'
export type { RetryOptions } from './retry.ts'
export type { ITopicMetadata, PartitionMetadata } from './topic-metadata.ts'
