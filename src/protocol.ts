/**
 * The entry point `ottla/protocol`: the typed codec. A message is imported from here and given to
 * `encode` or `decode`. The broker imports what it speaks from `protocol/messages/`, not from here.
 */
export {
  DecodeError,
  type DecodeOptions,
  decode,
  EncodeError,
  encode,
} from './protocol/compile.ts'
export { type ErrorName, errorCode, errorName, errors, KafkaError } from './protocol/errors.ts'
export {
  decodeRequestHeader,
  decodeResponse,
  encodeRequest,
  encodeResponse,
  type RequestHeader,
} from './protocol/frame.ts'
export * from './protocol/messages/add-offsets-to-txn.ts'
export * from './protocol/messages/add-partitions-to-txn.ts'
export * from './protocol/messages/add-raft-voter.ts'
export * from './protocol/messages/alter-client-quotas.ts'
export * from './protocol/messages/alter-configs.ts'
export * from './protocol/messages/alter-partition-reassignments.ts'
export * from './protocol/messages/alter-replica-log-dirs.ts'
export * from './protocol/messages/alter-share-group-offsets.ts'
export * from './protocol/messages/alter-user-scram-credentials.ts'
export * from './protocol/messages/api-versions.ts'
export * from './protocol/messages/consumer-group-describe.ts'
export * from './protocol/messages/consumer-group-heartbeat.ts'
export * from './protocol/messages/consumer-group-records.ts'
export * from './protocol/messages/consumer-protocol.ts'
export * from './protocol/messages/control-records.ts'
export * from './protocol/messages/create-acls.ts'
export * from './protocol/messages/create-delegation-token.ts'
export * from './protocol/messages/create-partitions.ts'
export * from './protocol/messages/create-topics.ts'
export * from './protocol/messages/delete-acls.ts'
export * from './protocol/messages/delete-groups.ts'
export * from './protocol/messages/delete-records.ts'
export * from './protocol/messages/delete-share-group-offsets.ts'
export * from './protocol/messages/delete-share-group-state.ts'
export * from './protocol/messages/delete-topics.ts'
export * from './protocol/messages/describe-acls.ts'
export * from './protocol/messages/describe-client-quotas.ts'
export * from './protocol/messages/describe-cluster.ts'
export * from './protocol/messages/describe-configs.ts'
export * from './protocol/messages/describe-delegation-token.ts'
export * from './protocol/messages/describe-groups.ts'
export * from './protocol/messages/describe-log-dirs.ts'
export * from './protocol/messages/describe-producers.ts'
export * from './protocol/messages/describe-quorum.ts'
export * from './protocol/messages/describe-share-group-offsets.ts'
export * from './protocol/messages/describe-topic-partitions.ts'
export * from './protocol/messages/describe-transactions.ts'
export * from './protocol/messages/describe-user-scram-credentials.ts'
export * from './protocol/messages/elect-leaders.ts'
export * from './protocol/messages/end-txn.ts'
export * from './protocol/messages/expire-delegation-token.ts'
export * from './protocol/messages/fetch.ts'
export * from './protocol/messages/find-coordinator.ts'
export * from './protocol/messages/get-telemetry-subscriptions.ts'
export * from './protocol/messages/group-records.ts'
export * from './protocol/messages/headers.ts'
export * from './protocol/messages/heartbeat.ts'
export * from './protocol/messages/incremental-alter-configs.ts'
export * from './protocol/messages/init-producer-id.ts'
export * from './protocol/messages/initialize-share-group-state.ts'
export * from './protocol/messages/join-group.ts'
export * from './protocol/messages/kraft.ts'
export * from './protocol/messages/leave-group.ts'
export * from './protocol/messages/list-config-resources.ts'
export * from './protocol/messages/list-groups.ts'
export * from './protocol/messages/list-offsets.ts'
export * from './protocol/messages/list-partition-reassignments.ts'
export * from './protocol/messages/list-transactions.ts'
export * from './protocol/messages/metadata.ts'
export * from './protocol/messages/offset-commit.ts'
export * from './protocol/messages/offset-delete.ts'
export * from './protocol/messages/offset-fetch.ts'
export * from './protocol/messages/offset-for-leader-epoch.ts'
export * from './protocol/messages/principal-data.ts'
export * from './protocol/messages/produce.ts'
export * from './protocol/messages/push-telemetry.ts'
export * from './protocol/messages/read-share-group-state.ts'
export * from './protocol/messages/read-share-group-state-summary.ts'
export * from './protocol/messages/remove-raft-voter.ts'
export * from './protocol/messages/renew-delegation-token.ts'
export * from './protocol/messages/sasl-authenticate.ts'
export * from './protocol/messages/sasl-handshake.ts'
export * from './protocol/messages/share-acknowledge.ts'
export * from './protocol/messages/share-fetch.ts'
export * from './protocol/messages/share-group-describe.ts'
export * from './protocol/messages/share-group-heartbeat.ts'
export * from './protocol/messages/share-group-records.ts'
export * from './protocol/messages/share-state-records.ts'
export * from './protocol/messages/streams-group-describe.ts'
export * from './protocol/messages/streams-group-heartbeat.ts'
export * from './protocol/messages/streams-group-records.ts'
export * from './protocol/messages/streams-group-topology-description-update.ts'
export * from './protocol/messages/sync-group.ts'
export * from './protocol/messages/transaction-records.ts'
export * from './protocol/messages/txn-offset-commit.ts'
export * from './protocol/messages/unregister-broker.ts'
export * from './protocol/messages/unregister-controller.ts'
export * from './protocol/messages/update-features.ts'
export * from './protocol/messages/write-share-group-state.ts'
export * from './protocol/messages/write-txn-markers.ts'
export type {
  ByteSource,
  Field,
  Fields,
  Incoming,
  IncomingFields,
  Kind,
  Message,
  MessageType,
  Outgoing,
  OutgoingFields,
  Range,
} from './protocol/schema.ts'
