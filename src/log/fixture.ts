/** What the tests of this folder share: a config, batches, a directory with one log, reading it all. */
import assert from 'node:assert/strict'
import type { CleanerConfig } from '../config/cleaner-config.ts'
import type { LogConfig } from '../config/log-config.ts'
import type { Io } from '../io/io.ts'
import { batches } from '../protocol/records/batch.ts'
import { type BuildOptions, buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import type { Log } from './log.ts'
import { LogDirectory, type LogDirectoryOptions } from './log-directory.ts'

/** Any topic id. */
export const topicId = 'wAbCdEfGhIjKlMnOpQrStA'
/** Kafka's defaults. */
export const config: LogConfig = {
  cleanupDelete: true,
  cleanupCompact: false,
  deleteRetentionMs: 86_400_000,
  minCleanableRatio: 0.5,
  minCompactionLagMs: 0,
  maxCompactionLagMs: Number.MAX_SAFE_INTEGER,
  compressionType: 'producer',
  gzipLevel: 6,
  lz4Level: 9,
  zstdLevel: 3,
  maxMessageBytes: 1_048_588,
  maxDecompressedMessageBytes: 64 * 1024 * 1024,
  timestampType: 'CreateTime',
  timestampBeforeMaxMs: Number.MAX_SAFE_INTEGER,
  timestampAfterMaxMs: 3_600_000,
  segmentBytes: 1024 * 1024 * 1024,
  segmentMs: 604_800_000,
  segmentJitterMs: 0,
  indexIntervalBytes: 4096,
  segmentIndexBytes: 10 * 1024 * 1024,
  fileDeleteDelayMs: 60_000,
  retentionMs: 604_800_000,
  retentionBytes: -1,
  flushMessages: Number.MAX_SAFE_INTEGER,
  flushMs: Number.MAX_SAFE_INTEGER,
  minInsyncReplicas: 1,
  uncleanLeaderElection: false,
}

/** Kafka's defaults. */
export const cleanerConfig: CleanerConfig = {
  enabled: true,
  threads: 1,
  backoffMs: 15_000,
  maxBytesPerSecond: Number.MAX_VALUE,
  dedupeBufferBytes: 128 * 1024 * 1024,
  loadFactor: 0.9,
  bufferBytes: 512 * 1024,
}

/** When a simulated world begins. */
export const startMs = 1_767_225_600_000

/** A batch of records with these values. */
export function batchOf(
  values: readonly string[],
  options: BuildOptions = {},
  timestamp = startMs,
): Uint8Array {
  return buildBatch(
    options,
    values.map(value => ({ timestamp, value })),
  )
}

/** Opens, recovers and begins. */
export async function openDirectory(
  io: Io,
  options: LogDirectoryOptions = {},
): Promise<LogDirectory> {
  const directory = await LogDirectory.open(io, '/data', options)
  await directory.settle(config)
  await directory.begin({ clusterId: 'cluster', brokerId: 1, brokerEpoch: 7n })
  return directory
}

/** Partition 0 of `words`, led in epoch 0. */
export async function openLog(
  directory: LogDirectory,
  changes: Partial<LogConfig> = {},
): Promise<Log> {
  const log = await directory.openLog({
    topic: 'words',
    partition: 0,
    topicId,
    config: { ...config, ...changes },
  })
  await log.becomeLeader(0)
  return log
}

/** Resolves when everything below `end` is reported by onEnd. */
export function written(log: Log, end = log.logEndOffset): Promise<void> {
  return new Promise((resolve, reject) => {
    if (log.writtenEndOffset >= end) resolve()
    log.listener = {
      onEnd(now) {
        if (now >= end) resolve()
      },
      onDamage() {},
      onUnwritten: (_, error) => reject(error),
      onOffline: reject,
    }
  })
}

/** All values from `offset` on, read in pieces of `maxBytes`. */
export async function valuesFrom(log: Log, offset: number, maxBytes = 10_000): Promise<string[]> {
  const values: string[] = []
  let next = offset
  while (next < log.writtenEndOffset) {
    const { chunks } = await log.read(next, log.writtenEndOffset, maxBytes, true)
    assert.ok(chunks.length > 0, `nothing at ${next}`)
    for (const chunk of chunks) {
      for (const batch of batches(chunk)) {
        for (const record of recordsOf(batch, 1e6)) {
          if (record.offset < offset) continue
          assert.equal(record.offset, offset + values.length)
          values.push(Buffer.from(record.value!).toString())
        }
        next = batch.lastOffset + 1
      }
    }
  }
  return values
}
