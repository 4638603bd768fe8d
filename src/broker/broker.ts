import type { Io, MetadataStore } from '../io/io.ts'

export interface BrokerOptions {
  /** Kafka's server.properties keys; those left out have Ottla's defaults. */
  readonly properties?: ReadonlyMap<string, string> | Readonly<Record<string, string>>
  /** The outside world; by default this machine's. */
  readonly io?: Io
  /** Where cluster facts are decided; by default a file in the first data directory. */
  readonly store?: MetadataStore
}

/** Where a listener of the broker is bound. */
export interface BrokerAddress {
  readonly host: string
  readonly port: number
}

/** One running broker. */
export class Broker {
  readonly clusterId: string
  readonly brokerId: number
  /** In the order of `listeners`. */
  readonly addresses: readonly BrokerAddress[]
  readonly dataDirectories: readonly string[]

  private constructor(
    clusterId: string,
    brokerId: number,
    addresses: readonly BrokerAddress[],
    dataDirectories: readonly string[],
  ) {
    this.clusterId = clusterId
    this.brokerId = brokerId
    this.addresses = addresses
    this.dataDirectories = dataDirectories
  }

  /** Starts a broker; resolves when its listeners accept. Undoes what it had begun when a step fails. */
  static async start(options: BrokerOptions = {}): Promise<Broker> {
    throw new Error(`not wired yet (${Object.keys(options).length} options)`)
  }

  /** The first listener. */
  get address(): BrokerAddress {
    return this.addresses[0]!
  }

  /** Finishes what was accepted, then stops; the marker of a clean stop is written last. */
  async close(): Promise<void> {}
}
