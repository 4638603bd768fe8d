import type { Compression } from '../protocol/records/batch.ts'

/** What the groups of this broker obey, parsed. */
export interface GroupConfig {
  /** group.min.session.timeout.ms, and the largest that a member may ask for. */
  readonly minSessionTimeoutMs: number
  readonly maxSessionTimeoutMs: number
  /** group.max.size: members. */
  readonly maxSize: number
  readonly initialRebalanceDelayMs: number
  /** group.disconnect.grace.ms; undefined: a closed connection means nothing. */
  readonly disconnectGraceMs: number | undefined
  readonly offsetMetadataMaxBytes: number
  /** offsets.retention.minutes */
  readonly offsetsRetentionMs: number
  readonly offsetsRetentionCheckMs: number
  readonly commitTimeoutMs: number
  /** offsets.load.buffer.size */
  readonly loadBytes: number
  /** Of the records of groups. */
  readonly compression: Compression
  /** Of `__consumer_offsets`, when it is created. */
  readonly partitionCount: number
  readonly replicationFactor: number
  readonly segmentBytes: number
}
