/** What tests of replicas share. */
import type { FetcherConfig } from '../config/fetcher-config.ts'
import type { ThrottleConfig } from '../config/throttle-config.ts'

/** Kafka's defaults. */
export const fetcherConfig: FetcherConfig = {
  fetchers: 1,
  waitMaxMs: 500,
  minBytes: 1,
  maxBytes: 1024 * 1024,
  responseMaxBytes: 10 * 1024 * 1024,
  backoffMs: 1000,
  timeoutMs: 30_000,
}

/** Kafka's defaults: no bound. */
export const throttleConfig: ThrottleConfig = {
  leaderRate: Number.MAX_SAFE_INTEGER,
  followerRate: Number.MAX_SAFE_INTEGER,
  moveRate: Number.MAX_SAFE_INTEGER,
  windows: 11,
  windowMs: 1000,
}
