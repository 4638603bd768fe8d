/**
 * This broker's registration in the cluster: replication.md §5.
 *
 * A registration is the key `alive` under a lease; its createRevision is the broker epoch. The lease
 * is kept by a call every third of its TTL, and `validUntilMs` is counted from when the last
 * successful one was *sent*: beyond it this broker serves nothing that a successor might serve too.
 * That limits stale answers; what keeps records safe are the epochs in every compare.
 *
 * A lost lease is answered by registering anew. Until then, and until `onRegistered` has put the new
 * epoch into the session files, `brokerEpoch` is undefined and this broker leads nothing.
 */
import { softwareVersion } from '../base/version.ts'
import type { Clock, Io, Lease, MetadataStore } from '../io/io.ts'
import { StoreRequestError, StoreUnavailableError } from '../io/io.ts'
import { pause } from '../io/pause.ts'
import { KafkaError } from '../protocol/errors.ts'
import { within } from './deadline.ts'
import { founded, ourFeatures, refusalToJoin, type SupportedFeatures } from './features.ts'
import { isAwaitingOthers } from './handover-state.ts'
import type { Image } from './image.ts'
import {
  type AdvertisedListener,
  type AliveValue,
  type ClusterValue,
  codecs,
  keys,
} from './keys.ts'
import type { Member } from './partition-state.ts'
import type { Definite, Transactor } from './transact.ts'

/** Of the keys in the store: a later release that changes them raises it. */
const formatVersion = 1

const registrationPatienceMs = 60_000
const registrationRetryMs = 1000
const stopPatienceMs = 30_000
/** For so long a stop asks a store that does not answer, and for the end of its registration. */
const [awayPatienceMs, awayProbeMs, revocationPatienceMs] = [4000, 500, 2000]

/** Who this broker is, and what it brings along from its last run. */
export interface MembershipOptions {
  readonly brokerId: number
  /** Random, made once a process; the transactor has the same. */
  readonly incarnation: string
  /** broker.session.timeout.ms; the store has at least 2 s. */
  readonly sessionTimeoutMs: number
  readonly listeners: readonly AdvertisedListener[]
  readonly rack: string | null
  /** Ids of the log directories: we hold their locks. */
  readonly directories: readonly string[]
  /** What the log directories say of the last run. */
  readonly clusterId: string | undefined
  readonly previousEpoch: bigint | undefined
  readonly lossless: boolean
  /** For a cluster that does not exist yet. */
  readonly newClusterId: string
  /** What this process speaks; absent: what this release does. */
  readonly features?: SupportedFeatures
  /** After each registration, before this broker may lead: session files are written here. */
  onRegistered(identity: {
    readonly clusterId: string
    readonly brokerId: number
    readonly brokerEpoch: bigint
  }): Promise<void>
  /** Another process took this id, or the log directories failed: this one cannot go on. */
  onFatal(error: Error): void
}

/** A registration and the lease that it and what belongs to it hang on. */
export interface Registration {
  readonly brokerEpoch: bigint
  readonly lease: Lease
}

/** The registration of this process, kept and renewed until closed. */
export class Membership {
  readonly brokerId: number
  readonly #clock: Clock
  readonly #report: Io['report']
  readonly #store: MetadataStore
  readonly #image: Image
  readonly #transactor: Transactor
  readonly #options: MembershipOptions
  readonly #listeners = new Set<() => void>()
  readonly #features: SupportedFeatures
  #checkedLevel: ClusterValue | undefined
  #clusterId = ''
  #previousEpoch: bigint | undefined
  #lossless: boolean
  #registration: Registration | undefined
  #validUntilMs = Number.NEGATIVE_INFINITY
  #hasLost = false
  #isStopping = false
  #isClosed = false
  #isAsking = false
  #cancelTimer = () => {}
  #unsubscribe = () => {}

  constructor(
    io: Io,
    store: MetadataStore,
    image: Image,
    transactor: Transactor,
    options: MembershipOptions,
  ) {
    this.brokerId = options.brokerId
    this.#clock = io.clock
    this.#report = io.report
    this.#store = store
    this.#image = image
    this.#transactor = transactor
    this.#options = options
    this.#previousEpoch = options.previousEpoch
    this.#lossless = options.lossless
    this.#features = options.features ?? ourFeatures
    image.subscribe(() => this.#followLevel())
  }

  /** Known once started. */
  get clusterId(): string {
    return this.#clusterId
  }

  /** Undefined between a lost lease and the next registration. */
  get brokerEpoch(): bigint | undefined {
    return this.#registration?.brokerEpoch
  }

  get registration(): Registration | undefined {
    return this.#registration
  }

  /** Monotonic; from then on this broker is self-fenced. */
  get validUntilMs(): number {
    return this.#validUntilMs
  }

  /** Called when `brokerEpoch` changed. Answers how to unsubscribe. */
  subscribe(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * Joins the cluster, or founds it; the image is whole by then. Throws INCONSISTENT_CLUSTER_ID
   * when the directories are of another cluster, DUPLICATE_BROKER_REGISTRATION after a minute.
   */
  async start(): Promise<void> {
    this.#clusterId = await this.#agreeOnCluster()
    await this.#revokeOwnPast()
    await this.#register()
    this.#unsubscribe = this.#image.subscribe(({ brokers }) => {
      if (brokers.has(this.brokerId)) this.#doubt()
    })
    this.#doubt()
  }

  /** A disk failed: no later registration of this process claims to have all records. */
  noteLoss(): void {
    this.#hasLost = true
  }

  /** Resolves when the image shows this broker admitted at its present epoch. */
  admitted(): Promise<void> {
    return this.#imageShows(() => {
      const broker = this.#image.broker(this.brokerId)
      return broker?.admitted === true && broker.brokerEpoch === this.brokerEpoch
    })
  }

  /**
   * Controlled shutdown: resolves to true when others have taken over what they can (see
   * handover-state.ts), or after 30 s; to false once the store was out of reach for 4 s, for without
   * it nobody takes anything over.
   */
  async stopLeading(): Promise<boolean> {
    this.#isStopping = true
    const { registration } = this
    if (registration === undefined) return true
    const deadlineMs = this.#clock.monotonicMs() + stopPatienceMs
    const isOver = new AbortController()
    const handingOver = Promise.race([
      this.#handOver(registration),
      this.#storeIsAway(isOver.signal),
    ])
    try {
      await within(this.#clock, handingOver, deadlineMs)
      return true
    } catch (error) {
      const isAway = error instanceof StoreUnavailableError
      if (!isAway && !(error instanceof KafkaError)) throw error
      const { message } = error
      this.#report.warn({ error: message }, 'stopping before others have taken over')
      return !isAway
    } finally {
      isOver.abort()
    }
  }

  /** Gives the registration up, the last thing that happens; without the store it ends by itself. */
  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancelTimer()
    this.#unsubscribe()
    const { registration } = this
    this.#setRegistration(undefined)
    if (registration === undefined) return
    const deadlineMs = this.#clock.monotonicMs() + revocationPatienceMs
    try {
      await within(this.#clock, this.#store.revokeLease(registration.lease.id), deadlineMs)
    } catch (error) {
      if (!(error instanceof StoreUnavailableError || error instanceof KafkaError)) throw error
      this.#report.warn({ error: error.message }, 'the registration stays until it runs out')
    }
  }

  /** Rejects when the store gave no answer for so long; resolves when it is told to end. */
  async #storeIsAway(signal: AbortSignal): Promise<void> {
    const range = { key: keys.alive(this.brokerId) }
    let answeredMs = this.#clock.monotonicMs()
    while (!signal.aborted) {
      const deadlineMs = answeredMs + awayPatienceMs
      try {
        await within(this.#clock, this.#store.get(range), deadlineMs)
        answeredMs = this.#clock.monotonicMs()
      } catch (cause) {
        if (this.#clock.monotonicMs() >= deadlineMs) {
          throw new StoreUnavailableError('the metadata store is out of reach', { cause })
        }
      }
      await pause(this.#clock, awayProbeMs, signal)
    }
  }

  async #handOver(registration: Registration): Promise<void> {
    if (!(await this.#putStopping(registration))) return
    await this.#imageShows(() => !this.#isAwaitingOthers(registration.brokerEpoch))
  }

  /** False when the registration is gone: then the controller sees to it as to any dead broker. */
  async #putStopping(registration: Registration): Promise<boolean> {
    const key = keys.stopping(this.brokerId)
    const by = this.#transactor.nextBy()
    const compares = [{ key, target: 'version', equals: 0n } as const, this.#ownAlive(registration)]
    const ops = [{ put: key, value: codecs.stopping.encode({ by }), lease: registration.lease }]
    try {
      return (await this.#transactor.run({ compares, ops, proofKey: key }, by)).applied
    } catch (error) {
      if (error instanceof StoreRequestError) return false
      throw error
    }
  }

  async #agreeOnCluster(): Promise<string> {
    const { clusterId, newClusterId } = this.#options
    const { entries } = await this.#store.get({ key: keys.cluster })
    let entry = entries[0]
    if (entry === undefined) {
      if (clusterId !== undefined) {
        throw storeIsEmpty(clusterId)
      }
      const by = this.#transactor.nextBy()
      const value = codecs.cluster.encode({
        clusterId: newClusterId,
        formatVersion,
        features: founded(this.#features, softwareVersion),
        by,
      })
      const outcome = await this.#transactor.run(
        {
          compares: [{ key: keys.cluster, target: 'version', equals: 0n }],
          ops: [{ put: keys.cluster, value }],
          proofKey: keys.cluster,
        },
        by,
      )
      if (outcome.applied) return newClusterId
      entry = outcome.found
    }
    const found = codecs.cluster.decode(entry!.value)
    refuseNewer(found, this.#features)
    refuseOther(clusterId, found.clusterId)
    return found.clusterId
  }

  /** A registration that names a directory of ours is of a process that is gone: we hold its lock. */
  async #revokeOwnPast(): Promise<void> {
    for (const { directories, lease } of this.#image.brokers()) {
      if (directories.some(id => this.#options.directories.includes(id))) {
        await this.#store.revokeLease(lease)
      }
    }
  }

  async #register(): Promise<void> {
    const deadlineMs = this.#clock.monotonicMs() + registrationPatienceMs
    while (!this.#isClosed) {
      const sentMs = this.#clock.monotonicMs()
      const registration = await this.#tryRegister()
      if (registration !== undefined) {
        const { brokerEpoch } = registration
        const { clusterId, brokerId } = this
        if (this.#isClosed) {
          await this.#store.revokeLease(registration.lease.id)
          return
        }
        await this.#options.onRegistered({ clusterId, brokerId, brokerEpoch })
        this.#validUntilMs = sentMs + this.#options.sessionTimeoutMs
        this.#keepAliveIn(this.#options.sessionTimeoutMs / 3)
        this.#setRegistration(registration)
        return
      }
      if (this.#clock.monotonicMs() >= deadlineMs) {
        throw new KafkaError(
          'DUPLICATE_BROKER_REGISTRATION',
          `another process is broker ${this.brokerId}`,
        )
      }
      await this.#sleep(registrationRetryMs)
    }
  }

  /** Undefined when another process, or our past, has the id, or the store is away. */
  async #tryRegister(): Promise<Registration | undefined> {
    try {
      const lease = await this.#store.grantLease(this.#options.sessionTimeoutMs)
      const outcome = await this.#putAlive(lease)
      if (outcome.applied) return { brokerEpoch: outcome.revision, lease }
      const { found } = outcome
      if (found !== undefined) await this.#revokeIfOurs(found.value, found.lease)
      await this.#store.revokeLease(lease.id)
    } catch (error) {
      const isPassing = error instanceof StoreRequestError || error instanceof StoreUnavailableError
      if (!isPassing) throw error
      this.#report.warn({ error }, 'could not register, trying again')
    }
    return undefined
  }

  #putAlive(lease: Lease): Promise<Definite> {
    const { incarnation, directories, listeners, rack } = this.#options
    const key = keys.alive(this.brokerId)
    const by = this.#transactor.nextBy()
    const value: AliveValue = {
      incarnation,
      directories,
      listeners,
      rack,
      previousEpoch: this.#previousEpoch ?? null,
      lossless: this.#lossless && this.#previousEpoch !== undefined,
      features: this.#features,
      release: softwareVersion,
      by,
    }
    const compares = [{ key, target: 'version', equals: 0n } as const]
    const ops = [{ put: key, value: codecs.alive.encode(value), lease }]
    return this.#transactor.run({ compares, ops, proofKey: key }, by)
  }

  async #revokeIfOurs(value: Uint8Array, lease: bigint): Promise<void> {
    const found = codecs.alive.decode(value)
    const isOurs =
      found.incarnation === this.#options.incarnation ||
      found.directories.some(id => this.#options.directories.includes(id))
    if (isOurs) await this.#store.revokeLease(lease)
  }

  #keepAliveIn(delayMs: number): void {
    const timer = this.#clock.timer(delayMs, () => void this.#keepAlive())
    this.#cancelTimer = () => timer.cancel()
  }

  /** Our registration is gone, as the image has it: somebody may have ended it before its time. */
  #doubt(): void {
    const { registration } = this
    if (registration === undefined || this.#isAsking || this.#isClosed) return
    const { brokerEpoch } = registration
    const isGone = this.#image.broker(this.brokerId)?.brokerEpoch !== brokerEpoch
    if (!isGone || this.#image.revision < brokerEpoch) return
    this.#cancelTimer()
    void this.#keepAlive()
  }

  async #keepAlive(): Promise<void> {
    const before = this.#registration
    this.#isAsking = true
    try {
      await this.#askLease()
    } finally {
      this.#isAsking = false
    }
    // A new one may have been ended in the meantime.
    if (this.#registration !== before) this.#doubt()
  }

  async #askLease(): Promise<void> {
    const { registration } = this
    if (registration === undefined) return
    const sentMs = this.#clock.monotonicMs()
    const ttlMs = this.#options.sessionTimeoutMs
    let remainingMs: number
    try {
      remainingMs = await registration.lease.keepAlive()
    } catch (error) {
      const { message } = error as Error
      this.#report.warn({ error: message }, 'the metadata store did not answer, trying again')
      if (!this.#isClosed) this.#keepAliveIn(ttlMs / 10)
      return
    }
    if (this.#isClosed) return
    if (remainingMs > 0) {
      this.#validUntilMs = sentMs + ttlMs
      this.#keepAliveIn(ttlMs / 3)
    } else {
      await this.#registerAgain(registration.brokerEpoch)
    }
  }

  async #registerAgain(lostEpoch: bigint): Promise<void> {
    this.#validUntilMs = Number.NEGATIVE_INFINITY
    this.#setRegistration(undefined)
    if (this.#isStopping) return
    this.#report.warn({ brokerEpoch: lostEpoch }, 'the registration is gone, registering again')
    // The process ran on: unless a disk failed, it lost nothing since that registration.
    this.#previousEpoch = lostEpoch
    this.#lossless = !this.#hasLost
    try {
      await this.#register()
    } catch (error) {
      this.#options.onFatal(error as Error)
    }
  }

  /** The level may have been raised before the controller saw that this broker was about to join. */
  #followLevel(): void {
    const cluster = this.#image.cluster?.value
    const isChecked = cluster === undefined || cluster === this.#checkedLevel
    if (isChecked || this.#registration === undefined) return
    this.#checkedLevel = cluster
    try {
      refuseNewer(cluster, this.#features)
    } catch (error) {
      this.#options.onFatal(error as Error)
    }
  }

  #setRegistration(registration: Registration | undefined): void {
    this.#registration = registration
    for (const listener of [...this.#listeners]) listener()
  }

  /** Not before the image shows that this broker is stopping, or is gone. */
  #isAwaitingOthers(brokerEpoch: bigint): boolean {
    const { brokerId } = this
    const known = this.#image.broker(brokerId)
    if (known?.brokerEpoch !== brokerEpoch) return false
    if (!known.stopping) return true
    const self: Member = [brokerId, brokerEpoch]
    for (const { partitions } of this.#image.topics()) {
      if (partitions.some(state => isAwaitingOthers(state, self, this.#image.usable))) return true
    }
    return false
  }

  #ownAlive({ brokerEpoch }: Registration) {
    return {
      key: keys.alive(this.brokerId),
      target: 'createRevision',
      equals: brokerEpoch,
    } as const
  }

  #imageShows(isTrue: () => boolean): Promise<void> {
    return new Promise(resolve => {
      if (isTrue()) {
        resolve()
        return
      }
      const stop = this.#image.subscribe(() => {
        if (!isTrue()) return
        stop()
        resolve()
      })
    })
  }

  #sleep(delayMs: number): Promise<void> {
    return new Promise(resolve => {
      const timer = this.#clock.timer(delayMs, resolve)
      this.#cancelTimer = () => timer.cancel()
    })
  }
}

/**
 * Before anything is changed in the log directories: that they belong to the store's cluster, and
 * that this release speaks what it does. Throws INCONSISTENT_CLUSTER_ID, UNSUPPORTED_VERSION.
 */
export async function checkCluster(
  store: MetadataStore,
  clusterIds: readonly (string | undefined)[],
): Promise<void> {
  const { entries } = await store.get({ key: keys.cluster })
  const cluster = entries[0] && codecs.cluster.decode(entries[0].value)
  if (cluster !== undefined) refuseNewer(cluster, ourFeatures)
  for (const clusterId of clusterIds) {
    if (cluster !== undefined) {
      refuseOther(clusterId, cluster.clusterId)
    } else if (clusterId !== undefined) throw storeIsEmpty(clusterId)
  }
}

function refuseNewer(cluster: ClusterValue, supported: SupportedFeatures): void {
  const why =
    cluster.formatVersion > formatVersion
      ? `the cluster's metadata has format ${cluster.formatVersion}, this release reads ${formatVersion} at most: use the release that the other brokers run`
      : refusalToJoin(cluster.features, supported)
  if (why !== undefined) throw new KafkaError('UNSUPPORTED_VERSION', why)
}

function storeIsEmpty(clusterId: string): KafkaError {
  return new KafkaError(
    'INCONSISTENT_CLUSTER_ID',
    `the metadata store is empty, and the log directories belong to cluster ${clusterId}: the store was lost or is another one, then restore it; or they are Apache Kafka's, then 'ottla log adopt' takes them over`,
  )
}

function refuseOther(clusterId: string | undefined, ofStore: string): void {
  if (clusterId === undefined || clusterId === ofStore) return
  throw new KafkaError(
    'INCONSISTENT_CLUSTER_ID',
    `the log directories belong to cluster ${clusterId}, the metadata store to ${ofStore}`,
  )
}
