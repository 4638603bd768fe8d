/**
 * A broker in a process of its own, as a person would start it: for tests that speak to it over
 * TCP, kill it, and look at its memory and its log.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort, isTaken } from '../src/cli/cluster-etcd.ts'

const root = join(import.meta.dirname, '..')
const startDeadlineMs = 30_000
const stopDeadlineMs = 30_000

/** How to start a broker: `settings` are Kafka's keys; `directory` is kept when it is given. */
export interface LiveBrokerOptions {
  readonly settings?: Readonly<Record<string, string>>
  readonly directory?: string
  /** Options of Node itself, such as `--max-old-space-size=64`. */
  readonly nodeOptions?: readonly string[]
}

/** Runs `src/bin.js start` on a free port of 127.0.0.1 with a data directory of its own. */
export class LiveBroker {
  readonly bootstrap: string
  readonly port: number
  readonly directory: string
  /** What the broker prints, over all its runs, goes here. */
  readonly logFile: string
  readonly #options: LiveBrokerOptions
  #child: ChildProcess | undefined
  #ending = false
  /** Why the process is gone although nobody here ended it. */
  died: string | undefined

  private constructor(port: number, options: LiveBrokerOptions) {
    this.port = port
    this.bootstrap = `127.0.0.1:${port}`
    this.directory = options.directory ?? mkdtempSync(join(tmpdir(), 'ottla-live-'))
    this.logFile = join(this.directory, 'broker.out')
    this.#options = options
    process.on('exit', this.#killNow)
  }

  /** Resolves when it accepts connections; throws, with the end of its log, when it does not. */
  static async start(options: LiveBrokerOptions = {}): Promise<LiveBroker> {
    const broker = new LiveBroker(await freePort(), options)
    await broker.restart()
    return broker
  }

  /** Starts it again where it was; answers the milliseconds from spawn to the first accept. */
  async restart(): Promise<number> {
    const startedAt = performance.now()
    this.#spawn()
    while (!(await isTaken(this.port))) {
      if (this.died !== undefined) throw new Error(`${this.died}\n${this.logTail()}`)
      if (performance.now() - startedAt > startDeadlineMs) {
        throw new Error(`the broker does not accept on ${this.bootstrap}\n${this.logTail()}`)
      }
      await delay(5)
    }
    return performance.now() - startedAt
  }

  /** Starts it again, and kills it so many milliseconds later, whatever it is doing then. */
  async startAndKill(afterMs: number): Promise<void> {
    this.#spawn()
    await delay(afterMs)
    if (this.died !== undefined) throw new Error(`${this.died}\n${this.logTail()}`)
    await this.kill()
  }

  #spawn(): void {
    const settings = {
      listeners: `PLAINTEXT://${this.bootstrap}`,
      'log.dirs': join(this.directory, 'data'),
      ...this.#options.settings,
    }
    const out = openSync(this.logFile, 'a')
    const child = spawn(
      process.execPath,
      [
        ...(this.#options.nodeOptions ?? []),
        join(root, 'src/bin.js'),
        'start',
        ...Object.entries(settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]),
      ],
      { stdio: ['ignore', out, out] },
    )
    closeSync(out)
    this.#child = child
    this.#ending = false
    child.once('exit', (code, signal) => {
      if (!this.#ending) this.died = `the broker ended by itself: ${signal ?? code}`
    })
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error('the broker is not running')
    return pid
  }

  /** Resident memory in bytes, from /proc. */
  rssBytes(): number {
    const kib = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${this.pid}/status`, 'utf8'))?.[1]
    return Number(kib) * 1024
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGTERM: the graceful end. Throws when it takes too long or the exit code is not 0. */
  async stop(): Promise<void> {
    const ended = await Promise.race([
      this.#end('SIGTERM'),
      delay(stopDeadlineMs, undefined, { ref: false }),
    ])
    if (ended === undefined) {
      this.#killNow()
      throw new Error(`the broker did not stop within ${stopDeadlineMs} ms\n${this.logTail()}`)
    }
    if (ended !== 0) throw new Error(`the broker stopped with ${ended}\n${this.logTail()}`)
  }

  /** Kills it if it still runs and removes its files, unless the directory was given. */
  async remove(): Promise<void> {
    await this.kill()
    process.off('exit', this.#killNow)
    if (this.#options.directory === undefined) {
      rmSync(this.directory, { recursive: true, force: true })
    }
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8')
  }

  logTail(lines = 25): string {
    return this.log().trimEnd().split('\n').slice(-lines).join('\n')
  }

  /** Lines of its log that tell of an exception nobody foresaw, each kind once. */
  surprises(): string[] {
    const lines = this.log()
      .split('\n')
      .filter(line => /unexpected|unhandled|uncaught|AssertionError|out of memory/i.test(line))
    const kind = (line: string) => line.replace(/^\S+/, '').replaceAll(/\d+/g, '#').slice(0, 400)
    return [...new Map(lines.map(line => [kind(line), line])).values()]
  }

  async #end(signal: NodeJS.Signals): Promise<number | NodeJS.Signals | undefined> {
    const child = this.#child
    this.#ending = true
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return 0
    const exit = once(child, 'exit')
    child.kill(signal)
    const [code, by] = await exit
    return code ?? by
  }

  readonly #killNow = (): void => {
    this.#child?.kill('SIGKILL')
  }
}
