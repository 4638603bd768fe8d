import type { LogConfig } from '../config/log-config.ts'
import type { Io } from '../io/io.ts'
import type { Log } from './log.ts'

/** A partition's folder as found; `topicId` undefined: no readable partition.metadata. */
export interface LogFolder {
  readonly name: string
  readonly topic: string
  readonly partition: number
  readonly topicId: string | undefined
}

export interface LogDirectoryOptions {
  /** producer.id.expiration.ms; 24 h by default. */
  readonly producerIdExpirationMs?: number
  /** Bounds shared by all logs of the directory. */
  readonly tailCacheBytes?: number
  readonly indexCacheBytes?: number
  readonly maxOpenFiles?: number
}

export interface SessionIdentity {
  readonly clusterId: string
  readonly brokerId: number
  readonly brokerEpoch: bigint
  /** All directories of this broker, itself included; by default only itself. */
  readonly directoryIds?: readonly string[]
}

export interface PartitionHighWatermark {
  readonly topic: string
  readonly partition: number
  readonly highWatermark: number
}

/** One data directory. */
export abstract class LogDirectory {
  abstract readonly path: string
  abstract readonly directoryId: string
  abstract readonly clusterId: string | undefined
  abstract readonly brokerId: number | undefined
  abstract readonly previousEpoch: bigint | undefined
  abstract readonly lastRun: 'clean' | 'killed' | 'power-loss'
  /** §5: nothing that was acknowledged is missing. Final after `settle`. */
  abstract readonly lossless: boolean
  abstract readonly offline: Error | undefined
  onOffline: (error: Error) => void = () => {}

  static async open(_io: Io, _path: string, _options?: LogDirectoryOptions): Promise<LogDirectory> {
    throw new Error('not yet')
  }
  /** After an unclean end: recovers every folder, so that `lossless` is final before registration. */
  abstract settle(config: LogConfig): Promise<void>
  abstract begin(identity: SessionIdentity): Promise<void>
  abstract folders(): LogFolder[]
  abstract openLog(options: {
    topic: string
    partition: number
    topicId: string
    config: LogConfig
  }): Promise<Log>
  abstract deleteLog(log: Log): Promise<void>
  abstract setAside(folder: LogFolder): Promise<void>
  /** From the checkpoint, as found at open; 0 when unknown. */
  abstract highWatermark(topic: string, partition: number): number
  abstract checkpoint(highWatermarks: Iterable<PartitionHighWatermark>): Promise<void>
  abstract close(highWatermarks: Iterable<PartitionHighWatermark>): Promise<void>
}
