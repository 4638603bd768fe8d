/**
 * A process of a local cluster: its lines come out behind its name, and it ends when its standard
 * input does. So none is left over, however this process ends: the pipe closes with it.
 */
import { type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { styled } from './output.ts'

const bin = fileURLToPath(new URL('../bin.js', import.meta.url))

/** One process that runs this command. */
export class ClusterProcess {
  readonly name: string
  readonly parameters: readonly string[]
  /** Resolves when it is gone, to the signal or the exit code. */
  readonly ended: Promise<string>
  readonly #child: ChildProcessByStdio<Writable, Readable, Readable>
  readonly #said: string[] = []
  #onLine = () => {}
  #isOver = false

  /** `name` is shown in front of what it writes to standard error; `shown` makes a line of it. */
  constructor(
    name: string,
    parameters: readonly string[],
    shown: (line: string) => string = line => line,
  ) {
    this.name = name
    this.parameters = parameters
    this.#child = spawn(process.execPath, [bin, ...parameters], {
      stdio: ['pipe', 'pipe', 'pipe'],
      // A Ctrl-C in the terminal is for this process alone: it stops them in order.
      detached: process.platform !== 'win32',
      windowsHide: true,
      env: { ...process.env, FORCE_COLOR: process.stderr.isTTY ? '1' : '0' },
    })
    this.#child.stdin.on('error', () => {})
    this.ended = once(this.#child, 'close').then(([code, signal]) => {
      this.#isOver = true
      this.#onLine()
      return signal ?? `exit code ${code}`
    })
    createInterface(this.#child.stderr).on('line', line => {
      process.stderr.write(`${styled('cyan', name.padEnd(9), process.stderr)} ${shown(line)}\n`)
    })
    createInterface(this.#child.stdout).on('line', line => {
      this.#said.push(line)
      this.#onLine()
    })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get isOver(): boolean {
    return this.#isOver
  }

  /** Resolves to true when it wrote this to standard output, to false when it ended without. */
  async said(pattern: RegExp): Promise<boolean> {
    while (!this.#said.some(line => pattern.test(line))) {
      if (this.#isOver) return false
      await new Promise<void>(resolve => (this.#onLine = resolve))
    }
    this.#said.length = 0
    return true
  }

  /** A line for its standard input. */
  tell(line: string): void {
    this.#child.stdin.write(`${line}\n`)
  }

  /** Asks it to end, and waits. */
  async stop(): Promise<void> {
    this.#child.stdin.end()
    await this.ended
  }

  /** Ends it at once. */
  kill(): void {
    this.#child.kill('SIGKILL')
  }
}
