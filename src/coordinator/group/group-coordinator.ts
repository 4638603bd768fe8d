/**
 * The front of the groups: finds the shard of a group id, and asks it.
 *
 * A group belongs to the partition of `__consumer_offsets` that its id hashes to, and whoever leads
 * that partition coordinates it. Shards come and go with the leaderships of this broker.
 */
import type { Image } from '../../cluster/image.ts'
import type { Io } from '../../io/io.ts'
import type { Replicas } from '../../replica/replicas.ts'
import type { InternalTopic } from '../internal-topic.ts'
import { Shard } from '../shard.ts'
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

/**
 * Every method but `coordinatorOf` throws NOT_COORDINATOR, COORDINATOR_LOAD_IN_PROGRESS,
 * COORDINATOR_NOT_AVAILABLE (the stop of the broker and the deadline too), and what the command does.
 */
export declare class GroupCoordinator {
  constructor(io: Io, image: Image, replicas: Replicas, topic: InternalTopic, options: object)
  /**
   * Broker id of the group's coordinator; makes `__consumer_offsets` when there is none yet. Throws
   * COORDINATOR_NOT_AVAILABLE, INVALID_GROUP_ID.
   */
  coordinatorOf(groupId: string, deadlineMs: number): Promise<number>
  joinGroup(command: Said<JoinGroup>, caller: Caller): Promise<JoinAnswer>
  syncGroup(command: Said<SyncGroup>, caller: Caller): Promise<Synced>
  heartbeat(command: Said<Heartbeat>, caller: Caller): Promise<void>
  leaveGroup(command: LeaveGroup, caller: Caller): Promise<Left>
  commitOffsets(command: Said<CommitOffsets>, caller: Caller): Promise<PartitionResults>
  fetchOffsets(command: FetchOffsets, caller: Caller): Promise<FetchedOffsets>
  deleteOffsets(command: DeleteOffsets, caller: Caller): Promise<PartitionResults>
  describeGroup(groupId: string, caller: Caller): Promise<DescribedGroup>
  deleteGroup(groupId: string, caller: Caller): Promise<void>
  /** Of all shards here. Throws COORDINATOR_LOAD_IN_PROGRESS while one is loading, as Kafka does. */
  listGroups(command: ListGroups, caller: Caller): Promise<readonly ListedGroup[]>
  /** The connection is gone; unless the broker stops, its members have the grace time left. */
  disconnected(connection: number): void
  /** Refuses everything from now on, and whoever waits for others; what is decided is still answered. */
  stop(): void
}
