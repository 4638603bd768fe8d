import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogConfig } from '../config/log-config.ts'
import type { Io } from '../io/io.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { compress, decompress } from '../protocol/records/compression.ts'
import { simulated, type World } from '../sim/world.ts'
import {
  batchesOf,
  batchOf,
  checkFiles,
  clean,
  compacted,
  meansOf,
  recordsFrom,
} from './compaction-fixture.ts'
import { openDirectory, openLog, startMs, written } from './fixture.ts'
import type { Log } from './log.ts'
import type { LogDirectory } from './log-directory.ts'

interface Opened {
  readonly io: Io
  readonly directory: LogDirectory
  readonly log: Log
}

async function opened(world: World, changes: Partial<LogConfig> = {}): Promise<Opened> {
  const io = world.start()
  const directory = await openDirectory(io, { tailCacheBytes: 0 })
  return { io, directory, log: await openLog(directory, { ...compacted, ...changes }) }
}

const filler = 'x'.repeat(120)

/** `count` batches of one record, about five to a segment; key k0 … k6 in turn, value the round. */
async function fill(log: Log, count: number, from = 0): Promise<void> {
  for (let index = from; index < from + count; index++) {
    log.append(batchOf([`k${index % 7}=${index} ${filler}`]), 0)
  }
  await written(log)
}

/** What a log of `count` such batches keeps: each key's newest below `end`, and all from there on. */
function expected(count: number, end: number): string[] {
  const kept = []
  for (let index = 0; index < count; index++) {
    if (index < end && index + 7 < end) continue
    kept.push(`${index}:k${index % 7}=${index} ${filler}`)
  }
  return kept
}

test('a pass keeps of each key the newest record, with its offset', async () => {
  await simulated().run(async world => {
    const { io, log } = await opened(world)
    await fill(log, 60)
    const { sizeBytes } = log
    const result = await clean(log, io)
    const end = result!.endOffset
    assert.ok(end > 50)
    assert.equal(log.compaction.cleanedEndOffset, end)
    assert.deepEqual(await recordsFrom(log), expected(60, end))
    assert.deepEqual([log.logStartOffset, log.logEndOffset], [0, 60])
    assert.ok(log.sizeBytes < sizeBytes / 2)
    assert.equal(result!.keys, 7)
    // In front of it lie headers of what the segments held, without records.
    const found = await log.offsetForTimestamp(startMs, 60)
    assert.equal(found!.offset, offsetOf((await recordsFrom(log))[0]!))
    assert.ok((await batchesOf(log))[0]!.lastOffset < found!.offset)
  })
})

test('the largest timestamp is that of a record, not of a header that compaction left', async () => {
  await simulated().run(async world => {
    const { io, log } = await opened(world)
    const times = [0, 0, 0, 0, 9000, 0, 0, 0, 4000]
    for (const [index, time] of times.entries()) {
      // The record of the largest timestamp goes; as the last of a segment it leaves its header.
      const key = index === 4 || index === 5 ? 'a' : `k${index}`
      log.append(batchOf([`${key}=${filler}`], {}, startMs + time), 0)
    }
    await fill(log, 20, 9)
    await clean(log, io)
    const { baseOffset, recordCount, maxTimestamp } = (await batchesOf(log))[0]!
    assert.deepEqual([baseOffset, recordCount, maxTimestamp], [4, 0, startMs + 9000])
    const found = await log.maxTimestampOffset(log.logEndOffset)
    assert.deepEqual([found!.offset, found!.timestamp], [8, startMs + 4000])
    await log.advanceLogStart(9)
    assert.equal((await log.maxTimestampOffset(log.logEndOffset))!.timestamp, startMs)
  })
})

test('a second pass without news is not wanted, and a third one compacts what came', async () => {
  await simulated().run(async world => {
    const { io, log } = await opened(world)
    const isDirty = async () =>
      (await log.compaction.dirtiness(log.writtenEndOffset, io.clock.wallMs())) !== undefined
    await fill(log, 60)
    await log.flush()
    assert.equal(await isDirty(), true)
    await clean(log, io)
    assert.equal(await isDirty(), false)
    await fill(log, 60, 60)
    await log.flush()
    assert.equal(await isDirty(), true)
    const { segmentCount } = log
    const { endOffset } = (await clean(log, io))!
    assert.deepEqual(await recordsFrom(log), expected(120, endOffset))
    assert.ok(log.segmentCount < segmentCount / 1.5, 'what became small is put together')
    log.configure({ ...compacted, cleanupCompact: false })
    await fill(log, 60, 120)
    assert.equal(await isDirty(), false)
  })
})

test('a map that is full ends the pass, and the next ones go on to the same end', async () => {
  await simulated().run(async world => {
    const { io, log } = await opened(world)
    await fill(log, 100)
    const ends: number[] = []
    for (let pass = 0; pass < 60; pass++) {
      const result = await clean(log, io, { mapBytes: 24 * 5, loadFactor: 1 })
      if (result === undefined) break
      assert.ok(result.keys <= 4)
      ends.push(result.endOffset)
    }
    assert.ok(ends.length > 10)
    assert.deepEqual(
      ends,
      [...new Set(ends)].sort((a, b) => a - b),
    )
    assert.deepEqual(await recordsFrom(log), expected(100, ends.at(-1)!))
  })
})

test('a tombstone goes delete.retention.ms after the pass that met it', async () => {
  await simulated().run(async world => {
    const { io, log } = await opened(world)
    log.append(batchOf(['a=1']), 0)
    log.append(batchOf(['a']), 0)
    await fill(log, 10, 2)
    await clean(log, io)
    assert.equal((await recordsFrom(log))[0], '1:a')
    await world.sleep(900)
    await fill(log, 10, 12)
    await clean(log, io)
    assert.equal((await recordsFrom(log))[0], '1:a')
    await world.sleep(100)
    await fill(log, 10, 22)
    await clean(log, io)
    assert.ok(!(await recordsFrom(log)).includes('1:a'))
  })
})

test('nothing at or above the last stable offset, and nothing that is not synced, is touched', async () => {
  await simulated().run(async world => {
    const { io, log } = await opened(world)
    await fill(log, 60)
    await log.flush()
    await log.compaction.clean(30, meansOf(io))
    const end = log.compaction.cleanedEndOffset!
    assert.ok(end > 20 && end <= 30)
    assert.deepEqual(await recordsFrom(log), expected(60, end))
  })
})

test('the last sequence of an idempotent producer survives, whatever its records became', async () => {
  await simulated().run(async world => {
    const first = await opened(world)
    const producer = { producerId: 77, producerEpoch: 3, baseSequence: 0 }
    first.log.append(batchOf(['k1=mine', 'k2=mine'], producer), 0)
    await fill(first.log, 40, 2)
    await clean(first.log, first.io)
    await first.directory.close([])
    for (const { name } of await world.io().disk.list('/data/words-0')) {
      if (name.endsWith('.snapshot')) await world.io().disk.remove(`/data/words-0/${name}`)
    }
    const { log } = await opened(world)
    const [header] = await batchesOf(log)
    assert.deepEqual([header!.baseOffset, header!.lastOffset, header!.recordCount], [0, 1, 0])
    const again = log.append(batchOf(['k1=mine', 'k2=mine'], producer), 0)
    assert.deepEqual([again.duplicate, again.baseOffset], [true, 0])
    const next = { ...producer, baseSequence: 3 }
    assert.throws(() => log.append(batchOf(['k1=x'], next), 0), {
      error: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
    })
    assert.equal(
      log.append(batchOf(['k1=x'], { ...producer, baseSequence: 2 }), 0).duplicate,
      false,
    )
  })
})

test('what is aborted goes, and counts for no key; what is open ends the pass', async () => {
  await simulated().run(async world => {
    const before = await opened(world)
    await before.directory.close([])
    // Clients may not write markers: this is as if Kafka had written them.
    const data = (producerId: number, baseOffset: number, text: string) =>
      batchOf([text], { ...transaction, producerId, baseOffset, baseSequence: 0 })
    const old = batchOf(['a=old', 'b=old', 'c=old'], { leaderEpoch: 0 })
    const stored = [data(1, 3, 'a=aborted'), data(2, 4, 'b=committed'), data(3, 5, 'c=open')]
    await addToFile(world, [old, ...stored, marker(1, 6, 'abort'), marker(2, 7, 'commit')])
    const { io, log } = await opened(world)
    await fill(log, 30, 8)
    await clean(log, io)
    assert.equal(log.compaction.cleanedEndOffset, 5)
    const left = ['0:a=old', '2:c=old', '4:b=committed', '5:c=open']
    assert.deepEqual((await recordsFrom(log)).slice(0, 4), left)
    assert.deepEqual((await markersOf(log)).slice(0, 2), [6, 7])
  })
})

test('markers go after their data and delete.retention.ms', async () => {
  await simulated().run(async world => {
    const before = await opened(world)
    await before.directory.close([])
    const options = { ...transaction, producerId: 1, baseSequence: 0 }
    // Its last batch would keep a header, and that its marker.
    const later = {
      producerId: 1,
      producerEpoch: 0,
      baseSequence: 1,
      baseOffset: 2,
      leaderEpoch: 0,
    }
    const stored = [batchOf(['a=1'], options), marker(1, 1, 'abort'), batchOf(['k1=1'], later)]
    await addToFile(world, stored)
    const { io, log } = await opened(world)
    for (const [from, left] of [
      [3, [1]], // Its data was met.
      [23, [1]], // It was not: the horizon begins.
      [43, []],
    ] as const) {
      await fill(log, 20, from)
      await world.sleep(1000)
      await clean(log, io)
      assert.deepEqual(await markersOf(log), left, `from ${from}`)
    }
  })
})

const transaction = { transactional: true, producerEpoch: 0, leaderEpoch: 0 }

function marker(producerId: number, baseOffset: number, type: 'abort' | 'commit'): Uint8Array {
  const key = Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1])
  const value = Buffer.alloc(6)
  const options = { ...transaction, producerId, baseOffset, control: true }
  return buildBatch(options, [{ key, value, timestamp: startMs }])
}

async function markersOf(log: Log): Promise<number[]> {
  return (await batchesOf(log)).filter(batch => batch.isControl).map(batch => batch.baseOffset)
}

async function addToFile(world: World, stored: readonly Uint8Array[]): Promise<void> {
  const path = '/data/words-0/00000000000000000000.log'
  const file = await world.io().disk.open(path, { create: true })
  await file.write(stored, await file.size())
  await file.close()
}

test('large batches are compressed apart where the world can, to the same records', async () => {
  for (const compression of ['gzip', 'zstd', 'lz4'] as const) {
    await simulated().run(async world => {
      const real = world.start()
      let apart = 0
      const io: Io = {
        ...real,
        compressApart: async (codec, bytes) => {
          apart++
          await world.sleep(5)
          return compress(codec, bytes)
        },
        gunzipApart: async (bytes, maxBytes) => {
          await world.sleep(1)
          return decompress('gzip', bytes, maxBytes)
        },
      }
      const directory = await openDirectory(io, { tailCacheBytes: 0 })
      const log = await openLog(directory, { ...compacted, segmentBytes: 30_000 })
      // Half of the keys come again and again, half come once.
      const keyOf = (round: number, index: number) =>
        index % 2 === 0 ? index : round * 700 + index
      const batch = (round: number) =>
        Array.from({ length: 700 }, (_, index) => `k${keyOf(round, index)}=${round} ${filler}`)
      for (let round = 0; round < 40; round++) log.append(batchOf(batch(round), { compression }), 0)
      await log.flush()
      const { endOffset } = (await clean(log, io))!
      const newest = new Map<string, string>()
      const records = await recordsFrom(log)
      for (const text of records.filter(each => offsetOf(each) < endOffset)) {
        const [, key] = /:(.*?)=/.exec(text)!
        assert.ok(!newest.has(key!), `${key} is there twice`)
        newest.set(key!, text)
      }
      assert.ok(newest.size > 50)
      assert.ok(compression === 'lz4' ? apart === 0 : apart > 0)
    })
  }
})

test('what is read from memory after a pass is what the files hold', async () => {
  await simulated().run(async world => {
    const io = world.start()
    const directory = await openDirectory(io, { tailCacheBytes: 1 << 20 })
    const log = await openLog(directory, compacted)
    await fill(log, 60)
    const { endOffset } = (await clean(log, io))!
    assert.deepEqual(await recordsFrom(log), expected(60, endOffset))
  })
})

test('who reads through the log while a pass changes it sees every offset once and no error', async () => {
  for (let seed = 1; seed <= 10; seed++) {
    await simulated(seed).run(async world => {
      const { io, log } = await opened(world)
      await fill(log, 120)
      await log.flush()
      const cleaning = clean(log, io)
      const readers = [200, 500, 2000].map(async maxBytes => {
        for (let round = 0; round < 6; round++) {
          const records = await recordsFrom(log, maxBytes)
          const offsets = records.map(offsetOf)
          assert.deepEqual(
            offsets,
            [...new Set(offsets)].sort((a, b) => a - b),
          )
          // All that any state of the log holds: of each key the newest, and what is not dirty.
          for (const text of expected(120, 118)) assert.ok(records.includes(text), text)
          const found = await log.offsetForTimestamp(startMs, 120)
          assert.ok(found !== undefined && found.offset <= 113)
        }
      })
      await Promise.all([cleaning, ...readers])
      assert.deepEqual(await recordsFrom(log), expected(120, (await cleaning)!.endOffset))
    })
  }
})

test('retention and deletion at any moment of a pass find the log in order', async () => {
  for (let seed = 1; seed <= 25; seed++) {
    await simulated(seed).run(async world => {
      const both = { cleanupDelete: true, retentionMs: 60_000, fileDeleteDelayMs: 10 }
      const { io, log, directory } = await opened(world, both)
      const random = world.random('test')
      await fill(log, 60)
      await log.flush()
      const cleaning = log.compaction.clean(60, meansOf(io))
      await world.sleep(random.below(40))
      if (random.below(2) === 0) await log.advanceLogStart(random.below(50))
      await log.enforceRetention(60, startMs + (random.below(2) === 0 ? 0 : 60_001))
      await cleaning
      const { logStartOffset } = log
      const records = await recordsFrom(log)
      for (const text of expected(60, 60)) {
        assert.equal(records.includes(text), offsetOf(text) >= logStartOffset, text)
      }
      await directory.close([])
      checkFiles(world.disk())
      const again = await opened(world)
      assert.deepEqual(await recordsFrom(again.log), records)
      assert.deepEqual(
        world.reported.filter(({ level }) => level === 'error'),
        [],
      )
    })
  }
})

for (const end of ['kill', 'powerLoss'] as const) {
  test(`after a ${end} at any operation of a pass each segment is the old one or the new one`, async () => {
    // Every third one: they are some five hundred.
    for (let operation = end === 'kill' ? 1 : 2; ; operation += 3) {
      const hasEnded = await simulated(operation).run(world => endAt(world, operation, end))
      if (hasEnded) {
        assert.ok(operation > 100, `${operation} operations`)
        return
      }
    }
  })
}

/** Ends the process after so many operations of the disk; true when the pass was over before. */
async function endAt(world: World, operation: number, end: 'kill' | 'powerLoss'): Promise<boolean> {
  const before = await opened(world)
  await fill(before.log, 20)
  const first = (await clean(before.log, before.io))!.endOffset
  await fill(before.log, 20, 20)
  await before.log.flush()
  await before.directory.checkpoint([])
  const disk = world.disk()
  let [count, isOver] = [0, false]
  const dead = new Promise<void>(resolve => {
    disk.fault = () => {
      if (++count === operation) void world.sleep(0).then(resolve)
      return undefined
    }
  })
  const cleaning = before.log.compaction.clean(40, meansOf(before.io)).then(() => {
    isOver = true
  })
  await Promise.race([dead, cleaning])
  disk.fault = undefined
  world[end]()
  const { io, log, directory } = await opened(world)
  assert.ok(directory.lossless || end === 'powerLoss')
  assert.equal(log.logEndOffset, 40)
  const records = await recordsFrom(log)
  // Up to some group all is as the pass leaves it, from there on as it was.
  const [old, cleaned] = [expected(40, first), expected(40, 35)]
  const isState = (at: number) =>
    [
      ...cleaned.filter(text => offsetOf(text) < at),
      ...old.filter(text => offsetOf(text) >= at),
    ].join() === records.join()
  assert.ok(
    Array.from({ length: 41 }, (_, at) => at).some(isState),
    `operation ${operation}: ${records.map(offsetOf)}`,
  )
  checkFiles(world.disk())
  assert.deepEqual(
    world.reported.filter(({ level }) => level === 'error'),
    [],
  )
  const { endOffset } = (await clean(log, io))!
  assert.deepEqual(await recordsFrom(log), expected(40, endOffset))
  return isOver
}

const offsetOf = (text: string) => Number(text.split(':')[0])

test('who copies a compacted log learns where each leader epoch began', async () => {
  await simulated().run(async world => {
    const { io, directory, log } = await opened(world)
    for (let epoch = 1; epoch <= 6; epoch++) {
      await log.becomeLeader(epoch)
      const from = log.logEndOffset
      for (let index = from; index < from + 12; index++) {
        log.append(batchOf([`k${index % 7}=${index} ${filler}`]), epoch)
      }
      await written(log)
    }
    await clean(log, io)
    const copy = await directory.openLog({
      ...{ topic: 'copies', partition: 0, topicId: log.topicId },
      config: compacted,
    })
    const { chunks } = await log.read(0, 72, 1e6, true)
    for (let next = 0; next < 72; next = copy.logEndOffset) {
      const read = next === 0 ? chunks : (await log.read(next, 72, 1e6, true)).chunks
      await copy.appendFetched(Buffer.concat(read), 6)
    }
    assert.ok((await recordsFrom(log)).length < 20)
    // Of the first one it knows only that it began no later than the first batch.
    assert.deepEqual(copy.epochs.entries.slice(1), log.epochs.entries.slice(1))
    assert.equal(copy.epochs.entries[0]!.epoch, 1)
    assert.deepEqual(await recordsFrom(copy), await recordsFrom(log))
  })
})
