/** The error codes of the protocol, as one table, and the error that carries one. */

interface ErrorEntry {
  readonly code: number
  /** The same request may succeed later. */
  readonly retriable: boolean
  /** The client should ask for metadata again before it retries. */
  readonly invalidatesMetadata: boolean
  /** One sentence for people. */
  readonly message: string
}

function entry(
  code: number,
  message: string,
  flags: { retriable?: true; invalidatesMetadata?: true } = {},
): ErrorEntry {
  return {
    code,
    retriable: flags.retriable ?? false,
    invalidatesMetadata: flags.invalidatesMetadata ?? false,
    message,
  }
}

/** Every error code by its official name. */
export const errors = {
  UNKNOWN_SERVER_ERROR: entry(-1, 'UNKNOWN_SERVER_ERROR'),
  NONE: entry(0, 'NONE'),
  OFFSET_OUT_OF_RANGE: entry(1, 'OFFSET_OUT_OF_RANGE'),
  CORRUPT_MESSAGE: entry(2, 'CORRUPT_MESSAGE', { retriable: true }),
  UNKNOWN_TOPIC_OR_PARTITION: entry(3, 'UNKNOWN_TOPIC_OR_PARTITION', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  INVALID_FETCH_SIZE: entry(4, 'INVALID_FETCH_SIZE'),
  LEADER_NOT_AVAILABLE: entry(5, 'LEADER_NOT_AVAILABLE', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  NOT_LEADER_OR_FOLLOWER: entry(6, 'NOT_LEADER_OR_FOLLOWER', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  REQUEST_TIMED_OUT: entry(7, 'REQUEST_TIMED_OUT', { retriable: true }),
  BROKER_NOT_AVAILABLE: entry(8, 'BROKER_NOT_AVAILABLE'),
  REPLICA_NOT_AVAILABLE: entry(9, 'REPLICA_NOT_AVAILABLE', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  MESSAGE_TOO_LARGE: entry(10, 'MESSAGE_TOO_LARGE'),
  STALE_CONTROLLER_EPOCH: entry(11, 'STALE_CONTROLLER_EPOCH'),
  OFFSET_METADATA_TOO_LARGE: entry(12, 'OFFSET_METADATA_TOO_LARGE'),
  NETWORK_EXCEPTION: entry(13, 'NETWORK_EXCEPTION', { retriable: true, invalidatesMetadata: true }),
  COORDINATOR_LOAD_IN_PROGRESS: entry(14, 'COORDINATOR_LOAD_IN_PROGRESS', { retriable: true }),
  COORDINATOR_NOT_AVAILABLE: entry(15, 'COORDINATOR_NOT_AVAILABLE', { retriable: true }),
  NOT_COORDINATOR: entry(16, 'NOT_COORDINATOR', { retriable: true }),
  INVALID_TOPIC_EXCEPTION: entry(17, 'INVALID_TOPIC_EXCEPTION'),
  RECORD_LIST_TOO_LARGE: entry(18, 'RECORD_LIST_TOO_LARGE'),
  NOT_ENOUGH_REPLICAS: entry(19, 'NOT_ENOUGH_REPLICAS', { retriable: true }),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: entry(20, 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', {
    retriable: true,
  }),
  INVALID_REQUIRED_ACKS: entry(21, 'INVALID_REQUIRED_ACKS'),
  ILLEGAL_GENERATION: entry(22, 'ILLEGAL_GENERATION'),
  INCONSISTENT_GROUP_PROTOCOL: entry(23, 'INCONSISTENT_GROUP_PROTOCOL'),
  INVALID_GROUP_ID: entry(24, 'INVALID_GROUP_ID'),
  UNKNOWN_MEMBER_ID: entry(25, 'UNKNOWN_MEMBER_ID'),
  INVALID_SESSION_TIMEOUT: entry(26, 'INVALID_SESSION_TIMEOUT'),
  REBALANCE_IN_PROGRESS: entry(27, 'REBALANCE_IN_PROGRESS'),
  INVALID_COMMIT_OFFSET_SIZE: entry(28, 'INVALID_COMMIT_OFFSET_SIZE'),
  TOPIC_AUTHORIZATION_FAILED: entry(29, 'TOPIC_AUTHORIZATION_FAILED'),
  GROUP_AUTHORIZATION_FAILED: entry(30, 'GROUP_AUTHORIZATION_FAILED'),
  CLUSTER_AUTHORIZATION_FAILED: entry(31, 'CLUSTER_AUTHORIZATION_FAILED'),
  INVALID_TIMESTAMP: entry(32, 'INVALID_TIMESTAMP'),
  UNSUPPORTED_SASL_MECHANISM: entry(33, 'UNSUPPORTED_SASL_MECHANISM'),
  ILLEGAL_SASL_STATE: entry(34, 'ILLEGAL_SASL_STATE'),
  UNSUPPORTED_VERSION: entry(35, 'UNSUPPORTED_VERSION'),
  TOPIC_ALREADY_EXISTS: entry(36, 'TOPIC_ALREADY_EXISTS'),
  INVALID_PARTITIONS: entry(37, 'INVALID_PARTITIONS'),
  INVALID_REPLICATION_FACTOR: entry(38, 'INVALID_REPLICATION_FACTOR'),
  INVALID_REPLICA_ASSIGNMENT: entry(39, 'INVALID_REPLICA_ASSIGNMENT'),
  INVALID_CONFIG: entry(40, 'INVALID_CONFIG'),
  NOT_CONTROLLER: entry(41, 'NOT_CONTROLLER', { retriable: true }),
  INVALID_REQUEST: entry(42, 'INVALID_REQUEST'),
  UNSUPPORTED_FOR_MESSAGE_FORMAT: entry(43, 'UNSUPPORTED_FOR_MESSAGE_FORMAT'),
  POLICY_VIOLATION: entry(44, 'POLICY_VIOLATION'),
  OUT_OF_ORDER_SEQUENCE_NUMBER: entry(45, 'OUT_OF_ORDER_SEQUENCE_NUMBER'),
  DUPLICATE_SEQUENCE_NUMBER: entry(46, 'DUPLICATE_SEQUENCE_NUMBER'),
  INVALID_PRODUCER_EPOCH: entry(47, 'INVALID_PRODUCER_EPOCH'),
  INVALID_TXN_STATE: entry(48, 'INVALID_TXN_STATE'),
  INVALID_PRODUCER_ID_MAPPING: entry(49, 'INVALID_PRODUCER_ID_MAPPING'),
  INVALID_TRANSACTION_TIMEOUT: entry(50, 'INVALID_TRANSACTION_TIMEOUT'),
  CONCURRENT_TRANSACTIONS: entry(51, 'CONCURRENT_TRANSACTIONS', { retriable: true }),
  TRANSACTION_COORDINATOR_FENCED: entry(52, 'TRANSACTION_COORDINATOR_FENCED'),
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: entry(53, 'TRANSACTIONAL_ID_AUTHORIZATION_FAILED'),
  SECURITY_DISABLED: entry(54, 'SECURITY_DISABLED'),
  OPERATION_NOT_ATTEMPTED: entry(55, 'OPERATION_NOT_ATTEMPTED'),
  KAFKA_STORAGE_ERROR: entry(56, 'KAFKA_STORAGE_ERROR', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  LOG_DIR_NOT_FOUND: entry(57, 'LOG_DIR_NOT_FOUND'),
  SASL_AUTHENTICATION_FAILED: entry(58, 'SASL_AUTHENTICATION_FAILED'),
  UNKNOWN_PRODUCER_ID: entry(59, 'UNKNOWN_PRODUCER_ID'),
  REASSIGNMENT_IN_PROGRESS: entry(60, 'REASSIGNMENT_IN_PROGRESS'),
  DELEGATION_TOKEN_AUTH_DISABLED: entry(61, 'DELEGATION_TOKEN_AUTH_DISABLED'),
  DELEGATION_TOKEN_NOT_FOUND: entry(62, 'DELEGATION_TOKEN_NOT_FOUND'),
  DELEGATION_TOKEN_OWNER_MISMATCH: entry(63, 'DELEGATION_TOKEN_OWNER_MISMATCH'),
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: entry(64, 'DELEGATION_TOKEN_REQUEST_NOT_ALLOWED'),
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: entry(65, 'DELEGATION_TOKEN_AUTHORIZATION_FAILED'),
  DELEGATION_TOKEN_EXPIRED: entry(66, 'DELEGATION_TOKEN_EXPIRED'),
  INVALID_PRINCIPAL_TYPE: entry(67, 'INVALID_PRINCIPAL_TYPE'),
  NON_EMPTY_GROUP: entry(68, 'NON_EMPTY_GROUP'),
  GROUP_ID_NOT_FOUND: entry(69, 'GROUP_ID_NOT_FOUND'),
  FETCH_SESSION_ID_NOT_FOUND: entry(70, 'FETCH_SESSION_ID_NOT_FOUND', { retriable: true }),
  INVALID_FETCH_SESSION_EPOCH: entry(71, 'INVALID_FETCH_SESSION_EPOCH', { retriable: true }),
  LISTENER_NOT_FOUND: entry(72, 'LISTENER_NOT_FOUND', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  TOPIC_DELETION_DISABLED: entry(73, 'TOPIC_DELETION_DISABLED'),
  FENCED_LEADER_EPOCH: entry(74, 'FENCED_LEADER_EPOCH', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  UNKNOWN_LEADER_EPOCH: entry(75, 'UNKNOWN_LEADER_EPOCH', { retriable: true }),
  UNSUPPORTED_COMPRESSION_TYPE: entry(76, 'UNSUPPORTED_COMPRESSION_TYPE'),
  STALE_BROKER_EPOCH: entry(77, 'STALE_BROKER_EPOCH'),
  OFFSET_NOT_AVAILABLE: entry(78, 'OFFSET_NOT_AVAILABLE', { retriable: true }),
  MEMBER_ID_REQUIRED: entry(79, 'MEMBER_ID_REQUIRED'),
  PREFERRED_LEADER_NOT_AVAILABLE: entry(80, 'PREFERRED_LEADER_NOT_AVAILABLE', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  GROUP_MAX_SIZE_REACHED: entry(81, 'GROUP_MAX_SIZE_REACHED'),
  FENCED_INSTANCE_ID: entry(82, 'FENCED_INSTANCE_ID'),
  ELIGIBLE_LEADERS_NOT_AVAILABLE: entry(83, 'ELIGIBLE_LEADERS_NOT_AVAILABLE', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  ELECTION_NOT_NEEDED: entry(84, 'ELECTION_NOT_NEEDED', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  NO_REASSIGNMENT_IN_PROGRESS: entry(85, 'NO_REASSIGNMENT_IN_PROGRESS'),
  GROUP_SUBSCRIBED_TO_TOPIC: entry(86, 'GROUP_SUBSCRIBED_TO_TOPIC'),
  INVALID_RECORD: entry(87, 'INVALID_RECORD'),
  UNSTABLE_OFFSET_COMMIT: entry(88, 'UNSTABLE_OFFSET_COMMIT', { retriable: true }),
  THROTTLING_QUOTA_EXCEEDED: entry(89, 'THROTTLING_QUOTA_EXCEEDED', { retriable: true }),
  PRODUCER_FENCED: entry(90, 'PRODUCER_FENCED'),
  RESOURCE_NOT_FOUND: entry(91, 'RESOURCE_NOT_FOUND'),
  DUPLICATE_RESOURCE: entry(92, 'DUPLICATE_RESOURCE'),
  UNACCEPTABLE_CREDENTIAL: entry(93, 'UNACCEPTABLE_CREDENTIAL'),
  INCONSISTENT_VOTER_SET: entry(94, 'INCONSISTENT_VOTER_SET'),
  INVALID_UPDATE_VERSION: entry(95, 'INVALID_UPDATE_VERSION'),
  FEATURE_UPDATE_FAILED: entry(96, 'FEATURE_UPDATE_FAILED'),
  PRINCIPAL_DESERIALIZATION_FAILURE: entry(97, 'PRINCIPAL_DESERIALIZATION_FAILURE'),
  SNAPSHOT_NOT_FOUND: entry(98, 'SNAPSHOT_NOT_FOUND'),
  POSITION_OUT_OF_RANGE: entry(99, 'POSITION_OUT_OF_RANGE'),
  UNKNOWN_TOPIC_ID: entry(100, 'UNKNOWN_TOPIC_ID', { retriable: true, invalidatesMetadata: true }),
  DUPLICATE_BROKER_REGISTRATION: entry(101, 'DUPLICATE_BROKER_REGISTRATION'),
  BROKER_ID_NOT_REGISTERED: entry(102, 'BROKER_ID_NOT_REGISTERED'),
  INCONSISTENT_TOPIC_ID: entry(103, 'INCONSISTENT_TOPIC_ID', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  INCONSISTENT_CLUSTER_ID: entry(104, 'INCONSISTENT_CLUSTER_ID'),
  TRANSACTIONAL_ID_NOT_FOUND: entry(105, 'TRANSACTIONAL_ID_NOT_FOUND'),
  FETCH_SESSION_TOPIC_ID_ERROR: entry(106, 'FETCH_SESSION_TOPIC_ID_ERROR', { retriable: true }),
  INELIGIBLE_REPLICA: entry(107, 'INELIGIBLE_REPLICA'),
  NEW_LEADER_ELECTED: entry(108, 'NEW_LEADER_ELECTED'),
  OFFSET_MOVED_TO_TIERED_STORAGE: entry(109, 'OFFSET_MOVED_TO_TIERED_STORAGE'),
  FENCED_MEMBER_EPOCH: entry(110, 'FENCED_MEMBER_EPOCH'),
  UNRELEASED_INSTANCE_ID: entry(111, 'UNRELEASED_INSTANCE_ID'),
  UNSUPPORTED_ASSIGNOR: entry(112, 'UNSUPPORTED_ASSIGNOR'),
  STALE_MEMBER_EPOCH: entry(113, 'STALE_MEMBER_EPOCH'),
  MISMATCHED_ENDPOINT_TYPE: entry(114, 'MISMATCHED_ENDPOINT_TYPE'),
  UNSUPPORTED_ENDPOINT_TYPE: entry(115, 'UNSUPPORTED_ENDPOINT_TYPE'),
  UNKNOWN_CONTROLLER_ID: entry(116, 'UNKNOWN_CONTROLLER_ID'),
  UNKNOWN_SUBSCRIPTION_ID: entry(117, 'UNKNOWN_SUBSCRIPTION_ID'),
  TELEMETRY_TOO_LARGE: entry(118, 'TELEMETRY_TOO_LARGE'),
  INVALID_REGISTRATION: entry(119, 'INVALID_REGISTRATION'),
  TRANSACTION_ABORTABLE: entry(120, 'TRANSACTION_ABORTABLE'),
  INVALID_RECORD_STATE: entry(121, 'INVALID_RECORD_STATE'),
  SHARE_SESSION_NOT_FOUND: entry(122, 'SHARE_SESSION_NOT_FOUND', { retriable: true }),
  INVALID_SHARE_SESSION_EPOCH: entry(123, 'INVALID_SHARE_SESSION_EPOCH', { retriable: true }),
  FENCED_STATE_EPOCH: entry(124, 'FENCED_STATE_EPOCH'),
  INVALID_VOTER_KEY: entry(125, 'INVALID_VOTER_KEY'),
  DUPLICATE_VOTER: entry(126, 'DUPLICATE_VOTER'),
  VOTER_NOT_FOUND: entry(127, 'VOTER_NOT_FOUND'),
  INVALID_REGULAR_EXPRESSION: entry(128, 'INVALID_REGULAR_EXPRESSION'),
  REBOOTSTRAP_REQUIRED: entry(129, 'REBOOTSTRAP_REQUIRED'),
  STREAMS_INVALID_TOPOLOGY: entry(130, 'STREAMS_INVALID_TOPOLOGY'),
  STREAMS_INVALID_TOPOLOGY_EPOCH: entry(131, 'STREAMS_INVALID_TOPOLOGY_EPOCH'),
  STREAMS_TOPOLOGY_FENCED: entry(132, 'STREAMS_TOPOLOGY_FENCED'),
  SHARE_SESSION_LIMIT_REACHED: entry(133, 'SHARE_SESSION_LIMIT_REACHED', { retriable: true }),
  GROUP_DELETION_FAILED: entry(134, 'GROUP_DELETION_FAILED'),
  STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED: entry(
    135,
    'STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED',
  ),
  CONTROLLER_ID_NOT_REGISTERED: entry(136, 'CONTROLLER_ID_NOT_REGISTERED'),
} as const satisfies Record<string, ErrorEntry>

/** An official error name, such as `NOT_LEADER_OR_FOLLOWER`. */
export type ErrorName = keyof typeof errors

const names = new Map<number, ErrorName>(
  Object.entries(errors).map(([name, { code }]) => [code, name as ErrorName]),
)

/** The code of a name. */
export function errorCode(name: ErrorName): number {
  return errors[name].code
}

/** The name of a code; UNKNOWN_SERVER_ERROR for one that this table does not know. */
export function errorName(code: number): ErrorName {
  return names.get(code) ?? 'UNKNOWN_SERVER_ERROR'
}

/**
 * A refusal that the client is told by its code. It is an answer and no accident, so no stack is
 * captured: that makes it several times cheaper.
 */
export class KafkaError extends Error {
  readonly error: ErrorName
  readonly code: number
  readonly retriable: boolean
  /** What the client may be told beyond the code; undefined: nothing. */
  readonly detail: string | undefined

  constructor(error: ErrorName, detail?: string) {
    const { code, retriable, message } = errors[error]
    const limit = Error.stackTraceLimit
    Error.stackTraceLimit = 0
    super(detail ?? message)
    Error.stackTraceLimit = limit
    this.name = 'KafkaError'
    this.error = error
    this.code = code
    this.retriable = retriable
    this.detail = detail
  }
}
