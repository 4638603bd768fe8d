/**
 * What a program of members says: one JSON line for each event, before it acts on it. So whatever a
 * member committed, it has said before that it read; `kill -9` takes back no line.
 *
 * A program is started as `COMMAND… BOOTSTRAP TOPIC` and reads lines: `start NAME GROUP` makes a
 * member that reads the topic from its start, `leave NAME` closes it. It ends with its input. ASSIGNOR in
 * its environment names another assignor than range (not for kafkajs).
 */

/** `at` is wall-clock time in ms; a member's name is its own through all its lives. */
export type MemberEvent = { readonly at: number; readonly member: string } & (
  | Joined
  | Read
  | Committed
  | Revoked
  | { readonly event: 'left' }
  /** `why`: a commit was refused or its outcome is unknown, as happens; or the member gave up. */
  | { readonly event: 'refused' | 'failed'; readonly why: string }
)

/** It has its assignment, all of it. `generation` −1: its client could not tell. */
export interface Joined {
  readonly event: 'joined'
  readonly generation: number
  /** The id that the broker gave it. */
  readonly id: string
  readonly partitions: readonly number[]
}

/** It has given these up: nothing of them is read or committed any more. */
export interface Revoked {
  readonly event: 'revoked'
  /** Undefined: all that it had. */
  readonly partitions?: readonly number[]
}

/** Pairs of offset and value, of one partition. */
export interface Read {
  readonly event: 'read'
  readonly partition: number
  readonly records: readonly (readonly [offset: number, value: number])[]
}

/** The broker acknowledged these offsets. `generation` −1: its client could not tell. */
export interface Committed {
  readonly event: 'committed'
  readonly generation: number
  readonly id: string
  readonly offsets: readonly (readonly [partition: number, offset: number])[]
}
