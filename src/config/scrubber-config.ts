/** How cold records are read again to find damage; changeable while the broker runs. */
export interface ScrubberConfig {
  /** log.scrub.max.bytes.per.second, for each data directory; 0: never. */
  readonly maxBytesPerSecond: number
  /** log.scrub.interval.ms: from the beginning of one pass to that of the next; 0: never. */
  readonly intervalMs: number
}
