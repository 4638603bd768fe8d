/** A broker in a process of its own that says what it takes of memory, files, timers and the CPU. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Usage {
  /** Used after a collection: V8's heap, and what its objects hold outside of it. */
  readonly heapBytes: number
  readonly rssBytes: number
  readonly openFiles: number
  readonly timers: number
  /** Since the process began, what measuring takes not counted. */
  readonly cpuMs: number
}

export class MeasuredBroker {
  readonly directory: string
  readonly #nodeOptions: readonly string[]
  #child: ChildProcess | undefined
  bootstrap = ''

  /** Its data lies in a new folder of `parent`. */
  constructor(nodeOptions: readonly string[] = [], parent = tmpdir()) {
    this.directory = mkdtempSync(join(parent, 'ottla-measured-'))
    this.#nodeOptions = nodeOptions
  }

  /** Answers the milliseconds from the start of the process until the broker serves. */
  async start(): Promise<number> {
    const startedAt = performance.now()
    const child = fork(join(import.meta.dirname, 'measured-broker-process.ts'), [this.directory], {
      execArgv: ['--expose-gc', ...this.#nodeOptions],
    })
    this.#child = child
    this.bootstrap = (await this.#told()) as string
    return performance.now() - startedAt
  }

  async usage(): Promise<Usage> {
    this.#running.send('usage')
    return (await this.#told()) as Usage
  }

  /** In order. */
  async stop(): Promise<void> {
    const ended = once(this.#running, 'exit')
    this.#running.send('stop')
    await ended
  }

  /** `kill -9`. */
  async kill(): Promise<void> {
    const ended = once(this.#running, 'exit')
    this.#running.kill('SIGKILL')
    await ended
  }

  remove(): void {
    this.#child?.kill('SIGKILL')
    rmSync(this.directory, { recursive: true, force: true })
  }

  get #running(): ChildProcess {
    if (this.#child === undefined) throw new Error('the broker is not running')
    return this.#child
  }

  async #told(): Promise<unknown> {
    const child = this.#running
    return new Promise((resolve, reject) => {
      const onExit = () => reject(new Error('the broker ended'))
      child.once('exit', onExit)
      child.once('message', message => {
        child.off('exit', onExit)
        resolve(message)
      })
    })
  }
}
