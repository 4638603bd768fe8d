/**
 * One broker in this process, as users and `ottla start` have it.
 *
 * What it is made of is loaded when the first one is started: a program that has only clients of this
 * package does not carry a broker with it.
 */
import { type BrokerOptions, brokerWorld } from './options.ts'
import type { Parts } from './parts.ts'

export type { BrokerOptions, TopicOptions } from './options.ts'

/** Where a listener of the broker is bound. */
export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

/** One running broker. */
export class Broker implements AsyncDisposable {
  readonly clusterId: string
  readonly brokerId: number
  /** In the order of `listeners`. */
  readonly addresses: readonly BrokerAddress[]
  /** Where it keeps records: folders, or `memory`. */
  readonly dataDirectories: readonly string[]
  /** What clients are told to begin with: `host:port` of the first listener. */
  readonly bootstrap: string
  /** Resolves when the broker was closed, or with the error that keeps it from going on. */
  readonly ended: Promise<Error | undefined>
  readonly #parts: Parts
  readonly #hold: () => () => void
  #closing: Promise<void> | undefined

  private constructor(parts: Parts, hold: () => () => void) {
    const { config, membership, listeners } = parts
    this.#parts = parts
    this.#hold = hold
    this.brokerId = membership.brokerId
    this.clusterId = membership.clusterId
    this.addresses = listeners.map(({ host, port }) => ({ host, port }))
    this.bootstrap = bootstrapOf(this.addresses[0]!)
    this.dataDirectories = config.current.dataDirectories
    this.ended = parts.ended.promise
  }

  /**
   * Starts a broker; resolves when it serves. Throws ConfigError, DirectoryLockedError, NetworkError
   * (a port in use), DiskError, or KafkaError (INCONSISTENT_CLUSTER_ID, DUPLICATE_BROKER_REGISTRATION,
   * INVALID_TOPIC_EXCEPTION …); what had begun is undone then.
   */
  static async start(options: BrokerOptions = {}): Promise<Broker> {
    const world = await brokerWorld(options)
    const release = world.hold()
    try {
      const { startParts } = await import('./parts.ts')
      return new Broker(await startParts(world, options), world.hold)
    } finally {
      release()
    }
  }

  /** The first listener. */
  get address(): BrokerAddress {
    return this.addresses[0]!
  }

  /** Clients that are connected now. */
  get connectionCount(): number {
    return this.#parts.server.connectionCount
  }

  /** Finishes what was accepted, then stops; the marker of a clean stop is written last. Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** As `close`: for `await using`. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #close(): Promise<void> {
    const release = this.#hold()
    try {
      await this.#parts.stop()
    } finally {
      release()
    }
  }
}

/** Nobody connects to a wildcard: this machine's own name stands for it. */
function bootstrapOf({ host, port }: BrokerAddress): string {
  const isWildcard = host === '' || host === '0.0.0.0' || host === '::'
  const name = isWildcard ? 'localhost' : host
  return `${name.includes(':') ? `[${name}]` : name}:${port}`
}
