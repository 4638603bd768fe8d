/**
 * What this broker was told, parsed: properties by Kafka's names in, typed values out.
 *
 * Values come from three places, the first that has one wins: dynamic values of this broker and of
 * all brokers (kept in the metadata store, only keys that are `dynamic`), the properties of the
 * start, the default. Several keys may stand for one value (`log.retention.ms`, `.minutes`,
 * `.hours`): the order is Kafka's.
 */
import { compressions } from '../protocol/records/batch.ts'
import { brokerKeys } from './broker-keys.ts'
import type { CleanerConfig } from './cleaner-config.ts'
import { defaultText } from './cluster-defaults.ts'
import type { FetcherConfig } from './fetcher-config.ts'
import type { GroupConfig } from './group-config.ts'
import { ConfigError, type ConfigKey, type ConfigValue, defaultOf, parseValue } from './key.ts'
import { interBrokerListener, type Listener, parseAdvertised, parseListeners } from './listeners.ts'
import type { LogConfig } from './log-config.ts'
import { type MetadataStoreConfig, metadataStoreConfig } from './metadata-store.ts'
import type { ScrubberConfig } from './scrubber-config.ts'
import type { ThrottleConfig } from './throttle-config.ts'

export interface BrokerConfig {
  readonly nodeId: number
  /** broker.rack */
  readonly rack: string | null
  readonly listeners: readonly Listener[]
  /** inter.broker.listener.name: the one by which brokers reach each other. */
  readonly interBrokerListener: string
  /** By listener name; one without an entry is told the address by which each client came. */
  readonly advertised: ReadonlyMap<string, { readonly host: string; readonly port: number }>
  /** log.dirs, else log.dir. Never empty, none twice. */
  readonly dataDirectories: readonly string[]
  /** metadata.log.dir; undefined: one of the data directories. */
  readonly metadataDirectory: string | undefined
  /** metadata.store; undefined: a file in the metadata directory. */
  readonly metadataStore: MetadataStoreConfig | undefined
  /** log.dir.min.free.bytes; −1: the default, 0: no bound. */
  readonly minFreeBytes: number
  /** log.tail.cache.bytes */
  readonly tailCacheBytes: number
  readonly sessionTimeoutMs: number
  readonly replicaLagTimeMs: number
  /** auto.leader.rebalance.enable, leader.imbalance.check.interval.seconds. */
  readonly leaderBalance: { readonly isEnabled: boolean; readonly intervalMs: number }
  /** replica.selector.class: consumers are sent to a replica in their rack (KIP-392). */
  readonly rackAwareReads: boolean
  readonly throttle: ThrottleConfig
  readonly fetcher: FetcherConfig
  readonly autoCreateTopics: boolean
  readonly deleteTopics: boolean
  readonly numPartitions: number
  readonly defaultReplicationFactor: number
  /** What topics have that say nothing themselves. */
  readonly log: LogConfig
  readonly retentionCheckIntervalMs: number
  readonly cleaner: CleanerConfig
  readonly scrubber: ScrubberConfig
  readonly producerIdExpirationMs: number
  readonly fetchMaxBytes: number
  readonly fetchSessionSlots: number
  readonly describePartitionLimit: number
  readonly requestMaxBytes: number
  /** Requests and answers of all connections. */
  readonly queuedMaxBytes: number
  /** −1: never. */
  readonly connectionsMaxIdleMs: number
  /** Infinity: none is reported. */
  readonly slowRequestMs: number
  readonly maxConnections: number
  readonly maxConnectionsPerIp: number
  readonly maxConnectionsPerIpOverrides: ReadonlyMap<string, number>
  readonly listenBacklog: number
  readonly groups: GroupConfig
  /** Where each value comes from, for DescribeConfigs. */
  readonly sources: ConfigSources
}

/** The texts behind a configuration, by key name. */
export interface ConfigSources {
  readonly properties: ReadonlyMap<string, string>
  /** Dynamic values of all brokers. */
  readonly clusterWide: ReadonlyMap<string, string>
  /** Dynamic values of this broker. */
  readonly perBroker: ReadonlyMap<string, string>
}

/** Nothing was set. */
export const noProperties: ReadonlyMap<string, string> = new Map()

export interface ParsedBrokerConfig {
  /** Absent when there are errors. */
  readonly config?: BrokerConfig
  /** Sentences about keys that do not act. */
  readonly notices: readonly string[]
  /** Sentences that say what to do. */
  readonly errors: readonly string[]
}

/** Reads the properties of a start. Never throws: all that is wrong is listed. */
export function parseBrokerConfig(properties: ReadonlyMap<string, string>): ParsedBrokerConfig {
  const { known, unknown } = splitKnown(properties)
  const errors: string[] = []
  for (const [key, text] of known) {
    const refusal = refusalOf(key, text)
    if (refusal !== undefined) errors.push(refusal)
  }
  // Nearly all of these are about encryption and authentication: not to be ignored.
  for (const name of unknown.filter(key => key.startsWith('listener.name.'))) {
    errors.push(
      `${name} cannot be set: settings of single listeners are not served yet. Remove it.`,
    )
  }
  if (errors.length > 0) return { notices: [], errors }
  const sources = { properties, clusterWide: noProperties, perBroker: noProperties }
  try {
    return { config: brokerConfig(sources), notices: noticesOf(known, unknown), errors }
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    return { notices: [], errors: [error.message] }
  }
}

/**
 * Puts all sources together. Throws ConfigError: only for values that `parseBrokerConfig` and
 * `validateBrokerChange` refuse.
 */
export function brokerConfig(sources: ConfigSources): BrokerConfig {
  const values = new Values(sources)
  const listeners = parseListeners(
    values.list('listeners'),
    values.string('listener.security.protocol.map').split(','),
    sources.properties.get('controller.listener.names') ?? '',
  )
  const queuedMaxBytes = values.number('queued.max.request.bytes')
  const idleMs = values.number('connections.max.idle.ms')
  const slowMs = values.number('slow.request.ms')
  return {
    nodeId: nodeId(values),
    rack: values.optional('broker.rack') as string | null,
    listeners,
    interBrokerListener: interBrokerListener(
      values.optional('inter.broker.listener.name') as string | null,
      listeners,
    ),
    advertised: parseAdvertised(values.optional('advertised.listeners') as string[], listeners),
    dataDirectories: dataDirectories(values),
    metadataDirectory: optionalText(values, 'metadata.log.dir'),
    metadataStore: metadataStoreConfig(optionalText(values, 'metadata.store'), {
      caFile: optionalText(values, 'metadata.store.ssl.ca.file'),
      certificateFile: optionalText(values, 'metadata.store.ssl.certificate.file'),
      keyFile: optionalText(values, 'metadata.store.ssl.key.file'),
      user: optionalText(values, 'metadata.store.user'),
      password: optionalText(values, 'metadata.store.password'),
    }),
    minFreeBytes: values.number('log.dir.min.free.bytes'),
    tailCacheBytes: values.number('log.tail.cache.bytes'),
    sessionTimeoutMs: values.number('broker.session.timeout.ms'),
    replicaLagTimeMs: values.number('replica.lag.time.max.ms'),
    leaderBalance: {
      isEnabled: values.boolean('auto.leader.rebalance.enable'),
      intervalMs: values.number('leader.imbalance.check.interval.seconds') * 1000,
    },
    rackAwareReads: rackAwareReads(optionalText(values, 'replica.selector.class')),
    throttle: {
      leaderRate: values.number('leader.replication.throttled.rate'),
      followerRate: values.number('follower.replication.throttled.rate'),
      moveRate: values.number('replica.alter.log.dirs.io.max.bytes.per.second'),
      windows: values.number('replication.quota.window.num'),
      windowMs: values.number('replication.quota.window.size.seconds') * 1000,
    },
    fetcher: {
      fetchers: values.number('num.replica.fetchers'),
      waitMaxMs: values.number('replica.fetch.wait.max.ms'),
      minBytes: values.number('replica.fetch.min.bytes'),
      maxBytes: values.number('replica.fetch.max.bytes'),
      responseMaxBytes: values.number('replica.fetch.response.max.bytes'),
      backoffMs: values.number('replica.fetch.backoff.ms'),
      timeoutMs: values.number('replica.socket.timeout.ms'),
    },
    autoCreateTopics: values.boolean('auto.create.topics.enable'),
    deleteTopics: values.boolean('delete.topic.enable'),
    numPartitions: values.number('num.partitions'),
    defaultReplicationFactor: values.number('default.replication.factor'),
    log: logDefaults(values),
    cleaner: cleanerConfig(values),
    scrubber: {
      maxBytesPerSecond: values.number('log.scrub.max.bytes.per.second'),
      intervalMs: values.number('log.scrub.interval.ms'),
    },
    retentionCheckIntervalMs: values.number('log.retention.check.interval.ms'),
    producerIdExpirationMs: values.number('producer.id.expiration.ms'),
    fetchMaxBytes: values.number('fetch.max.bytes'),
    fetchSessionSlots: values.number('max.incremental.fetch.session.cache.slots'),
    describePartitionLimit: values.number('max.request.partition.size.limit'),
    requestMaxBytes: values.number('socket.request.max.bytes'),
    queuedMaxBytes: queuedMaxBytes < 0 ? 256 * 1024 * 1024 : queuedMaxBytes,
    connectionsMaxIdleMs: idleMs < 0 ? -1 : idleMs,
    slowRequestMs: slowMs < 0 ? Number.POSITIVE_INFINITY : slowMs,
    maxConnections: values.number('max.connections'),
    maxConnectionsPerIp: values.number('max.connections.per.ip'),
    maxConnectionsPerIpOverrides: ipOverrides(values),
    listenBacklog: values.number('socket.listen.backlog.size'),
    groups: groupConfig(values),
    sources,
  }
}

/**
 * Why a dynamic value of a broker cannot be taken; undefined when it can. `name` '' is the default
 * of all brokers.
 */
export function validateBrokerChange(configs: ReadonlyMap<string, string>): string | undefined {
  for (const [name, text] of configs) {
    const key = brokerKeys.get(name)
    if (key === undefined) return `there is no broker config ${name}`
    if (!key.dynamic) return `${name} cannot be changed while the broker runs`
    const refusal = refusalOf(key, text)
    if (refusal !== undefined) return refusal
  }
  try {
    brokerConfig({ properties: noProperties, clusterWide: noProperties, perBroker: configs })
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

/** The sentence for a value that is invalid or refused by name; undefined when it is taken. */
export function refusalOf(key: ConfigKey, text: string): string | undefined {
  try {
    const value = parseValue(key, text)
    if (key.meaning !== 'refused' || isDefault(key, value)) return
    return `${key.name} cannot be set: ${key.doc} Remove it${
      key.defaultValue ? `, or say ${key.defaultValue}` : ''
    }.`
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
}

/** The values of a start that are kept, with the first source that has each. */
class Values {
  readonly #sources: ConfigSources

  constructor(sources: ConfigSources) {
    this.#sources = sources
  }

  /** Whether some source has it. */
  isSet(name: string): boolean {
    return this.#text(name) !== undefined
  }

  number(name: string): number {
    return this.#value(name) as number
  }

  boolean(name: string): boolean {
    return this.#value(name) as boolean
  }

  string(name: string): string {
    return this.#value(name) as string
  }

  list(name: string): readonly string[] {
    return this.#value(name) as readonly string[]
  }

  optional(name: string): ConfigValue | null {
    return this.#value(name)
  }

  #text(name: string): string | undefined {
    const { perBroker, clusterWide, properties } = this.#sources
    return perBroker.get(name) ?? clusterWide.get(name) ?? properties.get(name)
  }

  #value(name: string): ConfigValue | null {
    const key = brokerKeys.get(name)!
    const text = this.#text(name)
    const known = text ?? defaultText(key, this.#sources.properties)
    return known === null ? null : parseValue(key, known)
  }
}

/** Empty is how a properties file leaves a key unset. */
function optionalText(values: Values, name: string): string | undefined {
  return (values.optional(name) as string | null) || undefined
}

function logDefaults(values: Values): LogConfig {
  const policy = values.list('log.cleanup.policy')
  return {
    cleanupDelete: policy.includes('delete'),
    cleanupCompact: policy.includes('compact'),
    deleteRetentionMs: values.number('log.cleaner.delete.retention.ms'),
    minCleanableRatio: values.number('log.cleaner.min.cleanable.ratio'),
    minCompactionLagMs: values.number('log.cleaner.min.compaction.lag.ms'),
    maxCompactionLagMs: values.number('log.cleaner.max.compaction.lag.ms'),
    compressionType: values.string('compression.type') as LogConfig['compressionType'],
    gzipLevel: values.number('compression.gzip.level'),
    lz4Level: values.number('compression.lz4.level'),
    zstdLevel: values.number('compression.zstd.level'),
    maxMessageBytes: values.number('message.max.bytes'),
    maxDecompressedMessageBytes: values.number('max.decompressed.message.bytes'),
    timestampType: values.string('log.message.timestamp.type') as LogConfig['timestampType'],
    timestampBeforeMaxMs: values.number('log.message.timestamp.before.max.ms'),
    timestampAfterMaxMs: values.number('log.message.timestamp.after.max.ms'),
    segmentBytes: values.number('log.segment.bytes'),
    segmentMs: firstSet(values, rollKeys),
    segmentJitterMs: firstSet(values, rollJitterKeys),
    indexIntervalBytes: values.number('log.index.interval.bytes'),
    segmentIndexBytes: values.number('log.index.size.max.bytes'),
    fileDeleteDelayMs: values.number('log.segment.delete.delay.ms'),
    retentionMs: Math.max(-1, firstSet(values, retentionKeys)),
    retentionBytes: values.number('log.retention.bytes'),
    flushMessages: values.number('log.flush.interval.messages'),
    flushMs: values.isSet('log.flush.interval.ms')
      ? values.number('log.flush.interval.ms')
      : Number.MAX_SAFE_INTEGER,
    minInsyncReplicas: values.number('min.insync.replicas'),
    uncleanLeaderElection: values.boolean('unclean.leader.election.enable'),
  }
}

function cleanerConfig(values: Values): CleanerConfig {
  return {
    enabled: values.boolean('log.cleaner.enable'),
    threads: values.number('log.cleaner.threads'),
    backoffMs: values.number('log.cleaner.backoff.ms'),
    maxBytesPerSecond: Math.max(1, values.number('log.cleaner.io.max.bytes.per.second')),
    dedupeBufferBytes: values.number('log.cleaner.dedupe.buffer.size'),
    loadFactor: Math.min(1, Math.max(0.01, values.number('log.cleaner.io.buffer.load.factor'))),
    bufferBytes: values.number('log.cleaner.io.buffer.size'),
  }
}

function groupConfig(values: Values): GroupConfig {
  const graceMs = values.number('group.disconnect.grace.ms')
  return {
    minSessionTimeoutMs: values.number('group.min.session.timeout.ms'),
    maxSessionTimeoutMs: values.number('group.max.session.timeout.ms'),
    maxSize: values.number('group.max.size'),
    initialRebalanceDelayMs: Math.max(0, values.number('group.initial.rebalance.delay.ms')),
    disconnectGraceMs: graceMs < 0 ? undefined : graceMs,
    offsetMetadataMaxBytes: values.number('offset.metadata.max.bytes'),
    offsetsRetentionMs: values.number('offsets.retention.minutes') * minuteMs,
    offsetsRetentionCheckMs: values.number('offsets.retention.check.interval.ms'),
    commitTimeoutMs: values.number('offsets.commit.timeout.ms'),
    loadBytes: values.number('offsets.load.buffer.size'),
    compression: compressions[values.number('offsets.topic.compression.codec')]!,
    partitionCount: values.number('offsets.topic.num.partitions'),
    replicationFactor: values.number('offsets.topic.replication.factor'),
    segmentBytes: values.number('offsets.topic.segment.bytes'),
  }
}

/** Keys of one duration with their milliseconds a unit; the first that is set counts. */
type DurationKeys = readonly (readonly [name: string, unitMs: number])[]

const [minuteMs, hourMs] = [60_000, 3_600_000]

const retentionKeys: DurationKeys = [
  ['log.retention.ms', 1],
  ['log.retention.minutes', minuteMs],
  ['log.retention.hours', hourMs],
]
const rollKeys: DurationKeys = [
  ['log.roll.ms', 1],
  ['log.roll.hours', hourMs],
]
const rollJitterKeys: DurationKeys = [
  ['log.roll.jitter.ms', 1],
  ['log.roll.jitter.hours', hourMs],
]

function firstSet(values: Values, keys: DurationKeys): number {
  const [name, unitMs] = keys.find(([key]) => values.isSet(key)) ?? keys.at(-1)!
  const value = values.number(name)
  if (value < 0 && value !== -1) throw new ConfigError(`invalid ${name} ${value}: -1 is no bound`)
  return value === -1 ? -1 : value * unitMs
}

function nodeId(values: Values): number {
  const old = values.number('broker.id')
  if (values.isSet('node.id') || old === -1) {
    const id = values.number('node.id')
    if (old !== -1 && old !== id) {
      throw new ConfigError(`node.id ${id} and broker.id ${old} differ: say node.id alone`)
    }
    return id
  }
  return old
}

const replicaSelectors = new Map([
  ['org.apache.kafka.common.replica.LeaderSelector', false],
  ['org.apache.kafka.common.replica.RackAwareReplicaSelector', true],
])

function rackAwareReads(selector: string | undefined): boolean {
  const isRackAware = selector === undefined ? false : replicaSelectors.get(selector)
  if (isRackAware === undefined) {
    throw new ConfigError(
      `replica.selector.class ${selector} cannot be loaded: use one of ${[...replicaSelectors.keys()].join(', ')}`,
    )
  }
  return isRackAware
}

function dataDirectories(values: Values): readonly string[] {
  const listed = values.optional('log.dirs') as readonly string[] | null
  const directories = listed === null || listed.length === 0 ? values.list('log.dir') : listed
  if (directories.length === 0 || directories.includes('')) {
    throw new ConfigError('log.dirs must name data directories, separated by commas')
  }
  const twice = directories.find((path, index) => directories.indexOf(path) !== index)
  if (twice !== undefined) throw new ConfigError(`log.dirs names ${twice} twice: say it once`)
  return directories
}

function ipOverrides(values: Values): ReadonlyMap<string, number> {
  const text = (values.optional('max.connections.per.ip.overrides') as string | null) ?? ''
  const overrides = new Map<string, number>()
  for (const entry of text.split(',').filter(part => part.trim() !== '')) {
    const [, address, count] = /^\s*(.+):(\d{1,10})\s*$/.exec(entry) ?? []
    if (address === undefined) {
      throw new ConfigError(
        `invalid entry '${entry}' of max.connections.per.ip.overrides: say address:count`,
      )
    }
    overrides.set(address, Number(count))
  }
  return overrides
}

function splitKnown(properties: ReadonlyMap<string, string>) {
  const known: [ConfigKey, string][] = []
  const unknown: string[] = []
  for (const [name, text] of properties) {
    const key = brokerKeys.get(name)
    if (key !== undefined) known.push([key, text])
    else unknown.push(name)
  }
  return { known, unknown }
}

/** One sentence for each meaning, not one for each key: a Kafka file names dozens. */
function noticesOf(known: readonly [ConfigKey, string][], unknown: readonly string[]): string[] {
  const changed = known.filter(([key, text]) => !isDefault(key, parseValue(key, text)))
  const named = (meaning: ConfigKey['meaning']) =>
    changed.filter(([key]) => key.meaning === meaning).map(([key]) => key.name)
  const notices: string[] = []
  const say = (names: readonly string[], rest: string) => {
    if (names.length > 0) notices.push(`${names.join(', ')}: ${rest}`)
  }
  say(named('no-meaning'), 'no meaning here, ignored')
  say(named('later'), 'kept, but the feature is not here yet: no effect')
  say(unknown, 'not a key that this broker knows, ignored')
  return notices
}

function isDefault(key: ConfigKey, value: ConfigValue): boolean {
  // An empty value is how a properties file leaves a key unset.
  return String(value) === '' || String(value) === String(defaultOf(key))
}
