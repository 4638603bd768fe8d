/** A running program of members, in one of the clients. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { MemberEvent } from './events.ts'

export const clients = ['java', 'kafkajs', 'librdkafka', 'ottla'] as const
export type Client = (typeof clients)[number]

/** The folder of a client below test/clients, and the last word of its command for members. */
const programs = {
  java: { folder: 'java', program: () => 'GroupMembers' },
  kafkajs: { folder: 'kafkajs', program: (main: string) => main.replace('main.ts', 'members.ts') },
  librdkafka: {
    folder: 'python',
    program: (main: string) => main.replace('main.py', 'members.py'),
  },
}
const stderrChars = 2000

/** Sets a client up and answers the command of its program of members. */
export function commandOf(client: Client): string[] {
  if (client === 'ottla') return [process.execPath, join(import.meta.dirname, 'members.ts')]
  const { folder, program } = programs[client]
  const setup = join(import.meta.dirname, '../clients', folder, 'setup')
  const out = execFileSync(setup, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const words = out.trim().split('\n')
  const [main = ''] = words.splice(-1)
  return [...words.map(word => (word === 'node' ? process.execPath : word)), program(main)]
}

export class Program {
  readonly client: Client
  readonly #child: ChildProcess
  #ending = false
  #stderr = ''
  /** Resolves when it has ended and everything that it said was heard. */
  readonly ended: Promise<void>

  /** `onTrouble`: it ended by itself, or said what nobody understands. */
  constructor(
    client: Client,
    command: readonly string[],
    onEvent: (event: MemberEvent) => void,
    onTrouble: (what: string) => void,
    environment: Readonly<Record<string, string>> = {},
  ) {
    this.client = client
    const [file = '', ...args] = command
    const child = spawn(file, args, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, ...environment },
    })
    this.#child = child
    child.stdin.on('error', () => {}) // it may be killed while it is written to
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrChars)
    })
    createInterface(child.stdout).on('line', line => {
      const event = parsed(line)
      // The last line of a program that is killed may be cut off.
      if (event !== undefined) onEvent(event)
      else if (!this.#ending) onTrouble(`${client} says ${line.slice(0, 200)}`)
    })
    this.ended = new Promise(resolve => {
      child.once('error', error => onTrouble(`${file}: ${error.message}`))
      child.once('close', (code, signal) => {
        if (!this.#ending || (signal === null && code !== 0)) {
          onTrouble(`${client} ended with ${signal ?? code}: ${this.#stderr}`)
        }
        resolve()
      })
    })
  }

  start(member: string, group: string): void {
    this.#child.stdin?.write(`start ${member} ${group}\n`)
  }

  leave(member: string): void {
    this.#child.stdin?.write(`leave ${member}\n`)
  }

  /** No members come any more: it ends when those it has have left. */
  finish(): void {
    this.#ending = true
    this.#child.stdin?.end()
  }

  /** `kill -9`. */
  kill(): void {
    this.#ending = true
    this.#child.kill('SIGKILL')
  }

  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }
}

function parsed(line: string): MemberEvent | undefined {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
