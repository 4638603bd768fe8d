/** What a broker writes about its own replicas; the controller reads it and acts. */

import type { Image } from './image.ts'
import { codecs, keys, type LogEnd } from './keys.ts'
import type { Registration } from './membership.ts'
import { nextState } from './partition-state.ts'
import type { Transactor } from './transact.ts'

/**
 * This broker lost records of a partition, or may have: every entry of its id goes, and a new leader
 * epoch ends what was under way (replication.md §9, self-removal). Resolves when that is certain; to
 * leave is safe at any time, so the partition's revision is all that is compared.
 */
export async function removeSelf(
  transactor: Transactor,
  image: Image,
  brokerId: number,
  topicId: string,
  index: number,
): Promise<void> {
  const key = keys.partition(topicId, index)
  let known = image.partition(topicId, index)
  while (known !== undefined) {
    const state = nextState(known.value, { lossy: [brokerId] }, image.usable)
    const by = transactor.nextBy()
    const value = codecs.partition.encode({ ...known.value, ...state, by })
    const outcome = await transactor.run(
      {
        compares: [{ key, target: 'modRevision', equals: known.modRevision }],
        ops: [{ put: key, value }],
        proofKey: key,
      },
      by,
    )
    if (outcome.applied || outcome.found === undefined) return
    known = { ...outcome.found, value: codecs.partition.decode(outcome.found.value) }
  }
}

/** Transactions that may wait for the store together. */
const concurrentRemovals = 32

/** The same for many: before a broker registers that cannot prove to have all of them. */
export async function removeSelfFrom(
  transactor: Transactor,
  image: Image,
  brokerId: number,
  partitions: readonly { readonly topicId: string; readonly index: number }[],
): Promise<void> {
  for (let at = 0; at < partitions.length; at += concurrentRemovals) {
    const some = partitions.slice(at, at + concurrentRemovals)
    await Promise.all(
      some.map(({ topicId, index }) => removeSelf(transactor, image, brokerId, topicId, index)),
    )
  }
}

/** About 60 bytes each, and a value has room for a megabyte. */
const endsInChunk = 5000

/** The folders of a deleted topic are gone here; the last broker to say so removes the key. */
export async function reportFoldersGone(
  transactor: Transactor,
  image: Image,
  brokerId: number,
  topicId: string,
): Promise<void> {
  const key = keys.deleted(topicId)
  let known = image.deletedTopic(topicId)
  while (known?.value.waiting.includes(brokerId)) {
    const waiting = known.value.waiting.filter(id => id !== brokerId)
    const by = transactor.nextBy()
    const value = codecs.deleted.encode({ ...known.value, waiting, by })
    const outcome = await transactor.run(
      {
        compares: [{ key, target: 'modRevision', equals: known.modRevision }],
        ops: [waiting.length === 0 ? { delete: { key } } : { put: key, value }],
        proofKey: key,
      },
      by,
    )
    const { applied } = outcome
    if (applied || outcome.found === undefined) return
    known = { ...outcome.found, value: codecs.deleted.decode(outcome.found.value) }
  }
}

/**
 * Where the logs end of partitions that nobody complete is left of: the controller elects from it.
 * All of them each time; the keys hang on the registration.
 */
export async function reportLogEnds(
  transactor: Transactor,
  brokerId: number,
  { brokerEpoch, lease }: Registration,
  ends: readonly LogEnd[],
): Promise<void> {
  for (let at = 0; at < ends.length; at += endsInChunk) {
    const key = keys.logEnds(brokerId, at / endsInChunk)
    const by = transactor.nextBy()
    const value = codecs.logEnds.encode({ ends: ends.slice(at, at + endsInChunk), by })
    await transactor.run(
      {
        compares: [{ key: keys.alive(brokerId), target: 'createRevision', equals: brokerEpoch }],
        ops: [{ put: key, value, lease }],
        proofKey: key,
      },
      by,
    )
  }
}
