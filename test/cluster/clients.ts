/**
 * Producers and readers of numbered messages, each a program in a place of the net. A producer is
 * idempotent, sends with acks=all at a fixed rate to all partitions in turn, and has the patience for
 * whatever happens; a reader reads every partition from its start, all the time.
 *
 * They print `ack PARTITION NUMBER OFFSET`, `shown PARTITION OFFSET VALUE`, `failed PARTITION NUMBER WHY`,
 * and at the end of their input, when everything is settled, `end SENT LEFT`.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { Ledger } from './ledger.ts'
import type { Net, Place } from './net.ts'

export type ClientName = 'java' | 'librdkafka' | 'ottla'
export type Role = 'feed' | 'read'

const stderrChars = 2000

export interface ClientTask {
  readonly role: Role
  readonly bootstrap: string
  readonly topic: string
  readonly partitions: number
  /** Messages a second. */
  readonly rate: number
  /** The client's own bound for a send; without it ten minutes. */
  readonly patienceMs?: number
}

export class ClientProgram {
  readonly name: ClientName
  readonly role: Role
  readonly #child: ChildProcess
  readonly #ledger: Ledger
  #stderr = ''
  #isEnding = false
  #end: { sent: number; left: number } | undefined
  /** Sends that the client's own API reported as failed. */
  failed = 0
  readonly #closed: Promise<void>

  constructor(net: Net, place: Place, name: ClientName, task: ClientTask, ledger: Ledger) {
    this.name = name
    this.role = task.role
    this.#ledger = ledger
    const { role, bootstrap, topic, partitions, rate, patienceMs = 600_000 } = task
    const figures = [partitions, rate, patienceMs].map(String)
    const [command = '', ...words] = [
      ...[...place.within, ...commandOf(name)],
      ...[role, name, bootstrap, topic, ...figures],
    ]
    const child = spawn(command, words, { stdio: ['pipe', 'pipe', 'pipe'] })
    this.#child = child
    if (child.pid !== undefined) net.claim(place, child.pid)
    process.on('exit', () => child.kill('SIGKILL'))
    child.stdin.on('error', () => {})
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-stderrChars)
    })
    createInterface(child.stdout).on('line', line => this.#hear(line))
    this.#closed = new Promise(resolve => {
      child.once('error', error => ledger.breach(`${name} cannot be started: ${error.message}`))
      child.once('close', (code, signal) => {
        if (!this.#isEnding || code !== 0) {
          ledger.breach(`${name} ${role} ended with ${signal ?? code}: ${this.#stderr}`)
        }
        resolve()
      })
    })
  }

  /** Ends it; what it has sent must be settled within `deadlineMs`. */
  async finish(deadlineMs: number): Promise<void> {
    this.#isEnding = true
    this.#child.stdin?.end()
    const isLate = await Promise.race([
      this.#closed.then(() => false),
      delay(deadlineMs, true, { ref: false }),
    ])
    const who = `${this.name} ${this.role}`
    if (isLate) this.#ledger.breach(`${who} does not end within ${deadlineMs} ms`)
    else if (this.#end === undefined) this.#ledger.breach(`${who} never said that it was done`)
    else if (this.#end.left > 0) this.#ledger.breach(`${who}: ${this.#end.left} were not settled`)
    this.kill()
  }

  kill(): void {
    this.#isEnding = true
    this.#child.kill('SIGKILL')
  }

  #hear(line: string): void {
    const [what, first = '', second = '', ...rest] = line.split(' ')
    if (what === 'ack') {
      this.#ledger.acknowledge(this.name, Number(first), Number(second), Number(rest[0]))
    } else if (what === 'shown') {
      this.#ledger.show(this.name, Number(first), Number(second), rest[0] ?? '')
    } else if (what === 'failed') {
      this.failed++
      this.#ledger.breach(`${this.name} ${this.role} ${first}/${second}: ${rest.join(' ')}`)
    } else if (what === 'end') {
      this.#end = { sent: Number(first), left: Number(second) }
    }
  }
}

const setups = { java: 'java/setup', librdkafka: 'python/setup' }
const commands = new Map<ClientName, readonly string[]>()

/** Sets the client up once; answers the command of its program. */
function commandOf(name: ClientName): readonly string[] {
  const known = commands.get(name)
  if (known !== undefined) return known
  const command = makeCommand(name)
  commands.set(name, command)
  return command
}

function makeCommand(name: ClientName): readonly string[] {
  if (name === 'ottla') return [process.execPath, join(import.meta.dirname, 'own-client.ts')]
  const setup = join(import.meta.dirname, '../clients', setups[name])
  const out = execFileSync(setup, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
  const words = out.trim().split('\n').slice(0, -1)
  return [...words, name === 'java' ? 'ClusterClient' : join(import.meta.dirname, 'foreign.py')]
}

/** Sets clients up, so that no later start waits for that. */
export function setUp(names: readonly ClientName[]): void {
  for (const name of names) commandOf(name)
}
