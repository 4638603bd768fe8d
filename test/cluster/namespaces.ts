/**
 * Places that are network namespaces: each has one interface, a veth pair into a bridge, which has a
 * namespace of its own, too; so no address and no interface is seen outside.
 *
 * A cut gives each side a wrong link-layer address for the other: packets leave and arrive nowhere,
 * like on a line that is dead. Nothing is refused, no connection is closed.
 *
 * The run itself has to stand in one of the namespaces to reach the others, so `enterNamespace` starts
 * it again in there, and takes all of them away when it has ended.
 */
import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import type { Net, Place } from './net.ts'

const folder = '/run/netns'
const prefixVariable = 'CLUSTER_TEST_NAMESPACES'
const subnet = '10.214.0'
const nowhere = '02:00:00:00:00:ff'
const observerNumber = 250
const namePattern = /^ottla-(\d+)-/

/** Whether namespaces, and interfaces between them, can be made here. */
export function canMakeNamespaces(): boolean {
  const name = `ottla-${process.pid}-try`
  try {
    ip('netns', 'add', name)
    ip('-n', name, 'link', 'add', 'name', 'bridge', 'type', 'bridge')
    ip('-n', name, 'link', 'add', 'name', 'one', 'type', 'veth', 'peer', 'name', 'two')
    return spawnSync('nsenter', [`--net=${folder}/${name}`, 'true']).status === 0
  } catch {
    return false
  } finally {
    spawnSync('ip', ['netns', 'del', name])
  }
}

/** Whether this process is the one that stands in a namespace. */
export function isInNamespace(): boolean {
  return process.env[prefixVariable] !== undefined
}

/** Runs this program once more, in a namespace with a bridge to others; answers its exit code. */
export async function enterNamespace(): Promise<number> {
  removeThoseOfDeadRuns()
  const prefix = `ottla-${process.pid}`
  try {
    ip('netns', 'add', `${prefix}-net`)
    ip('-n', `${prefix}-net`, 'link', 'add', 'name', 'bridge', 'type', 'bridge')
    ip('-n', `${prefix}-net`, 'link', 'set', 'bridge', 'up')
    const within = makeNamespace(prefix, 'observer', observerNumber)
    const [command = '', ...words] = [...within, process.execPath, ...process.argv.slice(1)]
    const child = spawn(command, words, {
      stdio: 'inherit',
      env: { ...process.env, [prefixVariable]: prefix },
    })
    // An interrupt reaches both; who stands inside tidies up first.
    for (const signal of ['SIGINT', 'SIGTERM'] as const)
      process.on(signal, () => child.kill(signal))
    const [code, signal] = await once(child, 'exit')
    return signal === null ? code : 1
  } finally {
    removeNamespaces(prefix)
  }
}

export class Namespaces implements Net {
  readonly #prefix = process.env[prefixVariable]!
  readonly #places = new Map<string, Place>()
  #cuts: (readonly [Place, Place])[] = []

  place(name: string): Place {
    const known = this.#places.get(name)
    if (known !== undefined) return known
    const number = this.#places.size + 1
    const within = makeNamespace(this.#prefix, name, number)
    const place = { name, host: `${subnet}.${number}`, within }
    this.#places.set(name, place)
    return place
  }

  async front(_: Place, address: string): Promise<string> {
    return address
  }

  claim(): void {}

  cut(a: Place, b: Place): void {
    this.#cuts.push([a, b])
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const entry = ['replace', to.host, 'lladdr', nowhere, 'dev', 'eth0', 'nud', 'permanent']
      ip('-n', this.#nameOf(from), 'neigh', ...entry)
    }
  }

  heal(): void {
    for (const [a, b] of this.#cuts) {
      ip('-n', this.#nameOf(a), 'neigh', 'del', b.host, 'dev', 'eth0')
      ip('-n', this.#nameOf(b), 'neigh', 'del', a.host, 'dev', 'eth0')
    }
    this.#cuts = []
  }

  async close(): Promise<void> {
    this.heal() // enterNamespace removes them
  }

  #nameOf(place: Place): string {
    return `${this.#prefix}-${place.name}`
  }
}

/** Answers the words before a command that is to run in it. */
function makeNamespace(prefix: string, name: string, number: number): string[] {
  const inside = `${prefix}-${name}`
  const net = `${prefix}-net`
  ip('netns', 'add', inside)
  ip('-n', inside, 'link', 'set', 'lo', 'up')
  const peer = ['peer', 'name', 'eth0', 'netns', inside]
  ip('-n', net, 'link', 'add', 'name', `p${number}`, 'type', 'veth', ...peer)
  ip('-n', net, 'link', 'set', `p${number}`, 'master', 'bridge', 'up')
  ip('-n', inside, 'addr', 'add', `${subnet}.${number}/24`, 'dev', 'eth0')
  ip('-n', inside, 'link', 'set', 'eth0', 'up')
  return ['nsenter', `--net=${folder}/${inside}`]
}

function ip(...words: string[]): void {
  execFileSync('ip', words, { stdio: ['ignore', 'ignore', 'pipe'] })
}

function removeNamespaces(prefix: string): void {
  for (const name of namesInUse()) {
    if (name.startsWith(`${prefix}-`)) spawnSync('ip', ['netns', 'del', name])
  }
}

function removeThoseOfDeadRuns(): void {
  for (const name of namesInUse()) {
    const pid = Number(namePattern.exec(name)?.[1] ?? process.pid)
    try {
      process.kill(pid, 0)
    } catch {
      spawnSync('ip', ['netns', 'del', name])
    }
  }
}

function namesInUse(): string[] {
  try {
    return readdirSync(folder)
  } catch {
    return []
  }
}
