import assert from 'node:assert/strict'
import { test } from 'node:test'
import { simulated, type World } from '../sim/world.ts'
import { batchOf, openDirectory, openLog, written } from './fixture.ts'
import type { Log } from './log.ts'
import type { LogDirectory } from './log-directory.ts'
import { Scrubber } from './scrubber.ts'

const weekMs = 604_800_000

interface Scrubbed {
  readonly world: World
  readonly log: Log
  readonly directory: LogDirectory
  readonly scrubber: Scrubber
  readonly config: { maxBytesPerSecond: number; intervalMs: number }
  /** What was told of damage. */
  readonly lines: { message: string; fields: Record<string, unknown> }[]
  /** Paths and times of opened files. */
  readonly opened: { path: string; atMs: number }[]
}

/** Five segments of about 600 KB, four of them cold, and a scrubber at 1 MB/s. */
function onScrubber(run: (scrubbed: Scrubbed) => Promise<void>): Promise<void> {
  return simulated().run(async world => {
    const directory = await openDirectory(world.io())
    const log = await openLog(directory, { segmentBytes: 600_000 })
    for (let n = 0; n < 25; n++) {
      log.append(batchOf([`${n}`.padEnd(100_000, 'x')]), 0)
      await written(log)
    }
    await log.flush()
    assert.equal(log.coldSegments.length, 4)
    const io = world.io()
    const lines: Scrubbed['lines'] = []
    const line = (fields: Record<string, unknown>, message: string) => {
      lines.push({ fields, message })
    }
    const opened: Scrubbed['opened'] = []
    const disk = Object.assign(Object.create(io.disk), {
      open(path: string, options: { readOnly?: boolean }) {
        opened.push({ path, atMs: world.nowMs })
        return io.disk.open(path, options)
      },
    })
    const config = { maxBytesPerSecond: 1_000_000, intervalMs: weekMs }
    const spied = { ...io, disk, report: { info: line, warn: line, error: line } }
    const scrubber = new Scrubber(
      spied,
      () => config,
      () => [log],
      () => {},
    )
    await run({ world, log, directory, scrubber, config, lines, opened })
    await scrubber.close()
    await directory.close([])
  })
}

test('a flipped bit in a cold segment is told of, once, and nothing is changed', () =>
  onScrubber(async ({ world, log, lines }) => {
    const { logPath } = log.coldSegments[2]!
    world.disk().flip(logPath, 150_000)
    const before = world.disk().content(logPath)
    await world.sleep(70_000)
    assert.equal(lines.length, 1)
    assert.match(
      lines[0]!.message,
      /damage in a cold segment: no good batch at byte 100\d{3}, from offset 11 on/,
    )
    assert.equal(lines[0]!.fields['file'], logPath)
    assert.equal(lines[0]!.fields['offset'], 11)
    await world.sleep(2 * weekMs)
    assert.equal(lines.length, 1)
    assert.deepEqual(world.disk().content(logPath), before)
  }))

test('every kind of damage is found: a zeroed sector, a shorter file, a file that is gone', () =>
  onScrubber(async ({ world, log, lines }) => {
    const [zeroed, shorter, gone] = log.coldSegments.map(({ logPath }) => logPath)
    world.disk().zero(zeroed!, 512, 512)
    const file = await world.io().disk.open(shorter!)
    await file.truncate(100)
    await file.close()
    await world.io().disk.remove(gone!)
    await world.sleep(70_000)
    assert.deepEqual(lines.map(({ fields }) => fields['file']).sort(), [zeroed, shorter, gone])
  }))

test('it reads no faster than it may, each segment once, and again after the interval', () =>
  onScrubber(async ({ world, config, opened, lines }) => {
    config.maxBytesPerSecond = 10_000
    await world.sleep(60_100)
    assert.equal(opened.length, 1)
    await world.sleep(45_000)
    assert.equal(opened.length, 1) // 500 KB take 50 s.
    await world.sleep(200_000)
    assert.equal(new Set(opened.map(({ path }) => path)).size, 4)
    for (let n = 1; n < 4; n++) {
      assert.ok(opened[n]!.atMs - opened[n - 1]!.atMs > 45_000, `${n}`)
    }
    await world.sleep(weekMs - 400_000)
    assert.equal(opened.length, 4)
    await world.sleep(800_000)
    assert.equal(opened.length, 8)
    assert.deepEqual(lines, [])
  }))

test('it can be switched off and on while it runs', () =>
  onScrubber(async ({ world, config, opened }) => {
    config.maxBytesPerSecond = 0
    await world.sleep(200_000)
    assert.equal(opened.length, 0)
    config.maxBytesPerSecond = 1_000_000
    config.intervalMs = 0
    await world.sleep(200_000)
    assert.equal(opened.length, 0)
    config.intervalMs = weekMs
    await world.sleep(70_000)
    assert.equal(opened.length, 4)
  }))

test('a segment that is deleted while it is read is no damage', () =>
  onScrubber(async ({ world, log, config, lines, opened }) => {
    config.maxBytesPerSecond = 100_000
    await world.sleep(61_000)
    assert.equal(opened.length, 1)
    world.disk().flip(log.coldSegments[0]!.logPath, 400_000)
    await log.advanceLogStart(15)
    await world.sleep(200_000)
    assert.deepEqual(lines, [])
    assert.equal(opened.length, 2)
  }))

test('it ends when it is closed, however slow it is', () =>
  onScrubber(async ({ world, config, scrubber }) => {
    config.maxBytesPerSecond = 1
    await world.sleep(61_000)
    const startMs = world.nowMs
    await scrubber.close()
    assert.ok(world.nowMs - startMs < 1000)
  }))
