import assert from 'node:assert/strict'
import { test } from 'node:test'
import { DirectoryLockedError } from '../io/io.ts'
import { simulated, type World } from '../sim/world.ts'
import { batchOf, config, openDirectory, openLog, topicId, valuesFrom, written } from './fixture.ts'
import { LogDirectory } from './log-directory.ts'

const identity = { clusterId: 'cluster', brokerId: 1, brokerEpoch: 7n }

/** A directory with one log of three records, each life ended by `end`. */
async function afterOneLife(
  world: World,
  end: 'kill' | 'powerLoss' | 'close',
  sync = false,
): Promise<void> {
  const directory = await openDirectory(world.start())
  const log = await openLog(directory, sync ? { flushMessages: 1 } : {})
  for (const value of ['a', 'b', 'c']) log.append(batchOf([value]), 0)
  await written(log)
  if (end === 'close') await directory.close([{ topic: 'words', partition: 0, highWatermark: 3 }])
  else world[end]()
}

test('a directory remembers its identity, its high watermarks and how it ended', async () => {
  await simulated().run(async world => {
    const first = await LogDirectory.open(world.start(), '/data')
    assert.deepEqual(
      [first.lastRun, first.lossless, first.previousEpoch],
      ['clean', false, undefined],
    )
    assert.deepEqual([first.clusterId, first.brokerId], [undefined, undefined])
    await first.close([])
    await afterOneLife(world, 'close')
    const again = await LogDirectory.open(world.start(), '/data')
    assert.deepEqual([again.lastRun, again.lossless, again.previousEpoch], ['clean', true, 7n])
    assert.deepEqual([again.clusterId, again.brokerId], ['cluster', 1])
    assert.equal(again.highWatermark('words', 0), 3)
    assert.equal(again.highWatermark('words', 1), 0)
    assert.deepEqual(again.previousDirectoryIds, [again.directoryId])
    assert.deepEqual(again.folders(), [{ name: 'words-0', topic: 'words', partition: 0, topicId }])
  })
})

test('lossless is claimed after a clean stop, a kill, and a power loss if each write was synced', async () => {
  const cases = [
    { end: 'close', sync: false, lastRun: 'clean', lossless: true },
    { end: 'kill', sync: false, lastRun: 'killed', lossless: true },
    { end: 'powerLoss', sync: false, lastRun: 'power-loss', lossless: false },
    { end: 'powerLoss', sync: true, lastRun: 'power-loss', lossless: true },
  ] as const
  for (const { end, sync, lastRun, lossless } of cases) {
    await simulated().run(async world => {
      await afterOneLife(world, end, sync)
      const directory = await LogDirectory.open(world.start(), '/data')
      await directory.settle(config)
      assert.deepEqual([directory.lastRun, directory.lossless], [lastRun, lossless])
    })
  }
})

test('without a boot id a kill proves nothing', async () => {
  await simulated().run(async world => {
    world.disk().bootId = undefined
    await afterOneLife(world, 'kill')
    const directory = await LogDirectory.open(world.start(), '/data')
    await directory.settle(config)
    assert.deepEqual([directory.lastRun, directory.lossless], ['power-loss', false])
  })
})

test('a start that was killed before it began leaves the proof of the run before', async () => {
  await simulated().run(async world => {
    await afterOneLife(world, 'close')
    await LogDirectory.open(world.start(), '/data')
    world.kill()
    const directory = await LogDirectory.open(world.start(), '/data')
    assert.deepEqual([directory.lastRun, directory.lossless], ['clean', true])
  })
})

test('damage makes the directory lossy until a start registers', async () => {
  await simulated().run(async world => {
    await afterOneLife(world, 'kill')
    world.disk().flip('/data/words-0/00000000000000000000.log', 70)
    const damaged = await LogDirectory.open(world.start(), '/data')
    await damaged.settle(config)
    assert.equal(damaged.lossless, false)
    world.kill()
    const again = await LogDirectory.open(world.start(), '/data')
    assert.equal(again.lossless, false) // It says so before anything is read.
    await again.settle(config)
    await again.begin({ ...identity, brokerEpoch: 8n })
    await again.close([])
    const healed = await LogDirectory.open(world.start(), '/data')
    assert.deepEqual([healed.lossless, healed.previousEpoch], [true, 8n])
  })
})

test('two brokers cannot have one directory', async () => {
  await simulated().run(async world => {
    const first = await LogDirectory.open(world.start(), '/data')
    await assert.rejects(LogDirectory.open(world.start(), '/data'), DirectoryLockedError)
    await first.close([])
    await LogDirectory.open(world.start(), '/data')
  })
})

test('a deleted log is gone when answered, and its name is free for another topic id', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.start())
    const log = await openLog(directory)
    log.append(batchOf(['old']), 0)
    await written(log)
    const deleted = directory.deleteLog(log)
    assert.throws(() => log.append(batchOf(['late']), 0), { error: 'KAFKA_STORAGE_ERROR' })
    await deleted
    assert.deepEqual(directory.folders(), [])
    const options = { topic: 'words', partition: 0, topicId: 'BBBBBBBBBBBBBBBBBBBBBA', config }
    const recreated = await directory.openLog(options)
    assert.equal(recreated.logEndOffset, 0)
    await assert.rejects(directory.openLog({ ...options, topicId }), {
      error: 'INCONSISTENT_TOPIC_ID',
    })
    const leftovers = () =>
      world
        .disk()
        .paths()
        .filter(path => path.includes('-delete/')).length
    assert.ok(leftovers() > 0)
    await world.sleep(61_000)
    assert.equal(leftovers(), 0)
  })
})

test('a deletion that a kill interrupted is finished by the next start', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.start())
    const log = await openLog(directory)
    log.append(batchOf(['old']), 0)
    await directory.deleteLog(log)
    world.kill()
    const again = await LogDirectory.open(world.start(), '/data')
    assert.deepEqual(again.folders(), [])
    assert.ok(
      !world
        .disk()
        .paths()
        .some(path => path.includes('words')),
    )
  })
})

test('a stray folder is renamed and kept', async () => {
  await simulated().run(async world => {
    await afterOneLife(world, 'close')
    const directory = await openDirectory(world.start())
    await directory.setAside(directory.folders()[0]!)
    assert.deepEqual(directory.folders(), [])
    assert.ok(
      world
        .disk()
        .paths()
        .some(path => /words-0\.[0-9a-f]{32}-stray\/.*\.log$/.test(path)),
    )
    assert.equal((await openLog(directory)).logEndOffset, 0)
  })
})

test('one log opened by several at once is opened once', async () => {
  await simulated().run(async world => {
    await afterOneLife(world, 'kill')
    const directory = await openDirectory(world.start())
    const options = { topic: 'words', partition: 0, topicId, config }
    const [one, two] = await Promise.all([directory.openLog(options), directory.openLog(options)])
    assert.equal(one, two)
    assert.equal((await valuesFrom(one, 0)).join(), 'a,b,c')
  })
})

test('many logs share few open files, and a clean stop and start keeps them all', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.start(), { maxOpenFiles: 5, tailCacheBytes: 300 })
    const open = (from: LogDirectory) =>
      Promise.all(
        Array.from({ length: 30 }, (_, partition) =>
          from.openLog({ topic: 'many', partition, topicId, config }),
        ),
      )
    const logs = await open(directory)
    for (const [index, log] of logs.entries()) {
      for (let count = 0; count <= index % 4; count++) log.append(batchOf([`${index}`]), 0)
    }
    await Promise.all(logs.map(log => written(log)))
    await directory.close([])
    const again = await open(await openDirectory(world.start(), { maxOpenFiles: 5 }))
    for (const [index, log] of again.entries()) {
      assert.deepEqual(await valuesFrom(log, 0), Array(1 + (index % 4)).fill(`${index}`))
    }
  })
})
