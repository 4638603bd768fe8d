/**
 * Elections that somebody asks for (KIP-183, KIP-460), or that need one to be chosen who may have
 * lost records: replication.md §4.
 */
import type { Compare, Op } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { ElectionKind, ElectionOutcome, PartitionRef } from './admin.ts'
import type { Plan } from './controller-state.ts'
import type { Image } from './image.ts'
import { codecs, keys, type LogEnd } from './keys.ts'
import { type Change, type Member, nextState, type PartitionState } from './partition-state.ts'

/** One transaction at most; `asked` are as many as one takes. */
export function electLeaders(
  image: Image,
  kind: ElectionKind,
  asked: readonly PartitionRef[],
): Plan<ElectionOutcome[]> {
  const compares: Compare[] = []
  const ops: Op[] = []
  const answer = asked.map((ref): ElectionOutcome => {
    try {
      const { topicId, old, modRevision } = partitionOf(image, ref)
      const state = elected(image, topicId, ref.index, old, kind)
      const key = keys.partition(topicId, ref.index)
      compares.push({ key, target: 'modRevision', equals: modRevision })
      ops.push({ put: key, value: codecs.partition.encode({ ...old, ...state }) })
      return { ...ref, leader: state.leader![0] }
    } catch (error) {
      if (!(error instanceof KafkaError)) throw error
      return { ...ref, error }
    }
  })
  return { steps: ops.length === 0 ? [] : [{ compares, ops }], answer }
}

/** The state of a partition that a client names. Throws UNKNOWN_TOPIC_OR_PARTITION. */
export function partitionOf(image: Image, { topic, index }: PartitionRef) {
  const found = image.topicByName(topic)
  if (found === undefined) {
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `No such topic as ${topic}`)
  }
  const { topicId } = found
  const known = index < found.partitions.length ? image.partition(topicId, index) : undefined
  if (known === undefined) {
    throw new KafkaError('UNKNOWN_TOPIC_OR_PARTITION', `No such partition as ${topic}-${index}`)
  }
  return { topicId, old: known.value, modRevision: known.modRevision }
}

/** Partitions with a leader that is not the one they prefer, and could have it; `most` of them. */
export function imbalanced(image: Image, most: number): PartitionRef[] {
  const found: PartitionRef[] = []
  for (const { name, partitions } of image.topics()) {
    for (const [index, { leader, replicas, isr }] of partitions.entries()) {
      if (found.length === most) return found
      const [preferred] = replicas
      if (leader === null || leader[0] === preferred) continue
      const isReady = isr.some(([id, epoch]) => id === preferred && image.usable(id) === epoch)
      if (isReady) found.push({ topic: name, index })
    }
  }
  return found
}

function elected(
  image: Image,
  topicId: string,
  index: number,
  old: PartitionState,
  kind: ElectionKind,
): PartitionState {
  const isNeeded = kind === 'unclean' ? old.leader === null : old.leader?.[0] !== old.replicas[0]
  if (!isNeeded) throw new KafkaError('ELECTION_NOT_NEEDED')
  const isr = old.isr.filter(([id, epoch]) => image.usable(id) === epoch)
  const state = nextState(old, { isr, elect: kind }, image.usable)
  if (kind === 'preferred') {
    if (state.leader?.[0] === old.replicas[0]) return state
    throw new KafkaError('PREFERRED_LEADER_NOT_AVAILABLE')
  }
  // Of those that were complete once and have spoken, one that is gone for good is not waited for.
  const best = lastKnownLeader(image, topicId, index, old, 'any')
  const change: Change = { isr, elect: best ?? 'unclean' }
  const next = nextState(old, change, image.usable)
  if (next.leader === null) throw new KafkaError('ELIGIBLE_LEADERS_NOT_AVAILABLE')
  return next
}

/**
 * Nobody complete is left: of those that were, the one that kept most. Undefined while one of them
 * has not said where its log ends. With `any` those that are not here are not waited for, complete
 * ones included.
 */
export function lastKnownLeader(
  image: Image,
  topicId: string,
  index: number,
  { isr, elr, lastKnown }: PartitionState,
  required: 'all' | 'any' = 'all',
): Member | undefined {
  if (required === 'all' && (isr.length > 0 || elr.length > 0)) return undefined
  let best: { end: LogEnd; member: Member } | undefined
  for (const id of lastKnown) {
    const epoch = image.usable(id)
    const end = image.logEnd(id, topicId, index)
    if (epoch === undefined || end === undefined) {
      if (required === 'any') continue
      return undefined
    }
    if (best === undefined || isFurther(end, best.end)) best = { end, member: [id, epoch] }
  }
  return best?.member
}

function isFurther(a: LogEnd, b: LogEnd): boolean {
  return a.lastEpoch > b.lastEpoch || (a.lastEpoch === b.lastEpoch && a.endOffset > b.endOffset)
}
