/** The public API: re-exports only. */
export {
  Broker,
  type BrokerAddress,
  type BrokerOptions,
  type TopicOptions,
} from './broker/broker.ts'
export { ConnectionError } from './client/connection.ts'
export type { Decode } from './client/consumer/decoding.ts'
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
  WorkContext,
} from './client/consumer/options.ts'
export { Consumer } from './client/consumer.ts'
export { type ErrorName, KafkaError } from './protocol/errors.ts'
