/**
 * etcd in processes of its own: one member or three, on free ports of 127.0.0.1 (or where the caller
 * says), with data in a temporary folder. For tests that kill members, pause them, and start them again.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../src/cli/cluster-etcd.ts'

const startDeadlineMs = 30_000

/** Starts tried anew when another process took a port that was free a moment before. */
const startTries = 3

/** Why tests with etcd cannot run here; undefined when they can. In CI they must: it throws there. */
export function etcdMissing(): string | undefined {
  if (spawnSync('etcd', ['--version']).status === 0) return undefined
  const reason = 'there is no etcd in PATH (Debian: apt-get install etcd-server etcd-client)'
  if (process.env['CI'] !== undefined) throw new Error(reason)
  return reason
}

/** How to start etcd. */
export interface LiveEtcdOptions {
  /** 1 by default. */
  readonly members?: 1 | 3
  /** Address of each member; all 127.0.0.1 by default. */
  readonly hosts?: readonly string[]
  /** Words before the command of a member, as `ip netns exec NAME`. */
  readonly within?: (index: number) => readonly string[]
  /** More options for each member. */
  readonly flags?: readonly string[]
  /** Clients are served over TLS with these PEM files. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string }
}

/** One etcd cluster. */
export class LiveEtcd {
  readonly members: readonly EtcdMember[]
  readonly directory: string
  readonly #isTls: boolean

  private constructor(directory: string, members: readonly EtcdMember[], isTls: boolean) {
    this.directory = directory
    this.members = members
    this.#isTls = isTls
    process.on('exit', this.#killNow)
  }

  /** Resolves when each member is healthy. Throws with the end of a log when one is not in time. */
  static async start(options: LiveEtcdOptions = {}): Promise<LiveEtcd> {
    for (let tries = 1; ; tries++) {
      const etcd = await LiveEtcd.#make(options)
      try {
        for (const member of etcd.members) member.spawn()
        await Promise.all(etcd.members.map(member => member.healthy()))
        return etcd
      } catch (error) {
        const hasLostPort = etcd.members.some(member => member.log().includes('already in use'))
        await etcd.remove()
        if (!hasLostPort || tries >= startTries) throw error
      }
    }
  }

  static async #make({ members = 1, hosts, within, flags, tls }: LiveEtcdOptions) {
    const directory = mkdtempSync(join(tmpdir(), 'ottla-etcd-'))
    const scheme = tls === undefined ? 'http' : 'https'
    const peers: string[] = []
    const clients: string[] = []
    for (let index = 0; index < members; index++) {
      const host = hosts?.[index] ?? '127.0.0.1'
      clients.push(`${host}:${await freePort()}`)
      peers.push(`http://${host}:${await freePort()}`)
    }
    const cluster = peers.map((peer, index) => `m${index}=${peer}`).join(',')
    const security =
      tls === undefined
        ? []
        : ['--cert-file', tls.cert, '--key-file', tls.key, ...authorityFlags(tls.ca)]
    const made = clients.map((endpoint, index) => {
      const url = `${scheme}://${endpoint}`
      const command = [
        ...(within?.(index) ?? []),
        ...['etcd', '--name', `m${index}`, '--data-dir', join(directory, `m${index}`)],
        ...['--listen-client-urls', url, '--advertise-client-urls', url],
        ...['--listen-peer-urls', peers[index]!, '--initial-advertise-peer-urls', peers[index]!],
        ...['--initial-cluster', cluster, '--initial-cluster-token', directory],
        ...['--logger', 'zap', '--log-level', 'warn', ...security, ...(flags ?? [])],
      ]
      return new EtcdMember(endpoint, command, join(directory, `m${index}.out`), tls)
    })
    return new LiveEtcd(directory, made, tls !== undefined)
  }

  /** For `metadata.store`: `etcd://host:port,host:port`. */
  get url(): string {
    return `${this.#isTls ? 'etcds' : 'etcd'}://${this.endpoints.join(',')}`
  }

  /** `host:port` of each member. */
  get endpoints(): readonly string[] {
    return this.members.map(({ endpoint }) => endpoint)
  }

  /** The member that leads, as the others see it; waits for an election. */
  async leader(): Promise<EtcdMember> {
    const deadlineMs = performance.now() + startDeadlineMs
    while (performance.now() < deadlineMs) {
      for (const member of this.members) {
        if (member.isLeader()) return member
      }
      await delay(50)
    }
    throw new Error('no member of etcd leads')
  }

  /** Kills what still runs and removes the files. */
  async remove(): Promise<void> {
    await Promise.all(this.members.map(member => member.kill()))
    process.off('exit', this.#killNow)
    rmSync(this.directory, { recursive: true, force: true })
  }

  readonly #killNow = (): void => {
    for (const member of this.members) member.killNow()
  }
}

/** One process of etcd. */
export class EtcdMember {
  /** `host:port` for clients. */
  readonly endpoint: string
  readonly logFile: string
  readonly #command: readonly string[]
  readonly #tls: LiveEtcdOptions['tls']
  #child: ChildProcess | undefined

  constructor(
    endpoint: string,
    command: readonly string[],
    logFile: string,
    tls: LiveEtcdOptions['tls'],
  ) {
    this.endpoint = endpoint
    this.logFile = logFile
    this.#command = command
    this.#tls = tls
  }

  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error('that member of etcd does not run')
    return pid
  }

  spawn(): void {
    const out = openSync(this.logFile, 'a')
    const [command, ...parameters] = this.#command
    this.#child = spawn(command!, parameters, { stdio: ['ignore', out, out] })
    closeSync(out)
    this.#child.on('error', () => {})
  }

  /** `kill -9`; resolves when the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!isRunning(child)) return
    const exit = once(child, 'exit')
    child.kill('SIGKILL')
    await exit
  }

  killNow(): void {
    this.#child?.kill('SIGKILL')
  }

  /** SIGSTOP: it holds its connections and answers nothing. */
  pause(): void {
    this.#child?.kill('SIGSTOP')
  }

  resume(): void {
    this.#child?.kill('SIGCONT')
  }

  /** Starts it again on its data; resolves when it is healthy. */
  async restart(): Promise<void> {
    this.spawn()
    await this.healthy()
  }

  /** Resolves when it serves, a leader included. */
  async healthy(): Promise<void> {
    const deadlineMs = performance.now() + startDeadlineMs
    while (!(await this.#isHealthy())) {
      const isLate = performance.now() > deadlineMs
      if (isLate || !isRunning(this.#child)) {
        throw new Error(`etcd does not serve on ${this.endpoint}\n${this.log().slice(-3000)}`)
      }
      await delay(20)
    }
  }

  /** Whether it says of itself that it leads. */
  isLeader(): boolean {
    if (!isRunning(this.#child)) return false
    const { stdout } = this.etcdctl('endpoint', 'status', '--write-out', 'fields')
    const field = (name: string) => new RegExp(`"${name}" : (\\d+)`).exec(stdout)?.[1]
    return field('MemberID') !== undefined && field('MemberID') === field('Leader')
  }

  /** Runs etcdctl against this member alone. */
  etcdctl(...parameters: readonly string[]): { status: number | null; stdout: string } {
    const tls = this.#tls
    const security = tls === undefined ? [] : ['--cacert', tls.ca ?? tls.cert]
    const client = tls?.ca === undefined ? [] : ['--cert', tls.cert, '--key', tls.key]
    return spawnSync(
      'etcdctl',
      ['--endpoints', this.endpoint, '--command-timeout=2s', ...security, ...client, ...parameters],
      { encoding: 'utf8', env: { ...process.env, ETCDCTL_API: '3' } },
    )
  }

  log(): string {
    return readFileSync(this.logFile, 'utf8')
  }

  async #isHealthy(): Promise<boolean> {
    if (this.#tls !== undefined) return this.etcdctl('endpoint', 'health').status === 0
    try {
      const signal = AbortSignal.timeout(2000)
      const response = await fetch(`http://${this.endpoint}/health`, { signal })
      return ((await response.json()) as { health?: unknown }).health === 'true'
    } catch {
      return false
    }
  }
}

function authorityFlags(ca: string | undefined): readonly string[] {
  return ca === undefined ? [] : ['--client-cert-auth', '--trusted-ca-file', ca]
}

function isRunning(child: ChildProcess | undefined): child is ChildProcess {
  return child?.pid !== undefined && child.exitCode === null && child.signalCode === null
}
