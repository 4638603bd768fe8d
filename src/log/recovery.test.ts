import assert from 'node:assert/strict'
import { test } from 'node:test'
import { batches } from '../protocol/records/batch.ts'
import { simulated, type World } from '../sim/world.ts'
import { formatOffsets } from './checkpoint-file.ts'
import {
  batchOf,
  config,
  openDirectory,
  openLog,
  startMs,
  topicId,
  valuesFrom,
  written,
} from './fixture.ts'
import type { Log } from './log.ts'
import { unheard } from './log-listener.ts'
import { verify } from './verify.ts'

const folder = '/data/words-0'
const segment = `${folder}/00000000000000000000.log`

test('whatever byte the last write was torn at, the whole batches before it are kept', async () => {
  const whole = batchOf(['one']).length
  for (let torn = 1; torn < whole; torn++) {
    await simulated(torn).run(async world => {
      const log = await openLog(await openDirectory(world.io()))
      for (const value of ['one', 'two', 'six']) log.append(batchOf([value]), 0)
      await written(log)
      world.kill()
      await truncate(world, segment, 2 * whole + torn)
      const directory = await openDirectory(world.start())
      const again = await openLog(directory)
      assert.deepEqual([directory.lossless, again.logEndOffset], [true, 2])
      assert.equal(again.append(batchOf(['new']), 0).baseOffset, 2)
      await written(again)
      assert.equal((await valuesFrom(again, 0)).join(), 'one,two,new')
    })
  }
})

test('a kill at any moment keeps what was written, and the log goes on', async () => {
  for (let seed = 1; seed <= 12; seed++) await killedAgainAndAgain(seed, 'kill')
})

test('with a sync before each acknowledgement a power loss keeps it as well', async () => {
  for (let seed = 1; seed <= 12; seed++) await killedAgainAndAgain(seed, 'powerLoss')
})

/** Appends by a producer that sends again what was not acknowledged; the end at random moments. */
async function killedAgainAndAgain(seed: number, end: 'kill' | 'powerLoss'): Promise<void> {
  const world = simulated(seed)
  const random = world.random('workload')
  const acknowledged: string[] = []
  let sequence = 0
  await world.run(async () => {
    for (let life = 0; life < 4; life++) {
      const directory = await openDirectory(world.start(), { tailCacheBytes: 2000 })
      // A power loss may leave a hole in the last, unacknowledged write: then nothing is claimed.
      if (life > 0 && end === 'kill') assert.equal(directory.lossless, true, `seed ${seed}`)
      const log = await openLog(directory, {
        segmentBytes: 1500,
        indexIntervalBytes: 200,
        flushMessages: end === 'powerLoss' ? 1 : Number.MAX_SAFE_INTEGER,
      })
      const values = await valuesFrom(log, 0, 700)
      assert.deepEqual(values.slice(0, acknowledged.length), acknowledged, `seed ${seed}`)
      const unknown = values.length - acknowledged.length
      for (let index = 0; index < unknown; index++) {
        acknowledged.push(values[acknowledged.length]!)
      }
      sequence = values.length
      log.listener = {
        ...unheard,
        onEnd(endOffset) {
          for (let offset = acknowledged.length; offset < endOffset; offset++) {
            acknowledged.push(`value ${offset}`)
          }
        },
      }
      const deadline = world.nowMs + 20 + random.below(80)
      while (world.nowMs < deadline) {
        for (let index = random.below(4); index >= 0; index--) {
          const value = `value ${sequence}`
          const appended = log.append(producer(sequence++, value), 0)
          assert.equal(appended.duplicate, false)
        }
        if (random.below(10) === 0) await directory.checkpoint([])
        await world.sleep(random.below(5))
      }
      world[end]()
    }
    const directory = await openDirectory(world.start())
    const log = await openLog(directory)
    const values = await valuesFrom(log, 0)
    assert.deepEqual(values.slice(0, acknowledged.length), acknowledged, `seed ${seed}`)
    if (values.length > 0) {
      const last = values.length - 1
      const again = log.append(producer(last, values[last]!), 0)
      assert.deepEqual([again.duplicate, again.baseOffset], [true, last], `seed ${seed}`)
    }
    await directory.close([])
    const clean = await openDirectory(world.start())
    assert.equal(clean.lastRun, 'clean')
    assert.deepEqual(await valuesFrom(await openLog(clean), 0), values)
  })
}

test('a power loss without syncs leaves a log that begins as it was and can be written', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await simulated(seed).run(async world => {
      const log = await openLog(await openDirectory(world.io()), { segmentBytes: 700 })
      for (let index = 0; index < 40; index++) {
        log.append(batchOf([`value ${index}`]), 0)
        if (index === 20) await log.flush()
        if (index % 3 === 0) await world.sleep(1)
      }
      await written(log)
      const { durableEndOffset } = log
      world.powerLoss()
      const directory = await openDirectory(world.start())
      assert.equal(directory.lossless, false)
      const again = await openLog(directory)
      assert.ok(again.logEndOffset >= Math.min(21, durableEndOffset), `seed ${seed}`)
      // It is written on: whatever followed it before, compaction must not take it for a cold one.
      assert.equal(again.segments.at(-1)!.isSealed, false, `seed ${seed}`)
      const end = again.logEndOffset
      again.append(batchOf(['new']), 0)
      await written(again)
      const values = await valuesFrom(again, 0)
      assert.equal(values.length, end + 1, `seed ${seed}`)
      assert.ok(values.slice(0, -1).every((value, index) => value === `value ${index}`))
    })
  }
})

test('a log that lost all above its log start goes on there, with one segment', async () => {
  let lost = 0
  for (let seed = 1; seed <= 20; seed++) {
    await simulated(seed).run(async world => {
      const log = await openLog(await openDirectory(world.io()))
      log.append(batchOf(['a', 'b', 'c']), 0)
      await written(log)
      // As in a directory of Kafka, which does not wait for the disk before it says so.
      const starts = formatOffsets(new Map([['words 0', 2]]))
      await world.io().disk.replaceFile('/data/log-start-offset-checkpoint', starts)
      world.powerLoss()
      const lone = `${folder}/00000000000000000099.timeindex`
      await world.start().disk.replaceFile(lone, new Uint8Array(12))
      world.kill()
      const again = await openLog(await openDirectory(world.start()))
      const end = again.logEndOffset
      assert.ok(again.logStartOffset === 2 && end >= 2)
      again.append(batchOf(['new']), 0)
      await written(again)
      assert.equal((await valuesFrom(again, end)).join(), 'new')
      const paths = world.disk().paths()
      assert.ok(!paths.includes(lone))
      if (end > 2) return
      lost++
      const logs = paths.filter(path => path.endsWith('.log'))
      assert.deepEqual(logs, [`${folder}/00000000000000000002.log`])
    })
  }
  assert.ok(lost > 0)
})

test('a clean start scans nothing; missing, short and wrong indexes are built again', async () => {
  for (const harm of ['none', 'missing', 'short', 'zeros', 'ragged'] as const) {
    await simulated().run(async world => {
      const changes = { segmentBytes: 2000, indexIntervalBytes: 100 }
      const directory = await openDirectory(world.io())
      const log = await openLog(directory, changes)
      for (let index = 0; index < 60; index++) log.append(batchOf([`value ${index}`]), 0)
      await written(log)
      await directory.close([])
      const io = world.start()
      for (const path of world.disk().paths()) {
        if (path.endsWith('index')) await harmFile(world, path, harm)
      }
      let readBytes = 0
      const { fault } = world.disk()
      world.disk().fault = (operation, path) => {
        if (operation === 'read' && path.endsWith('.log')) readBytes++
        return fault?.(operation, path)
      }
      const again = await openDirectory(io, { tailCacheBytes: 0 })
      const reopened = await openLog(again, changes)
      assert.equal(reopened.logEndOffset, 60)
      if (harm === 'none') assert.ok(readBytes <= 2, `${readBytes} reads`)
      assert.equal((await reopened.offsetForTimestamp(0, 60))?.offset, 0)
      for (let offset = 0; offset < 60; offset += 7) {
        assert.equal((await valuesFrom(reopened, offset)).length, 60 - offset, harm)
      }
      reopened.append(batchOf(['new']), 0)
      await written(reopened)
      assert.equal((await valuesFrom(reopened, 59)).join(), 'value 59,new')
    })
  }
})

test('epochs that a start found and did not write down are found by the next one, too', async () => {
  await simulated().run(async world => {
    const changes = { segmentBytes: 300 }
    const log = await openLog(await openDirectory(world.io()), changes)
    log.append(batchOf(['a']), 0)
    await written(log)
    await log.becomeLeader(1)
    for (const value of ['b', 'c', 'd', 'e', 'f']) log.append(batchOf([value]), 1)
    await written(log)
    assert.ok(log.segments.at(-1)!.baseOffset > 1)
    for (let time = 0; time < 3; time++) {
      world.kill()
      const directory = await openDirectory(world.start())
      const { epochs } = await directory.openLog({ topic: 'words', partition: 0, topicId, config })
      assert.deepEqual(epochs.entries, [
        { epoch: 0, startOffset: 0 },
        { epoch: 1, startOffset: 1 },
      ])
    }
  })
})

test('indexes of a full segment that a power loss took are made again', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    await simulated(seed).run(async world => {
      const changes = { flushMessages: 1, segmentBytes: 400, indexIntervalBytes: 1 }
      const directory = await openDirectory(world.io())
      const log = await openLog(directory, changes)
      const append = (second: number) => log.append(batchOf(['v'], {}, startMs + second), 0)
      for (let second = 0; second < 5; second++) {
        append(second)
        await written(log)
      }
      await directory.checkpoint([]) // The recovery point is the end of the segment now.
      append(5)
      await world.sleep(world.random('end').fraction() * 2)
      world.powerLoss()
      const again = await openLog(await openDirectory(world.start()), changes)
      const newest = await again.maxTimestampOffset(again.logEndOffset)
      assert.equal(newest?.offset, again.logEndOffset - 1, `seed ${seed}`)
    })
  }
})

test('after the records of a new segment its name is synced, before anything counts', async () => {
  await simulated().run(async world => {
    const changes = { flushMessages: 1, segmentBytes: 200 }
    const log = await openLog(await openDirectory(world.io()), changes)
    const calls: string[] = []
    world.disk().fault = (operation, path) => {
      calls.push(`${operation} ${path}`)
      return undefined
    }
    for (const value of ['one', 'two', 'three', 'four']) {
      log.append(batchOf([value]), 0)
      await written(log)
    }
    const isSyncOfNew = (call: string) => /^sync .*\d*[1-9]\.log$/.test(call)
    assert.equal(calls[calls.findIndex(isSyncOfNew) + 1], `syncDirectory ${folder}`)
  })
})

test('what a failed sync left unwritten is written by the next start, and outlives a power loss', async () => {
  for (const isMarked of [false, true]) {
    await simulated().run(async world => {
      const sync = { flushMessages: 1 }
      const log = await openLog(await openDirectory(world.io()), sync)
      log.append(batchOf(['first']), 0)
      await written(log)
      const long = 'long'.repeat(400)
      world.disk().fault = (operation, path) =>
        operation === 'sync' && path.endsWith('.log') ? 'EIO' : undefined
      log.append(batchOf([long]), 0)
      await assert.rejects(written(log))
      world.disk().fault = undefined
      if (isMarked) await world.sleep(100)
      world.kill()
      const directory = await openDirectory(world.start())
      assert.equal(directory.lossless, !isMarked)
      const again = await openLog(directory, sync)
      again.append(batchOf(['last']), 0)
      await written(again)
      world.powerLoss()
      const third = await openLog(await openDirectory(world.start()), sync)
      assert.deepEqual(await valuesFrom(third, 0), ['first', long, 'last'])
    })
  }
})

test('a log that was cut back to where it was closed once is closed with whole indexes', async () => {
  await simulated().run(async world => {
    const changes = { indexIntervalBytes: 100 }
    const appendTo = async (log: Log, count: number) => {
      for (let index = 0; index < count; index++) {
        log.append(batchOf(['value'], {}, startMs - index), 0)
      }
      await written(log)
    }
    const directory = await openDirectory(world.io())
    await appendTo(await openLog(directory, changes), 9)
    await directory.close([])
    const again = await openDirectory(world.start())
    const log = await openLog(again, changes)
    await appendTo(log, 5)
    await log.truncateTo(9)
    await again.close([])
    const { findings } = await verify(world.start().disk, '/data', { deep: true })
    assert.deepEqual(findings, [])
  })
})

test('damage is kept as a hole: reads go around it, appends go on, a later clean start knows it', async () => {
  for (const wrongByte of [16, 70]) {
    await simulated(wrongByte).run(async world => {
      const log = await openLog(await openDirectory(world.io()))
      for (let index = 0; index < 9; index++) log.append(batchOf([`value ${index}`]), 0)
      await written(log)
      world.kill()
      const position = positions(world)[4]! + wrongByte
      world.disk().flip(segment, position)
      const directory = await openDirectory(world.start(), { tailCacheBytes: 0 })
      assert.deepEqual([directory.lastRun, directory.lossless], ['killed', false])
      const check = async (opened: Log) => {
        const { chunks } = await opened.read(0, 9, 1e6, true)
        assert.equal([...batches(chunks[0]!)].length, 4)
        await assert.rejects(opened.read(4, 9, 1e6, true), { error: 'CORRUPT_MESSAGE' })
        assert.equal((await valuesFrom(opened, 5))[0], 'value 5')
      }
      const again = await openLog(directory)
      await check(again)
      assert.equal(again.append(batchOf(['new']), 0).baseOffset, 9)
      await written(again)
      await directory.close([])
      const clean = await openDirectory(world.start(), { tailCacheBytes: 0 })
      assert.equal(clean.lastRun, 'clean')
      await check(await openLog(clean))
    })
  }
})

test('a full batch with a bad CRC at the end is damage: the next leader copies it aside and cuts it', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()))
    for (let index = 0; index < 5; index++) log.append(batchOf([`value ${index}`]), 0)
    await written(log)
    world.kill()
    world.disk().flip(segment, positions(world)[4]! + 70)
    const directory = await openDirectory(world.start())
    assert.equal(directory.lossless, false)
    const again = await openLog(directory) // becomes leader
    assert.equal(again.logEndOffset, 4)
    assert.ok(world.disk().content(`${segment}.corrupt`)!.length > 0)
    again.append(batchOf(['new']), 0)
    await written(again)
    assert.equal((await valuesFrom(again, 3)).join(), 'value 3,new')
  })
})

test('a damaged snapshot is passed over, and producers are learned from the batches', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await openLog(directory, { segmentBytes: 400 })
    for (let sequence = 0; sequence < 20; sequence++) log.append(producer(sequence, 'v'), 0)
    await written(log)
    await directory.close([])
    const io = world.start()
    const snapshots = world
      .disk()
      .paths()
      .filter(path => path.endsWith('.snapshot'))
    assert.ok(snapshots.length > 2)
    for (const path of snapshots) world.disk().flip(path, 12)
    const again = await openLog(await openDirectory(io))
    assert.equal(again.append(producer(17, 'v'), 0).baseOffset, 17)
    assert.throws(() => again.append(producer(21, 'v'), 0), {
      error: 'OUT_OF_ORDER_SEQUENCE_NUMBER',
    })
  })
})

function producer(sequence: number, value: string): Uint8Array {
  return batchOf([value], { producerId: 9, producerEpoch: 2, baseSequence: sequence })
}

/** Where each batch of the first segment begins. */
function positions(world: World): number[] {
  let position = 0
  return [...batches(world.disk().content(segment)!)].map(batch => {
    position += batch.sizeInBytes
    return position - batch.sizeInBytes
  })
}

async function truncate(world: World, path: string, size: number): Promise<void> {
  const file = await world.start('localhost').disk.open(path)
  await file.truncate(size)
  await file.close()
  world.kill()
}

async function harmFile(world: World, path: string, harm: string): Promise<void> {
  const { disk } = world.io()
  const size = world.disk().content(path)!.length
  if (harm === 'missing') await disk.remove(path)
  if (harm === 'zeros') world.disk().zero(path, 0, size)
  if (harm === 'none' || harm === 'missing' || harm === 'zeros') return
  const file = await disk.open(path)
  await file.truncate(harm === 'short' ? 0 : Math.max(0, size - 3))
  await file.close()
}
