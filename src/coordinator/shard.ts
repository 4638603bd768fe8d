/** One leadership of one partition of an internal topic: drives the state machine kept in it. */
import type { Io } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { Partition } from '../replica/partition.ts'
import type { Decision, RecordCodec, ShardState, Times, Waiter } from './shard-state.ts'

/** What is kept in a partition. */
export interface ShardOptions<Record, State extends ShardState<Record>> {
  readonly codec: RecordCodec<Record>
  newState(): State
  /** The log is read in pieces of about this size while it is loaded. */
  readonly loadBytes: number
}

/** A command: reads the state and decides. */
export type Decide<Record, State, Response> = (
  state: State,
  times: Times,
  waiter: Waiter<Response>,
) => Decision<Record>

/** See above. Made when the leadership begins, closed when it ends. */
export class Shard<Record, State extends ShardState<Record>> {
  constructor(io: Io, partition: Partition, options: ShardOptions<Record, State>) {
    void [io, partition, options]
  }

  /**
   * Decides, applies and appends at once; resolves with the waiter's answer when the records, and
   * all before them, are replicated. Throws COORDINATOR_LOAD_IN_PROGRESS, NOT_COORDINATOR,
   * COORDINATOR_NOT_AVAILABLE (nothing is said then about whether it took effect), REQUEST_TIMED_OUT
   * at the monotonic deadline, and what the command throws.
   */
  run<Response>(decide: Decide<Record, State, Response>, deadlineMs: number): Promise<Response> {
    void [decide, deadlineMs]
    return Promise.reject(new KafkaError('COORDINATOR_LOAD_IN_PROGRESS'))
  }

  /** The leadership ended: all who wait are told NOT_COORDINATOR. */
  close(): void {}
}
