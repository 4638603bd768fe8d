import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogConfig } from '../config/log-config.ts'
import type { Io } from '../io/io.ts'
import { batches } from '../protocol/records/batch.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { simulated } from '../sim/world.ts'
import type { Log } from './log.ts'
import { LogDirectory } from './log-directory.ts'

const topicId = 'wAbCdEfGhIjKlMnOpQrStA'
const config: LogConfig = {
  cleanupDelete: true,
  cleanupCompact: false,
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

/** A batch of records with these values. */
function batchOf(values: readonly string[], options: object = {}): Uint8Array {
  return buildBatch(
    options,
    values.map(value => ({ timestamp: 1_767_225_600_000, value })),
  )
}

async function openDirectory(io: Io, begin = true): Promise<LogDirectory> {
  const directory = await LogDirectory.open(io, '/data')
  await directory.settle(config)
  if (begin) await directory.begin({ clusterId: 'cluster', brokerId: 1, brokerEpoch: 7n })
  return directory
}

async function openLog(directory: LogDirectory, changes: Partial<LogConfig> = {}): Promise<Log> {
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
function written(log: Log, end = log.logEndOffset): Promise<void> {
  return new Promise((resolve, reject) => {
    if (log.writtenEndOffset >= end) resolve()
    log.onEnd = now => {
      if (now >= end) resolve()
    }
    log.onUnwritten = (_, error) => reject(error)
    log.onOffline = reject
  })
}

/** All values from `offset` on, read in pieces of `maxBytes`. */
async function valuesFrom(log: Log, offset: number, maxBytes = 10_000): Promise<string[]> {
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

test('what is appended is read back in order, from any offset, in the same process and after a restart', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await openLog(directory)
    assert.equal(log.append(batchOf(['a', 'b', 'c']), 0).baseOffset, 0)
    const second = log.append(batchOf(['d', 'e']), 0)
    assert.deepEqual(second, { baseOffset: 3, endOffset: 5, logAppendTimeMs: -1, duplicate: false })
    await written(log)
    for (let offset = 0; offset < 5; offset++) {
      assert.equal((await valuesFrom(log, offset)).join(''), 'abcde'.slice(offset))
    }
    await directory.close([])
    const again = await openDirectory(world.start())
    assert.equal(again.lastRun, 'clean')
    assert.equal(again.lossless, true)
    const reopened = await openLog(again)
    assert.equal(reopened.logEndOffset, 5)
    assert.equal((await valuesFrom(reopened, 0)).join(''), 'abcde')
  })
})

test('a killed process leaves all that was written', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()))
    for (let index = 0; index < 100; index++) log.append(batchOf([`value ${index}`]), 0)
    await written(log)
    world.kill()
    const directory = await openDirectory(world.start())
    assert.equal(directory.lastRun, 'killed')
    assert.equal(directory.lossless, true)
    const again = await openLog(directory)
    assert.equal(again.logEndOffset, 100)
    assert.equal((await valuesFrom(again, 0)).at(-1), 'value 99')
  })
})
