/** What is said of a partition whose leader clients cannot use. */
import type { PartitionState } from '../cluster/partition-state.ts'
import { errorCode } from '../protocol/errors.ts'

/** LEADER_NOT_AVAILABLE while nobody leads, else 0. */
export function partitionError(state: PartitionState): number {
  return state.leader === null ? errorCode('LEADER_NOT_AVAILABLE') : 0
}
