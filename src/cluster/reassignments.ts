/** Moves of partitions to other replicas, as clients ask for them: `reassignment-state.ts`. */
import type { Compare, Op } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { NewReplicas, PartitionRef, ReplicasOutcome } from './admin.ts'
import type { Plan } from './controller-state.ts'
import { partitionOf } from './elections.ts'
import type { Image } from './image.ts'
import { codecs, keys } from './keys.ts'
import { nextState, type PartitionState } from './partition-state.ts'
import { begin, cancel, type Move } from './reassignment-state.ts'

/** Each takes two keys of a transaction. */
export const movesInStep = 60

/** What is under way in one partition. */
export interface MovingPartition extends PartitionRef {
  readonly state: PartitionState
}

/** One transaction at most; `asked` are `movesInStep` at most. */
export function reassign(
  image: Image,
  asked: readonly NewReplicas[],
  mayChangeFactor: boolean,
): Plan<ReplicasOutcome[]> {
  const compares: Compare[] = []
  const ops: Op[] = []
  const answer = asked.map(({ topic, index, replicas }): ReplicasOutcome => {
    const ref = { topic, index }
    try {
      const { topicId, old, modRevision } = partitionOf(image, ref)
      const known = image.reassignment(topicId, index)?.value
      if (replicas !== null) checkTarget(image, replicas, old, known, mayChangeFactor)
      const { placement, move } =
        replicas === null ? cancel(old, known) : begin(old, known, replicas)
      const isNothing = isSameList(placement.replicas, old.replicas) && isSameMove(known, move)
      if (isNothing) return ref
      const key = keys.partition(topicId, index)
      const moveKey = keys.reassignment(topicId, index)
      const state = nextState(old, placement, image.usable)
      compares.push({ key, target: 'modRevision', equals: modRevision })
      ops.push({ put: key, value: codecs.partition.encode({ ...old, ...state }) })
      if (move !== undefined) {
        ops.push({ put: moveKey, value: codecs.reassignment.encode({ ...known, ...move }) })
      } else if (known !== undefined) ops.push({ delete: { key: moveKey } })
      return ref
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return { ...ref, error }
    }
  })
  return { steps: ops.length === 0 ? [] : [{ compares, ops }], answer }
}

/** All that is under way, or what of `asked` is; in order of topics and indexes. */
export function movingPartitions(image: Image, asked?: readonly PartitionRef[]): MovingPartition[] {
  const refs = asked ?? allMoving(image)
  const found: MovingPartition[] = []
  for (const { topic, index } of refs) {
    const shown = image.topicByName(topic)
    const state = shown?.partitions[index]
    if (shown === undefined || state === undefined) continue
    if (image.reassignment(shown.topicId, index) !== undefined) found.push({ topic, index, state })
  }
  return found.sort((a, b) =>
    a.topic === b.topic ? a.index - b.index : a.topic < b.topic ? -1 : 1,
  )
}

function* allMoving(image: Image): Iterable<PartitionRef> {
  for (const { topicId, index } of image.reassignments()) {
    const topic = image.topicById(topicId)?.name
    if (topic !== undefined) yield { topic, index }
  }
}

function checkTarget(
  image: Image,
  target: readonly number[],
  old: PartitionState,
  known: Move,
  mayChangeFactor: boolean,
): void {
  const refuse = (detail: string) => new KafkaError('INVALID_REPLICA_ASSIGNMENT', detail)
  if (target.length === 0) {
    throw refuse('The manual partition assignment includes an empty replica list.')
  }
  const twice = target.find((id, at) => target.indexOf(id) !== at)
  if (twice !== undefined) {
    throw refuse(`The manual partition assignment includes the broker ${twice} more than once.`)
  }
  const brokers = new Set(image.knownBrokers())
  const unknown = target.find(id => !brokers.has(id))
  if (unknown !== undefined) {
    throw refuse(
      `The manual partition assignment includes broker ${unknown}, but no such broker is registered.`,
    )
  }
  const factor = (known?.original ?? old.replicas).length
  if (!mayChangeFactor && target.length !== factor) {
    throw new KafkaError(
      'INVALID_REPLICATION_FACTOR',
      `The replication factor is changed from ${factor} to ${target.length}`,
    )
  }
}

function isSameMove(a: Move, b: Move): boolean {
  if (a === undefined || b === undefined) return a === b
  return isSameList(a.target, b.target) && isSameList(a.original, b.original)
}

function isSameList(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, at) => id === b[at])
}
