/** What a partition's log obeys: the topic's configs over the broker's defaults, parsed. */
export interface LogConfig {
  /** cleanup.policy: which of the two are named. */
  readonly cleanupDelete: boolean
  readonly cleanupCompact: boolean
  /** delete.retention.ms: tombstones and markers stay so long after a pass met them. */
  readonly deleteRetentionMs: number
  /** min.cleanable.dirty.ratio: 0 to 1. */
  readonly minCleanableRatio: number
  /** min. and max.compaction.lag.ms; the largest safe integer is "no bound" of the max. */
  readonly minCompactionLagMs: number
  readonly maxCompactionLagMs: number
  /** compression.type; `producer` keeps what came. */
  readonly compressionType: 'producer' | 'uncompressed' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  readonly gzipLevel: number
  readonly lz4Level: number
  readonly zstdLevel: number
  readonly maxMessageBytes: number
  readonly maxDecompressedMessageBytes: number
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  /** message.timestamp.before.max.ms and .after.max.ms; the largest safe integer is "no bound". */
  readonly timestampBeforeMaxMs: number
  readonly timestampAfterMaxMs: number
  readonly segmentBytes: number
  readonly segmentMs: number
  readonly segmentJitterMs: number
  readonly indexIntervalBytes: number
  readonly segmentIndexBytes: number
  readonly fileDeleteDelayMs: number
  /** −1 is "no bound" in both. */
  readonly retentionMs: number
  readonly retentionBytes: number
  /** fsync after so many records (1: before each acknowledgement) or milliseconds. */
  readonly flushMessages: number
  readonly flushMs: number
  readonly minInsyncReplicas: number
  readonly uncleanLeaderElection: boolean
}
