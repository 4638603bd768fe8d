/** Runs what belongs to a client, its `setup` and its program, and reads their lines: README.md. */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { capabilities } from './capabilities.ts'
import type { Client } from './clients.ts'

const setupDeadlineMs = 900_000
const phaseDeadlineMs = 180_000
const stderrChars = 4000

/** What one line said. `why`: how it FAILED, or why it is absent. */
export interface Fact {
  readonly what: string
  readonly how: 'ok' | 'absent' | 'FAILED'
  readonly why: string
}

/** What a program said in one phase. */
export interface Said {
  readonly version: string | undefined
  readonly runtime: string | undefined
  readonly facts: readonly Fact[]
}

interface Ended {
  /** Why it did not end well: empty when it did. */
  readonly trouble: string
  readonly stderr: string
}

/** Runs a command to its end; each line of its stdout goes to `onLine` as it comes. */
async function run(
  command: readonly string[],
  deadlineMs: number,
  onLine: (line: string) => void,
): Promise<Ended> {
  const [file = '', ...args] = command
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
  const killAll = () => {
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL') // with what it started
    } catch {
      // it is gone already
    }
  }
  process.once('exit', killAll)
  let late = false
  const timer = setTimeout(() => {
    late = true
    killAll()
  }, deadlineMs)
  let stderr = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-stderrChars)
  })
  createInterface(child.stdout).on('line', onLine)
  const trouble = await new Promise<string>(resolve => {
    child.once('error', error => resolve(error.message))
    child.once('close', (code, signal) => {
      if (late) resolve(`not done within ${deadlineMs / 1000} s`)
      else resolve(code === 0 ? '' : `ended with ${signal ?? `exit code ${code}`}`)
    })
  })
  clearTimeout(timer)
  killAll()
  process.off('exit', killAll)
  return { trouble, stderr: stderr.trim() }
}

/** Sets a client up; answers the command of its program. Throws with what its `setup` said. */
export async function setUp(client: Client): Promise<string[]> {
  const command: string[] = []
  const [setup, ...args] = client.setup ?? [`${client.name}/setup`]
  const words = [join(import.meta.dirname, setup), ...args]
  const { trouble, stderr } = await run(words, setupDeadlineMs, line => command.push(line))
  if (trouble !== '') throw new Error(`${trouble}: ${stderr}`)
  if (command.length === 0) throw new Error('its setup printed no command')
  return command
}

/** Runs one phase of a client; whatever its lines do not explain is a fact that FAILED. */
export async function runPhase(
  command: readonly string[],
  args: readonly string[],
  phase: 'work' | 'again',
  onFact: (fact: Fact) => void,
): Promise<Said> {
  let version: string | undefined
  let runtime: string | undefined
  const facts: Fact[] = []
  const add = (what: string, how: Fact['how'], why: string) => {
    const fact = { what, how, why }
    facts.push(fact)
    onFact(fact)
  }
  const ended = await run([...command, ...args, phase], phaseDeadlineMs, line => {
    const [, word, rest = ''] = /^(version|runtime|ok|absent|FAILED) (.*)$/.exec(line) ?? []
    if (word === 'version') version = rest
    else if (word === 'runtime') runtime = rest
    else if (word === 'ok') add(rest, word, '')
    else if (word === 'absent' || word === 'FAILED') {
      const colon = rest.indexOf(': ')
      if (colon < 0) add(rest, word, '')
      else add(rest.slice(0, colon), word, rest.slice(colon + 2))
    }
  })
  if (
    ended.trouble !== '' &&
    (facts.every(f => f.how !== 'FAILED') || /done/.test(ended.trouble))
  ) {
    add(`phase ${phase}`, 'FAILED', `${ended.trouble} ${ended.stderr}`)
  }
  if (version === undefined) add('version', 'FAILED', 'it did not say its version')
  for (const capability of capabilities) {
    const silent = facts.every(fact => fact.what !== capability.name)
    if (capability.required && capability.phase === phase && silent) {
      add(capability.name, 'FAILED', 'it says nothing of this')
    }
  }
  return { version, runtime, facts }
}
