/**
 * A partition moves to other replicas (KIP-455): replication.md §7, "Reassignment".
 *
 * It begins with `replicas` = the target, then those to be removed, and a key with the target and
 * with the replicas it had. The added ones copy what there is, while the old ones serve and `minIsr`
 * stays as it was. It is complete when every added replica is in the ISR, and the ISR without the
 * removed ones has as many members as the target must have: then one write drops the removed ones,
 * raises the leader epoch and lets another replica lead if the leader is one of them. To cancel is to
 * go back to the replicas it had, under the same condition.
 *
 * A replica that is taken out was in the ISR or not, but those that stay were: each of them has
 * every record below the high watermark.
 */
import { KafkaError } from '../protocol/errors.ts'
import type { ReassignmentValue } from './keys.ts'
import { type Change, nextState, type PartitionState, type Usable } from './partition-state.ts'

/** Where a partition goes; undefined: it stays where it is. */
export type Move = Pick<ReassignmentValue, 'target' | 'original'> | undefined

/** The first write of a move, and what is under way then. */
export interface Beginning {
  readonly placement: Required<Pick<Change, 'replicas' | 'adding' | 'removing'>>
  readonly move: Move
}

/** A partition is on its way to `target`: what was under way before is replaced. */
export function begin(
  { replicas }: PartitionState,
  move: Move,
  target: readonly number[],
): Beginning {
  const original = move?.original ?? replicas
  const removing = sorted(replicas.filter(id => !target.includes(id)))
  const adding = sorted(target.filter(id => !original.includes(id)))
  const isThere = removing.length === 0 && adding.length === 0
  return {
    placement: { replicas: [...target, ...removing], adding, removing },
    // Another order of the same replicas is all there is to it.
    move: isThere ? undefined : { target, original },
  }
}

/** Back to the replicas it had. Throws NO_REASSIGNMENT_IN_PROGRESS, INVALID_REPLICA_ASSIGNMENT. */
export function cancel(state: PartitionState, move: Move): Beginning {
  if (move === undefined) {
    throw new KafkaError('NO_REASSIGNMENT_IN_PROGRESS', 'No partition reassignment is in progress.')
  }
  const { original } = move
  // Replicas out of the ISR may lack what was committed since the move began.
  if (!state.isr.some(([id]) => original.includes(id))) {
    throw new KafkaError(
      'INVALID_REPLICA_ASSIGNMENT',
      `none of the replicas ${original} that it had before is in sync: going back would lose records`,
    )
  }
  return begin(state, move, original)
}

/** The change that ends a move, with all that `change` wants; undefined while it must go on. */
export function completion(
  state: PartitionState,
  { target, original }: NonNullable<Move>,
  change: Change,
  minInsyncReplicas: number,
  usable: Usable,
): Change | undefined {
  const minIsr = Math.min(minInsyncReplicas, target.length)
  const isr = (change.isr ?? state.isr).filter(
    ([id]) => target.includes(id) && change.lossy?.includes(id) !== true,
  )
  const isIn = (id: number) => isr.some(([member]) => member === id)
  const isCopied = target.every(id => original.includes(id) || isIn(id))
  if (!isCopied || isr.length < minIsr) return undefined
  const ended = { ...change, isr, minIsr, replicas: target, adding: [], removing: [] }
  return nextState(state, ended, usable).leader === null ? undefined : ended
}

/** min.insync.replicas as it counts for a partition that may be on its way. */
export function effectiveMinIsr(
  { replicas }: PartitionState,
  move: Move,
  minInsyncReplicas: number,
): number {
  return Math.min(minInsyncReplicas, (move?.original ?? replicas).length)
}

function sorted(ids: readonly number[]): number[] {
  return ids.toSorted((a, b) => a - b)
}
