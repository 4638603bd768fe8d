/**
 * The composition root: makes the parts of a broker, starts them in order and stops them in reverse.
 *
 * Start: config; locks of the data directories; metadata store and image, and meanwhile recovery;
 * listeners are bound, so that their ports can be registered, and who connects waits; registration;
 * partitions; and when this broker is admitted the listeners serve. Each step notes how it is undone:
 * a start that fails undoes what was done, and `close` does it with all of it. The data directories
 * are the last to close, for their marker of a clean stop stands for everything before it.
 */
import { abortable } from '../client/abort.ts'
import { Peers } from '../client/peers.ts'
import { Controller } from '../cluster/controller.ts'
import { FastFencing } from '../cluster/fast-fencing.ts'
import { Image } from '../cluster/image.ts'
import { ImageFeed } from '../cluster/image-feed.ts'
import type { AdvertisedListener } from '../cluster/keys.ts'
import { LeaderBalance } from '../cluster/leader-balance.ts'
import { checkCluster, Membership } from '../cluster/membership.ts'
import { ProducerIds } from '../cluster/producer-ids.ts'
import { randomId } from '../cluster/random-id.ts'
import { removeSelfFrom } from '../cluster/reports.ts'
import { Transactor } from '../cluster/transact.ts'
import type { BrokerConfig } from '../config/broker-config.ts'
import { checkReachable } from '../config/listeners.ts'
import { logConfig } from '../config/topic-config.ts'
import { GroupCoordinator } from '../coordinator/group/group-coordinator.ts'
import { InternalTopic, type TopicMaker } from '../coordinator/internal-topic.ts'
import type { Io, MetadataStore } from '../io/io.ts'
import { openLocalStore } from '../io/local-store.ts'
import type { LogDirectory } from '../log/log-directory.ts'
import { KafkaError } from '../protocol/errors.ts'
import { type LastRun, lastRun } from '../replica/last-run.ts'
import { Replicas } from '../replica/replicas.ts'
import { Forwarder } from '../server/forwarder.ts'
import { type BoundListener, Server } from '../server/server.ts'
import { configRules } from './config-rules.ts'
import {
  beginSessions,
  type DataDirectories,
  metadataDirectory,
  openDirectories,
} from './data-directories.ts'
import { LiveConfig } from './live-config.ts'
import { openEtcd } from './metadata-store.ts'
import type { BrokerOptions, BrokerWorld, TopicOptions } from './options.ts'

type Undo = () => Promise<void> | void

/** How long requests that were accepted may take after `close` was called. */
const stopPatienceMs = 30_000
/** The same while the metadata store is out of reach. */
const awayPatienceMs = 2000

/** How long the topics of a start may take. */
const creationPatienceMs = 30_000

/** How long a start waits until this broker leads what nobody else can lead. */
const leadershipPatienceMs = 5000

/** What a running broker is made of. */
export interface Parts {
  readonly config: LiveConfig
  readonly membership: Membership
  readonly image: Image
  readonly replicas: Replicas
  readonly server: Server
  readonly listeners: readonly BoundListener[]
  readonly ended: PromiseWithResolvers<Error | undefined>
  /** Finishes what was accepted, then ends all of it; rejects with the first error of that. */
  stop(): Promise<void>
}

/** Rejects as `Broker.start` does; what had begun, the world included, is undone then. */
export async function startParts(world: BrokerWorld, options: BrokerOptions): Promise<Parts> {
  const { io } = world
  const undo: Undo[] = [() => world.end()]
  try {
    const config = new LiveConfig(world.properties)
    for (const notice of config.notices) io.report.warn({}, notice)
    return await start(io, config, options, undo)
  } catch (error) {
    await undoAll(undo).catch(cause =>
      io.report.error({ error: cause }, 'a start that failed could not be undone'),
    )
    throw error
  }
}

async function start(
  io: Io,
  config: LiveConfig,
  options: BrokerOptions,
  undo: Undo[],
): Promise<Parts> {
  const ofDirectories = undo.length
  const { signal } = options
  const found = await openDirectories(io, () => config.current, undo)
  const { open: directories, unusable, missing, mayForget } = found
  const ended = Promise.withResolvers<Error | undefined>()
  const onFatal = (error: Error) => ended.resolve(error)
  const metadata = await openMetadata(io, config.current, found, options, onFatal, undo)
  const { store, image, feed, transactor, isShared } = metadata
  const clusterIds = directories.map(({ clusterId }) => clusterId)
  await abortable(checkCluster(store, clusterIds), signal)
  config.follow(image, io.report)
  await Promise.all([
    abortable(feed.start(), signal),
    ...directories.map(directory => directory.settle(config.current.log)),
  ])

  const listeners: BoundListener[] = []
  const peers = makePeers(io, config.current, image)
  undo.push(() => peers.close())
  const proof = lastRun(image, config.current.nodeId, directories)
  // Without a run before this one it is not known which directories there were.
  const isNew = proof.previousEpoch === undefined
  const missingIds = proof.lacksFolders ? missing : []
  const disks = { directories, missingIds, proof }
  const membership = makeMembership(io, config, disks, metadata, listeners, onFatal)
  undo.push(() => membership.close())
  const replicas = new Replicas(io, image, membership, transactor, {
    directories,
    unusable,
    isLackingOne: missing.length > 0 || (isNew && !mayForget),
    logConfig: overrides => logConfig(overrides, config.current),
    retentionCheckMs: config.current.retentionCheckIntervalMs,
    cleaner: () => config.current.cleaner,
    scrubber: () => config.current.scrubber,
    peers,
    fetcher: () => config.current.fetcher,
    lagTimeMs: () => config.current.replicaLagTimeMs,
    throttle: () => config.current.throttle,
    onLastOffline: onFatal,
  })
  const rules = configRules(() => config.current)
  const controller = new Controller(io, image, feed, membership, transactor, { rules, replicas })
  undo.push(() => controller.close())
  const balance = new LeaderBalance(io, image, controller, () => config.current.leaderBalance)
  undo.push(() => balance.close())
  const forwarder = new Forwarder(io, {
    brokerId: config.current.nodeId,
    ...{ image, feed, controller, peers },
  })
  undo.push(() => forwarder.close())
  const { brokerId } = membership
  const producerIds = new ProducerIds(store, transactor)
  const groups = makeGroups(io, config, isShared, image, replicas, forwarder)
  undo.push(() => groups.close())
  const domain = {
    io,
    brokerId,
    image,
    replicas,
    peers,
    controller,
    forwarder,
    producerIds,
    groups,
  }
  const server = new Server({ ...domain, config: () => config.current })
  undo.push(() => server.stop(io.clock.monotonicMs()))

  listeners.push(...(await server.bind()))
  await abortable(removeSelfFrom(transactor, image, brokerId, proof.unproven), signal)
  await abortable(membership.start(), signal)
  const fencing = watchOthers(io, metadata, membership, peers)
  undo.push(() => fencing.close())
  // From here on the partitions know best how their directories end.
  undo[ofDirectories] = () => replicas.close()
  await replicas.start()
  groups.start()
  const ready = async () => {
    await membership.admitted()
    await createTopics(io, forwarder, options.topics ?? {})
    await replicas.leading(leadershipPatienceMs)
    await groups.loaded()
  }
  await abortable(ready(), signal)
  server.serve()
  const stop = async () => {
    await stopServing(io, image, membership, server, groups)
    await undoAll(undo)
    ended.resolve(undefined)
  }
  return { config, membership, image, replicas, server, listeners, ended, stop }
}

/** Throws what the controller says of a topic that cannot be made. */
async function createTopics(
  { clock }: Io,
  controller: TopicMaker,
  topics: Readonly<Record<string, TopicOptions>>,
): Promise<void> {
  const wanted = Object.entries(topics).map(([name, { partitions, configs = {} }]) => ({
    name,
    partitionCount: partitions ?? -1,
    replicationFactor: -1,
    configs: new Map(Object.entries(configs).map(([key, value]) => [key, String(value)])),
  }))
  if (wanted.length === 0) return
  const deadlineMs = clock.monotonicMs() + creationPatienceMs
  for (const { name, error } of await controller.createTopics(wanted, { deadlineMs })) {
    if (error === undefined || error.error === 'TOPIC_ALREADY_EXISTS') continue
    throw new KafkaError(error.error, `topic ${name}: ${error.message}`)
  }
}

function makeGroups(
  io: Io,
  config: LiveConfig,
  isShared: boolean,
  image: Image,
  replicas: Replicas,
  controller: TopicMaker,
): GroupCoordinator {
  const topic = new InternalTopic(io, image, controller, {
    name: '__consumer_offsets',
    settled: topicId => replicas.settled(topicId),
    spec() {
      const { partitionCount, segmentBytes, ...groups } = config.current.groups
      // Nobody can have a second one of a broker that is alone.
      const replicationFactor = isShared ? groups.replicationFactor : 1
      const configs = new Map([
        ['cleanup.policy', 'compact'],
        ['compression.type', 'producer'],
        ['segment.bytes', String(segmentBytes)],
      ])
      return { partitionCount, replicationFactor, configs }
    },
  })
  return new GroupCoordinator(io, image, replicas, {
    topic,
    config: () => config.current.groups,
    maxBatchBytes: config.current.log.maxDecompressedMessageBytes,
  })
}

/** The metadata store and what this process reads and writes it through. */
interface Metadata {
  readonly store: MetadataStore
  readonly image: Image
  readonly feed: ImageFeed
  readonly transactor: Transactor
  /** Random: names this process. */
  readonly incarnation: string
  /** Other brokers may use the store. */
  readonly isShared: boolean
}

async function openMetadata(
  io: Io,
  config: BrokerConfig,
  directories: DataDirectories,
  { store: givenStore, signal }: BrokerOptions,
  onFailed: (error: Error) => void,
  undo: Undo[],
): Promise<Metadata> {
  const { metadataStore: etcd } = config
  const isShared = givenStore !== undefined || etcd !== undefined
  if (isShared) checkReachable(config.listeners, config.advertised)
  const ownStore = async () =>
    etcd === undefined
      ? openLocalStore(io, await metadataDirectory(io, config, directories, undo), onFailed)
      : openEtcd(io, etcd, config.sessionTimeoutMs, { signal })
  const store = givenStore ?? (await ownStore())
  if (givenStore === undefined) undo.push(() => store.close())
  const image = new Image(io.report)
  const feed = new ImageFeed(io, store, image)
  const incarnation = randomId(io.random)
  const transactor = new Transactor(io.clock, store, incarnation)
  undo.push(
    () => feed.close(),
    () => transactor.close(),
  )
  return { store, image, feed, transactor, incarnation, isShared }
}

/** The processes of other brokers, from this one's. */
function watchOthers(
  io: Io,
  { image, store }: Metadata,
  { brokerId }: Membership,
  peers: Peers,
): FastFencing {
  const addressOf = (id: number) => peers.addressOf(id)
  return new FastFencing(io, { image, brokerId, addressOf, revoke: id => store.revokeLease(id) })
}

function makePeers(io: Io, { nodeId, interBrokerListener }: BrokerConfig, image: Image): Peers {
  return new Peers(io, {
    clientId: `broker-${nodeId}`,
    addressOf: brokerId =>
      image.broker(brokerId)?.listeners.find(({ name }) => name === interBrokerListener),
  })
}

/** The registration to be; the image is whole and the directories are settled. */
function makeMembership(
  io: Io,
  config: LiveConfig,
  {
    directories,
    missingIds,
    proof,
  }: {
    readonly directories: readonly LogDirectory[]
    readonly missingIds: readonly string[]
    readonly proof: LastRun
  },
  { store, image, transactor, incarnation }: Metadata,
  listeners: readonly BoundListener[],
  onFatal: (error: Error) => void,
): Membership {
  const { nodeId: brokerId, sessionTimeoutMs, rack } = config.current
  const directoryIds = directories.map(directory => directory.directoryId)
  return new Membership(io, store, image, transactor, {
    brokerId,
    incarnation,
    sessionTimeoutMs,
    rack,
    directories: directoryIds,
    newClusterId: randomId(io.random),
    ...proof,
    // Read when it registers: the ports are known then.
    get listeners() {
      return registered(config.current, listeners)
    },
    async onRegistered(identity) {
      await beginSessions(directories, { ...identity, directoryIds, missingIds })
    },
    onFatal,
  })
}

/** What other brokers are told of our listeners. */
function registered(
  { advertised }: BrokerConfig,
  bound: readonly BoundListener[],
): AdvertisedListener[] {
  return bound.map(({ name, host, port }) => ({
    name,
    host: advertised.get(name)?.host ?? host,
    port: advertised.get(name)?.port || port,
    protocol: 'PLAINTEXT',
  }))
}

/**
 * With other brokers, leaderships move away first, while clients are still served; alone there is
 * nobody to take them: what was accepted is finished, that is all.
 */
async function stopServing(
  io: Io,
  image: Image,
  membership: Membership,
  server: Server,
  groups: GroupCoordinator,
): Promise<void> {
  const isAlone = [...image.brokers()].every(({ brokerId }) => brokerId === membership.brokerId)
  const canDecide = isAlone || (await membership.stopLeading())
  // Who is parked in a rebalance would be waited for; what is decided is still answered.
  groups.stop()
  // Without the store much of what is accepted cannot be finished.
  const patienceMs = canDecide ? stopPatienceMs : awayPatienceMs
  await server.stop(io.clock.monotonicMs() + patienceMs)
}

/** The last step first; all are tried, the first error is thrown. */
async function undoAll(undo: readonly Undo[]): Promise<void> {
  let failure: { readonly error: unknown } | undefined
  for (const step of undo.toReversed()) {
    try {
      await step()
    } catch (error) {
      failure ??= { error }
    }
  }
  if (failure !== undefined) throw failure.error
}
