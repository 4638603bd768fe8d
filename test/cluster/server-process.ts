/** A server in a process of its own, in a place of the net: started, killed, paused, started again. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import type { Net, Place } from './net.ts'

const stopDeadlineMs = 60_000

export class ServerProcess {
  readonly name: string
  readonly place: Place
  readonly logFile: string
  readonly #net: Net
  /** Changes when a broker is upgraded. */
  command: readonly string[]
  readonly #environment: Readonly<Record<string, string>>
  #child: ChildProcess | undefined
  #isEnding = false
  /** How it ended although nobody here asked for that. */
  died: string | undefined

  constructor(
    net: Net,
    place: Place,
    name: string,
    command: readonly string[],
    logFile: string,
    environment: Readonly<Record<string, string>> = {},
  ) {
    this.#net = net
    this.place = place
    this.name = name
    this.command = command
    this.logFile = logFile
    this.#environment = environment
    process.on('exit', () => this.#child?.kill('SIGKILL'))
  }

  spawn(): void {
    const out = openSync(this.logFile, 'a')
    const [command = '', ...words] = [...this.place.within, ...this.command]
    const child = spawn(command, words, {
      stdio: ['ignore', out, out],
      env: { ...process.env, ...this.#environment },
    })
    closeSync(out)
    this.#child = child
    this.#isEnding = false
    this.died = undefined
    if (child.pid !== undefined) this.#net.claim(this.place, child.pid)
    child.once('error', error => (this.died = `${this.name}: ${error.message}`))
    child.once('exit', (code, signal) => {
      if (!this.#isEnding) this.died = `${this.name} ended by itself: ${signal ?? code}`
    })
  }

  get isRunning(): boolean {
    const child = this.#child
    return child?.pid !== undefined && child.exitCode === null && child.signalCode === null
  }

  get pid(): number | undefined {
    return this.#child?.pid
  }

  /** `kill -9`; resolves when the process is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  /** SIGTERM. Throws when it does not end in time; answers the milliseconds it took. */
  async stop(): Promise<number> {
    const startedAt = performance.now()
    const ended = this.#end('SIGTERM').then(() => true)
    if ((await Promise.race([ended, delay(stopDeadlineMs, false, { ref: false })])) === false) {
      await this.kill()
      throw new Error(`${this.name} did not stop within ${stopDeadlineMs} ms`)
    }
    return performance.now() - startedAt
  }

  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#isEnding = true
    if (child === undefined || !this.isRunning) return
    const exit = once(child, 'exit')
    child.kill(signal)
    child.kill('SIGCONT')
    await exit
  }
}
