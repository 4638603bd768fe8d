import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { CleanerConfig } from '../config/cleaner-config.ts'
import { simulated, type World } from '../sim/world.ts'
import { type CleanableLog, Cleaner } from './cleaner.ts'
import { batchOf, compacted } from './compaction-fixture.ts'
import { cleanerConfig, openDirectory, topicId } from './fixture.ts'
import type { Log } from './log.ts'
import type { LogDirectory } from './log-directory.ts'
import { Pace } from './pace.ts'

async function withLogs(
  sizes: readonly number[],
  scenario: (world: World, directory: LogDirectory, logs: Log[]) => Promise<void>,
): Promise<void> {
  await simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const logs = []
    for (const [partition, size] of sizes.entries()) {
      const log = await directory.openLog({ topic: 't', partition, topicId, config: compacted })
      await log.becomeLeader(0)
      add(log, size)
      await log.flush()
      logs.push(log)
    }
    await scenario(world, directory, logs)
  })
}

function add(log: Log, count: number): void {
  for (let index = 0; index < count; index++) {
    log.append(batchOf([`k${index % 5}=${'x'.repeat(150)}`]), 0)
  }
}

function cleanerOf(
  world: World,
  directory: LogDirectory,
  logs: readonly Log[],
  changes: Partial<CleanerConfig> = {},
): { cleaner: Cleaner; order: number[]; config: CleanerConfig } {
  const order: number[] = []
  const config = { ...cleanerConfig, backoffMs: 1000, ...changes }
  function* cleanable(): Iterable<CleanableLog> {
    for (const log of logs) {
      const noted = async () => {
        order.push(log.partition)
        await directory.compacted()
      }
      yield { log, lastStableOffset: log.writtenEndOffset, noted }
    }
  }
  return { cleaner: new Cleaner(world.io(), () => config, cleanable), order, config }
}

test('every log that is dirty is compacted, the dirtiest first, and what was done is noted', async () => {
  await withLogs([30, 60, 3], async (world, directory, logs) => {
    const { cleaner, order } = cleanerOf(world, directory, logs)
    await world.sleep(3000)
    assert.deepEqual(order, [0, 1])
    add(logs[0]!, 10)
    add(logs[1]!, 60)
    await world.sleep(3000)
    assert.deepEqual(order, [0, 1, 1, 0])
    const checkpoint = world.disk().content('/data/cleaner-offset-checkpoint')!
    const ends = logs
      .slice(0, 2)
      .map(log => `t ${log.partition} ${log.compaction.cleanedEndOffset}`)
    assert.deepEqual(Buffer.from(checkpoint).toString().trim().split('\n'), ['0', '2', ...ends])
    await cleaner.close()
  })
})

test('what was compacted is known after a restart, and forgotten with the topic', async () => {
  await withLogs([60], async (world, directory, [log]) => {
    const { cleaner } = cleanerOf(world, directory, [log!])
    await world.sleep(3000)
    await cleaner.close()
    const { cleanedEndOffset } = log!.compaction
    assert.ok(cleanedEndOffset! > 40)
    await directory.close([])
    const again = await openDirectory(world.start())
    const reopened = await again.openLog({ topic: 't', partition: 0, topicId, config: compacted })
    assert.equal(reopened.compaction.cleanedEndOffset, cleanedEndOffset)
    await again.deleteLog(reopened)
    const fresh = await again.openLog({ topic: 't', partition: 0, topicId, config: compacted })
    assert.equal(fresh.compaction.cleanedEndOffset, undefined)
  })
})

test('several logs at a time when there are threads for them, none without', async () => {
  await withLogs([60, 60], async (world, directory, logs) => {
    const slow = { maxBytesPerSecond: 3000 }
    const { cleaner, order, config } = cleanerOf(world, directory, logs, { threads: 0, ...slow })
    const sizes = logs.map(({ sizeBytes }) => sizeBytes)
    await world.sleep(5000)
    Object.assign(config, { threads: 2 })
    await world.sleep(4000)
    assert.deepEqual(order, [])
    // Both are at work now.
    const isBusy = async (log: Log) =>
      (await log.compaction.dirtiness(log.writtenEndOffset, 0)) === undefined
    assert.deepEqual(await Promise.all(logs.map(isBusy)), [true, true])
    await world.sleep(60_000)
    assert.deepEqual(order.sort(), [0, 1])
    assert.ok(logs.every((log, index) => log.sizeBytes < sizes[index]! / 2))
    await cleaner.close()
  })
})

test('closing ends a pass that is under way, at once and without a trace', async () => {
  await withLogs([60], async (world, directory, [log]) => {
    const { cleaner, order } = cleanerOf(world, directory, [log!], { maxBytesPerSecond: 100 })
    await world.sleep(5000)
    const before = world.nowMs
    await cleaner.close()
    assert.ok(world.nowMs - before < 500)
    assert.deepEqual(order, [])
    await directory.close([])
    assert.deepEqual(
      world
        .disk()
        .paths()
        .filter(path => path.endsWith('.cleaned')),
      [],
    )
  })
})

test('a topic that is deleted while it is compacted is gone, and nobody complains', async () => {
  for (const restMs of [0, 3, 10, 25]) {
    await withLogs([60, 60], async (world, directory, logs) => {
      const { cleaner, order } = cleanerOf(world, directory, logs, { backoffMs: 1 })
      await world.sleep(5 + restMs)
      await directory.deleteLog(logs[0]!)
      await world.sleep(3000)
      assert.deepEqual(order.slice(-1), [1])
      const left = world
        .disk()
        .paths()
        .filter(path => path.startsWith('/data/t-0'))
      assert.deepEqual(left, [])
      assert.deepEqual(world.reported, [])
      await cleaner.close()
    })
  }
})

test('a damaged log is reported once and left alone; others go on', async () => {
  await withLogs([60, 60], async (world, directory, logs) => {
    world.disk().flip('/data/t-0/00000000000000000000.log', 100)
    const { cleaner, order } = cleanerOf(world, directory, logs)
    await world.sleep(60_000)
    assert.deepEqual(order, [1])
    const errors = world.reported.filter(({ level }) => level === 'error')
    assert.deepEqual(
      errors.map(({ message }) => message.slice(0, 33)),
      ['not compacted until the next start'].map(text => text.slice(0, 33)),
    )
    assert.equal(directory.offline, undefined)
    await cleaner.close()
  })
})

test('a full disk is no failure: it is tried again', async () => {
  await withLogs([60], async (world, directory, [log]) => {
    const disk = world.disk()
    disk.capacityBytes = disk.usedBytes + 50
    const { cleaner, order } = cleanerOf(world, directory, [log!])
    await world.sleep(5000)
    assert.deepEqual([order, directory.offline], [[], undefined])
    disk.capacityBytes = 2 ** 40
    await world.sleep(5000)
    assert.deepEqual(order, [0])
    await cleaner.close()
  })
})

test('a rate that is raised is obeyed at once, by who waits for the old one too', async () => {
  await simulated().run(async world => {
    const io = world.io()
    let rate = 1
    const pace = new Pace(io.clock, () => rate)
    const beganMs = io.clock.monotonicMs()
    const moved = pace.moved(1_000_000, () => false)
    await world.sleep(1000)
    rate = 10_000_000
    await moved
    assert.ok(io.clock.monotonicMs() - beganMs < 1300)
  })
})

test('a rate is kept, whoever moves the bytes', async () => {
  await simulated().run(async world => {
    const io = world.io()
    const pace = new Pace(io.clock, () => 10_000)
    const before = io.clock.monotonicMs()
    const mover = async () => {
      for (let count = 0; count < 20; count++) await pace.moved(500, () => false)
    }
    await Promise.all([mover(), mover()])
    const tookMs = io.clock.monotonicMs() - before
    assert.ok(tookMs > 1800 && tookMs < 2100, `${tookMs} ms for 20,000 bytes`)
  })
})
