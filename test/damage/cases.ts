/**
 * One file of a broker that was stopped or killed is damaged: torn, a byte flipped, a sector zeroed.
 *
 * A case is a function of its seed. It fills a log in the simulated world, ends the run, harms one
 * file and asks three things. `verify` finds the harm, or nothing that anyone reads has changed. A
 * start on it serves, of each offset, the record that was written or an error: never another one, and
 * none in silence. And after `repair` the log opens again, with indexes, snapshots and tables that
 * are right.
 */
import assert from 'node:assert/strict'
import { openLocalStore, StoreDamagedError } from '../../src/io/local-store.ts'
import { config, openDirectory, startMs, topicId, written } from '../../src/log/fixture.ts'
import type { Log } from '../../src/log/log.ts'
import type { LogDirectory } from '../../src/log/log-directory.ts'
import { offsetEntryBytes } from '../../src/log/offset-index.ts'
import { repair } from '../../src/log/repair.ts'
import { type Finding, verify } from '../../src/log/verify.ts'
import { KafkaError } from '../../src/protocol/errors.ts'
import { batches, compressions, isCrcValid } from '../../src/protocol/records/batch.ts'
import { buildBatch } from '../../src/protocol/records/build.ts'
import { recordsOf } from '../../src/protocol/records/records.ts'
import type { SimulatedDisk } from '../../src/sim/disk.ts'
import type { Prng } from '../../src/sim/random.ts'
import { simulated, type World } from '../../src/sim/world.ts'

/** What a case came to. */
export interface Outcome {
  /** `.log`, `.index`, `meta.properties` … */
  readonly kind: string
  readonly harm: string
  /**
   * `found`: by verify. `harmless`: what the file says is the same. `plausible`: a text without a
   * checksum says something else that nothing contradicts, and no record was served wrongly for it.
   */
  readonly verdict: 'found' | 'harmless' | 'plausible'
  /** What the start did: served all, served around it or less, or refused. */
  readonly start: 'all' | 'less' | 'refused'
  readonly repaired: 'mended' | 'remains'
}

const segmentBytes = 6000
const storeWrites = 6

/** Runs the case of that seed. Throws AssertionError with the seed when a promise is broken. */
export async function damageCase(seed: number): Promise<Outcome> {
  const world = simulated(seed)
  return await world.run(() => new DamageCase(world, seed).run())
}

class DamageCase {
  readonly #world: World
  readonly #random: Prng
  readonly #seed: number
  readonly #disk: SimulatedDisk
  readonly #values: string[] = []

  constructor(world: World, seed: number) {
    this.#world = world
    this.#seed = seed
    this.#random = world.random('damage')
    this.#disk = world.disk()
  }

  async run(): Promise<Outcome> {
    await this.#fill()
    const path = this.#pick()
    const before = this.#disk.content(path)!
    const harm = await this.#harm(path, before)

    const after = this.#disk.content(path)!
    const found = await this.#verified()
    const isFound = found.some(({ kind }) => kind !== 'note')
    const copy = this.#contents()
    const start = await this.#served()
    await this.#restore(copy)
    const repaired = await this.#repaired()
    const kind = kindOf(path)
    const label = `seed ${this.#seed}: ${harm} of ${path}`
    const isSame = Buffer.compare(before, after) === 0 || saysTheSame(kind, before, after)
    if (!isFound && !isSame) {
      assert.ok(isText(kind), `${label} was not found`)
      assert.notEqual(start, 'less', `${label} was not found, and records are missing`)
    }
    const verdict = isFound ? 'found' : isSame ? 'harmless' : 'plausible'
    return { kind, harm, verdict, start, repaired }
  }

  /** A log of several segments, epochs and producers; closed, or killed with a checkpoint before. */
  async #fill(): Promise<void> {
    await this.#fillStore()
    const directory = await openDirectory(this.#world.io(), { tailCacheBytes: 1000 })
    const log = await this.#open(directory)
    const total = 40 + this.#random.below(40)
    let sequence = 0
    for (let count = 0; count < total; count++) {
      if (count % 25 === 0) await log.becomeLeader(count / 25)
      const records = Array.from({ length: 1 + this.#random.below(4) }, (_, index) => {
        const value = `${this.#values.length + index} ${'ab '.repeat(this.#random.below(120))}`
        return { timestamp: startMs + count * 1000 + index, value }
      })
      const compression = compressions[this.#random.below(2)]!
      const producer = { producerId: 7, producerEpoch: 0, baseSequence: sequence }
      log.append(buildBatch({ compression, ...producer }, records), log.epochs.latest)
      this.#values.push(...records.map(({ value }) => value))
      sequence += records.length
      await written(log)
      if (this.#random.below(20) === 0) {
        await log.flush()
        await directory.checkpoint(this.#watermark(log))
      }
    }
    if (this.#random.below(2) === 0) await directory.close(this.#watermark(log))
    this.#world.kill()
  }

  /** The embedded metadata store, and the checkpoint of the cleaner. */
  async #fillStore(): Promise<void> {
    const io = this.#world.io()
    await io.disk.makeDirectory('/data')
    const cleaned = new TextEncoder().encode('0\n1\nwords 0 3\n')
    await io.disk.replaceFile('/data/cleaner-offset-checkpoint', cleaned)
    const store = await openLocalStore(io, '/data')
    for (let count = 0; count < storeWrites; count++) {
      await store.txn([], [{ put: 'count', value: Buffer.from(`${count} ${'x'.repeat(300)}`) }])
    }
    await store.close()
  }

  /** What the store says was once true, or it is refused. */
  async #storeServesRight(): Promise<boolean> {
    try {
      const store = await openLocalStore(this.#world.io(), '/data')
      const [entry] = (await store.get({ key: 'count' })).entries
      await store.close()
      const count = Number(
        Buffer.from(entry?.value ?? '-1')
          .toString()
          .split(' ')[0],
      )
      assert.ok(count >= -1 && count < storeWrites, `seed ${this.#seed}: ${count} in the store`)
      return count === storeWrites - 1
    } catch (error) {
      assert.ok(error instanceof StoreDamagedError, `${(error as Error).stack}`)
      throw new KafkaError('KAFKA_STORAGE_ERROR', error.message)
    }
  }

  #watermark({ writtenEndOffset: highWatermark }: Log) {
    return [{ topic: 'words', partition: 0, highWatermark }]
  }

  #open(directory: LogDirectory): Promise<Log> {
    const changes = { segmentBytes, indexIntervalBytes: 300 }
    return directory.openLog({
      topic: 'words',
      partition: 0,
      topicId,
      config: { ...config, ...changes },
    })
  }

  /** A file: first its kind, so that each has its share. */
  #pick(): string {
    const kinds = new Map<string, string[]>()
    for (const path of this.#disk.paths()) {
      const kind = kindOf(path)
      if (kind === '.lock' || (this.#disk.content(path)?.length ?? 0) === 0) continue
      kinds.set(kind, [...(kinds.get(kind) ?? []), path])
    }
    const some = this.#random.below(3) === 0 ? '.log' : undefined
    const kind = some ?? [...kinds.keys()][this.#random.below(kinds.size)]!
    const paths = kinds.get(kind)!
    return paths[this.#random.below(paths.length)]!
  }

  async #harm(path: string, content: Uint8Array): Promise<string> {
    const { length } = content
    const position = this.#random.below(length)
    switch (this.#random.below(5)) {
      case 0:
        this.#disk.flip(path, position, 1 << this.#random.below(8))
        return 'a flipped bit'
      case 1: {
        const end = Math.min(length, position + 2 + this.#random.below(20))
        for (let at = position; at < end; at++) {
          this.#disk.flip(path, at, 1 + this.#random.below(255))
        }
        return 'flipped bytes'
      }
      case 2:
        return this.#zero(path, position, length, 512)
      case 3:
        return this.#zero(path, position, length, 4096)
      default: {
        const file = await this.#world.io().disk.open(path)
        await file.truncate(position)
        await file.close()
        return 'a torn end'
      }
    }
  }

  #zero(path: string, position: number, length: number, sectorBytes: number): string {
    const start = position - (position % sectorBytes)
    this.#disk.zero(path, start, Math.min(sectorBytes, length - start))
    return `a lost sector of ${sectorBytes}`
  }

  /** Nothing is changed by looking. */
  async #verified(): Promise<readonly Finding[]> {
    const before = this.#contents()
    const { findings } = await verify(this.#world.io().disk, '/data')
    assert.deepEqual(this.#contents(), before, `seed ${this.#seed}: verify changed something`)
    return findings
  }

  #contents(): Map<string, Uint8Array> {
    return new Map(this.#disk.paths().map(path => [path, this.#disk.content(path)!]))
  }

  async #restore(contents: ReadonlyMap<string, Uint8Array>): Promise<void> {
    this.#world.kill()
    const { disk } = this.#world.start()
    for (const path of this.#disk.paths()) {
      if (!contents.has(path)) await disk.remove(path)
    }
    for (const [path, content] of contents) {
      const now = this.#disk.content(path)
      if (now !== undefined && Buffer.compare(now, content) === 0) continue
      const file = await disk.open(path, { create: true })
      await file.truncate(0)
      await file.write([content], 0)
      await file.close()
    }
  }

  /**
   * A start, and a read from every offset. Where the newest batch of a log that was not closed has
   * another offset, nothing contradicts it.
   */
  async #served(): Promise<Outcome['start']> {
    let log: Log
    let missing = 0
    try {
      if (!(await this.#storeServesRight())) missing++
      const directory = await openDirectory(this.#world.start(), { tailCacheBytes: 1000 })
      log = await this.#open(directory)
    } catch (error) {
      const { code } = error as { code?: unknown }
      assert.ok(error instanceof KafkaError || code === 'EINVAL', `${(error as Error).stack}`)
      this.#world.kill()
      return 'refused'
    }
    missing += Math.max(0, this.#values.length - log.logEndOffset)
    for (let offset = log.logStartOffset; offset < log.logEndOffset; offset++) {
      if (!(await this.#servesRight(log, offset))) missing++
    }
    missing += log.logStartOffset
    this.#world.kill()
    return missing === 0 ? 'all' : 'less'
  }

  /** Whether the record came; what comes is right. */
  async #servesRight(log: Log, offset: number): Promise<boolean> {
    const place = `seed ${this.#seed}, read at ${offset}`
    let chunks: readonly Uint8Array[]
    try {
      ;({ chunks } = await log.read(offset, log.writtenEndOffset, 900, true))
    } catch (error) {
      assert.ok(error instanceof KafkaError, `${place}: ${error}`)
      assert.equal(error.error, 'CORRUPT_MESSAGE', place)
      return false
    }
    let next = offset
    for (const batch of chunks.flatMap(chunk => [...batches(chunk)])) {
      assert.ok(isCrcValid(batch), `${place}: a batch with a bad CRC`)
      // Where the file of a segment ends early, what follows is read: as if it had been compacted.
      if (batch.baseOffset > next) return false
      assert.ok(batch.lastOffset >= next, `${place}: what lies before`)
      for (const record of recordsOf(batch, 1e6)) {
        const value = Buffer.from(record.value!).toString()
        assert.equal(value, this.#values[record.offset], `${place}: another record`)
        next = record.offset + 1
      }
    }
    return next > offset
  }

  async #repaired(): Promise<Outcome['repaired']> {
    const io = this.#world.start()
    await repair(io, '/data')
    const { findings } = await verify(io.disk, '/data')
    const left = findings.filter(({ kind }) => kind !== 'note' && kind !== 'damage')
    // These two are not made from the log; the store cuts its own torn end.
    const isMended = left.every(({ path }) => /meta\.properties|ottla-metadata/.test(path))
    assert.ok(isMended, `seed ${this.#seed}: after a repair ${JSON.stringify(left)}`)
    const served = await this.#served()
    const remains = findings.some(({ kind }) => kind !== 'note') || served === 'refused'
    return remains ? 'remains' : 'mended'
  }
}

function kindOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1)
  return /^\d{20}(\.\w+)$/.exec(name)?.[1] ?? name
}

/** Without a checksum: Kafka's formats. */
function isText(kind: string): boolean {
  return !kind.startsWith('.') || kind === '.kafka_cleanshutdown'
}

/** Bytes may differ where nothing reads them, and an offset index may end early. */
function saysTheSame(kind: string, before: Uint8Array, after: Uint8Array): boolean {
  if (kind === '.index' && after.length % offsetEntryBytes === 0) {
    return Buffer.compare(before.subarray(0, after.length), after) === 0
  }
  if (!isText(kind)) return false
  const words = (bytes: Uint8Array) => Buffer.from(bytes).toString('utf8').trim().split(/\s+/)
  return words(before).join(' ') === words(after).join(' ')
}
