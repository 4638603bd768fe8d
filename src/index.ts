/** The public API: re-exports only. */
export {
  Broker,
  type BrokerAddress,
  type BrokerOptions,
  type TopicOptions,
} from './broker/broker.ts'
export type {
  AdminCallOptions,
  ApiVersion,
  BrokerDescription,
  BrokerVersions,
  ClusterDescription,
  ConfigChanges,
  ConfigEntry,
  ConfigResource,
  ConfigSource,
  ConfigSynonym,
  Configs,
  ConfigType,
  ConfigValue,
  CreatedTopic,
  DescribeConfigsOptions,
  ElectionKind,
  FeatureVersions,
  GroupDescription,
  GroupListing,
  GroupMemberDescription,
  GroupOffset,
  ListedOffset,
  ListGroupsOptions,
  ListOffsetsOptions,
  LogDirDescription,
  MemberName,
  MemberToRemove,
  NewPartitions,
  NewReplicas,
  NewTopic,
  OffsetQuery,
  OffsetSpec,
  PartitionDescription,
  PartitionMove,
  ReassignOptions,
  RecordsToDelete,
  ReplicaDescription,
  TopicDescription,
  TopicListing,
  ValidateOptions,
} from './client/admin/options.ts'
export { type Outcome, orThrow, type Success } from './client/admin/outcome.ts'
export { Admin } from './client/admin.ts'
export { OptionError } from './client/bootstrap.ts'
export { Client } from './client/client.ts'
export type { BrokerMetrics, ClientMetrics, LatencyMetrics } from './client/client-metrics.ts'
export type { ClientOptions, Connecting } from './client/connected.ts'
export { ConnectionError } from './client/connection.ts'
export type {
  AssignableMember,
  Assignment,
  OwnAssignor,
  PartitionCounts,
} from './client/consumer/assignors/assignor.ts'
export type { Decode, DecodeContext, Decoder } from './client/consumer/decoding.ts'
export {
  type ConsumerError,
  ConsumerStateError,
  DamagedBatchError,
  DecodeError,
  LogTruncationError,
  OffsetOutOfRangeError,
  type RecordPlace,
} from './client/consumer/errors.ts'
export type { Bytes, Message, MessageHeaders } from './client/consumer/message.ts'
export type {
  Assigned,
  AssignorName,
  ConsumerInterceptor,
  ConsumerMetrics,
  ConsumerOptions,
  ConsumerSettings,
  MessageBatch,
  OffsetReset,
  OnDecodeError,
  PartitionLag,
  PartitionsListener,
  RunOptions,
  SeekTarget,
  TopicPartition,
  TopicPartitionOffset,
  TopicSelector,
  WaitOptions,
  WorkContext,
} from './client/consumer/options.ts'
export type { Standstill } from './client/consumer/watchdog.ts'
export { Consumer } from './client/consumer.ts'
export type {
  BatchEvent,
  ConnectionEvent,
  ConsumerEvent,
  ConsumerWarningEvent,
  DiagnosticEvents,
  PartitionsEvent,
} from './client/diagnostics.ts'
export type { LogFields, Logger } from './client/logger.ts'
export {
  type AwaitedThing,
  DeliveryTimeoutError,
  ProducerStateError,
  SendError,
  SerializationError,
  UncertainDeliveryError,
} from './client/producer/errors.ts'
export type {
  BatchingOptions,
  DeliveryOptions,
  HeaderValue,
  PartitionChoice,
  Partitioner,
  ProducerInterceptor,
  ProducerMetrics,
  ProducerOptions,
  ProducerRecord,
  ProducerSettings,
  RecordMetadata,
  RecordToPlace,
  SendOptions,
} from './client/producer/options.ts'
export { Producer } from './client/producer.ts'
export {
  type Deserializer,
  type Payload,
  type SchemaIssue,
  type SchemaResult,
  type SchemaSerde,
  type Serde,
  type Serializer,
  type StandardSchema,
  serializers,
  ValidationError,
} from './client/serializers.ts'
export { type ErrorName, KafkaError } from './protocol/errors.ts'
export type { Compression } from './protocol/records/batch.ts'
