/** One partition on this broker. (skeleton) */
import type { Appended } from '../log/log.ts'

export type Isolation = 'read_uncommitted' | 'read_committed'

export interface ReadOptions {
  readonly offset: number
  readonly maxBytes: number
  readonly atLeastOneBatch: boolean
  /** −1: not checked. */
  readonly currentLeaderEpoch: number
  readonly isolation: Isolation
}

export interface ReadResult {
  readonly chunks: readonly Uint8Array[]
  readonly bytes: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
}

export interface FoundOffset {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

export declare class Partition {
  readonly topic: string
  readonly topicId: string
  readonly index: number
  readonly leaderEpoch: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  readonly logEndOffset: number
  readonly sizeBytes: number
  append(records: Uint8Array, acks: number): Appended
  acknowledged(appended: Appended, acks: number, deadlineMs: number): Promise<void>
  read(options: ReadOptions): Promise<ReadResult>
  availableBytes(offset: number): number
  onceProgress(run: () => void): () => void
  listOffset(
    timestamp: number,
    isolation: Isolation,
    currentLeaderEpoch: number,
  ): Promise<FoundOffset>
  offsetForLeaderEpoch(
    currentLeaderEpoch: number,
    leaderEpoch: number,
  ): { leaderEpoch: number; endOffset: number }
  deleteRecords(offset: number): Promise<number>
}
