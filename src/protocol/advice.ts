/** What to do about an error, for people: one line for each that programs meet. */
import type { ErrorName } from './errors.ts'

const rejoin = 'nothing: the consumer joins again by itself'
const ask = 'ask who keeps the cluster for the permission, or use another principal'
const raise = 'send less at a time, or raise the limit that is named'
const again = 'nothing, if it passes: the client tries again by itself until its time is over'

/** By error; those without a line have `adviceFor`'s general one. */
const advice: Partial<Record<ErrorName, string>> = {
  UNKNOWN_SERVER_ERROR: 'look into the log of the broker: it has the cause',
  NONE: 'nothing',
  OFFSET_OUT_OF_RANGE:
    'seek to an offset between the beginning and the end, or set offsetReset; retention may have removed it',
  CORRUPT_MESSAGE: 'send it again; if it stays, compare the checksums of what lies on the disk',
  UNKNOWN_TOPIC_OR_PARTITION:
    "create the topic, check its name, or turn on the broker's auto.create.topics.enable",
  LEADER_NOT_AVAILABLE: `${again}; if it stays, see whether the brokers of the partition are up`,
  NOT_LEADER_OR_FOLLOWER: `${again}: it asks for the new leader`,
  REQUEST_TIMED_OUT: 'try again with a longer time-out; if it stays, see how busy the brokers are',
  BROKER_NOT_AVAILABLE: 'check the id of the broker, and whether it is up',
  REPLICA_NOT_AVAILABLE: again,
  MESSAGE_TOO_LARGE: "send smaller records or batches, or raise the topic's max.message.bytes",
  OFFSET_METADATA_TOO_LARGE: "shorten it, or raise the broker's offset.metadata.max.bytes",
  NETWORK_EXCEPTION: again,
  COORDINATOR_LOAD_IN_PROGRESS: again,
  COORDINATOR_NOT_AVAILABLE: `${again}; if it stays, see whether __consumer_offsets has its leaders`,
  NOT_COORDINATOR: `${again}: it asks for the new coordinator`,
  INVALID_TOPIC_EXCEPTION:
    'use 1 to 249 letters, digits, dots, underscores and hyphens; internal topics cannot be written to',
  RECORD_LIST_TOO_LARGE: "send smaller batches, or raise the topic's segment.bytes",
  NOT_ENOUGH_REPLICAS:
    'see which brokers of the partition are down; or lower min.insync.replicas of the topic',
  NOT_ENOUGH_REPLICAS_AFTER_APPEND:
    'see which brokers of the partition are down: the records may be lost, or stored twice when they are sent again',
  INVALID_REQUIRED_ACKS: "set acks to 'all', 1 or 0",
  ILLEGAL_GENERATION: rejoin,
  INCONSISTENT_GROUP_PROTOCOL:
    'give all members of the group an assignor that they share, or this one another groupId',
  INVALID_GROUP_ID: 'set a groupId that is not empty',
  UNKNOWN_MEMBER_ID: `${rejoin}; when it comes often, handle less between two polls, or raise sessionTimeoutMs`,
  INVALID_SESSION_TIMEOUT:
    "set sessionTimeoutMs between the broker's group.min.session.timeout.ms and group.max.session.timeout.ms",
  REBALANCE_IN_PROGRESS: rejoin,
  INVALID_COMMIT_OFFSET_SIZE: 'shorten the metadata of the offset',
  TOPIC_AUTHORIZATION_FAILED: ask,
  GROUP_AUTHORIZATION_FAILED: ask,
  CLUSTER_AUTHORIZATION_FAILED: ask,
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: ask,
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: ask,
  INVALID_TIMESTAMP:
    "set a timestamp within the topic's message.timestamp.before.max.ms and message.timestamp.after.max.ms",
  UNSUPPORTED_SASL_MECHANISM: 'choose a mechanism that the listener has enabled',
  SASL_AUTHENTICATION_FAILED: 'check the user name and the password, and the mechanism',
  UNSUPPORTED_VERSION: 'use a newer broker, or do without what it does not have',
  TOPIC_ALREADY_EXISTS: 'use it as it is, delete it first, or choose another name',
  INVALID_PARTITIONS: 'ask for at least one partition; there can be more later, never fewer',
  INVALID_REPLICATION_FACTOR: 'ask for at least 1 and at most as many as there are brokers',
  INVALID_REPLICA_ASSIGNMENT: 'name brokers that exist, each once, as many for each partition',
  INVALID_CONFIG: 'check the name and the value of each configuration',
  NOT_CONTROLLER: again,
  INVALID_REQUEST: 'check what was asked for; if it was right, the client or the broker has a bug',
  POLICY_VIOLATION: 'ask who keeps the cluster what its policies allow',
  OUT_OF_ORDER_SEQUENCE_NUMBER:
    'make a new producer: records before this one were lost, by retention or an unclean election',
  DUPLICATE_SEQUENCE_NUMBER: 'nothing: the record is stored',
  INVALID_PRODUCER_EPOCH: 'close this producer: a newer one has taken its place',
  PRODUCER_FENCED: 'close this producer: a newer one has taken its place',
  UNKNOWN_PRODUCER_ID: `${again}, with a new producer id`,
  KAFKA_STORAGE_ERROR:
    'look into the log of the broker: a disk has failed; another replica takes over',
  LOG_DIR_NOT_FOUND: "name a directory of the broker's log.dirs",
  NON_EMPTY_GROUP: 'stop its members first, or take them out of the group',
  GROUP_ID_NOT_FOUND: 'check the name: a group is there as long as it has members or offsets',
  TOPIC_DELETION_DISABLED: "turn on the broker's delete.topic.enable",
  FENCED_LEADER_EPOCH: `${again}: it asks for the new leader`,
  UNKNOWN_LEADER_EPOCH: again,
  UNSUPPORTED_COMPRESSION_TYPE:
    'choose another compression: gzip, snappy and lz4 are known everywhere',
  OFFSET_NOT_AVAILABLE: again,
  MEMBER_ID_REQUIRED: rejoin,
  GROUP_MAX_SIZE_REACHED: "run fewer members, or raise the broker's group.max.size",
  FENCED_INSTANCE_ID: 'give each member a groupInstanceId of its own',
  UNRELEASED_INSTANCE_ID:
    'wait for the other member to leave, or give this one another instance id',
  GROUP_SUBSCRIBED_TO_TOPIC: 'stop the members that read the topic first',
  INVALID_RECORD: "check the record: a compacted topic's records need keys",
  UNSTABLE_OFFSET_COMMIT: again,
  THROTTLING_QUOTA_EXCEEDED: 'wait, do less at a time, or have the quota raised',
  UNKNOWN_TOPIC_ID: `${again}; if it stays, the topic was deleted`,
  INCONSISTENT_TOPIC_ID: `${again}; if it stays, the topic was deleted and made anew`,
  FENCED_MEMBER_EPOCH: rejoin,
  STALE_MEMBER_EPOCH: rejoin,
  UNSUPPORTED_ASSIGNOR: "choose one of the broker's assignors",
  INVALID_REGULAR_EXPRESSION: 'write the pattern as RE2 understands it',
  TELEMETRY_TOO_LARGE: raise,
  REBOOTSTRAP_REQUIRED: 'connect anew, with a new client',
  REASSIGNMENT_IN_PROGRESS: 'wait for the reassignment to end, or cancel it',
  NO_REASSIGNMENT_IN_PROGRESS: 'nothing: there is nothing to cancel',
  ELECTION_NOT_NEEDED: 'nothing: the leader is the right one',
  SECURITY_DISABLED: 'turn on an authorizer on the brokers',
}

/** What to do about an error; never empty. */
export function adviceFor(error: ErrorName, isRetriable: boolean): string {
  return advice[error] ?? (isRetriable ? again : 'change the request: as it is it fails again')
}
