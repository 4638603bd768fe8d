/** What tests of replicas share. */
import type { FetcherConfig } from '../config/fetcher-config.ts'

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
