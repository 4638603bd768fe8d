/**
 * Does the simulator find what it is for? node test/mutants/run.ts [--seeds N] [--only WORDS]
 *
 * Each mutant is a wrong line or two in a copy of src; seeds of clusters are run on it until one fails.
 * Prints how many were needed and what was broken; exit code 1 when a mutant lives through all of them.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type Mutant, mutants } from './mutants.ts'

const { values } = parseArgs({
  options: { seeds: { type: 'string', default: '500' }, only: { type: 'string', default: '' } },
})
const root = join(import.meta.dirname, '../..')
const copy = mkdtempSync(join(tmpdir(), 'ottla-mutants-'))
process.on('exit', () => rmSync(copy, { recursive: true, force: true }))
for (const name of ['src', 'package.json']) {
  cpSync(join(root, name), join(copy, name), { recursive: true })
}
symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))

/** Applies the edits; answers how to undo them. */
function apply({ name, edits }: Mutant): () => void {
  const before = new Map<string, string>()
  for (const { file, right, wrong } of edits) {
    const path = join(copy, 'src', file)
    const text = readFileSync(path, 'utf8')
    const parts = text.split(right)
    if (parts.length !== 2) throw new Error(`${name}: its line stands ${parts.length - 1} times`)
    if (!before.has(path)) before.set(path, text)
    writeFileSync(path, parts.join(wrong))
  }
  return () => {
    for (const [path, text] of before) writeFileSync(path, text)
  }
}

/** How many seeds it took, and what was broken; undefined: it was not found. */
function hunt(mutant: Mutant): { seeds: number; shown: string } | undefined {
  const undo = apply(mutant)
  const run = ['src/sim/main.ts', '--kind', 'cluster', '--seeds', `1..${values.seeds}`]
  const options = { cwd: copy, encoding: 'utf8', maxBuffer: 2 ** 28 } as const
  const { stdout, stderr, status } = spawnSync(process.execPath, run, options)
  undo()
  if (status === 0) return undefined
  const seed = /--seed (\d+)/.exec(stderr)?.[1]
  if (seed === undefined)
    throw new Error(`${mutant.name}: ${stderr.slice(-1000)}${stdout.slice(-200)}`)
  const breach = /^ {2}([A-Z]\w+: .*)$/m.exec(stderr)?.[1] ?? /\[cause\]: (.*)$/m.exec(stderr)?.[1]
  return { seeds: Number(seed), shown: (breach ?? 'the run failed').slice(0, 110) }
}

let alive = 0
const chosen = mutants.filter(({ name }) => name.includes(values.only))
for (const mutant of chosen) {
  const found = hunt(mutant)
  if (found === undefined) alive++
  const seeds = found === undefined ? 'NOT FOUND' : `seed ${found.seeds}`
  console.log(`  ${mutant.name.padEnd(72)} ${seeds.padEnd(10)} ${found?.shown ?? ''}`)
}
console.log(`mutants: ${alive} of ${chosen.length} lived`)
process.exitCode = alive === 0 ? 0 : 1
