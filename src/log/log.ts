import type { LogConfig } from '../config/log-config.ts'
import { LeaderEpochs } from './leader-epochs.ts'

/** Where an append landed. A duplicate is answered with the offsets of the original (KIP-98). */
export interface Appended {
  readonly baseOffset: number
  /** Exclusive. */
  readonly endOffset: number
  /** −1 with CreateTime. */
  readonly logAppendTimeMs: number
  readonly duplicate: boolean
}

/** Whole batches, oldest first. Views that must not be changed. */
export interface LogRead {
  readonly chunks: Uint8Array[]
  readonly bytes: number
}

export interface FoundOffset {
  readonly offset: number
  readonly timestamp: number
  readonly leaderEpoch: number
}

export interface ActiveProducer {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  /** −1: no open transaction. */
  readonly currentTransactionStartOffset: number
}

/** One replica's log. */
export class Log {
  readonly topic: string
  readonly partition: number
  readonly topicId: string
  readonly epochs: LeaderEpochs = new LeaderEpochs()
  logStartOffset = 0
  logEndOffset = 0
  writtenEndOffset = 0
  durableEndOffset = 0
  sizeBytes = 0
  /** Records below `end` are written; with flush.messages=1 they are synced too. */
  onEnd: (end: number) => void = () => {}
  /** Records from `end` on could not be written and are gone (disk full): their waiters fail. */
  onUnwritten: (end: number, error: Error) => void = () => {}
  onOffline: (error: Error) => void = () => {}

  constructor(topic: string, partition: number, topicId: string) {
    this.topic = topic
    this.partition = partition
    this.topicId = topicId
  }

  append(_records: Uint8Array, _leaderEpoch: number): Appended {
    throw new Error('not yet')
  }
  async read(
    _offset: number,
    _end: number,
    _maxBytes: number,
    _atLeastOneBatch: boolean,
  ): Promise<LogRead> {
    throw new Error('not yet')
  }
  async offsetForTimestamp(_timestampMs: number, _end: number): Promise<FoundOffset | undefined> {
    throw new Error('not yet')
  }
  async maxTimestampOffset(_end: number): Promise<FoundOffset | undefined> {
    throw new Error('not yet')
  }
  async becomeLeader(_leaderEpoch: number): Promise<void> {}
  async advanceLogStart(_offset: number): Promise<void> {}
  async truncateTo(_offset: number): Promise<void> {}
  async enforceRetention(_highWatermark: number, _nowMs: number): Promise<void> {}
  configure(_config: LogConfig): void {}
  async flush(): Promise<void> {}
  async close(): Promise<void> {}
  activeProducers(): ActiveProducer[] {
    return []
  }
}
