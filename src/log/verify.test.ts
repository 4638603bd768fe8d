import assert from 'node:assert/strict'
import { test } from 'node:test'
import { openLocalStore } from '../io/local-store.ts'
import { batches } from '../protocol/records/batch.ts'
import { simulated, type World } from '../sim/world.ts'
import { batchOf, openDirectory, openLog, valuesFrom, written } from './fixture.ts'
import type { Log } from './log.ts'
import { repair } from './repair.ts'
import { verify } from './verify.ts'

const folder = '/data/words-0'
const first = `${folder}/00000000000000000000`

/** Forty batches in several segments, each with a producer; answers the values. */
async function fill(log: Log): Promise<string[]> {
  const values = Array.from({ length: 40 }, (_, index) => `value ${index} ${'x'.repeat(50)}`)
  for (const [index, value] of values.entries()) {
    log.append(batchOf([value], { producerId: 5, producerEpoch: 0, baseSequence: index }), 0)
  }
  await written(log)
  return values
}

/** A log that was closed in order. */
async function closedLog(world: World): Promise<string[]> {
  const directory = await openDirectory(world.io())
  const log = await openLog(directory, { segmentBytes: 1500, indexIntervalBytes: 200 })
  const values = await fill(log)
  await directory.close([{ topic: 'words', partition: 0, highWatermark: 40 }])
  return values
}

async function found(world: World, path = '/data'): Promise<string[]> {
  const { findings } = await verify(world.io().disk, path, { deep: true })
  return findings.map(({ kind, path: file, what }) => `${kind} ${file}: ${what}`)
}

test('a sound directory has nothing to find, and is not changed', async () => {
  await simulated(1).run(async world => {
    await closedLog(world)
    const before = world
      .disk()
      .paths()
      .map(path => [path, world.disk().content(path)])
    const { findings, folders, bytes } = await verify(world.io().disk, '/data', { deep: true })
    assert.deepEqual(findings, [])
    assert.deepEqual(
      folders.map(({ name, startOffset, endOffset, batches }) => ({
        ...{ name, startOffset, endOffset, batches },
      })),
      [{ name: 'words-0', startOffset: 0, endOffset: 40, batches: 40 }],
    )
    assert.ok(bytes > 0)
    assert.deepEqual(
      world
        .disk()
        .paths()
        .map(path => [path, world.disk().content(path)]),
      before,
    )
  })
})

test('damage is found with its place, and repaired around', async () => {
  await simulated(2).run(async world => {
    const values = await closedLog(world)
    const size = world.disk().content(`${first}.log`)!.length
    world.disk().flip(`${first}.log`, Math.floor(size / 2))
    const { findings } = await verify(world.io().disk, folder)
    assert.equal(findings.length, 1)
    const [{ kind, path, position, offset, what }] = findings as [(typeof findings)[0]]
    assert.deepEqual([kind, path], ['damage', `${first}.log`])
    assert.match(what, new RegExp(`offsets ${offset} to ${offset} cannot be read`))
    assert.ok(position! <= size / 2)
    await repair(world.io(), '/data')
    const directory = await openDirectory(world.io())
    assert.equal(directory.lossless, false)
    const log = await openLog(directory, { segmentBytes: 1500, indexIntervalBytes: 200 })
    await assert.rejects(log.read(offset!, 40, 1000, true), { error: 'CORRUPT_MESSAGE' })
    assert.deepEqual(await valuesFrom(log, offset! + 1), values.slice(offset! + 1))
  })
})

test('an unfinished write is cut by a repair, which keeps a copy', async () => {
  await simulated(3).run(async world => {
    const log = await openLog(await openDirectory(world.io()))
    const values = await fill(log)
    world.kill()
    const io = world.start()
    const torn = batchOf(['never finished'], { baseOffset: 40, leaderEpoch: 0 }).subarray(0, 70)
    const file = await io.disk.open(`${first}.log`)
    await file.write([torn], await file.size())
    await file.close()
    assert.match((await found(world)).join(), /^torn .*the last 70 bytes are of a write/)
    const done = await repair(io, '/data')
    assert.match(done.join('\n'), /cut 70 bytes of an unfinished write/)
    assert.equal(world.disk().content(`${first}.log.corrupt`)?.length, 70)
    assert.deepEqual(await found(world), [])
    assert.deepEqual(await valuesFrom(await openLog(await openDirectory(io)), 0), values)
  })
})

test('indexes, epochs, snapshots and checkpoints that are wrong are found and made again', async () => {
  const harms: Record<string, (world: World) => void> = {
    '.index': world => world.disk().flip(`${first}.index`, 7),
    '.timeindex': world => world.disk().zero(`${first}.timeindex`, 0, 5),
    'leader-epoch-checkpoint': world =>
      world.disk().flip(`${folder}/leader-epoch-checkpoint`, 4, 0x31),
    '.snapshot': world => world.disk().flip(`${folder}/00000000000000000040.snapshot`, 20),
    'recovery-point-offset-checkpoint': world =>
      world.disk().flip('/data/recovery-point-offset-checkpoint', 2, 0x40),
  }
  for (const [name, harm] of Object.entries(harms)) {
    await simulated(4).run(async world => {
      const values = await closedLog(world)
      harm(world)
      const wrong = await found(world)
      assert.equal(wrong.length, 1, `${name}: ${wrong}`)
      assert.match(wrong[0]!, new RegExp(`^derived .*${name}: `))
      await repair(world.io(), '/data')
      assert.deepEqual(await found(world), [], name)
      const log = await openLog(await openDirectory(world.io()), { segmentBytes: 1500 })
      assert.deepEqual(await valuesFrom(log, 0), values)
    })
  }
})

test('a topic id that is gone comes from the other partitions, or is said to be gone', async () => {
  await simulated(5).run(async world => {
    await closedLog(world)
    const io = world.io()
    const metadata = `${folder}/partition.metadata`
    const content = world.disk().content(metadata)!
    await io.disk.remove(metadata)
    assert.match((await found(world)).join(), /^damage .*partition.metadata: has no topic id$/)
    assert.match((await repair(io, '/data')).join(), /words-0: indexes/)
    assert.equal((await found(world)).length, 1)
    await io.disk.makeDirectory('/data/words-1')
    await io.disk.replaceFile('/data/words-1/partition.metadata', content)
    await repair(io, '/data')
    assert.deepEqual(world.disk().content(metadata), content)
  })
})

test('a missing segment and an end below what was promised are damage', async () => {
  await simulated(6).run(async world => {
    await closedLog(world)
    const io = world.io()
    const logs = world
      .disk()
      .paths()
      .filter(path => path.endsWith('.log') && path.includes('words'))
    await io.disk.remove(logs[1]!)
    const missing = (await found(world)).join('\n')
    assert.match(missing, /damage .*\.index: has no segment/)
    assert.match(missing, /damage \/data\/words-0: nothing lies between offsets/)
    for (const path of logs.slice(2)) await io.disk.remove(path)
    assert.match(
      (await found(world)).join('\n'),
      /ends at offset \d+, and what was synced ends at 40/,
    )
  })
})

test('gaps below the point of the cleaner are what compaction leaves', async () => {
  await simulated(7).run(async world => {
    const values = await closedLog(world)
    const io = world.io()
    const files = world
      .disk()
      .paths()
      .filter(path => path.startsWith(`${folder}/0`))
    const bases = [...new Set(files.map(path => path.slice(0, path.lastIndexOf('.'))))]
    for (const suffix of ['.log', '.index', '.timeindex']) {
      await io.disk.remove(`${bases[1]}${suffix}`)
    }
    const cleaned = new TextEncoder().encode('0\n1\nwords 0 40\n')
    await io.disk.replaceFile('/data/cleaner-offset-checkpoint', cleaned)
    assert.deepEqual(await found(world), [])
    world.disk().flip(`${bases[0]}.index`, 7)
    await repair(io, '/data')
    assert.deepEqual(await found(world), [])
    const log = await openLog(await openDirectory(io), { segmentBytes: 1500 })
    assert.equal(log.logEndOffset, values.length)
    const start = Number(bases[2]!.slice(-20))
    assert.deepEqual(await valuesFrom(log, start), values.slice(start))
  })
})

test("a transaction index of Kafka's is checked, and goes with its segment", async () => {
  await simulated(8).run(async world => {
    await closedLog(world)
    const io = world.io()
    const index = `${first}.txnindex`
    // Version, producer, first and last offset, stable offset.
    const entry = Buffer.alloc(34)
    entry.writeBigInt64BE(5n, 2)
    entry.writeBigInt64BE(3n, 18)
    await io.disk.replaceFile(index, entry)
    assert.deepEqual(await found(world), [])
    await io.disk.replaceFile(index, entry.subarray(1))
    assert.match((await found(world)).join(), /^derived .*txnindex: an entry makes no sense$/)
    const directory = await openDirectory(io)
    const log = await openLog(directory, { segmentBytes: 1500 })
    await log.advanceLogStart(log.logEndOffset)
    assert.equal(world.disk().content(index), undefined)
  })
})

test('the metadata store is read frame by frame', async () => {
  await simulated(9).run(async world => {
    await closedLog(world)
    const io = world.io()
    const store = await openLocalStore(io, '/data')
    for (const value of ['one', 'two', 'three']) {
      await store.txn([], [{ put: 'key', value: Buffer.from(value) }])
    }
    await store.close()
    assert.deepEqual(await found(world), [])
    const path = '/data/ottla-metadata.log'
    const content = world.disk().content(path)!
    await io.disk.replaceFile(path, content.subarray(0, -1))
    assert.match((await found(world)).join(), /^torn .* are of a flush that was never finished$/)
    await io.disk.replaceFile(path, content)
    world.disk().flip(path, 20)
    assert.match((await found(world)).join(), /^damage .*is damaged, and whole flushes follow$/)
    await io.disk.replaceFile('/data/ottla-metadata.snapshot', content)
    assert.match((await found(world)).join(), /damage .*snapshot: is damaged: it holds/)
  })
})

test('a flipped offset or epoch costs its own batch, and none behind it', async () => {
  for (const byte of [5, 6, 13, 14]) {
    await simulated(byte).run(async world => {
      const values = await closedLog(world)
      const { position, baseOffset } = await thirdBatch(world)
      world.disk().flip(`${first}.log`, position + byte)
      const { findings } = await verify(world.io().disk, folder)
      const lost = findings.filter(({ kind }) => kind === 'damage')
      assert.deepEqual(
        lost.map(finding => [finding.position, finding.offset]),
        [[position, baseOffset]],
      )
      await repair(world.io(), '/data')
      const log = await openLog(await openDirectory(world.io()), { segmentBytes: 1500 })
      assert.deepEqual(await valuesFrom(log, baseOffset + 1), values.slice(baseOffset + 1))
    })
  }
})

test('epochs that the table has forgotten below the log start are no harm', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await openLog(directory)
    for (let epoch = 0; epoch < 5; epoch++) {
      await log.becomeLeader(epoch)
      log.append(batchOf([`value ${epoch}`]), epoch)
      await written(log)
    }
    await log.advanceLogStart(3)
    await directory.close([])
    const again = await openDirectory(world.start())
    await (await openLog(again)).becomeLeader(5)
    await again.close([])
    assert.deepEqual(await found(world), [])
    const table = world.disk().content(`${folder}/leader-epoch-checkpoint`)!
    assert.match(Buffer.from(table).toString(), /\n3 3\n4 4\n5 5\n$/)
  })
})

test('nor is a table without epochs, of a log that was cut down to its start', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await openLog(directory)
    for (let count = 0; count < 5; count++) log.append(batchOf([`value ${count}`]), 0)
    await written(log)
    await log.advanceLogStart(3)
    await directory.close([])
    const again = await openDirectory(world.start())
    await (await openLog(again)).truncateTo(3)
    await again.close([])
    assert.deepEqual(await found(world), [])
  })
})

/** Of the first segment. */
async function thirdBatch(world: World): Promise<{ position: number; baseOffset: number }> {
  const found = [...batches(world.disk().content(`${first}.log`)!)]
  const position = found[0]!.sizeInBytes + found[1]!.sizeInBytes
  return { position, baseOffset: found[2]!.baseOffset }
}
