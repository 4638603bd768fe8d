/** What a broker tells the controller through the store: each is a key or a field of its own. */

import type { Image } from './image.ts'
import { codecs, keys, type LogEnd } from './keys.ts'
import type { Registration } from './membership.ts'
import type { Transactor } from './transact.ts'

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
 * All of them each time; the keys hang on the registration. Answers how many chunks there are.
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
