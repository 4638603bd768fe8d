/**
 * What a shard and the state machine it drives agree on.
 *
 * A command reads the state and decides: which records are appended, and who is answered with what.
 * The shard appends and applies the records, and hands the answers out when they are
 * replicated. A command whose waiter no decision has answered is parked: a later decision (of another
 * command, or of `expire`) answers it. Everything here is pure; time and waiters come as arguments.
 */
import type { KafkaError } from '../protocol/errors.ts'

/** Who waits for an answer; made by the shard, handed to the command. The response is a phantom. */
export type Waiter<Response> = number & { readonly response?: Response }

/** What one waiter is told: `error` where there is one, else `response`. */
export interface Answer {
  readonly waiter: number
  readonly response?: unknown
  readonly error?: KafkaError
}

/** What a command decided. A waiter that is not answered is parked until a later decision does it. */
export interface Decision<Record> {
  /** One batch; too large for one, they make several, of which a crash may leave the first ones. */
  readonly records: readonly Record[]
  /** Given when the records, and every earlier one, are replicated. */
  readonly answers: readonly Answer[]
}

/** The time of a command. */
export interface Times {
  /** Monotonic: deadlines. */
  readonly nowMs: number
  /** Since the epoch: stamps in records, expiry of offsets. */
  readonly wallMs: number
}

/** The state of one partition of an internal topic. */
export interface ShardState<Record> {
  /** The only writer of replicated state; also replays the log. */
  apply(record: Record): void
  /** After the replay: sessions of members begin now. */
  loaded(times: Times): void
  /** Time is a command. */
  expire(times: Times): Decision<Record>
  /** Monotonic; Infinity when nothing waits. May be early, never late: then the timer looks again. */
  nextDeadlineMs(): number
}

/** The wire form of the records of one kind of state. */
export interface RecordCodec<Record> {
  /** A null value is a tombstone: it deletes what the key names. */
  encode(record: Record): { readonly key: Uint8Array; readonly value: Uint8Array | null }
  /** Undefined for a kind that is not known. Throws when the bytes do not parse. Copies what it keeps. */
  decode(key: Uint8Array, value: Uint8Array | null): Record | undefined
}
