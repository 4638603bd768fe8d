/** The processes of the demo: starts, kills, and ends them all. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { getPriority, setPriority } from 'node:os'
import { join } from 'node:path'

const example = join(import.meta.dirname, '..')
const leash = new URL('leash.ts', import.meta.url).href
const readyWithinMs = 60_000

export interface Command {
  readonly name: string
  /** Relative to the example's folder. */
  readonly file: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** Whether nobody waits for it: then the processor is there for the others first. */
  readonly background?: boolean
  /** What it prints once it works. */
  readonly ready: RegExp
}

export interface Running {
  readonly child: ChildProcess
  /** What `ready` matched. */
  readonly match: RegExpExecArray
}

export class Processes {
  #running = new Map<ChildProcess, Promise<unknown>>()
  #expected = new WeakSet<ChildProcess>()
  #fail: (error: Error) => void = () => {}

  /** Rejects when a process ends that nobody ended. */
  readonly failed = new Promise<never>((_, reject) => {
    this.#fail = reject
  })

  constructor() {
    this.failed.catch(() => {}) // whoever awaits it hears of it
  }

  /** Starts a process and waits until it says that it works. */
  async start(command: Command): Promise<Running> {
    const { name, file, args = [], env = {}, background = false, ready } = command
    const child = spawn(process.execPath, [`--import=${leash}`, join(example, file), ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, FORCE_COLOR: '0', ...env },
    })
    let output = ''
    const isReady = new Promise<RegExpExecArray>(resolve => {
      const listen = (text: string) => {
        output = (output + text).slice(-4000)
        const match = ready.exec(output)
        if (match !== null) resolve(match)
      }
      child.stdout?.setEncoding('utf8').on('data', listen)
      child.stderr?.setEncoding('utf8').on('data', listen)
    })
    const exit = once(child, 'exit').then(([code, signal]) => {
      this.#running.delete(child)
      if (this.#expected.has(child) || code === 0) return
      this.#fail(new Error(`${name} ended (${signal ?? `exit code ${code}`}):\n${output}`))
    })
    this.#running.set(child, exit)

    const timer = setTimeout(() => {
      this.#fail(new Error(`${name} was not ready after ${readyWithinMs / 1000} s:\n${output}`))
    }, readyWithinMs)
    try {
      const match = await Promise.race([isReady, this.failed])
      if (background && child.pid !== undefined) {
        setPriority(child.pid, Math.min(19, getPriority() + 5))
      }
      return { child, match }
    } finally {
      clearTimeout(timer)
    }
  }

  /** `kill -9`: the process has no say in it. */
  async kill({ child }: Running): Promise<void> {
    const exit = this.#running.get(child)
    this.#expected.add(child)
    child.kill('SIGKILL')
    await exit
  }

  async killAll(): Promise<void> {
    const all = [...this.#running.keys()]
    await Promise.all(all.map(child => this.kill({ child } as Running)))
  }
}
