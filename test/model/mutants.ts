/**
 * Does the model find what it is for? node test/model/mutants.ts [--seeds N] [--only WORDS]
 *
 * Each mutant is one wrong line in a copy of src/log; the seeds are run on it until one differs. Prints
 * how many were needed; exit code 1 when a mutant lives through all of them.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

interface Mutant {
  readonly name: string
  readonly file: string
  /** Stands there exactly once. */
  readonly right: string
  readonly wrong: string
}

const mutants: readonly Mutant[] = [
  {
    name: 'memory is used again before it is written',
    file: 'log.ts',
    right: 'this.#tail.add(this.#queue(new Batch(bytes), nowMs, slab))',
    wrong: 'this.#tail.add(this.#queue(new Batch(bytes), nowMs))\n      slab.release()',
  },
  {
    name: 'memory is used again while it is in the tail',
    file: 'tail-cache.ts',
    right: 'batch.slab?.hold()\n    this.#bytes',
    wrong: 'if (batch.slab !== undefined) batch = { ...batch, slab: undefined }\n    this.#bytes',
  },
  {
    name: 'a read of the tail does not hold what it gives',
    file: 'tail-cache.ts',
    right: '      batch.slab.hold()\n      slabs.push(batch.slab)\n',
    wrong: '',
  },
  {
    name: 'a tombstone goes before its time is over',
    file: 'record-filter.ts',
    right: 'batch.hasDeleteHorizon && batch.baseTimestamp <= rules.nowMs',
    wrong: 'batch.hasDeleteHorizon',
  },
  {
    name: 'compaction goes one offset beyond the high watermark',
    file: 'compaction-choice.ts',
    right: 'return endOffset > stable ||',
    wrong: 'return endOffset > stable + 1 ||',
  },
  {
    name: 'compaction keeps no header of a producer',
    file: 'cleaned-transactions.ts',
    right: 'if (batch.lastOffset === last.lastDataOffset) return true',
    wrong: 'if (batch.lastOffset === last.lastDataOffset) return false',
  },
  {
    name: 'a compacted segment takes its place before it is synced',
    file: 'compaction-pass.ts',
    right: 'await this.#orFail(() => cleaned.sync())',
    wrong: '',
  },
  {
    name: 'no producer snapshot is written',
    file: 'log-sync.ts',
    right: 'if (snapshot === undefined) return\n',
    wrong: 'if (snapshot !== undefined || snapshot === undefined) return\n',
  },
  {
    name: 'retention goes beyond the high watermark',
    file: 'retention.ts',
    right: 'endOffset > bounds.highWatermark || ',
    wrong: '',
  },
  {
    name: 'retention takes a segment too much by size',
    file: 'retention.ts',
    right: 'surplusBytes >= sizeBytes',
    wrong: 'surplusBytes > 0',
  },
  {
    name: 'a sealed time index lacks its last entry',
    file: 'segment.ts',
    right: '    this.#noteTime()\n    await this.offsetIndex',
    wrong: '    await this.offsetIndex',
  },
  {
    name: 'the time index leads behind the record',
    file: 'time-index.ts',
    right: 'this.#entryAt(entries, low - 1).offset',
    wrong: 'this.#entryAt(entries, Math.min(low, entries.length / 12 - 1)).offset + 1',
  },
  {
    name: 'the recovery point moves without a sync',
    file: 'log-sync.ts',
    right: '        await segment.sync()\n',
    wrong: '',
  },
  {
    name: 'a deletion is not written down',
    file: 'log.ts',
    right: 'await this.#host.logStartMoved()',
    wrong: '',
  },
  {
    name: 'a full disk leaves sequences that were never stored',
    file: 'log.ts',
    right: 'this.#producers.undo(undo)',
    wrong: 'undo.producerId',
  },
  {
    name: 'a cut leaves epochs behind the end',
    file: 'log.ts',
    right: 'if (this.epochs.truncateFromEnd(end)) await this.#saveEpochs()',
    wrong: '',
  },
  {
    name: 'four batches of a producer are remembered',
    file: 'producer-state.ts',
    right: 'before.batches.slice(1 - rememberedBatches)',
    wrong: 'before.batches.slice(2 - rememberedBatches)',
  },
  {
    name: 'after a power loss a stale index is believed',
    file: 'recovery.ts',
    right: "'power-loss' ? point - 1 : point",
    wrong: "'power-loss' ? point : point",
  },
]

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '2000' }, only: { type: 'string', default: '' } },
})
const root = join(import.meta.dirname, '../..')
const copy = mkdtempSync(join(tmpdir(), 'ottla-mutants-'))
process.on('exit', () => rmSync(copy, { recursive: true, force: true }))
for (const name of ['src', 'test', 'package.json']) {
  cpSync(join(root, name), join(copy, name), { recursive: true })
}
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))

/** How many seeds it took, and how the difference showed; undefined: it was not found. */
function hunt({ name, file, right, wrong }: Mutant): { seeds: number; shown: string } | undefined {
  const path = join(copy, 'src/log', file)
  const text = readFileSync(path, 'utf8')
  const parts = text.split(right)
  if (parts.length !== 2) throw new Error(`${name}: its line stands ${parts.length - 1} times`)
  writeFileSync(path, parts.join(wrong))
  const run = [join(copy, 'test/model/run.ts'), '--seeds', values.seeds]
  const { stdout } = spawnSync(process.execPath, run, { encoding: 'utf8' })
  writeFileSync(path, text)
  const passed = /^model: (\d+) passed, 1 failed$/m.exec(stdout)?.[1]
  if (passed === undefined) return undefined
  const shown = /step \d+: (.*)$/m.exec(stdout)?.[1] ?? ''
  return { seeds: Number(passed) + 1, shown: shown.slice(0, 60) }
}

let alive = 0
const chosen = mutants.filter(({ name }) => name.includes(values.only))
for (const mutant of chosen) {
  const found = hunt(mutant)
  if (found === undefined) alive++
  const seeds = found === undefined ? 'NOT FOUND' : `seed ${found.seeds}`
  console.log(`  ${mutant.name.padEnd(56)} ${seeds.padEnd(10)} ${found?.shown ?? ''}`)
}
console.log(`mutants: ${alive} of ${chosen.length} lived`)
process.exitCode = alive === 0 ? 0 : 1
