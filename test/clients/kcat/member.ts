/** A member of a group: `kcat -G`, which reads until it is ended, and commits when it is. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'

const deadlineMs = 20_000

/** A line of `kcat -J`. */
export interface KcatMessage {
  topic: string
  partition: number
  offset: number
  ts: number
  key: string | null
  payload: string
  headers?: string[]
}

export class KcatMember {
  readonly read: KcatMessage[] = []
  /** The partitions it holds, in order. */
  holds: number[] = []
  readonly #child: ChildProcess

  /** Joins the group of the topic's name. `options` are for kcat. */
  constructor(bootstrap: string, topic: string, ...options: string[]) {
    const settings = {
      'auto.offset.reset': 'earliest',
      'session.timeout.ms': '6000',
      'heartbeat.interval.ms': '200',
      'fetch.wait.max.ms': '50',
      'partition.assignment.strategy': 'range',
    }
    const all = Object.entries(settings).flatMap(([key, value]) => ['-X', `${key}=${value}`])
    const args = ['-b', bootstrap, '-u', '-J', ...all, ...options, '-G', topic, topic]
    const child = spawn('kcat', args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    createInterface(child.stdout).on('line', line => this.read.push(JSON.parse(line)))
    createInterface(child.stderr).on('line', line => {
      const [, how, which = ''] = /rebalanced .*: (assigned|revoked): (.*)$/.exec(line) ?? []
      if (how === 'revoked') this.holds = []
      if (how === 'assigned') {
        this.holds = [...which.matchAll(/\[(\d+)\]/g)].map(match => Number(match[1])).sort()
      }
    })
  }

  /** Resolves when it ends by itself: with `-e` at the end of all its partitions. */
  async ended(): Promise<void> {
    const late = delay(deadlineMs, 'late', { ref: false })
    const { exitCode } = this.#child
    if (exitCode === null && (await Promise.race([once(this.#child, 'close'), late])) === 'late') {
      this.#child.kill('SIGKILL')
      throw new Error(`kcat -G does not end, it read ${this.read.length} messages`)
    }
  }

  /** Leaves the group. */
  async close(): Promise<void> {
    this.#child.kill('SIGTERM')
    await this.ended()
  }
}

/** Waits until something is so; `instead` says what is there when it does not come. */
export async function until(what: () => boolean, instead: () => unknown): Promise<void> {
  const deadline = performance.now() + deadlineMs
  while (!what()) {
    if (performance.now() > deadline) throw new Error(`not so: ${JSON.stringify(instead())}`)
    await delay(10)
  }
}
