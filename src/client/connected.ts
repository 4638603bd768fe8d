/** What the public classes stand on: a cluster and the world it is reached through, shared or owned. */
import type { Io } from '../io/io.ts'
import { nodeIo } from '../io/node.ts'
import { bootstrapAddresses, OptionError } from './bootstrap.ts'
import type { Client } from './client.ts'
import { type ClientMetrics, Counting } from './client-metrics.ts'
import { Cluster, type ClusterOptions } from './cluster.ts'
import { ConnectionError } from './connection.ts'
import type { ConsumerMetrics } from './consumer/options.ts'
import { defaultLogger, guarded, type Logger } from './logger.ts'
import type { ProducerMetrics } from './producer/options.ts'
import { Telemetry } from './telemetry.ts'

/** How a cluster is reached. */
export interface ClientOptions {
  /** `host:port` of some brokers, in an array or separated by commas; one that answers is enough. */
  readonly bootstrap: string | readonly string[]
  /** How brokers name this client in their logs and quotas. Default 'ottla'. */
  readonly clientId?: string
  /** How long one call may take, retries included. Default 30,000. */
  readonly requestTimeoutMs?: number
  /** For one attempt to connect. Default 10,000. */
  readonly connectTimeoutMs?: number
  /** Before the first retry; it doubles with each one, with jitter. Default 20. */
  readonly retryBackoffMs?: number
  /** What it doubles to. Default 1,000. */
  readonly retryBackoffMaxMs?: number
  /** After this, what is known of a topic is asked for again. Default 300,000. */
  readonly metadataMaxAgeMs?: number
  /** Who hears of what people should know. Default: warnings go the way of Node's own warnings. */
  readonly logger?: Logger
  /**
   * Whether records and `run` are traced by OpenTelemetry, when the program has registered an SDK.
   * Default true.
   */
  readonly telemetry?: boolean
  /**
   * The outside world. Default: this machine's.
   * @internal
   */
  readonly io?: Io
}

/** Options of one's own, or a client that is shared. */
export type Connecting =
  | (ClientOptions & { readonly client?: undefined })
  | { readonly client: Client }

/** A producer or consumer that stands on a client: what its `close` closes first. */
export type Dependent = { close(): Promise<void> } & (
  | { readonly kind: 'producer'; metrics(): ProducerMetrics }
  | { readonly kind: 'consumer'; metrics(): ConsumerMetrics }
)

/** A cluster as producers, consumers and admins share it. */
export class Connected {
  readonly io: Io
  readonly cluster: Cluster
  readonly logger: Logger
  readonly counting: Counting
  readonly telemetry: Telemetry
  readonly requestTimeoutMs: number
  readonly metadataMaxAgeMs: number
  /** Of `cluster`; for another one to the same brokers. */
  readonly clusterOptions: ClusterOptions
  /** Those that share it and are open. */
  readonly dependents = new Set<Dependent>()
  #closing: Promise<void> | undefined
  #lanes = 0

  /** Connects at the first call. Throws OptionError. */
  constructor(options: ClientOptions) {
    const { clientId = 'ottla' } = options
    this.logger = guarded(options.logger ?? loggerOf(options.io))
    this.io = ioOf(options.io, this.logger)
    this.counting = new Counting(clientId, this.logger, this.io.clock)
    this.telemetry = new Telemetry(options.telemetry ?? true, clientId, this.io.report)
    this.requestTimeoutMs = milliseconds(options, 'requestTimeoutMs', 30_000)
    this.metadataMaxAgeMs = milliseconds(options, 'metadataMaxAgeMs', 300_000)
    this.clusterOptions = {
      bootstrap: bootstrapAddresses(options.bootstrap),
      clientId,
      timeoutMs: this.requestTimeoutMs,
      connectTimeoutMs: milliseconds(options, 'connectTimeoutMs', 10_000),
      retryBackoffMs: milliseconds(options, 'retryBackoffMs', 20),
      retryBackoffMaxMs: milliseconds(options, 'retryBackoffMaxMs', 1_000),
      metadataMaxAgeMs: this.metadataMaxAgeMs,
      watcher: (address, lane) => this.counting.watch(address, lane),
    }
    this.cluster = new Cluster(this.io, this.clusterOptions)
  }

  /** A name for connections of one's own (see connections.ts). */
  newLane(kind: string): string {
    return `${kind}-${++this.#lanes}`
  }

  get isClosed(): boolean {
    return this.#closing !== undefined
  }

  metrics(): ClientMetrics {
    const dependents = [...this.dependents]
    return {
      brokers: this.counting.read(),
      producers: dependents.flatMap(each => (each.kind === 'producer' ? [each.metrics()] : [])),
      consumers: dependents.flatMap(each => (each.kind === 'consumer' ? [each.metrics()] : [])),
    }
  }

  /** Closes those that share it, each in its own way, then the connections. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    await Promise.allSettled([...this.dependents].map(each => each.close()))
    this.cluster.close()
  }
}

/**
 * What `options` lead to, and whether the caller has to close it. Throws OptionError, and
 * ConnectionError CLOSED for a client that was closed.
 */
export function connectedBy(options: Connecting): { connected: Connected; isOwn: boolean } {
  if (options.client === undefined) return { connected: new Connected(options), isOwn: true }
  if ('bootstrap' in options) {
    throw new OptionError('client', 'give a client or bootstrap, not both')
  }
  const { connected } = options.client
  if (connected.isClosed) {
    throw new ConnectionError('CLOSED', 'the client is closed: make another', { retriable: false })
  }
  return { connected, isOwn: false }
}

/** An io of one's own has people of its own to report to. */
function loggerOf(io: Io | undefined): Logger {
  if (io === undefined) return defaultLogger
  const { report } = io
  return {
    debug() {},
    info: (fields, message) => report.info(fields, message),
    warn: (fields, message) => report.warn(fields, message),
    error: (fields, message) => report.error(fields, message),
  }
}

function ioOf(io: Io | undefined, logger: Logger): Io {
  if (io === undefined) return nodeIo({ report: logger })
  const { clock, random, disk, network } = io
  return { clock, random, disk, network, report: logger }
}

function milliseconds(
  options: ClientOptions,
  option: keyof ClientOptions & `${string}Ms`,
  byDefault: number,
): number {
  const value: unknown = options[option] ?? byDefault
  if (typeof value === 'number' && value > 0 && value < 2 ** 31) return value
  throw new OptionError(option, `${value} is no number of milliseconds from 1 to 2147483647`)
}
