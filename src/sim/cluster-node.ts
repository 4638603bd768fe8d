/**
 * The part of a broker that deals with the metadata store, on a simulated machine: for tests of
 * `cluster/` and `replica/` that need neither sockets nor requests.
 */
import type { ConfigRules } from '../cluster/admin.ts'
import { Controller, type Settled } from '../cluster/controller.ts'
import { Image } from '../cluster/image.ts'
import { ImageFeed } from '../cluster/image-feed.ts'
import { Membership, type MembershipOptions } from '../cluster/membership.ts'
import { ProducerIds } from '../cluster/producer-ids.ts'
import { Transactor } from '../cluster/transact.ts'
import { type Io, type MetadataStore, StoreUnavailableError } from '../io/io.ts'
import { KafkaError } from '../protocol/errors.ts'
import type { World } from './world.ts'

/** What differs from a broker that starts for the first time. */
export interface ClusterNodeOptions extends Partial<MembershipOptions> {
  /** Also the name of its machine. */
  readonly brokerId: number
  readonly rules?: Partial<ConfigRules>
  readonly store?: MetadataStore
}

/** Enough of the config tables for tests: two keys, one of them a list. */
export const testRules: ConfigRules = {
  defaultPartitions: 1,
  defaultReplicationFactor: 1,
  validate(_, configs) {
    for (const [key, value] of configs) {
      if (key === 'min.insync.replicas' && /^[1-9]\d*$/.test(value)) continue
      if (key === 'cleanup.policy' || key === 'retention.ms') continue
      throw new KafkaError('INVALID_CONFIG', `${key}=${value}`)
    }
  },
  isList: (_, key) => key === 'cleanup.policy',
  defaultList: (_, key) => (key === 'cleanup.policy' ? 'delete' : ''),
  minInsyncReplicas: overrides => Number(overrides.get('min.insync.replicas') ?? 1),
  uncleanElection: () => false,
}

/** One broker, as far as the cluster is concerned. */
export class ClusterNode {
  readonly io: Io
  readonly store: MetadataStore
  readonly image: Image
  readonly feed: ImageFeed
  readonly transactor: Transactor
  readonly membership: Membership
  readonly producerIds: ProducerIds
  readonly fatal: Error[] = []
  readonly #rules: ConfigRules
  #controller: Controller | undefined

  constructor(world: World, options: ClusterNodeOptions) {
    const host = String(options.brokerId)
    this.io = world.io(host)
    this.store = options.store ?? world.store(host)
    this.#rules = { ...testRules, ...options.rules }
    const incarnation = Buffer.from(this.io.random.bytes(8)).toString('hex')
    this.image = new Image(this.io.report)
    this.feed = new ImageFeed(this.io, this.store, this.image)
    this.transactor = new Transactor(this.io.clock, this.store, incarnation)
    this.producerIds = new ProducerIds(this.store, this.transactor)
    this.membership = new Membership(this.io, this.store, this.image, this.transactor, {
      incarnation,
      sessionTimeoutMs: 9000,
      listeners: [{ name: 'PLAINTEXT', host, port: 9092, protocol: 'PLAINTEXT' }],
      rack: null,
      directories: [`directory-${host}`],
      clusterId: undefined,
      previousEpoch: undefined,
      lossless: false,
      newClusterId: 'cluster-id',
      onRegistered: async () => {},
      onFatal: error => void this.fatal.push(error),
      ...options,
    })
  }

  get controller(): Controller {
    return this.#controller!
  }

  /** Registers; resolves when admitted. `replicas` stands for the partitions of the broker. */
  async start(replicas: Settled = { settled: async () => {} }): Promise<this> {
    await this.feed.start()
    await this.membership.start()
    this.#controller = new Controller(
      this.io,
      this.image,
      this.feed,
      this.membership,
      this.transactor,
      { rules: this.#rules, replicas },
    )
    await this.membership.admitted()
    return this
  }

  /** Controlled shutdown. */
  async stop(): Promise<void> {
    await this.membership.stopLeading()
    await this.membership.close()
    this.abandon()
  }

  /** Stops all that goes on by itself; the registration is left to run out. */
  abandon(): void {
    this.controller.close()
    this.transactor.close()
    this.feed.close()
  }
}

/** A store whose transactions can be lost: before they take effect, or after. */
export class UnreliableStore implements MetadataStore {
  /** What happens to the next transactions, first one first; then all is well. */
  readonly fates: ('ok' | 'lost' | 'unanswered')[] = []
  readonly #store: MetadataStore

  constructor(store: MetadataStore) {
    this.#store = store
  }

  async txn(...transaction: Parameters<MetadataStore['txn']>): ReturnType<MetadataStore['txn']> {
    const fate = this.fates.shift()
    if (fate === 'lost') throw new StoreUnavailableError('lost')
    const result = await this.#store.txn(...transaction)
    if (fate === 'unanswered') throw new StoreUnavailableError('unanswered')
    return result
  }

  get(...range: Parameters<MetadataStore['get']>) {
    return this.#store.get(...range)
  }

  watch(...watched: Parameters<MetadataStore['watch']>) {
    return this.#store.watch(...watched)
  }

  grantLease(ttlMs: number) {
    return this.#store.grantLease(ttlMs)
  }

  revokeLease(id: bigint) {
    return this.#store.revokeLease(id)
  }

  close() {
    return this.#store.close()
  }
}
