/**
 * Runs each program twice against one broker: as it is, with kafkajs itself, and with
 * `ottla/kafkajs/register` before it. What both say has to be the same, but for what
 * `known-differences.ts` explains.
 *
 *     node test/kafkajs/differential.ts [--bootstrap HOST:PORT] [PROGRAM...]
 */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { Broker } from '../../src/index.ts'
import { knownDifferences } from './known-differences.ts'

const programs = join(import.meta.dirname, 'programs')
const register = join(import.meta.dirname, '../../src/kafkajs/register.ts')
const timeoutMs = 120_000

const { values, positionals } = parseArgs({
  options: { bootstrap: { type: 'string' } },
  allowPositionals: true,
})

type Facts = ReadonlyMap<string, readonly string[]>

/** What a program says, by the name of the fact. Rejects when it fails. */
async function factsOf(program: string, bootstrap: string, flags: string[]): Promise<Facts> {
  const prefix = `d${randomBytes(4).toString('hex')}`
  const args = ['--no-warnings', ...flags, join(programs, `${program}.ts`), bootstrap, prefix]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs)
  let said = ''
  let complained = ''
  child.stdout.on('data', chunk => {
    said += chunk
  })
  child.stderr.on('data', chunk => {
    complained += chunk
  })
  const [code, signal] = await new Promise<[number | null, string | null]>(resolve =>
    child.on('close', (...how) => resolve(how)),
  )
  clearTimeout(timer)
  if (code !== 0) {
    throw new Error(`${program} ended with ${code ?? signal}\n${said.slice(-2_000)}\n${complained}`)
  }
  const lines = said.split('\n').filter(line => line !== '')
  const facts = lines.map(line => JSON.parse(line) as { fact: string; value?: unknown })
  const byName = Map.groupBy(facts, ({ fact }) => fact)
  return new Map(
    [...byName].map(([name, all]) => [name, all.map(({ value }) => JSON.stringify(value) ?? '')]),
  )
}

/** Compares both; answers how many facts are the same, and what is wrong. */
function compare(program: string, theirs: Facts, ours: Facts) {
  const wrong: string[] = []
  let same = 0
  let known = 0
  for (const fact of new Set([...theirs.keys(), ...ours.keys()])) {
    const [their, our] = [theirs.get(fact)?.join('\n'), ours.get(fact)?.join('\n')]
    const isKnown = knownDifferences[program]?.[fact] !== undefined
    if (their === our) same++
    else if (isKnown) known++
    if (isKnown && their === our) wrong.push(`${program}, ${fact}: no difference any more`)
    if (their !== our && !isKnown) {
      wrong.push(`${program}, ${fact}:\n  kafkajs  ${their}\n  ottla    ${our}`)
    }
  }
  return { same, known, wrong }
}

const broker = values.bootstrap ? undefined : await Broker.start({ storage: 'memory' })
const bootstrap = values.bootstrap ?? broker!.bootstrap
const all = readdirSync(programs).map(name => name.replace(/\.ts$/, ''))
const chosen = positionals.length > 0 ? positionals : all.filter(name => name !== 'program')
let failed = 0
let passed = 0
for (const program of chosen) {
  try {
    const [theirs, ours] = await Promise.all([
      factsOf(program, bootstrap, []),
      factsOf(program, bootstrap, ['--import', register]),
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
await broker?.close()
console.log(`${passed} passed, ${failed} failed`)
process.exitCode = failed === 0 ? 0 : 1
