/**
 * Runs each program twice against one broker: as it is, with kafkajs itself, and with
 * `ottla/kafkajs/register` before it. What both say has to be the same, but for what
 * `known-differences.ts` explains.
 *
 * The NestJS service in nestjs/ is one of them, built by tsc.
 *
 *     node test/kafkajs/differential.ts [--bootstrap HOST:PORT] [PROGRAM...]
 */
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { orThrow } from '../../src/client/admin/outcome.ts'
import { Admin } from '../../src/client/admin.ts'
import { Broker } from '../../src/index.ts'
import { compare, factsOf, registered } from './facts.ts'

const programs = join(import.meta.dirname, 'programs')
/** They wait more than they work. */
const programsAtOnce = 3

const { values, positionals } = parseArgs({
  options: { bootstrap: { type: 'string' } },
  allowPositionals: true,
})

const broker = values.bootstrap ? undefined : await Broker.start({ storage: 'memory' })
const bootstrap = values.bootstrap ?? broker!.bootstrap
const all = readdirSync(programs)
  .map(name => name.replace(/\.ts$/, ''))
  .filter(name => name !== 'program')
const files = new Map(all.map(name => [name, join(programs, `${name}.ts`)]))
files.set('nestjs', join(import.meta.dirname, 'nestjs/dist/service.js'))
const chosen = positionals.length > 0 ? positionals : [...files.keys()]
if (values.bootstrap) await warmUp(bootstrap)
let failed = 0
let passed = 0

/** A new cluster of Apache Kafka has no coordinators yet, for which kafkajs does not wait long enough. */
async function warmUp(bootstrap: string): Promise<void> {
  await using admin = new Admin({ bootstrap, requestTimeoutMs: 60_000 })
  const topic = `warm-up-${Date.now()}`
  orThrow(await admin.createTopics([topic]))
  const offsets = [{ topic, partition: 0, offset: 0 }]
  // Every partition of __consumer_offsets has to be there.
  const groups = Array.from({ length: 50 }, (_, at) => `${topic}-${at}`)
  for (const group of groups) orThrow(await admin.alterGroupOffsets(group, offsets))
  orThrow(await admin.deleteGroups(groups))
  orThrow(await admin.deleteTopics([topic]))
}

async function both(program: string): Promise<void> {
  try {
    const file = files.get(program) ?? program
    const [theirs, ours] = await Promise.all([
      factsOf(file, bootstrap, []),
      factsOf(file, bootstrap, registered),
    ])
    const { same, known, wrong } = compare(program, theirs, ours)
    passed += same + known
    failed += wrong.length
    console.log(`${program}: ${same} facts the same, ${known} differ as explained`)
    for (const line of wrong) console.log(`FAILED ${line}`)
  } catch (error) {
    failed++
    console.log(`FAILED ${program}: ${error instanceof Error ? error.message : error}`)
  }
}

const left = chosen.values()
const worker = async () => {
  for (const program of left) await both(program)
}
await Promise.all(Array.from({ length: programsAtOnce }, worker))
await broker?.close()
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
