/**
 * What a follower checks of the batches that its leader sent, before one byte of them is appended:
 * replication.md §8. Records are not looked at: the leader did that, and the CRC says that they are
 * what it had.
 */
import { KafkaError } from '../protocol/errors.ts'
import { type Batch, batches, isCrcValid } from '../protocol/records/batch.ts'

/** Where the log is that they are for. */
export interface FetchedFor {
  readonly logStartOffset: number
  readonly logEndOffset: number
  /** The newest epoch in its table. */
  readonly latestEpoch: number
  /** In which the leader answered: it has no newer batches. */
  readonly leaderEpoch: number
}

/**
 * The whole batches in `records`; one that is cut short at the end is left for the next fetch. Offsets
 * rise, gaps are compaction's, epochs do not fall; only in an empty log may the first batch begin
 * before its end, for a log may start inside a batch. Throws CORRUPT_MESSAGE for anything else.
 */
export function fetchedBatches(records: Uint8Array, log: FetchedFor): Batch[] {
  const found: Batch[] = []
  const isEmpty = log.logStartOffset === log.logEndOffset
  let end = log.logEndOffset
  let epoch = log.latestEpoch
  for (const batch of batches(records, { partialTail: 'ignored' })) {
    const { baseOffset, lastOffset, partitionLeaderEpoch } = batch
    const at = `the leader's batch at ${baseOffset}`
    if (!isCrcValid(batch)) throw corrupt(`${at} has a wrong CRC`)
    const holdsStart = isEmpty && found.length === 0 && baseOffset >= 0 && lastOffset >= end
    if (baseOffset < end && !holdsStart) throw corrupt(`${at} begins before ${end}`)
    if (lastOffset < baseOffset) throw corrupt(`${at} ends before it begins`)
    if (partitionLeaderEpoch < epoch || partitionLeaderEpoch > log.leaderEpoch) {
      throw corrupt(
        `${at} is of epoch ${partitionLeaderEpoch}, not within [${epoch}, ${log.leaderEpoch}]`,
      )
    }
    end = lastOffset + 1
    epoch = partitionLeaderEpoch
    found.push(batch)
  }
  return found
}

function corrupt(what: string): KafkaError {
  return new KafkaError('CORRUPT_MESSAGE', what)
}
