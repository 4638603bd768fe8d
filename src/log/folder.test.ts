import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulated, type World } from '../sim/world.ts'
import { batchOf, config, openDirectory, openLog, topicId, valuesFrom, written } from './fixture.ts'
import { LogDirectory } from './log-directory.ts'

/** What is synced from now on, files and folders. */
function syncsOf(world: World): string[] {
  const synced: string[] = []
  world.disk().fault = (operation, path) => {
    if (operation.startsWith('sync')) synced.push(path)
    return undefined
  }
  return synced
}

test('a partition without records is made, led and closed without a sync of its own', () =>
  simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const synced = syncsOf(world)
    const log = await openLog(directory)
    await log.becomeLeader(1)
    await directory.close([])
    assert.deepEqual(
      synced.filter(path => path.includes('words-0')),
      [],
    )
    const again = await openLog(await openDirectory(world.start()))
    assert.equal(again.logEndOffset, 0)
  }))

test('a partition that was never written to is made again after a power loss', async () => {
  for (let round = 0; round < 20; round++) {
    await simulated(round).run(async world => {
      await openLog(await openDirectory(world.io()))
      world.powerLoss()
      const directory = await openDirectory(world.start())
      for (const { isBlank, topicId: found } of directory.folders()) {
        assert.ok(isBlank || found === topicId)
      }
      const log = await openLog(directory)
      log.append(batchOf(['a']), 0)
      await log.flush()
      assert.equal(log.topicId, topicId)
    })
  }
})

test('a topic id that a power loss cut short is none', () =>
  simulated().run(async world => {
    const { disk } = world.io()
    await disk.makeDirectory('/data')
    for (const part of ['', topicId.slice(0, 13), `${topicId}\0\0`]) {
      await disk.makeDirectory('/data/words-0')
      const file = await disk.open('/data/words-0/partition.metadata', { create: true })
      await file.write([Buffer.from(`version: 0\ntopic_id: ${part}`)], 0)
      await file.close()
      const directory = await openDirectory(world.io())
      assert.deepEqual(
        directory.folders().map(folder => [folder.topicId, folder.isBlank]),
        [[undefined, true]],
      )
      assert.equal((await openLog(directory)).topicId, topicId)
      await directory.close([])
      await disk.remove('/data/words-0')
    }
  }))

test('the topic id is on the disk before the first record, however it is synced', async () => {
  for (let round = 0; round < 20; round++) {
    await simulated(round).run(async world => {
      const log = await openLog(await openDirectory(world.io()))
      log.append(batchOf(['a']), 0)
      await written(log)
      world.powerLoss()
      const directory = await LogDirectory.open(world.start(), '/data')
      const [folder] = directory.folders()
      assert.deepEqual([folder?.topicId, folder?.isBlank], [topicId, undefined])
    })
  }
})

test('a folder with records and no topic id is not written over', () =>
  simulated().run(async world => {
    const first = await openDirectory(world.io())
    const log = await openLog(first)
    log.append(batchOf(['a']), 0)
    await written(log)
    await first.close([])
    const io = world.start()
    await io.disk.remove('/data/words-0/partition.metadata')
    const options = { topic: 'words', partition: 0, topicId, config }
    await assert.rejects((await openDirectory(io)).openLog(options), {
      error: 'KAFKA_STORAGE_ERROR',
    })
  }))

test('the epochs of records below the recovery point are in the file, the others in the records', async () => {
  for (const end of ['kill', 'close'] as const) {
    await simulated().run(async world => {
      const directory = await openDirectory(world.io())
      const log = await openLog(directory, { segmentBytes: 300 })
      for (const epoch of [2, 5, 9]) {
        await log.becomeLeader(epoch)
        log.append(batchOf(['a'.repeat(200)]), epoch)
        await written(log)
      }
      await log.flush()
      await directory.checkpoint([])
      await log.becomeLeader(11)
      log.append(batchOf(['b']), 11)
      await written(log)
      if (end === 'close') await directory.close([])
      else world[end]()
      for (const start of ['first', 'second']) {
        const next = await openDirectory(world.start())
        const again = await openLog(next)
        const epochs = again.epochs.entries.map(({ epoch, startOffset }) => [epoch, startOffset])
        assert.deepEqual(
          epochs,
          [
            [2, 0],
            [5, 1],
            [9, 2],
            [11, 3],
          ],
          start,
        )
        assert.equal((await valuesFrom(again, 0)).length, 4)
        await next.close([])
      }
    })
  }
})

test('a full disk keeps the recovery point where the file of epochs is', () =>
  simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await openLog(directory)
    await log.becomeLeader(3)
    log.append(batchOf(['a']), 3)
    await written(log)
    world.disk().fault = (_, path) => (path.includes('leader-epoch') ? 'ENOSPC' : undefined)
    await log.flush()
    assert.deepEqual([log.durableEndOffset, directory.offline], [0, undefined])
    world.disk().fault = undefined
    await log.flush()
    assert.equal(log.durableEndOffset, 1)
  }))
