/**
 * The front of the groups: finds the shard of a group id, and asks it.
 *
 * A group belongs to the partition of `__consumer_offsets` that its id hashes to, and whoever leads
 * that partition coordinates it. Shards come and go with the leaderships of this broker.
 */
import { within } from '../../cluster/deadline.ts'
import type { Image, ImageChange } from '../../cluster/image.ts'
import type { GroupConfig } from '../../config/group-config.ts'
import type { Io } from '../../io/io.ts'
import { KafkaError } from '../../protocol/errors.ts'
import { Gate } from '../../replica/gate.ts'
import type { Partition } from '../../replica/partition.ts'
import type { Replicas } from '../../replica/replicas.ts'
import type { InternalTopic } from '../internal-topic.ts'
import { type Decide, Shard } from '../shard.ts'
import type {
  CommitOffsets,
  DeleteOffsets,
  DescribedGroup,
  FetchedOffsets,
  FetchOffsets,
  GroupSettings,
  Heartbeat,
  JoinAnswer,
  JoinGroup,
  LeaveGroup,
  Left,
  ListedGroup,
  ListGroups,
  PartitionResults,
  Synced,
  SyncGroup,
} from './commands.ts'
import { type GroupRecord, groupRecordCodec } from './group-records.ts'
import { GroupsState } from './groups-state.ts'

/** Who asks, and until when the answer is of use. */
export interface Caller {
  /** `ConnectionFacts.id` */
  readonly connection: number
  /** Monotonic. */
  readonly deadlineMs: number
  /** Empty: the client does not say. */
  readonly clientId: string
  /** The address it came from, as Kafka writes it: `/127.0.0.1`. */
  readonly clientHost: string
}

/** A command as a handler makes it; the rest comes from the caller. */
export type Said<Command> = Omit<Command, 'connection' | 'newMemberId' | 'clientId' | 'clientHost'>

/** What the coordinator follows, beside the image and the partitions. */
export interface GroupCoordinatorOptions {
  readonly topic: InternalTopic
  /** As they are now. */
  config(): GroupConfig
  /** What a batch may be decompressed to. */
  readonly maxBatchBytes: number
}

type GroupShard = Shard<GroupRecord, GroupsState>

/** Pieces of logs that are applied at once while shards are loaded. */
const concurrentLoads = 4

/** How long clients are kept waiting rather than refused while groups are loaded. */
const loadPatienceMs = 1000

/** What a batch of one record has around its key and value, generously. */
const batchRoomBytes = 128

/**
 * Every method but `coordinatorOf` throws NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS,
 * COORDINATOR_NOT_AVAILABLE (the deadline too), INVALID_GROUP_ID, and what the command does.
 */
export class GroupCoordinator {
  /** `__consumer_offsets` */
  readonly topic: InternalTopic
  readonly #io: Io
  readonly #image: Image
  readonly #replicas: Replicas
  readonly #options: GroupCoordinatorOptions
  readonly #loading = new Gate(concurrentLoads)
  /** By partition. */
  readonly #shards = new Map<number, GroupShard>()
  /** The shards that each open connection has had members in. */
  readonly #spoken = new Map<number, Set<number>>()
  readonly #cancels: (() => void)[] = []
  /** Names of topics by id: who is gone cannot be asked. */
  readonly #names = new Map<string, string>()
  #isStopped = false

  constructor(io: Io, image: Image, replicas: Replicas, options: GroupCoordinatorOptions) {
    this.#io = io
    this.#image = image
    this.#replicas = replicas
    this.topic = options.topic
    this.#options = options
  }

  /** Follows the leaderships, from now on and those there are. */
  start(): void {
    this.#cancels.push(this.#replicas.onLeadership(partition => this.#follow(partition)))
    this.#cancels.push(this.#image.subscribe(change => this.#onChange(change)))
    for (const topic of this.#image.topics()) this.#names.set(topic.topicId, topic.name)
    for (const partition of this.#replicas.all()) this.#follow(partition)
  }

  /**
   * Resolves when all shards are loaded, or after a second: a broker that serves before that sends
   * its first clients away.
   */
  async loaded(): Promise<void> {
    await this.#patiently(Promise.all([...this.#shards.values()].map(shard => shard.loaded)))
  }

  /**
   * Refuses everything from now on, and whoever is parked; what is decided is still answered. Closed
   * connections mean nothing any more: their members come back after the restart.
   */
  stop(): void {
    this.#isStopped = true
    for (const shard of this.#shards.values()) shard.stop()
  }

  /** After the last answer. */
  close(): void {
    this.stop()
    for (const cancel of this.#cancels) cancel()
    for (const shard of this.#shards.values()) shard.close()
    this.#shards.clear()
  }

  /**
   * Broker id of the group's coordinator; makes `__consumer_offsets` when there is none yet. Throws
   * COORDINATOR_NOT_AVAILABLE.
   */
  async coordinatorOf(groupId: string, deadlineMs: number): Promise<number> {
    const { partitions } = await this.topic.ready(deadlineMs)
    const index = partitionOf(groupId, partitions.length)
    const { leader } = partitions[index]!
    if (leader === null || this.#isStopped) throw new KafkaError('COORDINATOR_NOT_AVAILABLE')
    // Told too early, the client would be refused and come back later than it could.
    const shard = this.#shards.get(index)
    if (shard !== undefined) await this.#patiently(shard.loaded)
    return leader[0]
  }

  async joinGroup(command: Said<JoinGroup>, caller: Caller): Promise<JoinAnswer> {
    refuseEmpty(command.groupId)
    const { connection, clientId, clientHost } = caller
    const newMemberId = `${command.groupInstanceId ?? clientId}-${randomUuid(this.#io.random)}`
    const join = { ...command, connection, clientId, clientHost, newMemberId }
    return this.#asMember(command.groupId, caller, (state, times, waiter) =>
      state.joinGroup(join, times, waiter),
    )
  }

  async syncGroup(command: Said<SyncGroup>, caller: Caller): Promise<Synced> {
    refuseEmpty(command.groupId)
    const sync = { ...command, connection: caller.connection }
    return this.#asMember(command.groupId, caller, (state, times, waiter) =>
      state.syncGroup(sync, times, waiter),
    )
  }

  async heartbeat(command: Said<Heartbeat>, caller: Caller): Promise<void> {
    refuseEmpty(command.groupId)
    const heartbeat = { ...command, connection: caller.connection }
    return this.#asMember(command.groupId, caller, (state, times, waiter) =>
      state.heartbeat(heartbeat, times, waiter),
    )
  }

  commitOffsets(command: Said<CommitOffsets>, caller: Caller): Promise<PartitionResults> {
    const commit = { ...command, connection: caller.connection }
    return this.#asMember(command.groupId, this.#inTime(caller), (state, times, waiter) =>
      state.commitOffsets(commit, times, waiter),
    )
  }

  async leaveGroup(command: LeaveGroup, caller: Caller): Promise<Left> {
    refuseEmpty(command.groupId)
    return this.#run(command.groupId, caller, (state, times, waiter) =>
      state.leaveGroup(command, times, waiter),
    )
  }

  fetchOffsets(command: FetchOffsets, caller: Caller): Promise<FetchedOffsets> {
    return this.#run(command.groupId, caller, (state, times, waiter) =>
      state.fetchOffsets(command, times, waiter),
    )
  }

  async deleteOffsets(command: DeleteOffsets, caller: Caller): Promise<PartitionResults> {
    refuseEmpty(command.groupId)
    return this.#run(command.groupId, this.#inTime(caller), (state, times, waiter) =>
      state.deleteOffsets(command, times, waiter),
    )
  }

  describeGroup(groupId: string, caller: Caller): Promise<DescribedGroup> {
    return this.#run(groupId, caller, (state, times, waiter) =>
      state.describeGroup(groupId, times, waiter),
    )
  }

  deleteGroup(groupId: string, caller: Caller): Promise<void> {
    return this.#run(groupId, this.#inTime(caller), (state, times, waiter) =>
      state.deleteGroup(groupId, times, waiter),
    )
  }

  /**
   * Of all shards here. Throws COORDINATOR_LOAD_IN_PROGRESS while one of them is loaded; one that
   * cannot be loaded, or has left, is passed over (as in Kafka).
   */
  async listGroups(command: ListGroups, { deadlineMs }: Caller): Promise<readonly ListedGroup[]> {
    this.#refuseWhenStopped()
    const list: Decide<GroupRecord, GroupsState, readonly ListedGroup[]> = (state, times, waiter) =>
      state.listGroups(command, times, waiter)
    const lists = await Promise.all(
      [...this.#shards.values()].map(shard =>
        shard.run(list, deadlineMs).catch((error: unknown) => {
          if (error instanceof KafkaError && error.error === 'NOT_COORDINATOR') return []
          throw error
        }),
      ),
    )
    return lists.flat()
  }

  /** The connection is gone: its dynamic members have the grace time left. Not when the broker stops. */
  disconnected(connection: number): void {
    const spoken = this.#spoken.get(connection)
    this.#spoken.delete(connection)
    if (spoken === undefined || this.#isStopped) return
    for (const index of spoken) {
      const shard = this.#shards.get(index)
      if (shard?.isLoaded) shard.tell((state, times) => state.disconnected(connection, times))
    }
  }

  // ── Shards ─────────────────────────────────────────────────────────────────

  /** A command of a member: that its connection closes will be of interest. */
  #asMember<Response>(
    groupId: string,
    caller: Caller,
    decide: Decide<GroupRecord, GroupsState, Response>,
  ): Promise<Response> {
    const index = this.#indexOf(groupId)
    if (index !== undefined) {
      const spoken = this.#spoken.get(caller.connection)
      if (spoken === undefined) this.#spoken.set(caller.connection, new Set([index]))
      else spoken.add(index)
    }
    return this.#run(groupId, caller, decide)
  }

  async #run<Response>(
    groupId: string,
    { deadlineMs }: Caller,
    decide: Decide<GroupRecord, GroupsState, Response>,
  ): Promise<Response> {
    this.#refuseWhenStopped()
    const index = this.#indexOf(groupId)
    const shard = index === undefined ? undefined : this.#shards.get(index)
    if (shard === undefined) throw new KafkaError('NOT_COORDINATOR')
    return shard.run(decide, deadlineMs)
  }

  async #patiently(loaded: Promise<unknown>): Promise<void> {
    const { clock } = this.#io
    // Nothing fails here but the patience.
    await within(clock, loaded, clock.monotonicMs() + loadPatienceMs).catch(() => {})
  }

  #refuseWhenStopped(): void {
    if (this.#isStopped) throw new KafkaError('NOT_COORDINATOR')
  }

  /** Undefined while there is no topic. */
  #indexOf(groupId: string): number | undefined {
    const topic = this.topic.known
    return topic && partitionOf(groupId, topic.partitions.length)
  }

  /** Writes have to be replicated within offsets.commit.timeout.ms. */
  #inTime(caller: Caller): Caller {
    const latestMs = this.#io.clock.monotonicMs() + this.#options.config().commitTimeoutMs
    return { ...caller, deadlineMs: Math.min(caller.deadlineMs, latestMs) }
  }

  /** A leadership of this broker began or ended. */
  #follow(partition: Partition): void {
    if (partition.topic !== this.topic.name) return
    const { index } = partition
    const shard = this.#shards.get(index)
    const isCurrent = shard?.partition === partition
    if (isCurrent && shard.leaderEpoch === partition.leaderEpoch) return
    if (isCurrent || partition.isLeader) {
      shard?.close()
      this.#shards.delete(index)
    }
    if (partition.isLeader && !this.#isStopped) this.#shards.set(index, this.#shard(partition))
  }

  #shard(partition: Partition): GroupShard {
    const { config, maxBatchBytes } = this.#options
    return new Shard(this.#io, partition, {
      codec: groupRecordCodec,
      newState: () => new GroupsState(this.#settingsOf(partition)),
      loading: this.#loading,
      loadBytes: config().loadBytes,
      maxBatchBytes,
      compression: () => config().compression,
    })
  }

  #onChange({ topics, configs }: ImageChange): void {
    const ours = `topic/${this.topic.name}`
    if ([...configs].some(name => name === ours || name.startsWith('broker/'))) this.#configure()
    const gone = new Set<string>()
    for (const topicId of topics) {
      const name = this.#image.topicById(topicId)?.name
      if (name !== undefined) {
        this.#names.set(topicId, name)
        continue
      }
      const known = this.#names.get(topicId)
      this.#names.delete(topicId)
      if (known !== undefined) gone.add(known)
    }
    if (gone.size > 0) this.#forget(gone)
  }

  #configure(): void {
    for (const shard of this.#shards.values()) {
      shard.tell(state => {
        state.settings = this.#settingsOf(shard.partition)
        return { records: [], answers: [] }
      })
    }
  }

  #settingsOf({ maxBatchBytes }: Partition): GroupSettings {
    return { ...this.#options.config(), maxRecordBytes: maxBatchBytes - batchRoomBytes }
  }

  /** Offsets of topics that are gone go. */
  #forget(names: ReadonlySet<string>): void {
    for (const shard of this.#shards.values()) {
      shard.tell((state, times) => state.topicsDeleted(names, times))
    }
  }
}

/** As Kafka, which takes an empty id where only offsets are committed or looked at. */
function refuseEmpty(groupId: string): void {
  if (groupId === '') throw new KafkaError('INVALID_GROUP_ID')
}

/** The partition that a group id belongs to: Java's hash of the string, its absolute value. */
export function partitionOf(groupId: string, partitionCount: number): number {
  let hash = 0
  for (let i = 0; i < groupId.length; i++) hash = (Math.imul(31, hash) + groupId.charCodeAt(i)) | 0
  // As in Kafka, which has no absolute value for the smallest integer either.
  return (hash === -(2 ** 31) ? 0 : Math.abs(hash)) % partitionCount
}

/** A version 4 UUID (RFC 9562). */
function randomUuid(random: Io['random']): string {
  const bytes = Buffer.from(random.bytes(16))
  bytes[6] = (bytes[6]! & 0x0f) | 0x40
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  const hex = bytes.toString('hex')
  return [
    [0, 8],
    [8, 12],
    [12, 16],
    [16, 20],
    [20, 32],
  ]
    .map(([a, b]) => hex.slice(a, b))
    .join('-')
}
