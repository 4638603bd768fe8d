/**
 * A topic's configs: what may be stored, and what the log obeys.
 *
 * A topic stores only its overrides, as text by Kafka's topic names; everything else follows the
 * broker's config, so that a change of the broker's reaches the topics that say nothing themselves.
 */
import { type BrokerConfig, refusalOf } from './broker-config.ts'
import type { ConfigKey, ConfigValue } from './key.ts'
import { parseValue } from './key.ts'
import type { LogConfig } from './log-config.ts'
import { throttledReplicasRefusal } from './throttle-config.ts'
import { topicKeys } from './topic-keys.ts'

/** The broker's names of a topic key, the one that counts first (KIP-226 synonyms). */
export const topicSynonyms: ReadonlyMap<string, readonly string[]> = new Map([
  ['cleanup.policy', ['log.cleanup.policy']],
  ['compression.gzip.level', ['compression.gzip.level']],
  ['compression.lz4.level', ['compression.lz4.level']],
  ['compression.type', ['compression.type']],
  ['compression.zstd.level', ['compression.zstd.level']],
  ['delete.retention.ms', ['log.cleaner.delete.retention.ms']],
  ['file.delete.delay.ms', ['log.segment.delete.delay.ms']],
  ['flush.messages', ['log.flush.interval.messages']],
  ['flush.ms', ['log.flush.interval.ms', 'log.flush.scheduler.interval.ms']],
  ['index.interval.bytes', ['log.index.interval.bytes']],
  ['local.retention.bytes', ['log.local.retention.bytes']],
  ['local.retention.ms', ['log.local.retention.ms']],
  ['max.compaction.lag.ms', ['log.cleaner.max.compaction.lag.ms']],
  ['max.decompressed.message.bytes', ['max.decompressed.message.bytes']],
  ['max.message.bytes', ['message.max.bytes']],
  ['message.timestamp.after.max.ms', ['log.message.timestamp.after.max.ms']],
  ['message.timestamp.before.max.ms', ['log.message.timestamp.before.max.ms']],
  ['message.timestamp.type', ['log.message.timestamp.type']],
  ['min.cleanable.dirty.ratio', ['log.cleaner.min.cleanable.ratio']],
  ['min.compaction.lag.ms', ['log.cleaner.min.compaction.lag.ms']],
  ['min.insync.replicas', ['min.insync.replicas']],
  ['preallocate', ['log.preallocate']],
  ['remote.copy.lag.bytes', ['log.remote.copy.lag.bytes']],
  ['remote.copy.lag.ms', ['log.remote.copy.lag.ms']],
  ['retention.bytes', ['log.retention.bytes']],
  ['retention.ms', ['log.retention.ms', 'log.retention.minutes', 'log.retention.hours']],
  ['segment.bytes', ['log.segment.bytes']],
  ['segment.index.bytes', ['log.index.size.max.bytes']],
  ['segment.jitter.ms', ['log.roll.jitter.ms', 'log.roll.jitter.hours']],
  ['segment.ms', ['log.roll.ms', 'log.roll.hours']],
  ['unclean.leader.election.enable', ['unclean.leader.election.enable']],
])

/** Why these overrides cannot be a topic's; undefined when they can. */
export function validateTopicConfigs(configs: ReadonlyMap<string, string>): string | undefined {
  for (const [name, text] of configs) {
    const key = topicKeys.get(name)
    if (key === undefined) return `Unknown topic config name: ${name}`
    const refusal = refusalOf(key, text) ?? throttledReplicasRefusal(name, text)
    if (refusal !== undefined) return refusal
  }
}

/** What the log of a topic with these overrides obeys. They passed `validateTopicConfigs`. */
export function logConfig(
  configs: ReadonlyMap<string, string>,
  { log: defaults }: Pick<BrokerConfig, 'log'>,
): LogConfig {
  if (configs.size === 0) return defaults
  const changed: Record<string, ConfigValue | boolean> = {}
  for (const [name, text] of configs) {
    const key = topicKeys.get(name)
    // A release that knows fewer keys ignores what a later one stored.
    if (key !== undefined) Object.assign(changed, fieldsOf(key, parseValue(key, text)))
  }
  return { ...defaults, ...changed }
}

/** The field of LogConfig that a topic key sets. */
const fields: Readonly<Record<string, keyof LogConfig>> = {
  'compression.gzip.level': 'gzipLevel',
  'compression.lz4.level': 'lz4Level',
  'compression.type': 'compressionType',
  'compression.zstd.level': 'zstdLevel',
  'delete.retention.ms': 'deleteRetentionMs',
  'file.delete.delay.ms': 'fileDeleteDelayMs',
  'flush.messages': 'flushMessages',
  'flush.ms': 'flushMs',
  'index.interval.bytes': 'indexIntervalBytes',
  'max.compaction.lag.ms': 'maxCompactionLagMs',
  'max.decompressed.message.bytes': 'maxDecompressedMessageBytes',
  'max.message.bytes': 'maxMessageBytes',
  'message.timestamp.after.max.ms': 'timestampAfterMaxMs',
  'message.timestamp.before.max.ms': 'timestampBeforeMaxMs',
  'message.timestamp.type': 'timestampType',
  'min.cleanable.dirty.ratio': 'minCleanableRatio',
  'min.compaction.lag.ms': 'minCompactionLagMs',
  'min.insync.replicas': 'minInsyncReplicas',
  'retention.bytes': 'retentionBytes',
  'retention.ms': 'retentionMs',
  'segment.bytes': 'segmentBytes',
  'segment.index.bytes': 'segmentIndexBytes',
  'segment.jitter.ms': 'segmentJitterMs',
  'segment.ms': 'segmentMs',
  'unclean.leader.election.enable': 'uncleanLeaderElection',
}

function fieldsOf(key: ConfigKey, value: ConfigValue): Record<string, ConfigValue> {
  if (key.name === 'cleanup.policy') {
    const policy = value as readonly string[]
    return { cleanupDelete: policy.includes('delete'), cleanupCompact: policy.includes('compact') }
  }
  const field = fields[key.name]
  return field === undefined ? {} : { [field]: value }
}
