/** All groups of one shard: what the shard drives. */
import type { Decision, ShardState, Times, Waiter } from '../shard-state.ts'
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
import type { GroupRecord } from './group-records.ts'

type Decided = Decision<GroupRecord>

export declare class GroupsState implements ShardState<GroupRecord> {
  constructor(settings: GroupSettings)
  /** Takes effect with the next command. */
  set settings(settings: GroupSettings)
  apply(record: GroupRecord): void
  loaded(times: Times): void
  expire(times: Times): Decided
  nextDeadlineMs(): number
  joinGroup(command: JoinGroup, times: Times, waiter: Waiter<JoinAnswer>): Decided
  syncGroup(command: SyncGroup, times: Times, waiter: Waiter<Synced>): Decided
  heartbeat(command: Heartbeat, times: Times, waiter: Waiter<void>): Decided
  leaveGroup(command: LeaveGroup, times: Times, waiter: Waiter<Left>): Decided
  listGroups(command: ListGroups, times: Times, waiter: Waiter<readonly ListedGroup[]>): Decided
  /** Throws GROUP_ID_NOT_FOUND. */
  describeGroup(groupId: string, times: Times, waiter: Waiter<DescribedGroup>): Decided
  /** Throws GROUP_ID_NOT_FOUND, NON_EMPTY_GROUP. */
  deleteGroup(groupId: string, times: Times, waiter: Waiter<void>): Decided
  commitOffsets(command: CommitOffsets, times: Times, waiter: Waiter<PartitionResults>): Decided
  fetchOffsets(command: FetchOffsets, times: Times, waiter: Waiter<FetchedOffsets>): Decided
  deleteOffsets(command: DeleteOffsets, times: Times, waiter: Waiter<PartitionResults>): Decided
  /** Offsets of topics that are gone (names) go. */
  topicsDeleted(names: ReadonlySet<string>, times: Times): Decided
  /** The connection closed: its dynamic members have `disconnectGraceMs` left. */
  disconnected(connection: number, times: Times): Decided
}
