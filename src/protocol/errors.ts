/** The error codes of the protocol, as one table, and the error that carries one. */
import { adviceFor } from './advice.ts'

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
  UNKNOWN_SERVER_ERROR: entry(-1, 'the broker failed in a way it did not foresee'),
  NONE: entry(0, 'no error'),
  OFFSET_OUT_OF_RANGE: entry(1, 'the offset lies outside the log'),
  CORRUPT_MESSAGE: entry(2, 'a record batch is malformed, or its CRC is wrong', {
    retriable: true,
  }),
  UNKNOWN_TOPIC_OR_PARTITION: entry(3, 'this broker knows no such topic or partition', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  INVALID_FETCH_SIZE: entry(4, 'the fetch size is invalid'),
  LEADER_NOT_AVAILABLE: entry(5, 'the partition has no leader now', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  NOT_LEADER_OR_FOLLOWER: entry(
    6,
    'this broker does not lead the partition, or holds no replica of it',
    { retriable: true, invalidatesMetadata: true },
  ),
  REQUEST_TIMED_OUT: entry(7, 'the request was not finished within its time', { retriable: true }),
  BROKER_NOT_AVAILABLE: entry(8, 'the broker is not available'),
  REPLICA_NOT_AVAILABLE: entry(9, 'the replica is not available', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  MESSAGE_TOO_LARGE: entry(10, "a record batch is larger than the topic's max.message.bytes"),
  STALE_CONTROLLER_EPOCH: entry(11, 'the controller has moved on to another epoch'),
  OFFSET_METADATA_TOO_LARGE: entry(12, 'the metadata of a committed offset is too large'),
  NETWORK_EXCEPTION: entry(13, 'the connection broke before there was an answer', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  COORDINATOR_LOAD_IN_PROGRESS: entry(14, 'the coordinator is still loading its state', {
    retriable: true,
  }),
  COORDINATOR_NOT_AVAILABLE: entry(15, 'there is no coordinator now', { retriable: true }),
  NOT_COORDINATOR: entry(16, 'this broker is not the coordinator', { retriable: true }),
  INVALID_TOPIC_EXCEPTION: entry(17, "the topic's name is not valid, or it cannot be written to"),
  RECORD_LIST_TOO_LARGE: entry(18, 'a record batch is larger than a segment'),
  NOT_ENOUGH_REPLICAS: entry(19, 'fewer replicas are in sync than min.insync.replicas asks for', {
    retriable: true,
  }),
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: entry(
    20,
    'the records are written, but fewer replicas are in sync than asked for',
    { retriable: true },
  ),
  INVALID_REQUIRED_ACKS: entry(21, 'acks is none of -1, 0 and 1'),
  ILLEGAL_GENERATION: entry(22, 'the group has another generation'),
  INCONSISTENT_GROUP_PROTOCOL: entry(23, 'the member shares no protocol with the group'),
  INVALID_GROUP_ID: entry(24, 'the group id is not valid'),
  UNKNOWN_MEMBER_ID: entry(25, 'the group has no such member'),
  INVALID_SESSION_TIMEOUT: entry(26, 'the session timeout is outside what the broker allows'),
  REBALANCE_IN_PROGRESS: entry(27, 'the group is rebalancing, the member has to join again'),
  INVALID_COMMIT_OFFSET_SIZE: entry(28, 'the committed offset is too large to be stored'),
  TOPIC_AUTHORIZATION_FAILED: entry(29, 'not authorized for the topic'),
  GROUP_AUTHORIZATION_FAILED: entry(30, 'not authorized for the group'),
  CLUSTER_AUTHORIZATION_FAILED: entry(31, 'not authorized for the cluster'),
  INVALID_TIMESTAMP: entry(32, "a record's timestamp is outside what the topic allows"),
  UNSUPPORTED_SASL_MECHANISM: entry(33, 'the listener does not offer this SASL mechanism'),
  ILLEGAL_SASL_STATE: entry(34, 'the request does not fit the state of authentication'),
  UNSUPPORTED_VERSION: entry(35, 'this version of the API is not spoken here'),
  TOPIC_ALREADY_EXISTS: entry(36, 'a topic of this name exists already'),
  INVALID_PARTITIONS: entry(37, 'the number of partitions is not valid'),
  INVALID_REPLICATION_FACTOR: entry(
    38,
    'the replication factor is below 1 or above the number of brokers',
  ),
  INVALID_REPLICA_ASSIGNMENT: entry(39, 'the assignment of replicas is not valid'),
  INVALID_CONFIG: entry(40, 'a configuration is not valid'),
  NOT_CONTROLLER: entry(41, 'this broker is not the controller', { retriable: true }),
  INVALID_REQUEST: entry(42, 'the request contradicts itself or the protocol'),
  UNSUPPORTED_FOR_MESSAGE_FORMAT: entry(43, 'the record format does not support this'),
  POLICY_VIOLATION: entry(44, 'a policy of the broker forbids this'),
  OUT_OF_ORDER_SEQUENCE_NUMBER: entry(
    45,
    "the producer's sequence number does not follow the last one",
  ),
  DUPLICATE_SEQUENCE_NUMBER: entry(46, "the producer's sequence number was written before"),
  INVALID_PRODUCER_EPOCH: entry(47, "the producer's epoch is older than the current one"),
  INVALID_TXN_STATE: entry(48, 'the transaction is in a state that does not allow this'),
  INVALID_PRODUCER_ID_MAPPING: entry(49, 'the transactional id has another producer id'),
  INVALID_TRANSACTION_TIMEOUT: entry(
    50,
    'the transaction timeout is above transaction.max.timeout.ms',
  ),
  CONCURRENT_TRANSACTIONS: entry(51, 'another transaction of this producer is not finished yet', {
    retriable: true,
  }),
  TRANSACTION_COORDINATOR_FENCED: entry(52, 'the transaction coordinator has been replaced'),
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: entry(53, 'not authorized for the transactional id'),
  SECURITY_DISABLED: entry(54, 'the broker has no security features turned on'),
  OPERATION_NOT_ATTEMPTED: entry(55, 'not attempted, as another part of the request failed'),
  KAFKA_STORAGE_ERROR: entry(56, 'the disk of the partition failed', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  LOG_DIR_NOT_FOUND: entry(57, 'the broker has no such log directory'),
  SASL_AUTHENTICATION_FAILED: entry(58, 'authentication failed'),
  UNKNOWN_PRODUCER_ID: entry(59, 'the broker knows nothing of the producer id'),
  REASSIGNMENT_IN_PROGRESS: entry(60, 'the partition is being reassigned'),
  DELEGATION_TOKEN_AUTH_DISABLED: entry(61, 'delegation tokens are turned off'),
  DELEGATION_TOKEN_NOT_FOUND: entry(62, 'there is no such delegation token'),
  DELEGATION_TOKEN_OWNER_MISMATCH: entry(63, 'the delegation token belongs to another principal'),
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: entry(
    64,
    'delegation tokens cannot be asked for on this connection',
  ),
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: entry(65, 'not authorized for the delegation token'),
  DELEGATION_TOKEN_EXPIRED: entry(66, 'the delegation token has expired'),
  INVALID_PRINCIPAL_TYPE: entry(67, 'principals of this type are not supported'),
  NON_EMPTY_GROUP: entry(68, 'the group has members'),
  GROUP_ID_NOT_FOUND: entry(69, 'there is no such group'),
  FETCH_SESSION_ID_NOT_FOUND: entry(70, 'there is no such fetch session', { retriable: true }),
  INVALID_FETCH_SESSION_EPOCH: entry(71, 'the fetch session is at another epoch', {
    retriable: true,
  }),
  LISTENER_NOT_FOUND: entry(72, 'the leader has no listener of the name by which the client came', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  TOPIC_DELETION_DISABLED: entry(73, 'topics cannot be deleted here'),
  FENCED_LEADER_EPOCH: entry(74, "the leader epoch is older than this broker's", {
    retriable: true,
    invalidatesMetadata: true,
  }),
  UNKNOWN_LEADER_EPOCH: entry(75, "the leader epoch is newer than this broker's", {
    retriable: true,
  }),
  UNSUPPORTED_COMPRESSION_TYPE: entry(
    76,
    'the compression is unknown, or too new for this version',
  ),
  STALE_BROKER_EPOCH: entry(77, 'the broker has registered again since'),
  OFFSET_NOT_AVAILABLE: entry(
    78,
    'the leader is new and its high watermark has not caught up yet',
    { retriable: true },
  ),
  MEMBER_ID_REQUIRED: entry(79, 'the member has to join again with the id it was given'),
  PREFERRED_LEADER_NOT_AVAILABLE: entry(80, 'the preferred leader is not available', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  GROUP_MAX_SIZE_REACHED: entry(81, 'the group has as many members as it may have'),
  FENCED_INSTANCE_ID: entry(82, 'another member has taken over the instance id'),
  ELIGIBLE_LEADERS_NOT_AVAILABLE: entry(83, 'no replica that may lead is available', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  ELECTION_NOT_NEEDED: entry(84, 'the leader is the right one already', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  NO_REASSIGNMENT_IN_PROGRESS: entry(85, 'the partition is not being reassigned'),
  GROUP_SUBSCRIBED_TO_TOPIC: entry(86, 'the group is subscribed to the topic'),
  INVALID_RECORD: entry(87, 'a record is not valid'),
  UNSTABLE_OFFSET_COMMIT: entry(88, 'an open transaction has offsets that are not decided yet', {
    retriable: true,
  }),
  THROTTLING_QUOTA_EXCEEDED: entry(89, 'the quota is used up, try again later', {
    retriable: true,
  }),
  PRODUCER_FENCED: entry(90, 'a newer producer uses the same transactional id'),
  RESOURCE_NOT_FOUND: entry(91, 'there is no such resource'),
  DUPLICATE_RESOURCE: entry(92, 'the resource exists already'),
  UNACCEPTABLE_CREDENTIAL: entry(93, 'the credential does not meet the rules'),
  INCONSISTENT_VOTER_SET: entry(94, 'the voters are not the ones expected'),
  INVALID_UPDATE_VERSION: entry(95, 'the update version is not valid'),
  FEATURE_UPDATE_FAILED: entry(96, 'the features could not be updated'),
  PRINCIPAL_DESERIALIZATION_FAILURE: entry(97, 'the forwarded principal cannot be read'),
  SNAPSHOT_NOT_FOUND: entry(98, 'there is no such snapshot'),
  POSITION_OUT_OF_RANGE: entry(99, 'the position lies outside the snapshot'),
  UNKNOWN_TOPIC_ID: entry(100, 'this broker knows no topic with this id', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  DUPLICATE_BROKER_REGISTRATION: entry(101, 'another broker is registered under this id'),
  BROKER_ID_NOT_REGISTERED: entry(102, 'no broker is registered under this id'),
  INCONSISTENT_TOPIC_ID: entry(103, 'the topic id is not that of the log', {
    retriable: true,
    invalidatesMetadata: true,
  }),
  INCONSISTENT_CLUSTER_ID: entry(104, 'the request is meant for another cluster'),
  TRANSACTIONAL_ID_NOT_FOUND: entry(105, 'there is no such transactional id'),
  FETCH_SESSION_TOPIC_ID_ERROR: entry(
    106,
    'a fetch session cannot change between topic names and topic ids',
    { retriable: true },
  ),
  INELIGIBLE_REPLICA: entry(107, 'the new ISR contains a replica that may not be in it'),
  NEW_LEADER_ELECTED: entry(108, 'the change to the ISR also made another broker leader'),
  OFFSET_MOVED_TO_TIERED_STORAGE: entry(
    109,
    'the offset is no longer on local disk, but in tiered storage',
  ),
  FENCED_MEMBER_EPOCH: entry(
    110,
    "the member epoch is not the coordinator's, the member has to join again",
  ),
  UNRELEASED_INSTANCE_ID: entry(111, 'another member still uses the instance id'),
  UNSUPPORTED_ASSIGNOR: entry(112, 'the group cannot use this assignor'),
  STALE_MEMBER_EPOCH: entry(113, 'the member epoch is old, ask again after the next heartbeat'),
  MISMATCHED_ENDPOINT_TYPE: entry(114, 'the request is meant for another type of endpoint'),
  UNSUPPORTED_ENDPOINT_TYPE: entry(115, 'this type of endpoint is not supported'),
  UNKNOWN_CONTROLLER_ID: entry(116, 'there is no such controller'),
  UNKNOWN_SUBSCRIPTION_ID: entry(117, 'the telemetry subscription is not the current one'),
  TELEMETRY_TOO_LARGE: entry(118, 'the pushed metrics are larger than allowed'),
  INVALID_REGISTRATION: entry(119, 'the registration is not valid'),
  TRANSACTION_ABORTABLE: entry(120, 'the transaction can only be aborted'),
  INVALID_RECORD_STATE: entry(121, 'the record is not in a state that allows this acknowledgement'),
  SHARE_SESSION_NOT_FOUND: entry(122, 'there is no such share session', { retriable: true }),
  INVALID_SHARE_SESSION_EPOCH: entry(123, 'the share session is at another epoch', {
    retriable: true,
  }),
  FENCED_STATE_EPOCH: entry(124, 'the share state has a newer epoch'),
  INVALID_VOTER_KEY: entry(125, "the voter's key is not that of the receiver"),
  DUPLICATE_VOTER: entry(126, 'the voter is in the set already'),
  VOTER_NOT_FOUND: entry(127, 'the voter is not in the set'),
  INVALID_REGULAR_EXPRESSION: entry(128, 'the regular expression is not valid'),
  REBOOTSTRAP_REQUIRED: entry(129, 'the client has to start again from its bootstrap servers'),
  STREAMS_INVALID_TOPOLOGY: entry(130, 'the streams topology is not valid'),
  STREAMS_INVALID_TOPOLOGY_EPOCH: entry(131, 'the epoch of the streams topology is not valid'),
  STREAMS_TOPOLOGY_FENCED: entry(132, 'the streams group has a newer topology'),
  SHARE_SESSION_LIMIT_REACHED: entry(133, 'there are as many share sessions as there may be', {
    retriable: true,
  }),
  GROUP_DELETION_FAILED: entry(134, 'the group could not be deleted'),
  STREAMS_TOPOLOGY_DESCRIPTION_UPDATE_FAILED: entry(
    135,
    'the description of the streams topology could not be stored',
  ),
  CONTROLLER_ID_NOT_REGISTERED: entry(136, 'no controller is registered under this id'),
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
  /** The official name. */
  readonly error: ErrorName
  readonly code: number
  /** The same request may succeed later. */
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

  /** As a client tells its user: of what, what it means, and what to do. */
  static of(error: ErrorName, what: string): KafkaError {
    const { message, retriable } = errors[error]
    return new KafkaError(error, `${what}: ${error}, ${message}: ${adviceFor(error, retriable)}`)
  }

  /** What to do about it, for people. */
  get advice(): string {
    return adviceFor(this.error, this.retriable)
  }
}
