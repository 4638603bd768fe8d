import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batches } from '../protocol/records/batch.ts'
import type { BuildOptions } from '../protocol/records/build.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { simulated, type World } from '../sim/world.ts'
import { batchOf, config, openDirectory, topicId, valuesFrom } from './fixture.ts'
import type { Log } from './log.ts'
import type { LogDirectory } from './log-directory.ts'

/** A batch as a leader has it. */
function stored(
  baseOffset: number,
  leaderEpoch: number,
  values: string[],
  more: BuildOptions = {},
) {
  return batchOf(values, { baseOffset, leaderEpoch, ...more })
}

/** Partition 0 of `words`, which follows. */
function openFollower(directory: LogDirectory, changes = {}): Promise<Log> {
  const identity = { topic: 'words', partition: 0, topicId }
  return directory.openLog({ ...identity, config: { ...config, ...changes } })
}

function inWorld(run: (world: World, log: Log) => Promise<void>, changes = {}): Promise<void> {
  return simulated().run(async world => {
    await run(world, await openFollower(await openDirectory(world.io()), changes))
  })
}

function ends(log: Log) {
  return [log.logStartOffset, log.logEndOffset, log.writtenEndOffset]
}

test('fetched batches keep their offsets and epochs, across gaps', () =>
  inWorld(async (_, log) => {
    const records = [stored(0, 2, ['a', 'b']), stored(2, 3, ['c']), stored(9, 3, ['d'])]
    await log.appendFetched(Buffer.concat(records), 3)
    assert.deepEqual(ends(log), [0, 10, 10])
    assert.deepEqual(log.epochs.entries, [
      { epoch: 2, startOffset: 0 },
      { epoch: 3, startOffset: 2 },
    ])
    const { chunks } = await log.read(0, 10, 1e6, true)
    assert.deepEqual(Buffer.concat(chunks), Buffer.concat(records))
    const behindGap = await log.read(5, 10, 1e6, true)
    assert.deepEqual(Buffer.concat(behindGap.chunks), Buffer.from(records[2]!))
  }))

test('one bad batch among the fetched, and none of them is appended', () =>
  inWorld(async (_, log) => {
    await log.appendFetched(stored(0, 4, ['a', 'b']), 5)
    const good = stored(2, 4, ['c'])
    const wrongCrc = stored(3, 4, ['d'])
    wrongCrc[65]! ^= 1
    const oldMagic = stored(3, 4, ['d'])
    oldMagic[16] = 1
    const bad = {
      'its CRC is wrong': wrongCrc,
      'its magic is old': oldMagic,
      'its offset is taken': stored(1, 4, ['d']),
      'its epoch is older': stored(3, 3, ['d']),
      'its epoch is newer than the leader': stored(3, 6, ['d']),
    }
    for (const [why, batch] of Object.entries(bad)) {
      const appended = log.appendFetched(Buffer.concat([good, batch]), 5)
      await assert.rejects(appended, { error: 'CORRUPT_MESSAGE' }, why)
      assert.deepEqual(ends(log), [0, 2, 2], why)
    }
  }))

test('a batch that the answer cuts short is left for the next fetch', () =>
  inWorld(async (_, log) => {
    const whole = Buffer.concat([stored(0, 1, ['a']), stored(1, 1, ['b'])])
    await log.appendFetched(whole.subarray(0, whole.length - 3), 1)
    assert.equal(log.logEndOffset, 1)
  }))

test('with a sync after each write, an append of fetched batches resolves when they are synced', () =>
  inWorld(
    async (_, log) => {
      await log.appendFetched(stored(0, 1, ['a']), 1)
      assert.equal(log.durableEndOffset, 1)
    },
    { flushMessages: 1 },
  ))

test('a log that began to be synced later tells its leader of nothing that is not', () =>
  inWorld(async (_, log) => {
    await log.appendFetched(stored(0, 1, ['a']), 1)
    assert.equal(log.durableEndOffset, 0)
    log.configure({ ...config, flushMessages: 1 })
    assert.equal(await log.settledEnd(), 1)
    assert.equal(log.durableEndOffset, 1)
  }))

test('what a follower knows of producers is what its leader accepted', () =>
  inWorld(async (_, log) => {
    const from = (baseSequence: number) => ({ producerId: 5, producerEpoch: 0, baseSequence })
    await log.appendFetched(stored(0, 1, ['a'], from(0)), 1)
    await log.appendFetched(stored(1, 1, ['b'], from(7)), 1) // Between them the leader forgot it.
    await log.becomeLeader(2)
    assert.equal(log.append(batchOf(['b'], from(7)), 2).duplicate, true)
    assert.equal(log.append(batchOf(['c'], from(8)), 2).baseOffset, 2)
  }))

test('a truncation to the end takes back an epoch in which nothing was written', () =>
  inWorld(async (world, log) => {
    await log.appendFetched(stored(0, 1, ['a']), 1)
    await log.becomeLeader(4)
    await log.truncateTo(1)
    assert.deepEqual([log.epochs.latest, log.logEndOffset], [1, 1])
    world.powerLoss()
    const again = await openFollower(await openDirectory(world.start()))
    assert.ok(again.epochs.latest < 4)
  }))

test('a log that restarts elsewhere has nothing of what it was', () =>
  inWorld(
    async (world, log) => {
      const producer = { producerId: 5, producerEpoch: 0, baseSequence: 3 }
      for (let offset = 0; offset < 9; offset++) {
        await log.appendFetched(stored(offset, 1, [`${offset}`], producer), 1)
      }
      for (const offset of [50, 20, 20]) {
        await log.restartAt(offset)
        assert.deepEqual(ends(log), [offset, offset, offset])
        assert.deepEqual([log.sizeBytes, log.epochs.latest, log.activeProducers()], [0, -1, []])
      }
      world.kill()
      const again = await openFollower(await openDirectory(world.start()))
      assert.deepEqual([ends(again), again.epochs.latest], [[20, 20, 20], -1])
      await again.appendFetched(stored(20, 7, ['new']), 7)
      assert.equal((await valuesFrom(again, 20)).join(), 'new')
    },
    { segmentBytes: 200 },
  ))

test('an empty log takes the batch in which its leader begins', () =>
  inWorld(async (_, log) => {
    await log.restartAt(10)
    await log.appendFetched(stored(8, 2, ['a', 'b', 'c']), 2)
    assert.deepEqual(ends(log), [8, 11, 11])
    assert.deepEqual(log.epochs.entries, [{ epoch: 2, startOffset: 8 }])
  }))

test('a truncated log does not come back with the high watermark that it had', () =>
  simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await openFollower(directory)
    await log.appendFetched(stored(0, 1, ['a', 'b', 'c', 'd']), 1)
    await directory.checkpoint([{ topic: 'words', partition: 0, highWatermark: 4 }])
    await log.appendFetched(stored(4, 1, ['e']), 1)
    await log.truncateTo(0)
    await log.appendFetched(stored(0, 2, ['v', 'w', 'x', 'y', 'z']), 2)
    world.kill()
    const again = await openDirectory(world.start())
    await openFollower(again)
    assert.equal(again.highWatermark('words', 0), 0)
  }))

test('a crash at any moment leaves what an operation found, what it made, or something between', async () => {
  for (let seed = 1; seed <= 150; seed++) {
    const isPowerLoss = seed % 2 === 0
    await simulated(seed).run(async world => {
      const random = world.random('operations')
      const changes = { segmentBytes: 300, flushMessages: seed % 3 === 0 ? 1 : 1e9 }
      const log = await openFollower(await openDirectory(world.io()), changes)
      let epoch = 1
      const begun: { isShrinking: boolean; before: Kept; after: Kept }[] = []
      let now: Kept = { start: 0, end: 0, records: [] }
      const operate = async () => {
        for (;;) {
          const { isShrinking, after, run } = randomOperation(log, now, random, epoch++)
          begun.push({ isShrinking, before: now, after })
          await run()
          now = after
          assert.deepEqual(await contentOf(log), after, `seed ${seed}`)
        }
      }
      void operate().catch(error => {
        if (error.name === 'AssertionError') throw error
      })
      await world.sleep(random.fraction() * 60)
      if (isPowerLoss) world.powerLoss()
      else world.kill()
      const { isShrinking, before, after } = begun.at(-1)!
      const again = await openFollower(await openDirectory(world.start()), changes)
      const found = await contentOf(again)
      const [less, more] = isShrinking ? [after, before] : [before, after]
      const what = `seed ${seed}: ${JSON.stringify({ less, more, found })}`
      const isKept = !isPowerLoss || changes.flushMessages === 1
      assert.ok(
        found.records.every((record, index) => {
          const expected = more.records[index + more.records.length - sizeFrom(more, found.start)]
          return record === expected
        }),
        what,
      )
      if (isKept && less.start === more.start) {
        assert.ok(found.records.length >= less.records.length, what)
      }
      for (const record of found.records) {
        const [offset, ofEpoch] = record.split(':').map(Number)
        assert.equal(again.epochs.epochAt(offset!), ofEpoch, what)
      }
      await again.appendFetched(stored(again.logEndOffset, epoch, ['after']), epoch)
    })
  }
})

/** `offset:epoch:value` of each record. */
interface Kept {
  readonly start: number
  readonly end: number
  readonly records: readonly string[]
}

/** How many records of `kept` lie at `start` or behind it. */
function sizeFrom(kept: Kept, start: number): number {
  return kept.records.filter(record => Number(record.split(':')[0]) >= start).length
}

async function contentOf(log: Log): Promise<Kept> {
  const records: string[] = []
  const { logStartOffset: start, logEndOffset: end } = log
  for (let next = start; next < end; ) {
    const { chunks } = await log.read(next, end, 1e6, true)
    assert.ok(chunks.length > 0)
    for (const batch of chunks.flatMap(chunk => [...batches(chunk)])) {
      for (const { offset, value } of recordsOf(batch, 1e6)) {
        if (offset >= start) {
          records.push(`${offset}:${batch.partitionLeaderEpoch}:${Buffer.from(value!)}`)
        }
      }
      next = batch.lastOffset + 1
    }
  }
  return { start, end, records }
}

function randomOperation(
  log: Log,
  before: Kept,
  random: { fraction(): number },
  epoch: number,
): { isShrinking: boolean; after: Kept; run(): Promise<void> } {
  const { start, end, records } = before
  const choice = random.fraction()
  if (choice < 0.2 && records.length > 0) {
    const to = start + Math.floor(random.fraction() * (end - start + 1))
    const kept = records.filter(record => Number(record.split(':')[0]) < to)
    const after = { start, end: to, records: kept }
    return { isShrinking: true, after, run: () => log.truncateTo(to) }
  }
  if (choice < 0.3) {
    const at = Math.floor(random.fraction() * 100)
    const after = { start: at, end: at, records: [] }
    return { isShrinking: true, after, run: () => log.restartAt(at) }
  }
  const count = 1 + Math.floor(random.fraction() * 6)
  const added = Array.from({ length: count }, (_, index) => `${end + index}:${epoch}:${epoch}`)
  const bytes = added.map((_, index) => stored(end + index, epoch, [`${epoch}`]))
  const after = { start, end: end + count, records: [...records, ...added] }
  return {
    isShrinking: false,
    after,
    run: () => log.appendFetched(Buffer.concat(bytes), epoch),
  }
}

test('retention and a cut that meet do not take each other’s segments', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    await simulated(seed).run(async world => {
      const random = world.random('moment')
      const changes = { segmentBytes: 300, retentionBytes: 400 }
      const log = await openFollower(await openDirectory(world.io()), changes)
      for (let offset = 0; offset < 40; offset++) {
        await log.appendFetched(stored(offset, 1, [`${offset}`]), 1)
      }
      const nowMs = world.io().clock.wallMs()
      const retained = log.enforceRetention(40, nowMs)
      await world.sleep(random.fraction() * 3)
      const [to, isRestart] = [Math.floor(random.fraction() * 40), random.fraction() < 0.5]
      await (isRestart ? log.restartAt(to) : log.truncateTo(to))
      await retained
      const from = log.logEndOffset
      await log.appendFetched(stored(from, 2, ['new']), 2)
      const { records } = await contentOf(log)
      const what = `seed ${seed}: ${records}`
      assert.equal(records.at(-1), `${from}:2:new`, what)
      assert.deepEqual(
        records.slice(0, -1),
        (isRestart ? [] : records.slice(0, -1)).map((_, i) => {
          const offset = log.logStartOffset + i
          return `${offset}:1:${offset}`
        }),
        what,
      )
      world.kill()
      const again = await openFollower(await openDirectory(world.start()), changes)
      assert.deepEqual((await contentOf(again)).records, records, what)
    })
  }
})

test('a disk without room for fetched batches leaves no epoch of them behind', () =>
  inWorld(async (world, log) => {
    await log.appendFetched(stored(0, 1, ['a']), 1)
    const disk = world.disk()
    const later = [stored(1, 2, ['b']), stored(2, 5, ['c'.repeat(1000)])]
    disk.capacityBytes = disk.usedBytes + 400
    const appended = log.appendFetched(Buffer.concat(later), 5)
    await assert.rejects(appended, { error: 'KAFKA_STORAGE_ERROR' })
    assert.equal(log.logEndOffset, 1)
    assert.equal(log.epochs.latest, 1)
    disk.capacityBytes = 2 ** 40
    await world.sleep(2000)
    await log.appendFetched(stored(1, 2, ['b']), 2)
    assert.deepEqual(log.epochs.entries, [
      { epoch: 1, startOffset: 0 },
      { epoch: 2, startOffset: 1 },
    ])
  }))

test('a follower cuts its log where it is damaged, and fetches the rest again', async () => {
  for (const [batch, what] of [
    [4, 'a hole'],
    [19, 'the end'],
  ] as const) {
    await simulated().run(async world => {
      const changes = { segmentBytes: 800 }
      const log = await openFollower(await openDirectory(world.io()), changes)
      const all = Array.from({ length: 20 }, (_, offset) => stored(offset, 1, [`${offset}`]))
      for (const bytes of all) await log.appendFetched(bytes, 1)
      assert.ok(log.segmentCount > 1)
      world.kill()
      const at = batch * all[0]!.length
      const segment = log.segments.findLast(({ baseOffset }) => baseOffset <= batch)!
      const position = at - segment.baseOffset * all[0]!.length + 65
      world
        .disk()
        .flip(`/data/words-0/${String(segment.baseOffset).padStart(20, '0')}.log`, position)
      const again = await openFollower(await openDirectory(world.start()), changes)
      assert.equal(again.isDamaged, true, what)
      await again.cutDamage()
      assert.deepEqual([again.isDamaged, again.logEndOffset], [false, batch], what)
      for (const bytes of all.slice(batch)) await again.appendFetched(bytes, 1)
      assert.equal((await contentOf(again)).records.length, 20, what)
      assert.ok(
        world
          .disk()
          .paths()
          .some(path => path.endsWith('.corrupt')),
        what,
      )
      world.kill()
      const last = await openFollower(await openDirectory(world.start()), changes)
      assert.deepEqual([last.isDamaged, last.logEndOffset], [false, 20], what)
      assert.equal((await contentOf(last)).records.length, 20, what)
    })
  }
})
