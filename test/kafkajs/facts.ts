/** What a program says of itself, a line of JSON for each fact, and how two programs differ. */
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { knownDifferences } from './known-differences.ts'

const timeoutMs = 120_000

/** Node's option with which a program gets ottla/kafkajs for kafkajs. */
export const registered: readonly string[] = [
  '--import',
  join(import.meta.dirname, '../../src/kafkajs/register.ts'),
]

export type Facts = ReadonlyMap<string, readonly string[]>

/** What a program says, by the name of the fact. Rejects when it fails. */
export async function factsOf(
  file: string,
  bootstrap: string,
  flags: readonly string[],
): Promise<Facts> {
  const prefix = `d${randomBytes(4).toString('hex')}`
  const args = ['--no-warnings', ...flags, file, bootstrap, prefix]
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
    const who = flags.length > 0 ? 'with ottla/kafkajs' : 'with kafkajs'
    throw new Error(`${who} it ended with ${code ?? signal}\n${said.slice(-2_000)}\n${complained}`)
  }
  const lines = said.split('\n').filter(line => line !== '')
  const facts = lines.map(line => JSON.parse(line) as { fact: string; value?: unknown })
  const byName = Map.groupBy(facts, ({ fact }) => fact)
  return new Map(
    [...byName].map(([name, all]) => [name, all.map(({ value }) => JSON.stringify(value) ?? '')]),
  )
}

/** Compares both; answers how many facts are the same, and what is wrong. */
export function compare(program: string, theirs: Facts, ours: Facts) {
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
