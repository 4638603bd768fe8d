import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildBatch } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { simulated, type World } from '../sim/world.ts'
import { batchesOf, clean, compacted } from './compaction-fixture.ts'
import { batchOf, config, openDirectory, openLog, startMs, written } from './fixture.ts'
import { IndexCache, IndexFile } from './index-file.ts'
import type { Log } from './log.ts'
import { OpenFiles } from './open-files.ts'

/** Counts reads of files by the end of their names. */
function countReads(world: World): Map<string, number> {
  const reads = new Map<string, number>()
  world.disk().fault = (operation, path) => {
    if (operation !== 'read') return undefined
    const ending = path.slice(path.lastIndexOf('.'))
    reads.set(ending, (reads.get(ending) ?? 0) + 1)
    return undefined
  }
  return reads
}

/** A log of batches with `bytes` each, a second apart, closed in order and opened again: cold. */
async function coldLog(world: World, count: number, bytes: number, segmentBytes: number) {
  const changes = { segmentBytes, retentionMs: -1 }
  const directory = await openDirectory(world.io())
  const log = await openLog(directory, changes)
  for (let index = 0; index < count; index++) {
    log.append(batchOf(['x'.repeat(bytes)], {}, startMs + 1000 * index), 0)
    if (index % 50 === 49) await written(log)
  }
  await written(log)
  await directory.close([])
  const reads = countReads(world)
  const opened = await openDirectory(world.start(), { tailCacheBytes: 0 })
  return { log: await openLog(opened, changes), reads }
}

test('a start reads no index but of the segment that is written; one look-up loads one', async () => {
  await simulated().run(async world => {
    const { log, reads } = await coldLog(world, 400, 100, 10_000)
    assert.ok(log.segmentCount > 5)
    assert.ok((reads.get('.index') ?? 0) <= 1 && (reads.get('.timeindex') ?? 0) <= 1)
    reads.clear()
    await log.read(120, 400, 1, true)
    assert.equal(reads.get('.index'), 1)
    await log.read(121, 400, 1, true)
    assert.equal(reads.get('.index'), 1)
  })
})

for (const [what, bytes] of [
  ['small', 100],
  ['large', 100_000],
] as const) {
  test(`a look-up in a cold segment of ${what} batches takes two reads of the data file at most`, async () => {
    await simulated().run(async world => {
      const count = bytes === 100 ? 400 : 60
      const { log, reads } = await coldLog(world, count, bytes, bytes * 20)
      const most = { fetch: 0, time: 0 }
      for (let offset = 0; offset < count; offset++) {
        for (const maxBytes of [1_048_576, 1]) {
          reads.clear()
          const { chunks } = await log.read(offset, count, maxBytes, true)
          assert.equal(Number(Buffer.from(chunks[0]!).readBigInt64BE(0)), offset)
          most.fetch = Math.max(most.fetch, reads.get('.log') ?? 0)
        }
        reads.clear()
        const found = await log.offsetForTimestamp(startMs + 1000 * offset, count)
        assert.equal(found?.offset, offset)
        most.time = Math.max(most.time, reads.get('.log') ?? 0)
      }
      assert.ok(most.fetch <= 2 && most.time <= 2, JSON.stringify(most))
    })
  })
}

test('loaded indexes keep within their budget; the one used longest ago goes first', async () => {
  await simulated().run(async world => {
    const { disk } = world.io()
    const cache = new IndexCache(2000)
    const files = new OpenFiles(disk, 10)
    const indexes: IndexFile[] = []
    await disk.makeDirectory('/data')
    for (let number = 0; number < 5; number++) {
      await disk.replaceFile(`/data/${number}.index`, new Uint8Array(800))
      indexes.push(new IndexFile(files, cache, `/data/${number}.index`, 8, false))
    }
    const reads = countReads(world)
    for (const index of indexes) {
      await index.load()
      assert.ok(cache.bytes <= 2000)
    }
    await indexes[3]!.load()
    assert.equal(reads.get('.index'), 5)
    await indexes[0]!.load()
    await indexes[3]!.load()
    assert.equal(reads.get('.index'), 6)
    await indexes[4]!.load()
    assert.equal(reads.get('.index'), 7)
    assert.ok(cache.bytes <= 2000)
  })
})

/** What ListOffsets has to say, from all the records. */
async function expectedOffset(log: Log, timestamp: number): Promise<number | undefined> {
  const records = (await batchesOf(log)).flatMap(batch => [...recordsOf(batch, 1e6)])
  return records.find(
    record => record.timestamp >= timestamp && record.offset >= log.logStartOffset,
  )?.offset
}

test('offsets by time are exact to the record: compressed batches, times in disorder, a log start inside a batch, compaction', async () => {
  for (let seed = 1; seed <= 3; seed++) {
    await simulated(seed).run(async world => {
      const random = world.random('records')
      const io = world.io()
      const log = await openLog(await openDirectory(io, { tailCacheBytes: 0 }), compacted)
      for (let number = 0; number < 60; number++) {
        const compression = (['none', 'gzip', 'zstd'] as const)[random.below(3)]!
        const records = Array.from({ length: 1 + random.below(5) }, () => ({
          key: `k${random.below(9)}`,
          value: 'v',
          timestamp: startMs + 10 * number + random.below(40),
        }))
        log.append(buildBatch({ compression }, records), 0)
      }
      await written(log)
      const check = async (what: string) => {
        for (let ms = -10; ms < 700; ms += 17) {
          const found = await log.offsetForTimestamp(startMs + ms, log.logEndOffset)
          const expected = await expectedOffset(log, startMs + ms)
          assert.equal(found?.offset, expected, `seed ${seed}, ${what}, ${ms}`)
        }
      }
      await check('as written')
      await log.advanceLogStart(7)
      await check('from the log start')
      await clean(log, io)
      await check('compacted')
    })
  }
})

test('a read is out of range below the log start and above the end, and empty at the end', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()), config)
    log.append(batchOf(['a', 'b', 'c', 'd']), 0)
    await written(log)
    await log.advanceLogStart(2)
    const read = (offset: number) => log.read(offset, log.writtenEndOffset, 1000, true)
    assert.equal((await read(2)).chunks.length, 1)
    assert.deepEqual(await read(4), { chunks: [], bytes: 0 })
    for (const offset of [-1, 0, 1, 5]) {
      await assert.rejects(read(offset), { error: 'OFFSET_OUT_OF_RANGE' }, `${offset}`)
    }
  })
})
