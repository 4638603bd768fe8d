import assert from 'node:assert/strict'
import { test } from 'node:test'
import { buildBatch } from '../protocol/records/build.ts'
import { simulated, type World } from '../sim/world.ts'
import { batchesOf, clean, compacted } from './compaction-fixture.ts'
import { openDirectory, topicId } from './fixture.ts'
import type { Log } from './log.ts'
import { repair } from './repair.ts'
import { decodeAborted, encodeAborted } from './transaction-index.ts'
import { verify } from './verify.ts'

const folder = '/data/words-0'

/** Segments of three batches or so, of which nothing is dropped by itself. */
const small = { ...compacted, segmentBytes: 300 }

async function openFollower(world: World): Promise<Log> {
  const directory = await openDirectory(world.io())
  return await directory.openLog({ topic: 'words', partition: 0, topicId, config: small })
}

const data = (producerId: number, baseOffset: number) =>
  buildBatch({ baseOffset, producerId, producerEpoch: 0, baseSequence: 0, transactional: true }, [
    { key: `k${producerId}`, value: 'v' },
  ])

const marker = (type: 'abort' | 'commit', producerId: number, baseOffset: number) =>
  buildBatch({ baseOffset, producerId, producerEpoch: 0, transactional: true, control: true }, [
    { key: Buffer.from([0, 0, 0, type === 'abort' ? 0 : 1]), value: 'coordinator' },
  ])

/** Two aborted transactions that overlap, a committed one, an aborted one, and one that stays open. */
const story = [
  ...[data(1, 0), data(2, 1), data(1, 2), data(2, 3)],
  ...[marker('abort', 1, 4), data(3, 5), marker('abort', 2, 6), marker('commit', 3, 7)],
  ...[data(1, 8), data(3, 9), marker('abort', 1, 10), data(2, 11)],
]

const first = { producerId: 1, firstOffset: 0, lastOffset: 4, lastStableOffset: 1 }
const second = { producerId: 2, firstOffset: 1, lastOffset: 6, lastStableOffset: 5 }
const third = { producerId: 1, firstOffset: 8, lastOffset: 10, lastStableOffset: 9 }

async function filled(world: World): Promise<Log> {
  const log = await openFollower(world)
  for (const batch of story) await log.appendFetched(batch, 0)
  return log
}

function aborted(log: Log, from: number, to: number) {
  const segments = log.segments.filter(({ hasAborted }) => hasAborted)
  return log.abortedTransactions(from, to, segments)
}

/** Content of the indexes by path. */
function indexes(world: World): Map<string, string> {
  const disk = world.disk()
  const paths = disk.paths().filter(path => path.endsWith('.txnindex'))
  return new Map(paths.map(path => [path, Buffer.from(disk.content(path)!).toString('hex')]))
}

async function found(world: World): Promise<string[]> {
  const { findings } = await verify(world.io().disk, '/data')
  return findings.filter(({ kind }) => kind === 'derived').map(({ what }) => what)
}

test('an entry is 34 bytes in the form of Kafka; what makes no sense is said with its place', () => {
  const entry = encodeAborted(second)
  const hex = '0000 0000000000000002 0000000000000001 0000000000000006 0000000000000005'
  assert.equal(Buffer.from(entry).toString('hex'), hex.replaceAll(' ', ''))
  assert.deepEqual(decodeAborted(Buffer.concat([encodeAborted(first), entry])), [first, second])
  const what = 'an entry makes no sense'
  const bad = {
    short: entry.subarray(1),
    'of another version': Buffer.concat([Buffer.from([0, 1]), entry.subarray(2)]),
    'the same once more': Buffer.concat([entry, entry]),
    'begun after its end': encodeAborted({ ...first, firstOffset: 5 }),
    'stable beyond its end': encodeAborted({ ...first, lastStableOffset: 6 }),
  }
  for (const [why, bytes] of Object.entries(bad)) {
    const position = why === 'the same once more' ? 34 : 0
    assert.deepEqual(decodeAborted(bytes), { position, what }, why)
  }
})

test('a reader gets the aborted transactions that overlap what it read, from later segments too', () =>
  simulated().run(async world => {
    const log = await filled(world)
    assert.ok(log.segmentCount > 3)
    assert.deepEqual(await aborted(log, 0, 12), [first, second, third])
    assert.deepEqual(await aborted(log, 0, 1), [first])
    assert.deepEqual(await aborted(log, 3, 5), [first, second])
    assert.deepEqual(await aborted(log, 7, 8), [])
    assert.deepEqual(await aborted(log, 9, 10), [third])
    assert.equal(log.openTransactionOffset, 9)
  }))

test('segments in which nothing was aborted have no transaction index', () =>
  simulated().run(async world => {
    const log = await filled(world)
    assert.equal(indexes(world).size, log.segments.filter(({ hasAborted }) => hasAborted).length)
    assert.ok(indexes(world).size < log.segmentCount)
  }))

test('recovery makes the same transaction indexes that were appended to', async () => {
  for (const end of ['kill', 'powerLoss'] as const) {
    await simulated().run(async world => {
      const log = await filled(world)
      await log.flush()
      const before = indexes(world)
      if (end === 'kill') world.kill()
      else world.powerLoss()
      const { disk } = world.start()
      for (const path of before.keys()) await disk.remove(path)
      await disk.remove('/data/recovery-point-offset-checkpoint')
      const again = await openFollower(world)
      assert.deepEqual(indexes(world), before, end)
      assert.deepEqual(await aborted(again, 0, 12), [first, second, third], end)
      assert.equal(again.openTransactionOffset, 9, end)
    })
  }
})

test('a start after a clean stop makes a damaged transaction index again, and keeps the others', () =>
  simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const identity = { topic: 'words', partition: 0, topicId }
    const log = await directory.openLog({ ...identity, config: small })
    for (const batch of story) await log.appendFetched(batch, 0)
    await directory.close([])
    const before = indexes(world)
    for (const path of before.keys()) {
      const { disk } = world.start()
      await disk.replaceFile(path, world.disk().content(path)!.subarray(0, 33))
      assert.deepEqual(await found(world), ['an entry makes no sense'])
      const again = await openDirectory(world.io())
      const opened = await again.openLog({ ...identity, config: small })
      assert.deepEqual(await aborted(opened, 0, 12), [first, second, third])
      assert.equal(opened.openTransactionOffset, 9)
      await again.close([])
      assert.deepEqual(indexes(world), before)
    }
  }))

test('a missing transaction index, or one that lacks an entry, is found and made again by a repair', () =>
  simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await directory.openLog({ topic: 'words', partition: 0, topicId, config: small })
    for (const batch of story) await log.appendFetched(batch, 0)
    await directory.close([])
    const before = indexes(world)
    assert.deepEqual(await found(world), [])
    const [path] = before.keys()
    const { disk } = world.start()
    await disk.remove(path!)
    assert.deepEqual(await found(world), ['is missing'])
    await repair(world.io(), '/data')
    assert.deepEqual(indexes(world), before)
    await disk.replaceFile(path!, encodeAborted({ ...first, producerId: 7 }))
    assert.match((await found(world)).join(), /^lacks the transaction of producer 1 .* at 4$/)
    await repair(world.io(), '/data')
    assert.deepEqual(indexes(world), before)
    assert.deepEqual(await found(world), [])
  }))

test('a damaged transaction index while the log is open is said to be so, and not passed over', () =>
  simulated().run(async world => {
    const log = await filled(world)
    await log.flush()
    const [path] = indexes(world).keys()
    world.kill()
    world.start()
    const again = await openFollower(world)
    for (const segment of again.segments) await segment.release()
    await world.io().disk.replaceFile(path!, new Uint8Array(5))
    await assert.rejects(aborted(again, 0, 12), { error: 'CORRUPT_MESSAGE' })
  }))

test('what is cut off takes its entries along, and opens the transaction again', () =>
  simulated().run(async world => {
    const log = await filled(world)
    await log.truncateTo(10)
    assert.deepEqual(await aborted(log, 0, 10), [first, second])
    assert.equal(log.openTransactionOffset, 8)
    await log.truncateTo(6)
    assert.deepEqual(await aborted(log, 0, 6), [first])
    assert.equal(log.openTransactionOffset, 1)
    await log.truncateTo(0)
    assert.deepEqual(
      [indexes(world).size, log.openTransactionOffset],
      [0, Number.POSITIVE_INFINITY],
    )
  }))

test('compaction takes the entries of what it takes out of a segment; who read it before learns that', () =>
  simulated().run(async world => {
    const log = await filled(world)
    await log.appendFetched(marker('commit', 3, 12), 0)
    await log.appendFetched(marker('commit', 2, 13), 0)
    for (let offset = 14; offset < 20; offset++) {
      await log.appendFetched(buildBatch({ baseOffset: offset }, [{ key: 'x', value: 'y' }]), 0)
    }
    const segments = log.segments.filter(({ hasAborted }) => hasAborted)
    assert.deepEqual(await log.abortedTransactions(0, 12, segments), [first, second, third])
    assert.ok(await clean(log, world.io()))
    assert.equal(await log.abortedTransactions(0, 12, segments), undefined)
    // Its marker lies in a segment that is as it was.
    assert.deepEqual(await aborted(log, 0, 12), [third])
    assert.equal(indexes(world).size, 1)
    const offsets = (await batchesOf(log)).filter(({ recordCount }) => recordCount > 0)
    assert.deepEqual(
      offsets.map(({ baseOffset }) => baseOffset).filter(offset => offset < 12),
      [4, 6, 7, 9, 10, 11],
    )
    assert.deepEqual(await found(world), [])
  }))

test('transaction indexes go with their segments, and one without a segment at the next start', () =>
  simulated().run(async world => {
    const log = await filled(world)
    await log.advanceLogStart(7)
    const names = [...indexes(world).keys()].map(path => Number(path.slice(-29, -9)))
    assert.ok(names.every(base => log.segments.some(({ baseOffset }) => baseOffset === base)))
    await log.flush()
    world.kill()
    const { disk } = world.start()
    await disk.replaceFile(`${folder}/00000000000000009999.txnindex`, encodeAborted(first))
    const again = await openFollower(world)
    assert.equal(world.disk().content(`${folder}/00000000000000009999.txnindex`), undefined)
    assert.deepEqual(await aborted(again, 8, 12), [third])
  }))

test('of a swap that Kafka began the transaction index comes along, and those of the old segments go', () =>
  simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await directory.openLog({ topic: 'words', partition: 0, topicId, config: small })
    for (const batch of story) await log.appendFetched(batch, 0)
    const [before] = indexes(world)
    await directory.close([])
    const { disk } = world.start()
    const base = before![0].slice(0, -'.txnindex'.length)
    for (const ending of ['.log', '.index', '.timeindex', '.txnindex']) {
      await disk.replaceFile(`${base}${ending}.swap`, world.disk().content(base + ending)!)
    }
    const again = await openFollower(world)
    assert.equal(indexes(world).get(before![0]), before![1])
    assert.deepEqual(await aborted(again, 0, 12), [first, second, third])
  }))
