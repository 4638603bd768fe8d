import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogConfig } from '../config/log-config.ts'
import { simulated, type World } from '../sim/world.ts'
import { batchOf, openDirectory, openLog, written } from './fixture.ts'
import type { Log } from './log.ts'

/** One record each, all producers of the same kind. */
function batch(producerId: number, baseSequence: number): Uint8Array {
  return batchOf(['value'], { producerId, producerEpoch: 0, baseSequence })
}

/** Producer 1 writes three batches; others then fill segments until `end`. */
async function filled(log: Log, end: number): Promise<void> {
  for (let sequence = 0; sequence < 3; sequence++) log.append(batch(1, sequence), 0)
  for (let sequence = 0; log.logEndOffset < end; sequence++) log.append(batch(2, sequence), 0)
  await written(log)
}

/** What producer 1 sends again is recognized, and what comes next is stored, once. */
async function goesOn(world: World, changes: Partial<LogConfig>, what: string): Promise<Log> {
  const log = await openLog(await openDirectory(world.start()), changes)
  const again = log.append(batch(1, 2), 0)
  assert.deepEqual([again.duplicate, again.baseOffset], [true, 2], what)
  assert.throws(() => log.append(batch(1, 5), 0), { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' }, what)
  const next = log.append(batch(1, 3), 0)
  assert.deepEqual([next.duplicate, next.baseOffset], [false, log.logEndOffset - 1], what)
  await written(log)
  return log
}

for (const end of ['kill', 'powerLoss'] as const) {
  for (const how of ['DeleteRecords', 'retention'] as const) {
    test(`a producer whose records all went by ${how} is known after a ${end}`, async () => {
      for (let seed = 1; seed <= 60; seed++) {
        await simulated(seed).run(async world => {
          const changes = {
            segmentBytes: 200,
            flushMessages: 1,
            retentionMs: -1,
            retentionBytes: 0,
          }
          const directory = await openDirectory(world.start())
          const log = await openLog(directory, changes)
          await filled(log, 9)
          for (let more = 0; more < seed % 6; more++) log.append(batch(3, more), 0)
          const deleted =
            how === 'retention'
              ? log.enforceRetention(log.writtenEndOffset, world.nowMs)
              : log.advanceLogStart(5 + (seed % 5))
          // From now on the end may come at any moment.
          if (seed % 3 > 0) await deleted
          else deleted.catch(() => {})
          await world.sleep(world.random('end').fraction() * 8)
          world[end]()
          await goesOn(world, changes, `seed ${seed}`)
        })
      }
    })
  }
}

test('a segment goes only when what follows it has its snapshot, also while appends roll segments', async () => {
  let looks = 0
  for (let seed = 1; seed <= 60; seed++) {
    await simulated(seed).run(async world => {
      const log = await openLog(await openDirectory(world.io()), { segmentBytes: 200 })
      await filled(log, 10)
      const disk = world.disk()
      disk.fault = (operation, path) => {
        if (operation !== 'rename' || !path.endsWith('.log')) return undefined
        const next = disk.paths().find(other => other.endsWith('.log') && other > path)!
        assert.ok(disk.paths().includes(next.replace('.log', '.snapshot')), `seed ${seed}: ${next}`)
        looks++
        return undefined
      }
      const deleted = log.advanceLogStart(log.writtenEndOffset)
      for (let more = 0; more < 6; more++) {
        await world.sleep(world.random('appends').fraction() / 4)
        log.append(batch(3, more), 0)
      }
      await deleted
      await written(log)
    })
  }
  assert.ok(looks > 60)
})

test('a crash before the snapshot of a segment was written costs no producer its name later', async () => {
  await simulated().run(async world => {
    const changes = { segmentBytes: 200 }
    const log = await openLog(await openDirectory(world.io()), changes)
    await filled(log, 9)
    world.kill() // The snapshots would have come with the next sync.
    for (const path of world.disk().paths()) {
      if (path.endsWith('.snapshot')) await world.start().disk.remove(path)
    }
    const again = await openLog(await openDirectory(world.start()), changes)
    await again.advanceLogStart(5)
    assert.ok(again.segments[0]!.baseOffset > 2)
    world.kill()
    await goesOn(world, changes, 'after two crashes')
  })
})

test('where records went that were not synced, the power loss takes no producer back', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await simulated(seed).run(async world => {
      const log = await openLog(await openDirectory(world.io()))
      await filled(log, 5)
      await log.advanceLogStart(4)
      world.powerLoss()
      const again = await goesOn(world, {}, `seed ${seed}`)
      assert.equal(again.logStartOffset, 4)
    })
  }
})

test('a producer whose records all went is known although the disk was full when a segment began', async () => {
  await simulated().run(async world => {
    const changes = { segmentBytes: 300, retentionMs: -1 }
    const log = await openLog(await openDirectory(world.start()), changes)
    await filled(log, 3)
    await log.flush()
    const disk = world.disk()
    const begun = log.segmentCount
    disk.fault = (_, path) => (path.includes('.snapshot') ? 'ENOSPC' : undefined)
    for (let sequence = 0; log.segmentCount === begun; sequence++) log.append(batch(2, sequence), 0)
    await written(log)
    await log.flush()
    disk.fault = undefined
    await log.advanceLogStart(log.segments.at(-1)!.baseOffset)
    world.kill()
    await goesOn(world, changes, 'after a full disk')
  })
})
