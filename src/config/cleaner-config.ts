/** What the compaction of logs obeys, all of it changeable while the broker runs but `enabled`. */
export interface CleanerConfig {
  /** log.cleaner.enable */
  readonly enabled: boolean
  /** Logs compacted at the same time. */
  readonly threads: number
  /** Pause when nothing is worth compacting. */
  readonly backoffMs: number
  /** Read and written together. */
  readonly maxBytesPerSecond: number
  /** Memory for the keys of all passes that run. */
  readonly dedupeBufferBytes: number
  /** How full that becomes: above 0, at most 1. */
  readonly loadFactor: number
  /** Memory for what is read, of all passes that run. */
  readonly bufferBytes: number
}
