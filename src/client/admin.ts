import * as brokers from './admin/brokers.ts'
import { AdminCall } from './admin/call.ts'
import * as configs from './admin/configs.ts'
import * as groups from './admin/groups.ts'
import * as offsets from './admin/offsets.ts'
import type {
  AdminCallOptions,
  BrokerVersions,
  ClusterDescription,
  ConfigChanges,
  ConfigResource,
  Configs,
  CreatedTopic,
  DescribeConfigsOptions,
  ElectionKind,
  GroupDescription,
  GroupListing,
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
  PartitionMove,
  ReassignOptions,
  RecordsToDelete,
  TopicDescription,
  TopicListing,
  ValidateOptions,
} from './admin/options.ts'
import type { Outcome } from './admin/outcome.ts'
import * as reassignments from './admin/reassignments.ts'
import * as topics from './admin/topics.ts'
import { type Connected, type Connecting, connectedBy } from './connected.ts'
import { ConnectionError } from './connection.ts'
import type { TopicPartition, TopicPartitionOffset } from './consumer/options.ts'

/**
 * Asks and changes what a cluster has: topics, configs, offsets, groups, brokers.
 *
 *     await using admin = new Admin({ bootstrap: 'localhost:9092' })
 *     orThrow(await admin.createTopics([{ topic: 'orders', partitions: 6 }]))
 *
 * What is asked of several things answers with an `Outcome` for each, in their order: its value, or
 * the `error` by which a broker refused it; one refusal is not thrown, for the others were done.
 * Thrown is what concerns a call as a whole: ConnectionError when no broker could be asked in time,
 * or this was closed; the reason of `signal`; OptionError, and EncodeError for what the protocol
 * cannot carry; KafkaError when brokers do not have what was asked (UNSUPPORTED_VERSION).
 *
 * What may pass (a coordinator that is loading, a controller that moved, a lost connection) is tried
 * again until `timeoutMs`. A change whose answer was lost may have taken effect: tried again, it can
 * be refused as done already (TOPIC_ALREADY_EXISTS).
 */
export class Admin implements AsyncDisposable {
  readonly #connected: Connected
  readonly #isOwn: boolean
  readonly #calls = new Set<AdminCall>()
  #isClosed = false

  /** Connects at the first call. Throws OptionError. */
  constructor(options: Connecting) {
    const { connected, isOwn } = connectedBy(options)
    this.#connected = connected
    this.#isOwn = isOwn
  }

  /**
   * Creates topics. When this answers, metadata shows a leader for each of their partitions (Apache
   * Kafka itself answers before); one that has none in time is LEADER_NOT_AVAILABLE, and created.
   */
  createTopics(
    newTopics: readonly (string | NewTopic)[],
    options: ValidateOptions = {},
  ): Promise<Outcome<{ topic: string }, CreatedTopic>[]> {
    const asked = newTopics.map(each => (typeof each === 'string' ? { topic: each } : each))
    return this.#call(options, call =>
      topics.createTopics(call, asked, options.validateOnly ?? false),
    )
  }

  /** Deletes topics. When this answers, metadata does not show them any more. */
  deleteTopics(
    names: readonly string[],
    options: AdminCallOptions = {},
  ): Promise<Outcome<{ topic: string }, { topicId: string }>[]> {
    return this.#call(options, call => topics.deleteTopics(call, names))
  }

  /** Adds partitions to topics; answers how many each has. They are ready as in `createTopics`. */
  createPartitions(
    newPartitions: readonly NewPartitions[],
    options: ValidateOptions = {},
  ): Promise<Outcome<{ topic: string }, { partitions: number }>[]> {
    return this.#call(options, call =>
      topics.createPartitions(call, newPartitions, options.validateOnly ?? false),
    )
  }

  /** All topics, in order of their names; those of the brokers themselves only with `internal`. */
  listTopics(
    options: AdminCallOptions & { readonly internal?: boolean | undefined } = {},
  ): Promise<TopicListing[]> {
    return this.#call(options, call => topics.listTopics(call, options.internal ?? false))
  }

  /**
   * Partitions of topics, their leaders and replicas; with `configs` what is configured, too. `names`
   * undefined: of all topics, internal ones included.
   */
  describeTopics(
    names?: readonly string[],
    options: AdminCallOptions & { readonly configs?: boolean | undefined } = {},
  ): Promise<Outcome<{ topic: string }, TopicDescription>[]> {
    return this.#call(options, call => topics.describeTopics(call, names, options.configs ?? false))
  }

  /** The brokers that are there; with `includeFenced` (from Kafka 4.0) those that are not, too. */
  describeCluster(
    options: AdminCallOptions & { readonly includeFenced?: boolean | undefined } = {},
  ): Promise<ClusterDescription> {
    return this.#call(options, call =>
      brokers.describeCluster(call.caller, options.includeFenced ?? false),
    )
  }

  /** Configs of topics and brokers, those that were set and those that have their default. */
  describeConfigs(
    resources: readonly ConfigResource[],
    options: DescribeConfigsOptions = {},
  ): Promise<Outcome<ConfigResource, { configs: Configs }>[]> {
    return this.#call(options, call => configs.describeConfigs(call, resources, options))
  }

  /**
   * Sets configs, takes them back to their defaults, adds to lists and takes from them; configs that
   * are not named stay. Apache Kafka shows a change a moment after this answers.
   */
  alterConfigs(
    changes: readonly ConfigChanges[],
    options: ValidateOptions = {},
  ): Promise<Outcome<ConfigResource>[]> {
    return this.#call(options, call =>
      configs.alterConfigs(call, changes, options.validateOnly ?? false),
    )
  }

  /** The first or last offsets of partitions, or those of a time. */
  listOffsets(
    queries: readonly OffsetQuery[],
    options: ListOffsetsOptions = {},
  ): Promise<Outcome<TopicPartition, ListedOffset>[]> {
    return this.#call(options, call => offsets.listOffsets(call, queries, options.isolation))
  }

  /** Deletes the oldest records of partitions; answers the first offset that is left. */
  deleteRecords(
    records: readonly RecordsToDelete[],
    options: AdminCallOptions = {},
  ): Promise<Outcome<TopicPartition, { logStartOffset: number }>[]> {
    return this.#call(options, call => offsets.deleteRecords(call, records))
  }

  /**
   * Groups of all brokers, in order of their names. Throws when one of the brokers cannot be asked:
   * the list would not be whole.
   */
  listGroups(options: ListGroupsOptions = {}): Promise<GroupListing[]> {
    return this.#call(options, call => groups.listGroups(call, options))
  }

  /** State and members of groups. GROUP_ID_NOT_FOUND when there is none of that name. */
  describeGroups(
    groupIds: readonly string[],
    options: AdminCallOptions = {},
  ): Promise<Outcome<{ groupId: string }, GroupDescription>[]> {
    return this.#call(options, call => groups.describeGroups(call, groupIds))
  }

  /** Deletes groups with their offsets. NON_EMPTY_GROUP while one has members. */
  deleteGroups(
    groupIds: readonly string[],
    options: AdminCallOptions = {},
  ): Promise<Outcome<{ groupId: string }>[]> {
    return this.#call(options, call => groups.deleteGroups(call, groupIds))
  }

  /** What groups have committed, in order of topic and partition; empty when there is no such group. */
  listGroupOffsets(
    groupIds: readonly string[],
    options: AdminCallOptions = {},
  ): Promise<Outcome<{ groupId: string }, { offsets: readonly GroupOffset[] }>[]> {
    return this.#call(options, call => groups.listGroupOffsets(call, groupIds))
  }

  /**
   * Commits offsets for a group that has no members, and makes it where it does not exist.
   * UNKNOWN_MEMBER_ID while it has members.
   */
  alterGroupOffsets(
    groupId: string,
    committed: readonly TopicPartitionOffset[],
    options: AdminCallOptions = {},
  ): Promise<Outcome<TopicPartition>[]> {
    return this.#call(options, call => groups.alterGroupOffsets(call, groupId, committed))
  }

  /** Forgets committed offsets. GROUP_SUBSCRIBED_TO_TOPIC while members of the group read the topic. */
  deleteGroupOffsets(
    groupId: string,
    partitions: readonly TopicPartition[],
    options: AdminCallOptions = {},
  ): Promise<Outcome<TopicPartition>[]> {
    return this.#call(options, call => groups.deleteGroupOffsets(call, groupId, partitions))
  }

  /**
   * Takes members out of a group, which rebalances; one that is alive joins again. With 'all' it
   * throws KafkaError GROUP_ID_NOT_FOUND when there is no such group.
   */
  removeMembers(
    groupId: string,
    members: 'all' | readonly MemberToRemove[],
    options: AdminCallOptions = {},
  ): Promise<Outcome<MemberName>[]> {
    return this.#call(options, call => groups.removeMembers(call, groupId, members))
  }

  /** What replicas take on the disks of brokers; `brokerIds` undefined: of all brokers. */
  describeLogDirs(
    brokerIds?: readonly number[],
    options: AdminCallOptions = {},
  ): Promise<
    Outcome<
      { brokerId: number },
      { logDirs: readonly Outcome<{ path: string }, LogDirDescription>[] }
    >[]
  > {
    return this.#call(options, call => brokers.describeLogDirs(call, brokerIds))
  }

  /** APIs and features of brokers; `brokerIds` undefined: of all brokers. */
  describeVersions(
    brokerIds?: readonly number[],
    options: AdminCallOptions = {},
  ): Promise<Outcome<{ brokerId: number }, BrokerVersions>[]> {
    return this.#call(options, call => brokers.describeVersions(call, brokerIds))
  }

  /**
   * Begins moves of partitions to other replicas, or cancels them. They go on by themselves:
   * `listPartitionReassignments` says which are under way.
   */
  alterPartitionReassignments(
    asked: readonly NewReplicas[],
    options: ReassignOptions = {},
  ): Promise<Outcome<TopicPartition>[]> {
    const mayChangeFactor = options.allowReplicationFactorChange ?? true
    return this.#call(options, call =>
      reassignments.alterPartitionReassignments(call, asked, mayChangeFactor),
    )
  }

  /** Moves under way, in order of topic and partition; `partitions` undefined: all of them. */
  listPartitionReassignments(
    partitions?: readonly TopicPartition[],
    options: AdminCallOptions = {},
  ): Promise<PartitionMove[]> {
    return this.#call(options, call => reassignments.listPartitionReassignments(call, partitions))
  }

  /**
   * Has partitions led by the replica they prefer, or, unclean, by one that may have lost records.
   * ELECTION_NOT_NEEDED where nothing is to be done; `partitions` undefined: all that need it.
   */
  electLeaders(
    kind: ElectionKind,
    partitions?: readonly TopicPartition[],
    options: AdminCallOptions = {},
  ): Promise<Outcome<TopicPartition>[]> {
    return this.#call(options, call => reassignments.electLeaders(call, kind, partitions))
  }

  /**
   * Forgets a broker that is gone for good. Ottla refuses it while the broker runs, or is a replica
   * (INVALID_REQUEST). Throws KafkaError, BROKER_ID_NOT_REGISTERED for one that is not known.
   */
  unregisterBroker(brokerId: number, options: AdminCallOptions = {}): Promise<void> {
    return this.#call(options, call => reassignments.unregisterBroker(call, brokerId))
  }

  /**
   * Raises the levels of features that the cluster is at, by name, when all brokers run the release
   * that speaks them. Throws KafkaError, INVALID_UPDATE_VERSION when one does not.
   */
  upgradeFeatures(
    levels: Readonly<Record<string, number>>,
    options: ValidateOptions = {},
  ): Promise<void> {
    return this.#call(options, call =>
      reassignments.upgradeFeatures(call, levels, options.validateOnly ?? false),
    )
  }

  /** Calls under way reject with ConnectionError CLOSED; a client that was given stays open. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true
    for (const call of this.#calls) call.end(closed())
    if (this.#isOwn) await this.#connected.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #call<Result>(
    { signal, timeoutMs = this.#connected.requestTimeoutMs }: AdminCallOptions,
    work: (call: AdminCall) => Promise<Result>,
  ): Promise<Result> {
    if (this.#isClosed) throw closed()
    signal?.throwIfAborted()
    const call = new AdminCall(this.#connected.cluster, timeoutMs)
    const end = () => call.end(signal?.reason)
    signal?.addEventListener('abort', end, { once: true })
    this.#calls.add(call)
    try {
      return await work(call)
    } catch (error) {
      // When it was ended, that is why, whatever else failed by it.
      call.throwIfEnded()
      throw error
    } finally {
      this.#calls.delete(call)
      signal?.removeEventListener('abort', end)
    }
  }
}

function closed(): ConnectionError {
  return new ConnectionError('CLOSED', 'this admin was closed', { retriable: false })
}
