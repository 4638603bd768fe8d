/** `npm run sim`: --seed N, --seeds A..B, or --seconds S of fresh seeds. Exit code 1 when one fails. */
import { parseArgs } from 'node:util'
import { type Outcome, runSeed } from './scenario.ts'

const usage = 'npm run sim -- --seed N | --seeds A..B | --seconds S'

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    seconds: { type: 'string' },
    help: { type: 'boolean', short: 'h' },
  },
})

function* seedsAsked(): Generator<number> {
  if (values.seed !== undefined) {
    yield Number(values.seed)
  } else if (values.seeds !== undefined) {
    const [first, last] = values.seeds.split('..').map(Number)
    for (let seed = first!; seed <= last!; seed++) yield seed
  } else {
    const endMs = Date.now() + Number(values.seconds ?? 10) * 1000
    for (let seed = Date.now() % 2 ** 31; Date.now() < endMs; seed++) yield seed
  }
}

function line(outcome: Outcome): string {
  const { seed, kind, crashes, acknowledged, attempted, seen, commits, virtualMs, fingerprint } =
    outcome
  return (
    `seed ${seed}  ${kind.padEnd(5)} ${crashes} crashes  ${acknowledged}/${attempted} acknowledged` +
    `  ${seen} shown  ${commits} commits  ${(virtualMs / 1000).toFixed(1)} s  ${fingerprint}`
  )
}

async function run(): Promise<boolean> {
  let passed = 0
  for (const seed of seedsAsked()) {
    try {
      const outcome = await runSeed(seed)
      console.log(line(outcome))
      if (outcome.breaches.length > 0) {
        for (const breach of outcome.breaches.slice(0, 20)) console.error(`  ${breach}`)
        console.error(`  ${outcome.breaches.length} breaches. Again: npm run sim -- --seed ${seed}`)
        return false
      }
      passed++
    } catch (error) {
      console.error(error)
      console.error(`  the run failed. Again: npm run sim -- --seed ${seed}`)
      return false
    }
  }
  console.log(`${passed} seeds, every promise kept`)
  return passed > 0
}

if (values.help) console.log(usage)
else process.exitCode = (await run()) ? 0 : 1
