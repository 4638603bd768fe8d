/**
 * A consumer in a process of its own, and what it says: one JSON line at its first line of code
 * (`firstLineMs`, and `originMs`, when the process began), then one for each message it handles. With
 * `node --watch` one program has several runs, each with a pid.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

export const clients = ['kafkajs', 'platformatic', 'librdkafka'] as const
export type Client = (typeof clients)[number]

/** All times are those of `Date.now()`. */
export interface Handled {
  readonly partition: number
  /** The timestamp of the message. */
  readonly sentMs: number
  readonly handledMs: number
}

/** One process, from its start to its end. */
export interface Run {
  readonly pid: number
  readonly originMs: number
  readonly firstLineMs: number
  readonly handled: Handled[]
}

export interface ProgramOptions {
  readonly bootstrap: string
  readonly topic: string
  readonly group: string
  /** `watch`: by `node --watch`; `clean`: SIGTERM makes it leave its group first. */
  readonly how: 'plain' | 'watch' | 'clean'
}

/** None of them outlives this process. */
const programs = new Set<Program>()
process.on('exit', () => {
  for (const program of programs) program.kill()
})

const stderrChars = 2000
const pollMs = 1

export class Program {
  readonly client: Client
  /** Youngest last. */
  readonly runs: Run[] = []
  readonly #options: ProgramOptions
  readonly #directory: string
  readonly #file: string
  #child: ChildProcess | undefined
  #stderr = ''

  constructor(client: Client, options: ProgramOptions) {
    this.client = client
    this.#options = options
    // A copy, for it is touched.
    this.#directory = mkdtempSync(join(tmpdir(), 'ottla-restart-'))
    this.#file = join(this.#directory, 'consumer.mjs')
    this.#write()
    symlinkSync(join(import.meta.dirname, 'node_modules'), join(this.#directory, 'node_modules'))
    programs.add(this)
  }

  start(): void {
    const { bootstrap, topic, group, how } = this.#options
    const watch = how === 'watch' ? ['--watch', '--watch-preserve-output'] : []
    const child = spawn(process.execPath, [...watch, this.#file, bootstrap, topic, group], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, STOP: how },
    })
    this.#child = child
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrChars)
    })
    createInterface(child.stdout).on('line', line => this.#hear(line))
  }

  /** Saves the file, as an editor does; resolves when the process that ran is gone, with the time. */
  async touch(): Promise<number> {
    const { pid } = this.runs.at(-1)!
    this.#write()
    while (isAlive(pid)) await delay(pollMs)
    return Date.now()
  }

  /** Resolves when the process is gone, with the time. */
  async end(signal: NodeJS.Signals): Promise<number> {
    const child = this.#child
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) {
      throw new Error(this.#told('it is not running'))
    }
    const exit = once(child, 'exit')
    child.kill(signal)
    await exit
    return Date.now()
  }

  /** The first that `found` finds, looked for again and again until `forMs` have passed. */
  async until<Found>(what: string, forMs: number, found: () => Found | undefined): Promise<Found> {
    const latestMs = Date.now() + forMs
    for (;;) {
      const it = found()
      if (it !== undefined) return it
      if (Date.now() > latestMs) throw new Error(this.#told(`no ${what} after ${forMs} ms`))
      await delay(20)
    }
  }

  /** Kills what runs, and removes its files. */
  remove(): void {
    this.kill()
    programs.delete(this)
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #write(): void {
    copyFileSync(join(import.meta.dirname, `${this.client}.mjs`), this.#file)
  }

  #hear(line: string): void {
    if (!line.startsWith('{')) return // of `node --watch`
    const said: Run | (Handled & { readonly pid: number }) = JSON.parse(line)
    if ('originMs' in said) this.runs.push({ ...said, handled: [] })
    else this.runs.find(({ pid }) => pid === said.pid)?.handled.push(said)
  }

  #told(what: string): string {
    return `${this.client}, ${this.#options.how}: ${what}\n${this.#stderr}`
  }

  kill(): void {
    this.#child?.kill('SIGKILL')
    const last = this.runs.at(-1)
    if (this.#options.how === 'watch' && last !== undefined && isAlive(last.pid)) {
      process.kill(last.pid, 'SIGKILL')
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}
