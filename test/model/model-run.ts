/**
 * Random work on one log beside its model, in the simulated world. A run is a function of its seed:
 * the seed chooses cleanup.policy, flush policy and sizes, then what happens, step by step: appends,
 * passes of compaction with maps that fill up, retention, deletions, cuts, a full disk, others at work
 * while a pass runs, kills, power losses, clean stops.
 *
 * After each step bounds are compared, after some of them everything: records, headers, horizons,
 * what ListOffsets answers, epochs, producers, files. Records are read as a Fetch reads them, from
 * anywhere, up to any high watermark, in pieces of any size. While a pass may have been cut short the
 * model does not know how far it came: then it demands what holds at any time, and looks.
 */
import assert from 'node:assert/strict'
import type { LogConfig } from '../../src/config/log-config.ts'
import { checkFiles, compacted, meansOf } from '../../src/log/compaction-fixture.ts'
import { openDirectory, openLog } from '../../src/log/fixture.ts'
import type { Log } from '../../src/log/log.ts'
import type { LogDirectory } from '../../src/log/log-directory.ts'
import { unheard } from '../../src/log/log-listener.ts'
import { verify } from '../../src/log/verify.ts'
import type { Appended } from '../../src/log/write-group.ts'
import { type Batch, batches, compressions, isCrcValid } from '../../src/protocol/records/batch.ts'
import { buildBatch } from '../../src/protocol/records/build.ts'
import { recordsOf } from '../../src/protocol/records/records.ts'
import type { Prng } from '../../src/sim/random.ts'
import { simulated, type World } from '../../src/sim/world.ts'
import { LogModel, type ModelBatch, type NewBatch, type SegmentOnDisk } from './log-model.ts'

type End = 'kill' | 'powerLoss' | 'close'

/** What a run did. */
export interface ModelOutcome {
  readonly policy: string
  readonly records: number
  readonly passes: number
  readonly restarts: number
}

/** Where the log and its model differ, after which steps. */
export class ModelDifference extends Error {
  override readonly name = 'ModelDifference'

  constructor(seed: number, setting: string, steps: readonly string[], cause: unknown) {
    const { message, stack } = cause as Error
    const where = stack?.split('\n').find(line => /model-run\.ts/.test(line)) ?? ''
    const last = steps.slice(-20).map(step => `    ${step}`)
    super(
      [
        `seed ${seed} (${setting}), step ${steps.length}: ${message}`,
        where,
        ...last,
        `  again: npm run test:model -- --seed ${seed}`,
      ].join('\n'),
      { cause },
    )
  }
}

/** Runs one seed. Throws ModelDifference. */
export async function runModel(seed: number, steps = 250): Promise<ModelOutcome> {
  const world = simulated(seed)
  const run = new ModelRun(world)
  try {
    return await world.run(() => run.run(steps))
  } catch (error) {
    throw new ModelDifference(seed, run.setting, run.steps, error)
  }
}

/** Chances out of a hundred, in order. */
const likely = (policy: LogConfig): readonly (readonly [number, Step])[] => [
  [54, 'append'],
  [12, 'sleep'],
  [3, 'flush'],
  [policy.cleanupCompact ? 9 : 0, 'clean'],
  [policy.cleanupCompact ? 4 : 0, 'cleanBesideOthers'],
  [policy.cleanupDelete ? 6 : 1, 'retain'],
  [3, 'delete'],
  [2, 'cut'],
  [1, 'fillDisk'],
  [2, 'checkpoint'],
  [4, 'read'],
  [3, 'lookUp'],
  [2, 'askProducers'],
  [1, 'kill'],
  [1, 'powerLoss'],
  [1, 'close'],
]

type Step =
  | 'append'
  | 'sleep'
  | 'flush'
  | 'clean'
  | 'cleanBesideOthers'
  | 'retain'
  | 'delete'
  | 'cut'
  | 'fillDisk'
  | 'checkpoint'
  | 'read'
  | 'lookUp'
  | 'askProducers'
  | End

class ModelRun {
  readonly steps: string[] = []
  readonly setting: string
  readonly #world: World
  readonly #random: Prng
  readonly #config: LogConfig
  readonly #model: LogModel
  readonly #chances: readonly (readonly [number, Step])[]
  /** Below it nothing is cut, as below a high watermark. */
  #stable = 0
  /** What the log has ever called synced. */
  #durable = 0
  #values = 0
  #leaderEpoch = 0
  /** A pass may have changed something since the model last looked. */
  #isUncertain = false
  #passes = 0
  #restarts = 0
  #directory!: LogDirectory
  #log!: Log

  constructor(world: World) {
    this.#world = world
    this.#random = world.random('log')
    this.#config = this.#chooseConfig()
    this.#model = new LogModel(this.#config)
    this.#chances = likely(this.#config)
    const { cleanupCompact, cleanupDelete, flushMessages, timestampType } = this.#config
    const policy = [cleanupCompact ? 'compact' : '', cleanupDelete ? 'delete' : '']
    const sync = flushMessages === 1 ? 'sync' : 'os'
    this.setting = `${policy.filter(word => word !== '').join()}, ${sync}, ${timestampType}`
  }

  async run(steps: number): Promise<ModelOutcome> {
    await this.#open()
    for (let step = 0; step < steps; step++) {
      await this.#step()
      this.#checkBounds()
      if (step % 25 === 24) await this.#checkAll()
    }
    await this.#restart('close')
    const [passes, restarts] = [this.#passes, this.#restarts]
    return { policy: this.setting, records: this.#values, passes, restarts }
  }

  #chooseConfig(): LogConfig {
    const [isCompacted, isDeleted] = this.#pick([
      [false, true],
      [true, false],
      [true, true],
    ])
    return {
      ...compacted,
      cleanupCompact: isCompacted,
      cleanupDelete: isDeleted,
      segmentBytes: 900 + this.#random.below(800),
      segmentMs: this.#pick([compacted.segmentMs, 4000]),
      indexIntervalBytes: this.#pick([1, 150, 400]),
      segmentIndexBytes: this.#pick([120, 400, 1000]),
      minCompactionLagMs: this.#pick([0, 0, 300]),
      retentionMs: this.#pick([-1, 2000, 5000]),
      retentionBytes: this.#pick([-1, 2500, 5000]),
      timestampType: this.#pick(['CreateTime', 'CreateTime', 'LogAppendTime']),
      compressionType: this.#pick(['producer', 'producer', 'uncompressed', 'gzip']),
      flushMessages: this.#pick([1, compacted.flushMessages]),
    }
  }

  #pick<T>(choices: readonly T[]): T {
    return choices[this.#random.below(choices.length)]!
  }

  get #nowMs(): number {
    return this.#world.io().clock.wallMs()
  }

  async #step(): Promise<void> {
    const all = this.#chances.reduce((sum, [weight]) => sum + weight, 0)
    let choice = this.#random.below(all)
    const step = this.#chances.find(([weight]) => (choice -= weight) < 0)![1]
    this.steps.push(step)
    if (step === 'kill' || step === 'powerLoss' || step === 'close') await this.#restart(step)
    else await this.#doings[step]()
  }

  /** Adds to the line of the step under way. */
  #note(text: string): void {
    this.steps[this.steps.length - 1] += ` ${text}`
  }

  readonly #doings: Record<Exclude<Step, End>, () => void | Promise<void>> = {
    append: () => this.#append(),
    sleep: () => this.#world.sleep(this.#random.below(this.#pick([4, 100, 1500]))),
    flush: () => this.#log.flush(),
    clean: () => this.#clean(),
    cleanBesideOthers: () => this.#cleanBesideOthers(),
    retain: () => this.#retain(),
    delete: () => this.#delete(),
    cut: () => this.#cut(),
    fillDisk: () => this.#fillDisk(),
    checkpoint: () => this.#checkpoint(),
    read: () => this.#read(),
    lookUp: () => this.#lookUp(),
    askProducers: () => this.#askProducers(),
  }

  async #open(): Promise<void> {
    this.#directory = await openDirectory(this.#world.start(), {
      tailCacheBytes: this.#pick([0, 500, 1000, 20_000]),
      maxOpenFiles: 4 + this.#random.below(8),
    })
    this.#log = await openLog(this.#directory, this.#config)
    if (this.#random.below(2) === 0) this.#leaderEpoch++
    await this.#log.becomeLeader(this.#leaderEpoch)
    this.#log.listener = {
      ...unheard,
      onEnd: end => {
        this.#model.written = Math.max(this.#model.written, end)
        this.#durable = Math.max(this.#durable, this.#log.durableEndOffset)
      },
      onUnwritten: end => {
        assert.ok(end >= this.#model.written, `${end} was reported as written`)
        this.#model.takeBack(end)
      },
    }
  }

  // ── Changes ────────────────────────────────────────────────────────────────

  #append(): void {
    const count = 1 + this.#random.below(4)
    const records = Array.from({ length: count }, () => ({
      key: this.#someKey(),
      value: this.#random.below(5) === 0 ? null : `value ${this.#values}${'x'.repeat(count * 5)}`,
      timestamp: this.#someTimestamp(),
    }))
    this.#values += count
    const batch = { ...this.#someProducer(), leaderEpoch: this.#leaderEpoch, records }
    const appended = this.#appendToLog(batch)
    const { timestampType } = this.#config
    const isStamped = timestampType === 'LogAppendTime'
    assert.equal(appended.logAppendTimeMs, isStamped ? this.#nowMs : -1)
    const stamped = records.map(record => ({ ...record, timestamp: this.#nowMs }))
    const { baseOffset, lastOffset } = this.#model.append({
      ...batch,
      records: isStamped ? stamped : records,
    })
    assert.deepEqual([appended.baseOffset, appended.endOffset], [baseOffset, lastOffset + 1])
    assert.equal(appended.duplicate, false)
    const times = records.map(({ timestamp }) => timestamp - this.#nowMs)
    this.#note(`${baseOffset}–${lastOffset} at ${times}, producer ${batch.producerId}`)
  }

  #appendToLog({ records, producerId, producerEpoch, baseSequence }: NewBatch): Appended {
    const options = producerId < 0 ? {} : { producerId, producerEpoch, baseSequence }
    const compression = this.#pick(compressions)
    return this.#log.append(buildBatch({ ...options, compression }, records), this.#leaderEpoch)
  }

  #someKey(): string | null {
    if (!this.#config.cleanupCompact && this.#random.below(3) === 0) return null
    return `k${this.#random.below(12)}`
  }

  #someTimestamp(): number {
    const awayMs = this.#random.below(this.#pick([100, 100, 1000, 5000]))
    return this.#nowMs + (this.#random.below(4) === 0 ? awayMs : -awayMs)
  }

  #someProducer(): Pick<NewBatch, 'producerId' | 'producerEpoch' | 'baseSequence'> {
    if (this.#random.below(2) === 0) return { producerId: -1, producerEpoch: -1, baseSequence: -1 }
    const producerId = 1 + this.#random.below(4 + this.#values / 100)
    const newest = this.#model.batchesOf(producerId).at(-1)
    if (newest === undefined) return { producerId, producerEpoch: 0, baseSequence: 0 }
    const { producerEpoch } = newest
    if (this.#random.below(15) === 0) {
      return { producerId, producerEpoch: producerEpoch + 1, baseSequence: 0 }
    }
    return { producerId, producerEpoch, baseSequence: sequenceAfter(newest) }
  }

  async #checkpoint(): Promise<void> {
    await this.#directory.checkpoint([])
    await this.#directory.compacted()
  }

  #means() {
    const isLarge = this.#random.below(2) === 0
    const mapBytes = isLarge ? 24_000 : 24 * (2 + this.#random.below(20))
    const loadFactor = isLarge ? 0.5 : this.#pick([0.5, 0.9, 1])
    const bufferBytes = 64 + this.#random.below(2000)
    return { isLarge, means: meansOf(this.#world.io(), { mapBytes, loadFactor, bufferBytes }) }
  }

  async #clean(): Promise<void> {
    const isFlushed = this.#random.below(3) > 0
    if (isFlushed) await this.#log.flush()
    if (this.#isUncertain) await this.#checkAll()
    const model = this.#model
    const cleaned = this.#log.compaction.cleanedEndOffset ?? 0
    const from = Math.max(cleaned, model.start)
    const stable =
      this.#random.below(3) === 0 ? this.#random.below(model.written + 1) : model.written
    this.#stable = Math.max(this.#stable, stable)
    const nowMs = this.#nowMs
    const segments = this.#segments()
    const largestEnd = model.cleanableEnd(segments, { stable, cleaned: from }, nowMs)
    const { isLarge, means } = this.#means()
    const result = await this.#log.compaction.clean(stable, means)
    this.#note(`${from} to ${result?.endOffset}, below ${stable}`)
    const end = result?.endOffset ?? from
    assert.ok(end <= Math.max(from, largestEnd), `cleaned to ${end}, beyond ${largestEnd}`)
    const isExact = isFlushed && isLarge && this.#config.minCompactionLagMs === 0
    if (isExact) assert.equal(end, Math.max(from, largestEnd), 'cleaned as far as possible')
    if (result === undefined) return
    this.#passes++
    model.pass(from, end, segments, nowMs)
    await this.#checkAll()
  }

  /** Oldest first, from the names of the files. */
  #segments(): SegmentOnDisk[] {
    const disk = this.#world.disk()
    const paths = disk.paths().filter(path => path.endsWith('.log'))
    return paths.map(path => ({
      baseOffset: Number(path.slice(-24, -4)),
      sizeBytes: disk.content(path)!.length,
    }))
  }

  /** While a pass runs others append, read, delete, cut, retain, or the end comes. */
  async #cleanBesideOthers(): Promise<void> {
    await this.#log.flush()
    this.#isUncertain = true
    this.#stable = this.#model.written
    const cleaning = this.#log.compaction.clean(this.#model.written, this.#means().means)
    const reading = this.#readBeside().catch(refusedOnly)
    await this.#world.sleep(this.#random.below(30))
    const what = this.#pick(['append', 'append', 'delete', 'cut', 'retain', 'end'] as const)
    this.#note(what)
    if (what === 'end') return await this.#restart(this.#pick(['kill', 'powerLoss', 'close']))
    if (what === 'retain') await this.#retainBeside()
    else await this.#doings[what]()
    await Promise.all([cleaning, reading])
    await this.#checkAll()
  }

  async #retain(): Promise<void> {
    await this.#log.flush()
    const model = this.#model
    const nowMs = this.#nowMs
    const highWatermark = this.#pick([model.written, this.#random.below(model.written + 1)])
    this.#stable = Math.max(this.#stable, highWatermark)
    if (this.#isUncertain) await this.#checkAll()
    const starts = model.startsAfterRetention(this.#segments(), highWatermark, nowMs)
    await this.#log.enforceRetention(highWatermark, nowMs)
    const { logStartOffset } = this.#log
    this.#note(`below ${highWatermark}: from ${model.start} to ${logStartOffset}`)
    assert.ok(starts.includes(logStartOffset), `starts at ${logStartOffset}, not ${starts}`)
    model.startAt(logStartOffset)
    this.#checkSegments()
  }

  async #retainBeside(): Promise<void> {
    const { written } = this.#model
    await this.#log.enforceRetention(written, this.#nowMs)
    const { logStartOffset } = this.#log
    assert.ok(logStartOffset >= this.#model.start && logStartOffset <= written)
    if (!this.#config.cleanupDelete) assert.equal(logStartOffset, this.#model.start)
    this.#model.startAt(logStartOffset)
  }

  async #delete(): Promise<void> {
    const { start, written } = this.#model
    const offset = start + this.#random.below(Math.min(40, written - start) + 1)
    this.#note(`below ${offset}`)
    await this.#log.advanceLogStart(offset)
    this.#model.startAt(offset)
  }

  async #cut(): Promise<void> {
    await this.#log.flush()
    const { start, end } = this.#model
    const lowest = Math.max(start, this.#config.cleanupCompact ? this.#stable : 0)
    const wanted = Math.min(end, Math.max(lowest, end - this.#random.below(30)))
    const inBatch = this.#model.records[wanted]?.batch.baseOffset ?? wanted
    await this.#log.truncateTo(wanted)
    this.#note(`to ${wanted}`)
    assert.equal(this.#log.logEndOffset, inBatch)
    this.#durable = Math.min(this.#durable, inBatch)
    if (inBatch < end) this.#model.endAt(inBatch, true)
    const epochs = this.#log.epochs.entries
    assert.ok(inBatch === end || epochs.every(({ startOffset }) => startOffset < inBatch))
    // Who is a leader again after a cut has a new epoch.
    this.#leaderEpoch++
    await this.#log.becomeLeader(this.#leaderEpoch)
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
        if ((error as { error?: string }).error !== 'KAFKA_STORAGE_ERROR') throw error
      }
      await this.#world.sleep(1)
    }
    if (this.#config.cleanupCompact && this.#random.below(2) === 0) {
      this.#isUncertain = true
      this.#stable = this.#model.written
      await this.#log.compaction.clean(this.#model.written, this.#means().means)
    }
    disk.capacityBytes = capacityBytes
    await this.#world.sleep(1200)
    this.#append()
    await this.#log.flush()
    assert.equal(this.#directory.offline, undefined)
    await this.#checkAll()
  }

  async #restart(how: End): Promise<void> {
    const model = this.#model
    this.#durable = Math.max(this.#durable, this.#log.durableEndOffset)
    const safe =
      how === 'powerLoss' && this.#config.flushMessages > 1 ? this.#durable : model.written
    if (how === 'close') await this.#directory.close([])
    else this.#world[how]()
    await this.#checkStopped(how)
    const { end: before } = model
    await this.#open()
    this.#restarts++
    const end = this.#log.logEndOffset
    const least = how === 'close' ? before : Math.max(safe, model.start)
    this.#note(`(${how}) ${least} to ${before}: ends at ${end}, started at ${model.start}`)
    assert.ok(end >= least && end <= Math.max(before, model.start), `ends at ${end}`)
    if (how !== 'powerLoss') assert.equal(this.#directory.lossless, true)
    model.endAt(end, how === 'powerLoss')
    this.#durable = end
    this.#stable = Math.min(this.#stable, end)
    // A deletion that was under way may have come through, and a pass may have come to some end.
    assert.ok(this.#log.logStartOffset >= model.start, `starts at ${this.#log.logStartOffset}`)
    if (!this.#isUncertain) assert.equal(this.#log.logStartOffset, model.start)
    model.startAt(this.#log.logStartOffset)
    this.#checkSegments()
    await this.#checkAll()
    this.#askAllProducers()
  }

  /** What a clean stop leaves is whole to the last index entry. */
  async #checkStopped(how: End): Promise<void> {
    if (how !== 'close') return
    const { findings } = await verify(this.#world.io().disk, '/data', { deep: true })
    assert.deepEqual(findings, [])
  }

  // ── Checks ─────────────────────────────────────────────────────────────────

  #checkBounds(): void {
    const { logStartOffset, durableEndOffset, writtenEndOffset, logEndOffset } = this.#log
    this.#durable = Math.max(this.#durable, durableEndOffset)
    assert.equal(logEndOffset, this.#model.end)
    assert.equal(logStartOffset, this.#model.start)
    assert.ok(durableEndOffset <= writtenEndOffset && writtenEndOffset <= logEndOffset)
    assert.ok(logStartOffset <= writtenEndOffset)
    if (this.#config.flushMessages === 1) assert.ok(durableEndOffset >= this.#model.written)
  }

  async #checkAll(): Promise<void> {
    await this.#log.flush()
    const { start, written, end } = this.#model
    assert.deepEqual([written, this.#log.writtenEndOffset], [end, end])
    const found = await this.#fetch(start, written, 100 + this.#random.below(2000))
    this.#checkHorizons(found)
    await this.#lookUp()
  }

  /** All batches of [from, end), in pieces; each record in its place and as it was appended. */
  async #fetch(from: number, end: number, maxBytes: number): Promise<Map<number, Batch>> {
    const found = new Map<number, Batch>()
    let next = from
    while (next < end) {
      const { chunks } = await this.#log.read(next, end, maxBytes, true)
      const read = chunks.flatMap(chunk => [...batches(chunk)])
      if (read.length === 0) break
      for (const batch of read) {
        assert.ok(isCrcValid(batch) && batch.lastOffset >= next, `a good batch at ${next}`)
        assert.ok(batch.lastOffset < end, `batch ${batch.baseOffset} is beyond ${end}`)
        this.#checkBatch(batch, offset => found.set(offset, batch))
        next = batch.lastOffset + 1
      }
    }
    if (this.#isUncertain && from === this.#model.start && end === this.#model.end) {
      this.#model.takeOver(offset => found.has(offset))
    }
    for (let offset = from; offset < end && !this.#isUncertain; offset++) {
      const { isThere } = this.#model.records[offset]!
      assert.equal(found.has(offset), isThere, `record ${offset} is ${isThere ? 'gone' : 'there'}`)
    }
    return found
  }

  #checkBatch(batch: Batch, show: (offset: number) => void): void {
    const known = this.#model.records[batch.lastOffset]!.batch
    const { lastOffset, producerId, producerEpoch, baseSequence, partitionLeaderEpoch } = batch
    const header = { lastOffset, producerId, producerEpoch, leaderEpoch: partitionLeaderEpoch }
    const { lastOffset: last, producerId: id, producerEpoch: epoch, leaderEpoch } = known
    const expected = { lastOffset: last, producerId: id, producerEpoch: epoch, leaderEpoch }
    assert.deepEqual(header, expected)
    if (producerId >= 0) assert.equal(baseSequence, known.baseSequence)
    for (const { offset, key, value, timestamp } of recordsOf(batch, 1e6)) {
      const record = this.#model.records[offset]!
      const shown = [textOf(key), textOf(value), timestamp]
      assert.deepEqual(shown, [record.key, record.value, record.timestamp], `record ${offset}`)
      show(offset)
    }
  }

  #checkHorizons(found: ReadonlyMap<number, Batch>): void {
    for (const [offset, batch] of found) {
      const known = this.#model.records[offset]!.batch
      const horizonMs = batch.hasDeleteHorizon ? batch.baseTimestamp : undefined
      if (this.#isUncertain) known.horizonMs = horizonMs
      if (offset < this.#model.start) continue
      assert.equal(horizonMs, known.horizonMs, `the horizon of batch ${batch.baseOffset}`)
      assert.equal(this.#log.epochs.epochAt(offset), known.leaderEpoch, `the epoch of ${offset}`)
    }
    this.#isUncertain = false
  }

  /** From anywhere up to any high watermark. */
  async #read(): Promise<void> {
    if (this.#isUncertain) await this.#checkAll()
    const { start, written, records } = this.#model
    const from = start + this.#random.below(written - start + 1)
    const within = from + this.#random.below(written - from + 1)
    const end = within < written ? records[within]!.batch.baseOffset : written
    await this.#fetch(from, end, 1 + this.#random.below(2000))
    const outside = this.#pick([start - 1, this.#model.end + 1])
    await assert.rejects(this.#log.read(outside, written, 1000, true), {
      error: 'OFFSET_OUT_OF_RANGE',
    })
  }

  /** Whatever is read while the log changes is a record that was there, in its place. */
  async #readBeside(): Promise<void> {
    const { start, written } = this.#model
    const maxBytes = 100 + this.#random.below(1000)
    for (let next = start; next < written; ) {
      const { chunks, slabs = [] } = await this.#log.read(next, written, maxBytes, true)
      const read = chunks.flatMap(chunk => [...batches(chunk)])
      if (read.length === 0) return
      // Meanwhile others append and read: what is held stays as it is.
      if (this.#random.below(2) === 0) await this.#world.sleep(1)
      for (const batch of read) {
        next = batch.lastOffset + 1
        assert.ok(isCrcValid(batch), `batch ${batch.baseOffset} is as it was`)
        if (next <= this.#model.end) this.#checkBatch(batch, () => {})
      }
      for (const slab of slabs) slab.release()
    }
  }

  async #lookUp(): Promise<void> {
    await this.#log.flush()
    const model = this.#model
    const { start, written } = model
    const timestampMs = model.records[this.#random.below(model.end)]?.timestamp ?? this.#nowMs
    const exact = timestampMs + this.#pick([-1, 0, 0, 1])
    const found = await this.#log.offsetForTimestamp(exact, written)
    const offset = model.offsetForTimestamp(exact)
    assert.deepEqual(found, this.#found(offset), `the first record at ${exact}`)
    const newest = await this.#log.maxTimestampOffset(written)
    assert.deepEqual(newest, this.#found(model.maxTimestampOffset()), 'the newest record')
    const end = start + this.#random.below(written - start + 1)
    const below = await this.#log.offsetForTimestamp(exact, end)
    assert.deepEqual(below, offset !== undefined && offset < end ? found : undefined)
  }

  #found(offset: number | undefined) {
    if (offset === undefined) return undefined
    const { timestamp, batch } = this.#model.records[offset]!
    return { offset, timestamp, leaderEpoch: batch.leaderEpoch }
  }

  #askProducers(): void {
    const ids = [...this.#model.producers.keys()]
    if (ids.length > 0) this.#askProducer(this.#pick(ids))
  }

  #askAllProducers(): void {
    for (const id of this.#model.producers.keys()) this.#askProducer(id)
  }

  /** What comes once more is answered with its offset; a gap and an old epoch are refused. */
  #askProducer(id: number): void {
    const remembered = this.#model.remembered(id)
    const newest = remembered.at(-1)
    if (newest === undefined) return
    for (const batch of remembered) {
      const { baseOffset, lastOffset } = batch
      const again = this.#appendToLog({ ...batch, records: this.#recordsFor(batch) })
      assert.deepEqual(
        [again.duplicate, again.baseOffset, again.endOffset],
        [true, baseOffset, lastOffset + 1],
      )
    }
    const records = this.#recordsFor(newest)
    const gap = { ...newest, baseSequence: sequenceAfter(newest) + 1, records }
    assert.throws(() => this.#appendToLog(gap), { error: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
    const producerEpoch = newest.producerEpoch - 1
    if (producerEpoch < 0) return
    const old = { ...newest, producerEpoch, baseSequence: 0, records }
    assert.throws(() => this.#appendToLog(old), { error: 'INVALID_PRODUCER_EPOCH' })
  }

  #recordsFor({ baseOffset, lastOffset }: ModelBatch): NewBatch['records'] {
    const record = { key: 'k', value: 'again', timestamp: this.#nowMs }
    return Array.from({ length: lastOffset - baseOffset + 1 }, () => record)
  }

  /** No file is larger, or spans more time, than it may. */
  #checkSegments(): void {
    const disk = this.#world.disk()
    checkFiles(disk)
    const { cleanupCompact, segmentBytes, segmentMs } = this.#config
    if (cleanupCompact) return
    for (const path of disk.paths().filter(each => each.endsWith('.log'))) {
      const content = disk.content(path)!
      assert.ok(content.length <= segmentBytes, `${path} has ${content.length} bytes`)
      const times = [...batches(content, { partialTail: 'ignored' })].map(
        ({ maxTimestamp }) => maxTimestamp,
      )
      const spanMs = Math.max(...times) - times[0]!
      assert.ok(times.length === 0 || spanMs <= segmentMs, `${path} spans ${spanMs} ms`)
    }
  }
}

function sequenceAfter({ baseSequence, baseOffset, lastOffset }: ModelBatch): number {
  return baseSequence + lastOffset - baseOffset + 1
}

function textOf(bytes: Uint8Array | null): string | null {
  return bytes === null ? null : Buffer.from(bytes).toString()
}

/** A reader may find that its offset was deleted or cut, or the log closed. */
function refusedOnly(error: unknown): void {
  const { error: name } = error as { error?: string }
  if (name !== 'OFFSET_OUT_OF_RANGE' && name !== 'KAFKA_STORAGE_ERROR') throw error
}
