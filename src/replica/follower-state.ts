/**
 * What a follower does with its leader's answer: replication.md §8. Pure; `following.ts` does it.
 *
 * A log is cut only where the leader's epoch table parts from its own, as told in the one answer to the
 * one request that is under way: never by a high watermark, which may lag. And it begins elsewhere only
 * when it ends below everything that the leader has.
 */
import type { LeaderEpochs } from '../log/leader-epochs.ts'
import { type ErrorName, errorName } from '../protocol/errors.ts'

/** Where a follower's log ends, as it tells its leader. */
export interface FetchPosition {
  /** In which it follows. */
  readonly leaderEpoch: number
  /** Everything below it is here, and synced where each write is. */
  readonly fetchOffset: number
  /**
   * The newest in its epoch table; −1: there is none. Not that of its last batch, which compaction
   * or retention may have removed.
   */
  readonly lastFetchedEpoch: number
  /** Consumers are not sent here for what lies below. */
  readonly logStartOffset: number
}

/** What a leader answers for one partition. −1 where it says nothing. */
export interface FetchAnswer {
  readonly errorCode: number
  readonly highWatermark: number
  readonly logStartOffset: number
  readonly divergingEpoch: { readonly epoch: number; readonly endOffset: number }
  readonly records: Uint8Array | null
}

/** What is to be done with the log. */
export type FollowerStep =
  | { readonly kind: 'append'; readonly records: Uint8Array }
  | { readonly kind: 'truncate'; readonly offset: number }
  /** Everything goes; the log begins anew there. */
  | { readonly kind: 'restart'; readonly offset: number }
  /** Nothing; asking again at once would be answered with the same. */
  | { readonly kind: 'wait'; readonly error: ErrorName }

const nothing = new Uint8Array(0)

/** What follows from `answer` to a fetch from `asked`, for a log with this epoch table. */
export function followerStep(
  asked: FetchPosition,
  epochs: LeaderEpochs,
  answer: FetchAnswer,
): FollowerStep {
  const { divergingEpoch, logStartOffset } = answer
  const error = errorName(answer.errorCode)
  if (error === 'OFFSET_OUT_OF_RANGE' && asked.fetchOffset < logStartOffset) {
    return { kind: 'restart', offset: logStartOffset }
  }
  if (answer.errorCode !== 0) return { kind: 'wait', error }
  if (divergingEpoch.endOffset < 0) return { kind: 'append', records: answer.records ?? nothing }
  const { epoch, endOffset } = divergingEpoch
  const ownEnd = epochs.endOf(epoch, asked.fetchOffset)?.endOffset ?? 0
  const isParting = epoch < asked.lastFetchedEpoch || endOffset < asked.fetchOffset
  if (!isParting) return { kind: 'wait', error: 'INVALID_REQUEST' }
  return { kind: 'truncate', offset: Math.min(endOffset, ownEnd) }
}
