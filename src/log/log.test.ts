import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Disk, DiskFile } from '../io/io.ts'
import { buildBatch } from '../protocol/records/build.ts'
import { simulated } from '../sim/world.ts'
import { batchOf, config, openDirectory, openLog, startMs, valuesFrom, written } from './fixture.ts'
import { LogDirectory } from './log-directory.ts'
import { unheard } from './log-listener.ts'

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

test('appends of one turn and those that come during a write share the next write', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()))
    const ends: number[] = []
    log.listener = { ...unheard, onEnd: end => ends.push(end) }
    for (let index = 0; index < 10; index++) log.append(batchOf(['a']), 0)
    await world.sleep(0.01) // The first write is under way.
    for (let index = 0; index < 20; index++) log.append(batchOf(['b']), 0)
    await log.flush()
    assert.deepEqual(ends, [10, 30])
  })
})

test('a read answers whole batches within its bounds, and one at least when asked', async () => {
  await simulated().run(async world => {
    for (const tailCacheBytes of [0, 1e6]) {
      const directory = await openDirectory(world.start(`host ${tailCacheBytes}`), {
        tailCacheBytes,
      })
      const log = await openLog(directory)
      const size = batchOf(['aaaa', 'bbbb']).length
      for (let index = 0; index < 5; index++) log.append(batchOf(['aaaa', 'bbbb']), 0)
      await written(log)
      const bytes = async (offset: number, end: number, max: number, atLeastOne: boolean) =>
        (await log.read(offset, end, max, atLeastOne)).bytes / size
      assert.equal(await bytes(0, 10, 10 * size, true), 5)
      assert.equal(await bytes(3, 10, 10 * size, true), 4) // From the batch that holds it.
      assert.equal(await bytes(0, 10, 3 * size + 5, true), 3)
      assert.equal(await bytes(0, 7, 10 * size, true), 3) // 6 and 7 are one batch.
      assert.equal(await bytes(0, 10, size - 1, true), 1)
      assert.equal(await bytes(0, 10, size - 1, false), 0)
      assert.equal(await bytes(10, 10, size, true), 0)
      await assert.rejects(log.read(11, 11, size, true), { error: 'OFFSET_OUT_OF_RANGE' })
      await assert.rejects(log.read(-1, 11, size, true), { error: 'OFFSET_OUT_OF_RANGE' })
    }
  })
})

test('every offset is found in the files, over small segments with dense and sparse indexes', async () => {
  await simulated().run(async world => {
    for (const indexIntervalBytes of [0, 300, 4096]) {
      const directory = await openDirectory(world.start(`host ${indexIntervalBytes}`), {
        tailCacheBytes: 0,
        maxOpenFiles: 3,
        indexCacheBytes: 100,
      })
      const log = await openLog(directory, { segmentBytes: 3000, indexIntervalBytes })
      let next = 0
      for (let index = 0; index < 120; index++) {
        const values = Array.from({ length: 1 + (index % 4) }, () => `value ${next++}`)
        log.append(batchOf(values), 0)
        if (index % 7 === 0) await written(log)
      }
      await written(log)
      assert.ok(log.segmentCount > 4)
      for (let offset = 0; offset < next; offset += 13) {
        const values = await valuesFrom(log, offset, 500)
        assert.equal(values[0], `value ${offset}`)
        assert.equal(values.length, next - offset)
      }
    }
  })
})

test('a large batch is read from the file although the read-ahead ends inside it', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io(), { tailCacheBytes: 0 })
    const log = await openLog(directory, { indexIntervalBytes: 1e6 })
    const large = 'x'.repeat(50_000)
    for (const value of ['a', large, 'b', large, 'c']) log.append(batchOf([value]), 0)
    await written(log)
    for (let offset = 0; offset < 5; offset++) {
      const [first] = await valuesFrom(log, offset, 1)
      assert.equal(first, ['a', large, 'b', large, 'c'][offset])
    }
  })
})

test('who reads on from where a read ended takes each byte from the file once', async () => {
  await simulated().run(async world => {
    const io = world.io()
    let readBytes = 0
    const bound = (target: object, name: string | symbol) => {
      const value = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    }
    const counted = (file: DiskFile) =>
      new Proxy(file, {
        get: (target, name) =>
          name !== 'read'
            ? bound(target, name)
            : async (into: Uint8Array, position: number) => {
                readBytes += into.length
                return await target.read(into, position)
              },
      })
    const disk = new Proxy(io.disk, {
      get: (target, name) =>
        name !== 'open'
          ? bound(target, name)
          : async (...of: Parameters<Disk['open']>) => counted(await target.open(...of)),
    })
    const log = await openLog(await openDirectory({ ...io, disk }, { tailCacheBytes: 0 }))
    const value = 'x'.repeat(100_000)
    for (let count = 0; count < 30; count++) log.append(batchOf([value]), 0)
    await written(log)
    readBytes = 0
    assert.equal((await valuesFrom(log, 0, 250_000)).length, 30)
    // Two batches a read, and the beginning of the third one.
    assert.ok(readBytes < 1.4 * log.sizeBytes, `${readBytes} of ${log.sizeBytes}`)
    await log.truncateTo(12)
    assert.equal((await valuesFrom(log, 10, 250_000)).length, 2)
  })
})

test('a read from the file has all that it may, wherever it begins', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io(), { tailCacheBytes: 0 }))
    const batch = batchOf(['x'.repeat(50_000)])
    for (let count = 0; count < 20; count++) log.append(batchOf(['x'.repeat(50_000)]), 0)
    await written(log)
    for (const offset of [9, 3, 12, 0, 7]) {
      const { bytes } = await log.read(offset, 20, 5 * batch.length, true)
      assert.equal(bytes, 5 * batch.length)
    }
  })
})

test('a segment is rolled by size, by the time its records span, and when an index is full', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await openLog(directory, { segmentMs: 1000 })
    log.append(batchOf(['a'], {}, startMs), 0)
    log.append(batchOf(['b'], {}, startMs + 1000), 0)
    assert.equal(log.segmentCount, 1)
    log.append(batchOf(['c'], {}, startMs + 1001), 0)
    assert.equal(log.segmentCount, 2)
    log.configure({ ...config, segmentBytes: 300 })
    for (let index = 0; index < 10; index++) log.append(batchOf(['d'.repeat(80)]), 0)
    assert.equal(log.segmentCount, 7)
    await written(log)
    log.configure({ ...config, indexIntervalBytes: 0, segmentIndexBytes: 80 })
    for (let index = 0; index < 30; index++) {
      log.append(batchOf(['e'], {}, startMs + 2000 + index), 0)
      await written(log)
    }
    assert.ok(log.segmentCount >= 11)
    assert.throws(() => log.append(batchOf(['f'.repeat(2e6)]), 0), { error: 'MESSAGE_TOO_LARGE' })
  })
})

test('timestamps lead to the first record that is as late, and to the latest one', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await openLog(directory, { segmentBytes: 1000, indexIntervalBytes: 100 })
    assert.equal(await log.offsetForTimestamp(0, 0), undefined)
    assert.equal(await log.maxTimestampOffset(0), undefined)
    const timestamps: number[] = []
    for (let index = 0; index < 60; index++) {
      const timestamp = startMs + index * 10 - (index % 5) * 25
      timestamps.push(timestamp, timestamp + 3)
      const records = [timestamp, timestamp + 3].map(value => ({ timestamp: value, value: 'v' }))
      log.append(buildBatch({}, records), 0)
    }
    await written(log)
    for (const wanted of [0, ...timestamps, ...timestamps.map(timestamp => timestamp + 1)]) {
      const offset = timestamps.findIndex(timestamp => timestamp >= wanted)
      const found = await log.offsetForTimestamp(wanted, log.logEndOffset)
      assert.equal(found?.offset ?? -1, offset)
      assert.equal(found?.timestamp, timestamps[offset])
    }
    const latest = timestamps.indexOf(Math.max(...timestamps))
    assert.equal((await log.maxTimestampOffset(log.logEndOffset))?.offset, latest)
    assert.equal(await log.maxTimestampOffset(latest), undefined)
    assert.equal(await log.offsetForTimestamp(startMs + 1e6, log.logEndOffset), undefined)
  })
})

test('the latest record is one from the log start on, also where that lies within a batch', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()))
    const appendAt = (...seconds: number[]) => {
      const records = seconds.map(second => ({ timestamp: startMs + second, value: 'v' }))
      log.append(buildBatch({}, records), 0)
    }
    appendAt(0, 9, 3, 1)
    appendAt(2)
    await written(log)
    const latest = async () => (await log.maxTimestampOffset(log.logEndOffset))?.offset
    const found: (number | undefined)[] = []
    for (const start of [1, 2, 3, 4]) {
      await log.advanceLogStart(start)
      found.push(await latest())
    }
    assert.deepEqual(found, [1, 2, 4, 4])
  })
})

test('deleting up to what is written takes nothing of what waits to be written', async () => {
  for (let seed = 1; seed <= 20; seed++) {
    await simulated(seed).run(async world => {
      const log = await openLog(await openDirectory(world.io()), { segmentBytes: 150 })
      log.append(batchOf(['one']), 0)
      await written(log)
      for (const value of ['two', 'three', 'four']) log.append(batchOf([value]), 0)
      await log.advanceLogStart(1)
      await written(log)
      assert.equal(log.logStartOffset, 1)
      assert.deepEqual(await valuesFrom(log, 1), ['two', 'three', 'four'])
    })
  }
})

test('retention deletes whole segments by time and by size, and files a minute later', async () => {
  await simulated().run(async world => {
    const io = world.io()
    const log = await openLog(await openDirectory(io), { segmentBytes: 300 })
    for (let index = 0; index < 10; index++) {
      log.append(batchOf([`${index}`.repeat(100)], {}, startMs + index * 1000), 0)
    }
    await written(log)
    assert.equal(log.segmentCount, 10)
    const limits = { ...config, segmentBytes: 300, retentionMs: 5000 }
    log.configure(limits)
    await log.enforceRetention(3, startMs + 10_000)
    assert.equal(log.logStartOffset, 3) // Not above the high watermark.
    await log.enforceRetention(10, startMs + 10_000)
    assert.equal(log.logStartOffset, 5)
    await assert.rejects(log.read(4, 10, 1000, true), { error: 'OFFSET_OUT_OF_RANGE' })
    assert.equal((await valuesFrom(log, 5)).length, 5)
    log.configure({ ...limits, retentionMs: -1, retentionBytes: log.sizeBytes * 0.4 })
    await log.enforceRetention(10, startMs + 10_000)
    assert.equal(log.logStartOffset, 8)
    const deleted = () =>
      world
        .disk()
        .paths()
        .filter(path => path.includes('.deleted')).length
    assert.equal(deleted(), 24)
    await world.sleep(61_000)
    assert.equal(deleted(), 0)
  })
})

test('when all records are too old the active segment goes too, and a restart knows the end', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()), { retentionMs: 1000 })
    for (let index = 0; index < 5; index++) log.append(batchOf(['a']), 0)
    await written(log)
    await log.enforceRetention(5, startMs + 5000)
    assert.deepEqual([log.logStartOffset, log.logEndOffset, log.sizeBytes], [5, 5, 0])
    await log.enforceRetention(5, startMs + 5000)
    assert.equal(log.segmentCount, 1)
    world.kill()
    const again = await openLog(await openDirectory(world.start()))
    assert.deepEqual([again.logStartOffset, again.logEndOffset], [5, 5])
    assert.equal(again.append(batchOf(['b']), 0).baseOffset, 5)
  })
})

test('a read that meets a deletion is out of range, and leaves no files behind', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    await simulated(seed).run(async world => {
      const directory = await openDirectory(world.io(), { tailCacheBytes: 0, maxOpenFiles: 2 })
      const log = await openLog(directory, { segmentBytes: 300, fileDeleteDelayMs: 0 })
      for (let index = 0; index < 6; index++) log.append(batchOf(['a'.repeat(200)]), 0)
      await log.flush()
      const deleting = world.sleep(seed / 20).then(() => log.advanceLogStart(5))
      const outcome = await log.read(1, 6, 1000, true).then(
        ({ bytes }) => bytes > 0,
        error => error.error,
      )
      assert.ok(outcome === true || outcome === 'OFFSET_OUT_OF_RANGE', String(outcome))
      await deleting
      await world.sleep(10)
      const bases = new Set(
        world
          .disk()
          .paths()
          .map(path => /\d{20}\.(log|index|timeindex)/.exec(path)?.[0])
          .filter(name => name !== undefined),
      )
      assert.equal(bases.size, 3)
    })
  }
})

test('deleted records stay deleted after a kill', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()), { segmentBytes: 300 })
    for (let index = 0; index < 10; index++) log.append(batchOf(['a'.repeat(100)]), 0)
    await written(log)
    await log.advanceLogStart(7)
    await assert.rejects(log.advanceLogStart(11), { error: 'OFFSET_OUT_OF_RANGE' })
    assert.deepEqual([log.logStartOffset, log.segmentCount], [7, 3])
    await log.advanceLogStart(10)
    assert.deepEqual([log.logStartOffset, log.segmentCount], [10, 1])
    world.kill()
    const again = await openLog(await openDirectory(world.start()))
    assert.deepEqual([again.logStartOffset, again.logEndOffset], [10, 10])
  })
})

test('a full disk refuses appends and serves reads; when there is room it goes on without a trace', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io(), { tailCacheBytes: 0 }))
    log.append(batchOf(['a']), 0)
    log.append(idempotent(0), 0)
    await written(log)
    world.disk().capacityBytes = world.disk().usedBytes + 100
    log.append(idempotent(1), 0)
    log.append(batchOf(['lost'.repeat(100)]), 0)
    await assert.rejects(written(log), { error: 'KAFKA_STORAGE_ERROR' })
    assert.equal(log.logEndOffset, 2)
    assert.throws(() => log.append(batchOf(['refused']), 0), { error: 'KAFKA_STORAGE_ERROR' })
    assert.equal((await valuesFrom(log, 0)).length, 2)
    world.disk().capacityBytes = 1e9
    await world.sleep(1100)
    const retried = log.append(idempotent(1), 0)
    assert.deepEqual([retried.baseOffset, retried.duplicate], [2, false])
    await written(log)
    log.append(batchOf(['b']), 0)
    await written(log)
    assert.equal((await valuesFrom(log, 0)).join(), 'a,0,1,b')
    world.kill()
    const again = await openLog(await openDirectory(world.start()))
    assert.equal((await valuesFrom(again, 0)).join(), 'a,0,1,b')
  })
})

test('a full disk is no reason to go offline: records can be deleted, a leader can be made', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await openLog(directory, { segmentBytes: 300, fileDeleteDelayMs: 10 })
    for (let index = 0; index < 6; index++) log.append(batchOf(['a'.repeat(200)]), 0)
    await log.flush()
    world.disk().capacityBytes = world.disk().usedBytes
    await log.becomeLeader(1)
    await log.advanceLogStart(4)
    assert.equal(directory.offline, undefined)
    assert.equal(log.logStartOffset, 4)
    world.kill()
    const again = await openLog(await openDirectory(world.start()))
    assert.deepEqual([again.logStartOffset, again.logEndOffset, again.epochs.latest], [4, 6, 1])
  })
})

test('a disk that is full when a segment should begin leaves no trace of it', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()), { segmentBytes: 300 })
    log.append(batchOf(['a'.repeat(200)]), 0)
    await written(log)
    world.disk().fault = (operation, path) =>
      operation === 'truncate' && path.endsWith('1.log') ? 'ENOSPC' : undefined
    log.append(batchOf(['b'.repeat(200)]), 0)
    await assert.rejects(written(log), { error: 'KAFKA_STORAGE_ERROR' })
    assert.deepEqual([log.segmentCount, log.logEndOffset], [1, 1])
    world.disk().fault = undefined
    await world.sleep(1100)
    log.append(batchOf(['c'.repeat(20)]), 0)
    await written(log)
    log.append(batchOf(['d'.repeat(200)]), 0)
    await written(log)
    world.kill()
    const again = await openLog(await openDirectory(world.start()))
    assert.equal((await valuesFrom(again, 0)).map(value => value[0]).join(''), 'acd')
  })
})

test('a failed sync or write takes the directory offline, and nothing is acknowledged after it', async () => {
  for (const operation of ['sync', 'write'] as const) {
    await simulated().run(async world => {
      const directory = await openDirectory(world.io())
      const log = await openLog(directory, { flushMessages: 1 })
      log.append(batchOf(['a']), 0)
      await written(log)
      world.disk().fault = (now, path) =>
        now === operation && path.endsWith('.log') ? 'EIO' : undefined
      let acknowledged = 1
      log.append(batchOf(['b']), 0)
      const failed = assert.rejects(written(log), /EIO|cannot/i)
      log.listener = {
        ...log.listener,
        onEnd(end) {
          acknowledged = end
        },
      }
      await failed
      world.disk().fault = undefined
      assert.equal(acknowledged, 1)
      assert.ok(directory.offline instanceof Error)
      assert.throws(() => log.append(batchOf(['c']), 0), { error: 'KAFKA_STORAGE_ERROR' })
      await assert.rejects(log.read(0, 1, 100, true), { error: 'KAFKA_STORAGE_ERROR' })
      assert.equal(world.reported.filter(({ level }) => level === 'error').length, 1)
      await world.sleep(100)
      world.kill()
      const again = await LogDirectory.open(world.start(), '/data')
      assert.equal(again.lossless, false)
    })
  }
})

test('with flush.messages=1 a batch is synced before it is reported', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()), { flushMessages: 1 })
    log.append(batchOf(['a']), 0)
    await written(log)
    assert.equal(log.durableEndOffset, 1)
    world.powerLoss()
    const directory = await openDirectory(world.start())
    assert.deepEqual([directory.lastRun, directory.lossless], ['power-loss', true])
    assert.equal((await openLog(directory)).logEndOffset, 1)
  })
})

test('flush.messages and flush.ms sync in the background', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()), { flushMessages: 10 })
    for (let index = 0; index < 10; index++) log.append(batchOf(['a']), 0)
    await written(log)
    await world.sleep(50)
    assert.equal(log.durableEndOffset, 10)
    log.configure({ ...config, flushMs: 1000 })
    log.append(batchOf(['b']), 0)
    await written(log)
    assert.equal(log.durableEndOffset, 10)
    await world.sleep(1100)
    assert.equal(log.durableEndOffset, 11)
  })
})

test('a batch that a producer sends again gets its old offset, also after a restart and a kill', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io())
    let log = await openLog(directory)
    for (let sequence = 0; sequence < 8; sequence++) log.append(idempotent(sequence), 0)
    const check = () => {
      const again = log.append(idempotent(3), 0)
      assert.deepEqual([again.baseOffset, again.endOffset, again.duplicate], [3, 4, true])
      assert.throws(() => log.append(idempotent(2), 0), { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
      assert.throws(() => log.append(idempotent(9), 0), { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
    }
    check()
    await written(log)
    await directory.close([])
    log = await openLog(await openDirectory(world.start()))
    check()
    world.kill()
    log = await openLog(await openDirectory(world.start()))
    check()
    assert.equal(log.logEndOffset, 8)
  })
})

test('a cut log forgets what was behind, in offsets, epochs, producers and bytes', async () => {
  await simulated().run(async world => {
    const log = await openLog(await openDirectory(world.io()), { segmentBytes: 400 })
    for (let sequence = 0; sequence < 12; sequence++) {
      if (sequence === 6) await log.becomeLeader(3)
      log.append(idempotent(sequence), log.epochs.latest)
    }
    await written(log)
    await log.truncateTo(5)
    assert.deepEqual([log.logEndOffset, log.writtenEndOffset, log.epochs.latest], [5, 5, 0])
    assert.equal((await valuesFrom(log, 0)).join(), '0,1,2,3,4')
    assert.throws(() => log.append(idempotent(6), 0), { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
    log.append(idempotent(5), 0)
    await written(log)
    await log.truncateTo(0)
    assert.deepEqual([log.logEndOffset, log.sizeBytes], [0, 0])
    log.append(batchOf(['new']), 0)
    await written(log)
    world.kill()
    const again = await openLog(await openDirectory(world.start()))
    assert.equal((await valuesFrom(again, 0)).join(), 'new')
  })
})

test('a file that cannot be read fails that read, is reported once, and the rest goes on', async () => {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io(), { tailCacheBytes: 0 })
    const log = await openLog(directory)
    log.append(batchOf(['a']), 0)
    await written(log)
    world.disk().fault = operation => (operation === 'read' ? 'EIO' : undefined)
    for (let index = 0; index < 3; index++) {
      await assert.rejects(log.read(0, 1, 100, true), { error: 'KAFKA_STORAGE_ERROR' })
    }
    assert.equal(world.reported.filter(({ level }) => level === 'error').length, 1)
    world.disk().fault = undefined
    log.append(batchOf(['b']), 0)
    await written(log)
    assert.equal((await valuesFrom(log, 0)).join(), 'a,b')
  })
})

/** One record with that sequence number, of producer 5 in epoch 0. */
function idempotent(sequence: number): Uint8Array {
  return batchOf([`${sequence}`], { producerId: 5, producerEpoch: 0, baseSequence: sequence })
}
