/**
 * `npm run sim`: --seed N, --seeds A..B, or --seconds S of fresh seeds. Odd seeds are runs of a cluster,
 * even ones of one broker; `--kind cluster | single` makes all of them such. With `--twice` each runs
 * again and must come to the same. Exit code 1 when one fails.
 */
import { parseArgs } from 'node:util'
import { type ClusterOutcome, runClusterSeed } from './cluster-scenario.ts'
import { type Outcome, runSeed } from './scenario.ts'

const usage =
  'npm run sim -- --seed N | --seeds A..B | --seconds S [--kind cluster | single] [--twice]'
const shownBreaches = 20

const { values } = parseArgs({
  options: {
    seed: { type: 'string' },
    seeds: { type: 'string' },
    seconds: { type: 'string' },
    kind: { type: 'string' },
    twice: { type: 'boolean' },
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

function clusterLine(outcome: ClusterOutcome): string {
  const { seed, brokers, setting, acknowledged, attempted, seen, virtualMs, fingerprint } = outcome
  const faults = [...outcome.faults].map(([name, count]) => `${name} ${count}`).join(', ')
  return (
    `seed ${seed}  cluster of ${brokers}, ${setting}  ${acknowledged}/${attempted} acknowledged` +
    `  ${seen} shown  ${(virtualMs / 1000).toFixed(1)} s  ${outcome.events} events  ${fingerprint}` +
    `  [${faults}]`
  )
}

/** Whether all promises were kept. */
async function passes(seed: number): Promise<boolean> {
  const isCluster = values.kind === undefined ? seed % 2 === 1 : values.kind === 'cluster'
  const again = `npm run sim -- --seed ${seed} --kind ${isCluster ? 'cluster' : 'single'}`
  try {
    const outcome = isCluster ? await runClusterSeed(seed) : await runSeed(seed)
    console.log('setting' in outcome ? clusterLine(outcome) : line(outcome))
    if ('notes' in outcome) for (const note of outcome.notes) console.error(note)
    const breaches = [...outcome.breaches]
    if (values.twice) {
      const { fingerprint } = isCluster ? await runClusterSeed(seed) : await runSeed(seed)
      if (fingerprint !== outcome.fingerprint) breaches.push(`the same seed came to ${fingerprint}`)
    }
    for (const breach of breaches.slice(0, shownBreaches)) console.error(`  ${breach}`)
    if (breaches.length > 0) console.error(`  ${breaches.length} breaches. Again: ${again}`)
    return breaches.length === 0
  } catch (error) {
    console.error(error)
    console.error(`  the run failed. Again: ${again}`)
    return false
  }
}

async function run(): Promise<boolean> {
  const startMs = Date.now()
  let passed = 0
  for (const seed of seedsAsked()) {
    if (!(await passes(seed))) return false
    passed++
  }
  const perSecond = (passed / (Date.now() - startMs)) * 1000
  console.log(`${passed} seeds, every promise kept; ${perSecond.toFixed(2)} seeds a second`)
  return passed > 0
}

if (values.help) console.log(usage)
else process.exitCode = (await run()) ? 0 : 1
