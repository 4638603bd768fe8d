/**
 * Random work on one compacted log beside a model: appends, passes with maps that fill up, readers at
 * the same time, deletions, cuts, kills, power losses and restarts.
 *
 * The model knows every record that was ever appended and which of them are still there. After a pass
 * that came to its end it works out itself what must be left, to the record; after one that was cut
 * short it only demands what holds at any time, and takes over what it finds.
 */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { LogConfig } from '../config/log-config.ts'
import { type Batch, compressions } from '../protocol/records/batch.ts'
import { recordsOf } from '../protocol/records/records.ts'
import { simulated, type World } from '../sim/world.ts'
import { batchesOf, batchOf, checkFiles, compacted, meansOf } from './compaction-fixture.ts'
import { openDirectory, openLog, startMs } from './fixture.ts'
import type { Log } from './log.ts'
import type { LogDirectory } from './log-directory.ts'
import { unheard } from './log-listener.ts'

const config: LogConfig = { ...compacted, segmentBytes: 1200, flushMessages: 1 }

const seeds = Number(process.env['OTTLA_SEEDS'] ?? 12)
const firstSeed = Number(process.env['OTTLA_FIRST_SEED'] ?? 1)
for (let seed = firstSeed; seed < firstSeed + seeds; seed++) {
  test(`a compacted log does what its model does, seed ${seed}`, async () => {
    await simulated(seed).run(world => new Run(world).run())
  })
}

interface ModelRecord {
  readonly key: string
  readonly value: string | undefined
  readonly batch: ModelBatch
  isThere: boolean
}

interface ModelBatch {
  readonly baseOffset: number
  readonly lastOffset: number
  readonly producerId: number
  readonly baseSequence: number
  horizonMs: number | undefined
}

class Run {
  readonly #world: World
  readonly #random
  #records: ModelRecord[] = []
  #start = 0
  #written = 0
  /** Below it nothing is cut, as below a high watermark. */
  #stable = 0
  #values = 0
  /** By producer id: its batches that were not cut, in order. */
  readonly #producers = new Map<number, ModelBatch[]>()
  /** Offsets below which a pass may have changed something since the model last looked. */
  #isUncertain = false
  #directory!: LogDirectory
  #log!: Log

  constructor(world: World) {
    this.#world = world
    this.#random = world.random('log')
  }

  async run(): Promise<void> {
    await this.#open()
    for (let step = 0; step < 220; step++) {
      await this.#step()
      if (step % 20 === 0) await this.#check()
    }
    await this.#check()
  }

  async #step(): Promise<void> {
    const choice = this.#random.below(100)
    if (choice < 60) this.#append()
    else if (choice < 72) await this.#world.sleep(this.#random.below(200))
    else if (choice < 84) await this.#clean()
    else if (choice < 88) await this.#cleanBesideOthers()
    else if (choice < 91) await this.#delete()
    else if (choice < 93) await this.#cut()
    else if (choice < 94) await this.#directory.compacted()
    else await this.#restart(this.#pick(['kill', 'powerLoss', 'close']))
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)]!
  }

  async #open(): Promise<void> {
    this.#directory = await openDirectory(this.#world.start(), {
      tailCacheBytes: this.#random.below(3) * 500,
      maxOpenFiles: 4 + this.#random.below(8),
    })
    this.#log = await openLog(this.#directory, config)
    this.#log.listener = {
      ...unheard,
      onEnd: end => {
        this.#written = Math.max(this.#written, end)
      },
    }
  }

  // ── Changes ────────────────────────────────────────────────────────────────

  #append(): void {
    const count = 1 + this.#random.below(4)
    const texts = Array.from({ length: count }, () => {
      const key = `k${this.#random.below(12)}`
      return this.#random.below(5) === 0 ? key : `${key}=value ${this.#values++}`
    })
    const producerId = this.#random.below(2) === 0 ? this.#someProducer() : -1
    const baseSequence = producerId < 0 ? -1 : this.#nextSequence(producerId)
    const options = producerId < 0 ? {} : { producerId, producerEpoch: 0, baseSequence }
    const timestamp = startMs + this.#random.below(1000)
    const compression = this.#pick(compressions)
    const { baseOffset } = this.#log.append(
      batchOf(texts, { ...options, compression }, timestamp),
      0,
    )
    assert.equal(baseOffset, this.#records.length)
    const lastOffset = baseOffset + count - 1
    const batch = { baseOffset, lastOffset, producerId, baseSequence, horizonMs: undefined }
    for (const text of texts) {
      const [key, value] = text.split('=')
      this.#records.push({ key: key!, value, batch, isThere: true })
    }
    if (producerId < 0) return
    this.#producers.set(producerId, [...(this.#producers.get(producerId) ?? []), batch])
  }

  /** One of four, each until its last batch was deleted: what is known of it then is not promised. */
  #someProducer(): number {
    let id = 1 + this.#random.below(4)
    while ((this.#producers.get(id)?.at(-1)?.baseOffset ?? this.#start) < this.#start) id += 4
    return id
  }

  #nextSequence(producerId: number): number {
    const last = this.#producers.get(producerId)?.at(-1)
    return last === undefined ? 0 : last.baseSequence + last.lastOffset - last.baseOffset + 1
  }

  #means() {
    return meansOf(this.#world.io(), {
      mapBytes: 24 * (2 + this.#random.below(20)),
      loadFactor: this.#pick([0.5, 0.9, 1]),
      bufferBytes: 64 + this.#random.below(2000),
    })
  }

  async #clean(): Promise<void> {
    if (this.#random.below(3) > 0) await this.#log.flush()
    const from = Math.max(this.#log.compaction.cleanedEndOffset ?? 0, this.#start)
    const stable =
      this.#random.below(3) === 0 ? this.#random.below(this.#written + 1) : this.#written
    this.#stable = Math.max(this.#stable, stable)
    const nowMs = this.#world.io().clock.wallMs()
    const ends = this.#segmentEnds()
    const result = await this.#log.compaction.clean(stable, this.#means())
    if (result === undefined) return
    assert.ok(result.endOffset > from && result.endOffset <= stable)
    if (!this.#isUncertain) this.#pass(from, result.endOffset, ends, nowMs)
    await this.#check()
  }

  /** The ends of the segments as they are now, from the names of their files. */
  #segmentEnds(): number[] {
    const names = this.#world
      .disk()
      .paths()
      .filter(path => path.endsWith('.log'))
    return names.map(path => Number(path.slice(-24, -4)))
  }

  /** What a pass over [from, end) leaves, by the rules; `bases` are those of the segments before. */
  #pass(from: number, end: number, bases: readonly number[], nowMs: number): void {
    const newest = new Map<string, number>()
    for (let offset = from; offset < end; offset++) {
      const { key, isThere } = this.#records[offset]!
      if (isThere) newest.set(key, offset)
    }
    // What shares a segment with the end is read too: horizons begin there.
    const reach = bases.find(base => base >= end) ?? this.#records.length
    const begun = new Map<ModelBatch, number>()
    for (let offset = 0; offset < reach; offset++) {
      const record = this.#records[offset]!
      if (!record.isThere) continue
      const { batch, value } = record
      if (offset < end) {
        const isOver = batch.horizonMs !== undefined && batch.horizonMs <= nowMs
        if (offset < (newest.get(record.key) ?? -1)) record.isThere = false
        else if (value === undefined && isOver) record.isThere = false
      }
      if (record.isThere && value === undefined && batch.horizonMs === undefined) {
        begun.set(batch, nowMs + config.deleteRetentionMs)
      }
    }
    for (const [batch, horizonMs] of begun) batch.horizonMs = horizonMs
  }

  /** While a pass runs others append, read, delete, cut, or the end comes. */
  async #cleanBesideOthers(): Promise<void> {
    await this.#log.flush()
    this.#isUncertain = true
    this.#stable = this.#written
    const log = this.#log
    const cleaning = log.compaction.clean(this.#written, this.#means())
    const reading = this.#read().catch(refusedOnly)
    await this.#world.sleep(this.#random.below(30))
    const choice = this.#random.below(7)
    if (choice === 0) await this.#delete()
    else if (choice === 1) await this.#cut()
    else if (choice === 2) {
      await this.#restart(this.#pick(['kill', 'powerLoss', 'close']))
      return
    } else this.#append()
    await Promise.all([cleaning, reading])
    await this.#check()
  }

  /** Everything that is read while the log changes is a record that was there, in its place. */
  async #read(): Promise<void> {
    const records = this.#records
    for (const batch of await batchesOf(this.#log, 100 + this.#random.below(1000))) {
      for (const { offset, value } of shown(batch)) {
        if (offset < records.length) assert.equal(value, records[offset]!.value)
      }
    }
  }

  async #delete(): Promise<void> {
    if (this.#written === 0) return
    const offset = this.#start + this.#random.below(Math.min(40, this.#written - this.#start) + 1)
    await this.#log.advanceLogStart(offset)
    this.#start = Math.max(this.#start, offset)
  }

  async #cut(): Promise<void> {
    await this.#log.flush()
    const end = this.#log.logEndOffset
    const lowest = Math.max(this.#start, this.#stable)
    await this.#log.truncateTo(Math.max(lowest, end - this.#random.below(30)))
    assert.ok(this.#log.logEndOffset <= end)
    this.#endAt(this.#log.logEndOffset)
  }

  #endAt(end: number): void {
    this.#records.length = Math.min(end, this.#records.length)
    this.#written = this.#records.length
    this.#start = Math.min(this.#start, this.#records.length)
    for (const [id, batches] of this.#producers) {
      this.#producers.set(
        id,
        batches.filter(({ lastOffset }) => lastOffset < end),
      )
    }
  }

  async #restart(how: 'kill' | 'powerLoss' | 'close'): Promise<void> {
    const safe = this.#written
    if (how === 'close') await this.#directory.close([])
    else this.#world[how]()
    await this.#open()
    const end = this.#log.logEndOffset
    assert.ok(end >= safe && end <= this.#records.length, `${how}: ${end}`)
    this.#endAt(end)
    // A deletion that was under way may have come through, and a pass may have come to some end.
    this.#start = Math.max(this.#start, this.#log.logStartOffset)
    checkFiles(this.#world.disk())
    await this.#check()
    this.#checkProducers()
  }

  // ── Checks ─────────────────────────────────────────────────────────────────

  async #check(): Promise<void> {
    await this.#log.flush()
    const end = this.#log.writtenEndOffset
    assert.equal(end, this.#records.length)
    assert.equal(this.#log.logStartOffset, this.#start)
    const found = await batchesOf(this.#log, 100 + this.#random.below(2000))
    const offsets = new Map<number, Batch>()
    let next = -1
    for (const batch of found) {
      assert.ok(batch.baseOffset > next, 'batches rise')
      next = batch.lastOffset
      for (const { offset, key, value } of shown(batch)) {
        const record = this.#records[offset]!
        assert.deepEqual([key, value], [record.key, record.value], `record ${offset}`)
        assert.equal(batch.lastOffset, record.batch.lastOffset)
        offsets.set(offset, batch)
      }
    }
    if (found.length > 0) assert.equal(next, end - 1)
    if (this.#isUncertain) this.#takeOver(offsets)
    for (let offset = this.#start; offset < end; offset++) {
      assert.equal(offsets.has(offset), this.#records[offset]!.isThere, `record ${offset}`)
      const horizonMs = this.#records[offset]!.batch.horizonMs
      const batch = offsets.get(offset)
      if (batch?.hasDeleteHorizon) assert.equal(batch.baseTimestamp, horizonMs)
      else if (batch !== undefined) assert.equal(horizonMs, undefined)
    }
  }

  /** What holds at any time: nothing comes back, the newest of each key stays unless it is a tombstone. */
  #takeOver(found: ReadonlyMap<number, Batch>): void {
    const newest = new Map(this.#records.map(({ key }, offset) => [key, offset]))
    for (let offset = this.#start; offset < this.#records.length; offset++) {
      const record = this.#records[offset]!
      const isThere = found.has(offset)
      assert.ok(record.isThere || !isThere, `record ${offset} is back`)
      const isNewest = newest.get(record.key) === offset
      if (isNewest && record.value !== undefined) assert.ok(isThere, `record ${offset} is gone`)
      record.isThere = isThere
      const batch = found.get(offset)
      if (batch !== undefined) {
        record.batch.horizonMs = batch.hasDeleteHorizon ? batch.baseTimestamp : undefined
      }
    }
    this.#isUncertain = false
  }

  /** The newest batch of each producer is known, and answered as a duplicate. */
  #checkProducers(): void {
    for (const [producerId, batches] of this.#producers) {
      const last = batches.at(-1)
      if (last === undefined || last.baseOffset < this.#start) continue
      const texts = this.#records.slice(last.baseOffset, last.lastOffset + 1).map(() => 'k=x')
      const options = { producerId, producerEpoch: 0, baseSequence: last.baseSequence }
      const again = this.#log.append(batchOf(texts, options), 0)
      assert.deepEqual([again.duplicate, again.baseOffset], [true, last.baseOffset])
    }
  }
}

function shown(batch: Batch) {
  return [...recordsOf(batch, 1e6)].map(({ offset, key, value }) => ({
    offset,
    key: Buffer.from(key!).toString(),
    value: value === null ? undefined : Buffer.from(value).toString(),
  }))
}

/** A reader may find that its offset was deleted or cut, or the log closed. */
function refusedOnly(error: unknown): void {
  const { error: name } = error as { error?: string }
  if (name !== 'OFFSET_OUT_OF_RANGE' && name !== 'KAFKA_STORAGE_ERROR') throw error
}
