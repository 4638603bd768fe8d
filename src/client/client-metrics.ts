/**
 * What a client counts: for each broker its requests, errors, bytes and latencies. Counting costs a
 * few additions a request; reading makes plain objects.
 */
import type { Clock } from '../io/io.ts'
import type { Address } from './cluster.ts'
import type { ConnectionWatch } from './connection.ts'
import type { ConsumerMetrics } from './consumer/options.ts'
import { eventChannel } from './diagnostics.ts'
import type { Logger } from './logger.ts'
import type { ProducerMetrics } from './producer/options.ts'

/** How long requests took. */
export interface LatencyMetrics {
  /** Requests. */
  readonly count: number
  /** Of all together. */
  readonly sumMs: number
  /** Of the slowest one. */
  readonly maxMs: number
  /** Requests that took at most `atMostMs`, and more than the bucket before; the last is Infinity. */
  readonly buckets: readonly { readonly atMostMs: number; readonly count: number }[]
}

/** Of one address; requests that a broker holds on purpose have latencies of their own. */
export interface BrokerMetrics extends Address {
  /** Open now. */
  readonly connections: number
  /** Opened since the beginning, and attempts that failed. */
  readonly connects: number
  /** See `connects`. */
  readonly failedConnects: number
  /** Answered, and lost: with their connection, or past their time. */
  readonly requests: number
  /** See `requests`. */
  readonly failedRequests: number
  /** Sent. */
  readonly requestBytes: number
  /** Received. */
  readonly responseBytes: number
  /** Of requests that are answered at once. */
  readonly latency: LatencyMetrics
  /** Fetch, JoinGroup, SyncGroup: a broker answers them when there is something to say. */
  readonly heldLatency: LatencyMetrics
}

/** What a client has counted, and those that share it. */
export interface ClientMetrics {
  /** Those that it has spoken with. */
  readonly brokers: readonly BrokerMetrics[]
  /** Of those that share this client and are open. */
  readonly producers: readonly ProducerMetrics[]
  /** As `producers`. */
  readonly consumers: readonly ConsumerMetrics[]
}

const boundsMs = [0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, Infinity]
/** What a broker holds on purpose. */
const held: ReadonlySet<string> = new Set(['FetchRequest', 'JoinGroupRequest', 'SyncGroupRequest'])
/** Addresses counted apart; brokers that move on and on must not take memory on and on. */
const maxBrokers = 1_000

const connectChannel = eventChannel('ottla:client:connect')
const disconnectChannel = eventChannel('ottla:client:disconnect')
const requestChannel = eventChannel('ottla:client:request')

class Latency {
  #count = 0
  #sumMs = 0
  #maxMs = 0
  readonly #counts = boundsMs.map(() => 0)

  add(tookMs: number): void {
    this.#count++
    this.#sumMs += tookMs
    if (tookMs > this.#maxMs) this.#maxMs = tookMs
    let at = 0
    while (tookMs > boundsMs[at]!) at++
    this.#counts[at]!++
  }

  read(): LatencyMetrics {
    return {
      count: this.#count,
      sumMs: this.#sumMs,
      maxMs: this.#maxMs,
      buckets: boundsMs.map((atMostMs, at) => ({ atMostMs, count: this.#counts[at]! })),
    }
  }
}

class BrokerCounts {
  connections = 0
  connects = 0
  failedConnects = 0
  requests = 0
  failedRequests = 0
  requestBytes = 0
  responseBytes = 0
  readonly latency = new Latency()
  readonly heldLatency = new Latency()
}

/** After so long people are told. */
const outageMs = 3_000

/** Times in which no broker is reached: calls go on trying, and people should know why they wait. */
class Outage {
  readonly #logger: Logger
  readonly #clock: Clock
  #connections = 0
  #sinceMs = 0
  #isTold = false
  cause: Error | undefined

  constructor(logger: Logger, clock: Clock) {
    this.#logger = logger
    this.#clock = clock
  }

  opened(): void {
    this.#connections++
    if (this.#isTold) this.#logger.info({}, 'a broker is reached again')
    this.#isTold = false
    this.cause = undefined
  }

  closed(): void {
    this.#connections--
  }

  refused(error: Error): void {
    if (this.#connections > 0) return
    const nowMs = this.#clock.monotonicMs()
    if (this.cause === undefined) this.#sinceMs = nowMs
    this.cause = error
    if (this.#isTold || nowMs - this.#sinceMs < outageMs) return
    this.#isTold = true
    this.#logger.warn({}, `${error.message}: no broker is reached; calls wait and try again`)
  }
}

/** Counts for one client, and publishes and logs what its connections do. */
export class Counting {
  readonly #clientId: string
  readonly #logger: Logger
  readonly #outage: Outage
  readonly #brokers = new Map<string, { address: Address; counts: BrokerCounts }>()

  constructor(clientId: string, logger: Logger, clock: Clock) {
    this.#clientId = clientId
    this.#logger = logger
    this.#outage = new Outage(logger, clock)
  }

  /** Why no broker is reached, while none is. */
  get outage(): Error | undefined {
    return this.#outage.cause
  }

  /** Watches one connection. */
  watch({ host, port }: Address, lane: string): ConnectionWatch {
    const counts = this.#countsOf({ host, port })
    const where = { clientId: this.#clientId, host, port, lane }
    const logger = this.#logger
    const outage = this.#outage
    return {
      opened(tookMs, error) {
        if (error === undefined) {
          outage.opened()
          counts.connects++
          counts.connections++
          logger.debug(where, 'connected')
        } else {
          counts.failedConnects++
          outage.refused(error)
          logger.debug({ ...where, error }, 'a connection could not be opened')
        }
        if (connectChannel.hasSubscribers) connectChannel.publish({ ...where, tookMs, error })
      },
      answered({ request, version, requestBytes }, responseBytes, tookMs, error) {
        counts.requestBytes += requestBytes
        counts.responseBytes += responseBytes
        if (error !== undefined) counts.failedRequests++
        else {
          counts.requests++
          const latency = held.has(request) ? counts.heldLatency : counts.latency
          latency.add(tookMs)
        }
        if (!requestChannel.hasSubscribers) return
        const api = request.replace(/Request$/, '')
        const sizes = { requestBytes, responseBytes }
        requestChannel.publish({ ...where, api, version, ...sizes, tookMs, error })
      },
      closed(error) {
        counts.connections--
        outage.closed()
        logger.debug({ ...where, error }, 'a connection is gone')
        if (disconnectChannel.hasSubscribers) disconnectChannel.publish({ ...where, error })
      },
    }
  }

  /** By address, in the order of their first connection. */
  read(): readonly BrokerMetrics[] {
    return [...this.#brokers.values()].map(({ address, counts }) => ({
      ...address,
      ...counts,
      latency: counts.latency.read(),
      heldLatency: counts.heldLatency.read(),
    }))
  }

  #countsOf(address: Address): BrokerCounts {
    const key = `${address.host} ${address.port}`
    const known = this.#brokers.get(key)
    if (known !== undefined) return known.counts
    if (this.#brokers.size >= maxBrokers) {
      const [oldest] = this.#brokers.keys()
      this.#brokers.delete(oldest!)
    }
    const counts = new BrokerCounts()
    this.#brokers.set(key, { address, counts })
    return counts
  }
}
