/**
 * Logs beside their model: node test/model/run.ts --seeds N | --seeds A..B | --seed N [--seconds S]
 *
 * Each seed is a random run of 250 steps on one log (model-run.ts). Prints progress, and of the first
 * seed that differs: what, and after which steps; exit code 1 then.
 */
import { parseArgs } from 'node:util'
import { type ModelOutcome, runModel } from './model-run.ts'

const usage = 'usage: npm run test:model -- --seeds N | --seeds A..B | --seed N [--seconds S]'
const { values } = parseArgs({
  options: { seeds: { type: 'string' }, seed: { type: 'string' }, seconds: { type: 'string' } },
})
const [first, last] = rangeOf(values.seed ? `${values.seed}..${values.seed}` : values.seeds)
const seconds = Number(values.seconds ?? Number.POSITIVE_INFINITY)
if (!Number.isSafeInteger(first) || !(last >= first) || !(seconds > 0)) throw new Error(usage)

function rangeOf(words: string | undefined): [number, number] {
  const [from, to] = (words ?? '').split('..')
  if (to !== undefined) return [Number(from), Number(to)]
  return [1, Number(words ?? Number.POSITIVE_INFINITY)]
}

const startedAt = performance.now()
const elapsedSeconds = () => (performance.now() - startedAt) / 1000
const total = { records: 0, passes: 0, restarts: 0 }
const byPolicy = new Map<string, number>()
let passed = 0
let shownAt = 0

function count({ policy, records, passes, restarts }: ModelOutcome): void {
  passed++
  total.records += records
  total.passes += passes
  total.restarts += restarts
  byPolicy.set(policy, (byPolicy.get(policy) ?? 0) + 1)
}

function show(seed: number): void {
  const rate = (passed / elapsedSeconds()).toFixed(1)
  console.log(`  seed ${seed}: ${passed} passed, ${rate} seeds/s, ${total.records} records`)
}

for (let seed = first; seed <= last && elapsedSeconds() < seconds; seed++) {
  try {
    count(await runModel(seed))
  } catch (error) {
    console.log((error as Error).message)
    console.log(`model: ${passed} passed, 1 failed`)
    process.exit(1)
  }
  if (elapsedSeconds() - shownAt < 10) continue
  shownAt = elapsedSeconds()
  show(seed)
}
for (const [policy, seeds] of [...byPolicy].sort()) console.log(`  ${policy}: ${seeds} seeds`)
const { records, passes, restarts } = total
console.log(`  ${records} records, ${passes} passes of compaction, ${restarts} starts`)
const rate = (passed / elapsedSeconds()).toFixed(1)
console.log(`model: ${passed} passed, 0 failed (${elapsedSeconds().toFixed(0)} s, ${rate} seeds/s)`)
