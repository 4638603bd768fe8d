/** How followers copy from their leaders. */
export interface FetcherConfig {
  /** num.replica.fetchers: connections to each leader. */
  readonly fetchers: number
  /** replica.fetch.wait.max.ms */
  readonly waitMaxMs: number
  /** replica.fetch.min.bytes */
  readonly minBytes: number
  /** replica.fetch.max.bytes, of one partition; its first batch may be larger. */
  readonly maxBytes: number
  /** replica.fetch.response.max.bytes, of one answer and of what is being written. */
  readonly responseMaxBytes: number
  /** replica.fetch.backoff.ms: the longest pause after a failure. */
  readonly backoffMs: number
  /** replica.socket.timeout.ms, beyond waitMaxMs. */
  readonly timeoutMs: number
}
