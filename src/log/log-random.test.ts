/** Random work on one log, with full disks, kills, restarts, cuts and deletions, beside a model. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogConfig } from '../config/log-config.ts'
import { simulated, type World } from '../sim/world.ts'
import {
  batchOf,
  config as defaults,
  openDirectory,
  openLog,
  startMs,
  valuesFrom,
} from './fixture.ts'
import type { Log } from './log.ts'
import type { LogDirectory } from './log-directory.ts'
import { unheard } from './log-listener.ts'

const config: LogConfig = {
  ...defaults,
  segmentBytes: 1200,
  indexIntervalBytes: 150,
  segmentIndexBytes: 400,
  fileDeleteDelayMs: 50,
}

for (const seed of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]) {
  test(`a log does what its model does, seed ${seed}`, async () => {
    await simulated(seed).run(world => new Run(world).run())
  })
}

class Run {
  readonly #world: World
  readonly #random
  /** The value at each offset; those below the start are not looked at. */
  #values: string[] = []
  #start = 0
  /** So many were reported as written. */
  #written = 0
  #sequence = 0
  #epoch = 0
  #directory!: LogDirectory
  #log!: Log

  constructor(world: World) {
    this.#world = world
    this.#random = world.random('log')
  }

  async run(): Promise<void> {
    await this.#open()
    for (let step = 0; step < 250; step++) {
      await this.#step()
      this.#checkOffsets()
      if (step % 10 === 0) await this.#checkContent()
    }
  }

  async #step(): Promise<void> {
    const choice = this.#random.below(100)
    if (choice < 60) this.#append()
    else if (choice < 80) await this.#world.sleep(this.#random.below(4))
    else if (choice < 84) await this.#log.flush()
    else if (choice < 88) await this.#delete()
    else if (choice < 90) await this.#cut()
    else if (choice < 92) await this.#fillDisk()
    else if (choice < 94) await this.#retain()
    else if (choice < 97) await this.#restart('kill')
    else if (choice < 99) await this.#restart('close')
    else await this.#directory.checkpoint([])
  }

  async #open(): Promise<void> {
    this.#directory = await openDirectory(this.#world.start(), {
      tailCacheBytes: this.#random.below(3) * 500,
      maxOpenFiles: 4,
    })
    this.#log = await openLog(this.#directory, config)
    this.#log.listener = {
      ...unheard,
      onEnd: end => {
        this.#written = Math.max(this.#written, end)
      },
      onUnwritten: end => {
        assert.ok(end >= this.#written)
        this.#values.length = end
      },
    }
  }

  #append(isIdempotent = this.#random.below(2) === 0): void {
    const count = 1 + this.#random.below(3)
    const values = Array.from({ length: count }, () => `value ${this.#sequence++}`)
    // Each batch is a producer of its own: its sequences start anew, and duplicates can be asked for.
    const producerId = isIdempotent ? 1000 + this.#sequence : -1
    const options = isIdempotent ? { producerId, producerEpoch: 0, baseSequence: 0 } : {}
    const timestamp = startMs + this.#random.below(10_000)
    const appended = this.#log.append(batchOf(values, options, timestamp), this.#epoch)
    assert.equal(appended.baseOffset, this.#values.length)
    this.#values.push(...values)
    if (isIdempotent) {
      const again = this.#log.append(batchOf(values, options, timestamp), this.#epoch)
      assert.deepEqual(again, { ...appended, duplicate: true })
    }
  }

  async #delete(): Promise<void> {
    if (this.#written === 0) return
    const offset = this.#random.below(this.#written + 1)
    await this.#log.advanceLogStart(offset)
    this.#start = Math.max(this.#start, offset)
  }

  async #retain(): Promise<void> {
    const retentionBytes = 2000 + this.#random.below(3000)
    this.#log.configure({ ...config, retentionBytes })
    await this.#log.enforceRetention(this.#log.writtenEndOffset, startMs)
    assert.ok(this.#log.logStartOffset >= this.#start)
    this.#start = this.#log.logStartOffset
  }

  async #cut(): Promise<void> {
    await this.#log.flush()
    if (this.#log.logEndOffset === this.#start) return
    const span = this.#log.logEndOffset - this.#start
    const wanted = this.#start + this.#random.below(span)
    await this.#log.truncateTo(wanted)
    assert.ok(this.#log.logEndOffset <= wanted && this.#log.logEndOffset > wanted - 4)
    this.#values.length = this.#log.logEndOffset
    this.#written = this.#values.length
    this.#start = Math.min(this.#start, this.#values.length)
  }

  async #fillDisk(): Promise<void> {
    await this.#log.flush()
    const disk = this.#world.disk()
    const { capacityBytes } = disk
    disk.capacityBytes = disk.usedBytes + this.#random.below(1500)
    for (let count = 0; count < 12; count++) {
      try {
        this.#append()
      } catch (error) {
        assert.equal((error as { error?: string }).error, 'KAFKA_STORAGE_ERROR')
      }
      await this.#world.sleep(1)
    }
    disk.capacityBytes = capacityBytes
    await this.#world.sleep(1200)
    this.#append(false)
    await this.#log.flush()
    assert.equal(this.#directory.offline, undefined)
  }

  async #restart(how: 'kill' | 'close'): Promise<void> {
    if (how === 'close') await this.#directory.close([])
    else this.#world.kill()
    await this.#open()
    assert.equal(this.#directory.lossless, true)
    const end = this.#log.logEndOffset
    assert.ok(end >= this.#written && end <= this.#values.length)
    if (how === 'close') assert.equal(end, this.#values.length)
    this.#values.length = end
    this.#written = end
    // A deletion that was under way may have come through.
    this.#start = Math.max(this.#start, this.#log.logStartOffset)
  }

  #checkOffsets(): void {
    const { logStartOffset, durableEndOffset, writtenEndOffset, logEndOffset } = this.#log
    assert.equal(logEndOffset, this.#values.length)
    assert.equal(logStartOffset, this.#start)
    assert.ok(durableEndOffset <= writtenEndOffset && writtenEndOffset <= logEndOffset)
    assert.ok(logStartOffset <= writtenEndOffset)
  }

  async #checkContent(): Promise<void> {
    const end = this.#log.writtenEndOffset
    const from = this.#start + this.#random.below(end - this.#start + 1)
    const values = await valuesFrom(this.#log, from, 1 + this.#random.below(2000))
    assert.deepEqual(values, this.#values.slice(from, from + values.length))
    assert.ok(from + values.length >= end)
  }
}
