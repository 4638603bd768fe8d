/**
 * Damage in every kind of file: node test/damage/run.ts [--cases N] [--seed FIRST]
 *
 * Prints a table of what became of the cases, by kind of file; the seed of a broken promise, and exit
 * code 1.
 */
import { parseArgs } from 'node:util'
import { damageCase, type Outcome } from './cases.ts'

const { values } = parseArgs({
  options: { cases: { type: 'string', default: '1000' }, seed: { type: 'string', default: '1' } },
})
const cases = Number(values.cases)
const first = Number(values.seed)
if (!Number.isInteger(cases) || cases < 1 || !Number.isInteger(first)) {
  throw new Error('usage: node test/damage/run.ts [--cases N] [--seed FIRST]')
}

const outcomes: Outcome[] = []
const failures: string[] = []
for (let seed = first; seed < first + cases; seed++) {
  try {
    outcomes.push(await damageCase(seed))
  } catch (error) {
    failures.push(`seed ${seed}: ${(error as Error).stack}`)
  }
}
const rows = Map.groupBy(outcomes, ({ kind }) => kind)
const count = (some: readonly Outcome[], key: keyof Outcome, value: string) =>
  some.filter(outcome => outcome[key] === value).length
const all = [...rows].sort(([a], [b]) => (a < b ? -1 : 1))
console.table(
  Object.fromEntries(
    [...all, ['in all', outcomes] as const].map(([kind, some]) => [
      kind,
      {
        cases: some.length,
        found: count(some, 'verdict', 'found'),
        harmless: count(some, 'verdict', 'harmless'),
        plausible: count(some, 'verdict', 'plausible'),
        'served all': count(some, 'start', 'all'),
        'served less': count(some, 'start', 'less'),
        'start refused': count(some, 'start', 'refused'),
        mended: count(some, 'repaired', 'mended'),
        'damage remains': count(some, 'repaired', 'remains'),
      },
    ]),
  ),
)
for (const failure of failures.slice(0, 10)) console.log(failure)
console.log(`damage: ${outcomes.length} passed, ${failures.length} failed`)
process.exitCode = failures.length === 0 ? 0 : 1
