/**
 * What the controller does unasked, as one idempotent comparison of what is with what should be:
 * members that are gone leave the ISR, brokers that registered are admitted, partitions without a
 * usable leader get one, `minIsr` follows the config. Fencing, admission, controlled shutdown,
 * elections and what an earlier controller left half done are all this (replication.md §4, §5).
 * The driver repeats it until nothing is left to repair.
 */
import type { Compare, Op } from '../io/io.ts'
import type { ConfigRules } from './admin.ts'
import { chunkSize, type Step } from './controller-state.ts'
import { lastKnownLeader } from './elections.ts'
import { refusalToJoin } from './features.ts'
import { electable, remainingIsr } from './handover-state.ts'
import type { Broker, Image, Topic } from './image.ts'
import { codecs, keys } from './keys.ts'
import {
  type Change,
  type Member,
  nextState,
  type PartitionState,
  sameMember,
} from './partition-state.ts'
import { completion, effectiveMinIsr } from './reassignment-state.ts'

/** An election of a replica that may have lost records: counted, and told to people. */
export interface LossyElection {
  readonly topic: string
  readonly index: number
  readonly leader: number
  readonly kind: 'unclean' | 'last-known'
}

/** Keys written in one transaction: the store takes 128 operations. */
const writesInStep = 120

/** One pass; nothing to do when there are no steps. */
export interface Repairs {
  readonly steps: readonly Step[]
  readonly lossyElections: readonly LossyElection[]
}

interface Repair {
  readonly topicId: string
  readonly index: number
  readonly modRevision: bigint
  readonly state: PartitionState
  /** Its move to other replicas is complete. */
  readonly hasMoved: boolean
  /** It has no leader until this is written. */
  readonly isUrgent: boolean
}

/**
 * The transactions of one pass over `topics`, or over all and all brokers. One broker is admitted in
 * a pass; its `admitted` key comes after every partition that named an earlier registration of it.
 */
export function repairs(
  image: Image,
  rules: ConfigRules,
  topics: Iterable<Topic> | 'all',
  partitionsInStep = chunkSize,
): Repairs {
  const admitting = topics === 'all' ? nextToAdmit(image) : undefined
  const lossyElections: LossyElection[] = []
  const found: Repair[] = []
  for (const topic of topics === 'all' ? image.topics() : topics) {
    const overrides = image.configs('topic', topic.name)
    const minIsr = rules.minInsyncReplicas(overrides)
    const mayElectUnclean = rules.uncleanElection(overrides)
    topic.partitions.forEach((old, index) => {
      const move = image.reassignment(topic.topicId, index)?.value
      const change = changeOf(image, topic.topicId, index, old, {
        minIsr: effectiveMinIsr(old, move, minIsr),
        admitting,
        mayElectUnclean,
      })
      const usable = electable(change.isr ?? old.isr, image)
      const ended = move && completion(old, move, change, minIsr, usable)
      const state = nextState(old, ended ?? change, usable)
      if (ended === undefined && isSameState(old, state)) return
      const known = image.partition(topic.topicId, index)!
      const value = { ...known.value, ...state }
      const isUrgent = old.leader === null || image.usable(old.leader[0]) !== old.leader[1]
      found.push({
        topicId: topic.topicId,
        index,
        modRevision: known.modRevision,
        state: value,
        hasMoved: ended !== undefined,
        isUrgent,
      })
      const kind = lossOf(change, old, state)
      if (kind !== undefined) {
        lossyElections.push({ topic: topic.name, index, leader: state.leader![0], kind })
      }
    })
  }
  found.sort((a, b) => Number(b.isUrgent) - Number(a.isUrgent))
  const steps: Step[] = []
  for (const chunk of inChunks(found, partitionsInStep)) steps.push(stepOf(chunk))
  if (admitting !== undefined) steps.push(admission(admitting))
  return { steps, lossyElections }
}

/** One that does not speak what the cluster does waits until it sees that itself, and stops. */
function nextToAdmit(image: Image): Broker | undefined {
  const finalized = image.cluster?.value.features ?? new Map()
  for (const broker of image.brokers()) {
    const mayJoin = refusalToJoin(finalized, broker.features) === undefined
    if (mayJoin && !broker.admitted) return broker
  }
}

function changeOf(
  image: Image,
  topicId: string,
  index: number,
  old: PartitionState,
  {
    minIsr,
    admitting,
    mayElectUnclean,
  }: {
    readonly minIsr: number
    readonly admitting: Broker | undefined
    readonly mayElectUnclean: boolean
  },
): Change {
  const isr = remainingIsr(old, minIsr, image)
  const change = { isr, minIsr, ...(admitting === undefined ? {} : restart(old, admitting)) }
  const next = nextState(old, change, electable(isr, image))
  if (next.leader !== null) return change
  const best = lastKnownLeader(image, topicId, index, next)
  if (best !== undefined) return { ...change, elect: best }
  return mayElectUnclean ? { ...change, elect: 'unclean' } : change
}

/** What becomes of the entries of earlier registrations of a broker that is being admitted. */
function restart(old: PartitionState, broker: Broker): Change {
  const { brokerId, brokerEpoch, previousEpoch, lossless } = broker
  const entry = [...old.isr, ...old.elr].find(([id]) => id === brokerId)
  // An entry at the new epoch is there when an earlier controller came so far.
  if (entry === undefined || entry[1] === brokerEpoch) return {}
  return lossless && entry[1] === previousEpoch
    ? { rewrite: { from: entry, to: [brokerId, brokerEpoch] } }
    : { lossy: [brokerId] }
}

function lossOf(
  change: Change,
  old: PartitionState,
  state: PartitionState,
): LossyElection['kind'] | undefined {
  if (change.elect === undefined || state.leader === null) return undefined
  if (sameMember(state.leader, old.leader)) return undefined
  return change.elect === 'unclean' ? 'unclean' : 'last-known'
}

/** At most `size` of them, and never more than one transaction takes: a move has two keys. */
function* inChunks(found: readonly Repair[], size: number): Iterable<readonly Repair[]> {
  let chunk: Repair[] = []
  let writes = 0
  for (const repair of found) {
    const more = repair.hasMoved ? 2 : 1
    if (chunk.length === size || writes + more > writesInStep) {
      yield chunk
      chunk = []
      writes = 0
    }
    chunk.push(repair)
    writes += more
  }
  if (chunk.length > 0) yield chunk
}

function stepOf(chunk: readonly Repair[]): Step {
  const compares: Compare[] = []
  const ops: Op[] = []
  for (const { topicId, index, modRevision, state, hasMoved } of chunk) {
    const key = keys.partition(topicId, index)
    compares.push({ key, target: 'modRevision', equals: modRevision })
    ops.push({ put: key, value: codecs.partition.encode(state) })
    if (hasMoved) ops.push({ delete: { key: keys.reassignment(topicId, index) } })
  }
  return { compares, ops }
}

function admission({ brokerId, brokerEpoch, features, release, listeners, rack }: Broker): Step {
  const value = codecs.admitted.encode({ brokerEpoch, features, release, listeners, rack })
  return {
    compares: [{ key: keys.alive(brokerId), target: 'createRevision', equals: brokerEpoch }],
    ops: [{ put: keys.admitted(brokerId), value }],
  }
}

function isSameState(a: PartitionState, b: PartitionState): boolean {
  return (
    a.leaderEpoch === b.leaderEpoch &&
    a.minIsr === b.minIsr &&
    sameMember(a.leader, b.leader) &&
    isSameList(a.isr, b.isr) &&
    isSameList(a.elr, b.elr) &&
    a.lastKnown.length === b.lastKnown.length
  )
}

function isSameList(a: readonly Member[], b: readonly Member[]): boolean {
  return a.length === b.length && a.every((member, i) => sameMember(member, b[i]!))
}
