/**
 * The processes that a run has started. Each leads a process group of its own, so that it ends with
 * all that it started itself, by its id, however the run ends.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'

const endGraceMs = 10_000

export interface RunOptions {
  readonly env?: Readonly<Record<string, string>>
  /** Hears each line that it prints while the program runs. */
  readonly onLine?: (line: string) => void
}

export class Children {
  readonly #running = new Set<ChildProcess>()
  /** The process groups of all that were ever started. */
  readonly groups = new Set<number>()
  /** Where they keep what is temporary; the run removes it. */
  readonly #temporary: string
  #isOver = false

  constructor(temporary: string) {
    this.#temporary = temporary
  }

  /** Runs a program to its end; answers its stdout. Throws with the end of stderr when it fails. */
  async run(file: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
    const child = this.#spawn(file, args, options.env ?? {}, ['ignore', 'pipe', 'pipe'])
    let out = ''
    let errors = ''
    let line = ''
    const hear = (text: string) => {
      const lines = (line + text).split('\n')
      line = lines.pop()!
      for (const each of lines) options.onLine?.(each)
    }
    child.stdout!.setEncoding('utf8').on('data', (text: string) => {
      out += text
      hear(text)
    })
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-4000)
      hear(text)
    })
    const [code, signal] = await once(child, 'close')
    if (this.#isOver) throw new Error('interrupted')
    if (code === 0) return out
    const said = (errors.trim() || out.trim()).split('\n').slice(-6).join('\n')
    throw new Error(
      `${[file, ...args].join(' ').slice(0, 200)} ended with ${signal ?? code}:\n${said}`,
    )
  }

  /** Starts a program that goes on; what it prints goes to `logFile`. */
  start(file: string, args: readonly string[], logFile: string): ChildProcess {
    const log = openSync(logFile, 'a')
    return this.#spawn(file, args, {}, ['ignore', log, log])
  }

  /** SIGTERM, and SIGKILL for what is not gone after ten seconds. */
  async end(child: ChildProcess): Promise<void> {
    if (!isRunning(child)) return
    const exit = once(child, 'exit')
    signal(child, 'SIGTERM')
    await Promise.race([exit, delay(endGraceMs, undefined, { ref: false })])
    if (isRunning(child)) signal(child, 'SIGKILL')
    await exit
  }

  /** Ends all, and lets no other start. */
  async endAll(): Promise<void> {
    this.#isOver = true
    await Promise.all([...this.#running].map(child => this.end(child)))
  }

  #spawn(
    file: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    stdio: ('ignore' | 'pipe' | number)[],
  ): ChildProcess {
    if (this.#isOver) throw new Error('the benchmark is ending')
    const child = spawn(file, args, {
      stdio,
      detached: true,
      env: { ...process.env, TMPDIR: this.#temporary, ...env },
    })
    this.#running.add(child)
    if (child.pid !== undefined) this.groups.add(child.pid)
    child.once('exit', () => this.#running.delete(child))
    return child
  }
}

function isRunning(child: ChildProcess): boolean {
  return child.pid !== undefined && child.exitCode === null && child.signalCode === null
}

function signal(child: ChildProcess, name: NodeJS.Signals): void {
  try {
    process.kill(-child.pid!, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
