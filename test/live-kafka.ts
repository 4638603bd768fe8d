/** Apache Kafka in a process of its own, as ../shared/bench starts it (BENCH names another place). */
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort, isTaken } from '../src/cli/cluster-etcd.ts'

const startDeadlineMs = 600_000

const bench = process.env['BENCH'] ?? join(import.meta.dirname, '../../shared/bench')

export class LiveKafka {
  readonly bootstrap: string
  readonly #port: string
  #pid: number

  private constructor(port: string, started: string) {
    this.#port = port
    this.#pid = pidOf(started)
    this.bootstrap = `127.0.0.1:${port}`
  }

  /** One fresh broker. Throws when it does not start, or is not set up (see bench's kafka-setup). */
  static async start(): Promise<LiveKafka> {
    const port = String(await freePort())
    return new LiveKafka(port, start([port]))
  }

  /** `kill -9`; resolves when the process is gone. */
  async kill(): Promise<void> {
    process.kill(this.#pid, 'SIGKILL')
    while (isRunning(this.#pid) || (await isTaken(Number(this.#port)))) await delay(5)
  }

  /** Starts it again on its data; answers the milliseconds until it accepts connections. */
  async restart(): Promise<number> {
    const startedAt = performance.now()
    this.#pid = pidOf(start([this.#port, '--keep', '--no-wait']))
    while (!(await isTaken(Number(this.#port)))) {
      const isLate = performance.now() - startedAt > startDeadlineMs
      if (isLate || !isRunning(this.#pid)) throw new Error('Apache Kafka does not start again')
      await delay(5)
    }
    return performance.now() - startedAt
  }

  /** Stops it and removes its files. */
  async remove(): Promise<void> {
    execFileSync(join(bench, 'kafka-stop'), [this.#port, '--purge'], { stdio: 'ignore' })
  }
}

/** Answers what kafka-start prints: `node 1 pid 4711 …`. */
function start(options: readonly string[]): string {
  return execFileSync(join(bench, 'kafka-start'), ['1', ...options], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}

function pidOf(started: string): number {
  const pid = Number(/pid (\d+)/.exec(started)?.[1])
  if (!Number.isInteger(pid)) throw new Error(`kafka-start says no pid: ${started}`)
  return pid
}

/** A zombie that nobody has waited for does not count. */
function isRunning(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
