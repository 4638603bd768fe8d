/** What the prober tells: who leads, who is in sync, and how long partitions were not writable. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Place } from './net.ts'

/** A cluster, as its brokers tell of it. */
export interface View {
  /** −1: none is known. */
  readonly controllerId: number
  /** Addresses of the brokers that answered within the last second. */
  readonly answering: readonly string[]
  readonly partitions: readonly PartitionView[]
}

export interface PartitionView {
  readonly topic: string
  readonly partition: number
  /** −1: none. */
  readonly leader: number
  readonly epoch: number
  readonly isr: readonly number[]
}

export interface Outage {
  readonly ms: number
  /** −1: there was none. */
  readonly partition: number
  /** When it took writes again, ms of the wall clock. */
  readonly endedAt: number
}

/** The pause between two writes of the prober: no part of an outage. */
const pauseMs = 50

export class Observer {
  readonly #child: ChildProcess
  view: View = { controllerId: -1, answering: [], partitions: [] }
  /** By partition: when the last acknowledged write was sent, and when it was acknowledged. */
  readonly #sentAt: number[]
  readonly #ackedAt: number[]
  #outage: Outage = { ms: 0, partition: -1, endedAt: 0 }
  readonly partitions: number

  constructor(
    place: Place,
    bootstrap: string,
    topic: string,
    partitions: number,
    watched: readonly string[],
  ) {
    this.partitions = partitions
    this.#sentAt = Array.from({ length: partitions }, () => 0)
    this.#ackedAt = Array.from({ length: partitions }, () => 0)
    const program = join(import.meta.dirname, 'prober.ts')
    const [command = '', ...words] = [
      ...place.within,
      ...[process.execPath, program, bootstrap, topic, String(partitions), ...watched],
    ]
    const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'inherit'] })
    this.#child = child
    createInterface(child.stdout).on('line', line => this.#hear(line))
    process.on('exit', () => child.kill('SIGKILL'))
  }

  get pid(): number {
    return this.#child.pid!
  }

  close(): void {
    this.#child.kill('SIGKILL')
  }

  /** Forgets the waits so far. */
  begin(): void {
    this.#outage = { ms: 0, partition: -1, endedAt: 0 }
  }

  /** The longest time since `begin` in which a partition was not writable. */
  get outage(): Outage {
    return this.#outage
  }

  /** Whether each partition has acknowledged a write that was sent after `at`, ms of the wall clock. */
  isWritableSince(at: number): boolean {
    return this.#sentAt.every(sentAt => sentAt > at)
  }

  /** Partitions that have not acknowledged a write sent after `at`. */
  notWritableSince(at: number): number[] {
    return [...this.#sentAt.keys()].filter(partition => this.#sentAt[partition]! <= at)
  }

  /** Whether each partition has a leader and that many replicas in sync. */
  isInSync(replicas: number): boolean {
    const { partitions } = this.view
    return (
      partitions.length > 0 &&
      partitions.every(({ leader, isr }) => leader >= 0 && isr.length >= replicas)
    )
  }

  #hear(line: string): void {
    if (!line.startsWith('ack ')) {
      this.view = JSON.parse(line) as View
      return
    }
    const [partition = 0, sentAt = 0, ackedAt = 0] = line.split(' ').slice(1).map(Number)
    const before = this.#ackedAt[partition]!
    if (before > 0) {
      const ms = Math.max(0, ackedAt - before - pauseMs)
      if (ms > this.#outage.ms) this.#outage = { ms, partition, endedAt: ackedAt }
    }
    this.#sentAt[partition] = sentAt
    this.#ackedAt[partition] = ackedAt
  }
}
