/** What one command works with, and what it has decided so far. */
import type { KafkaError } from '../../protocol/errors.ts'
import type { Answer, Decision, Times } from '../shard-state.ts'
import type { GroupSettings } from './commands.ts'
import type { Connections } from './connections.ts'
import type { GroupRecord } from './group-records.ts'

/** A decision in the making: a command that throws must not have answered anyone else. */
export interface Turn extends Decision<GroupRecord> {
  readonly times: Times
  readonly settings: GroupSettings
  readonly connections: Connections
  readonly records: GroupRecord[]
  readonly answers: Answer[]
}

/** The waiter gets its response. */
export function answer(turn: Turn, waiter: number, response: unknown): void {
  turn.answers.push({ waiter, response })
}

/** The waiter, where there is one, is refused. */
export function refuse(turn: Turn, waiter: number | undefined, error: KafkaError): void {
  if (waiter !== undefined) turn.answers.push({ waiter, error })
}
