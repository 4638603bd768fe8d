/**
 * etcd for a local cluster: one member, watched over by a process that outlives a `cluster start`
 * which is killed: it lets the brokers end first, and then ends etcd.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import { ClusterProcess } from './cluster-process.ts'
import { Failure } from './failure.ts'

/** So long brokers may take to stop, once nobody is there to see it. */
const brokerPatienceMs = 40_000
const etcdPatienceMs = 5000
const startPatienceMs = 30_000
const pollMs = 50

const howToGet = `a cluster keeps its metadata in etcd, and there is no etcd in PATH.

  Debian, Ubuntu  sudo apt-get install etcd-server   (then: sudo systemctl disable --now etcd)
  macOS           brew install etcd
  Windows         scoop install etcd
  any             one file from https://github.com/etcd-io/etcd/releases
  a container     docker run -p 2379:2379 quay.io/coreos/etcd:v3.5.21 etcd
                    --listen-client-urls http://0.0.0.0:2379 --advertise-client-urls http://127.0.0.1:2379
                  and then: ottla cluster start --store etcd://127.0.0.1:2379

One broker needs no etcd: ottla start`

/** Throws a Failure that says how to get it. */
export function needEtcd(): void {
  if (spawnSync('etcd', ['--version'], { stdio: 'ignore' }).status !== 0)
    throw new Failure(howToGet)
}

/** Starts one member with its data in `directory`; resolves when it serves. */
export async function startEtcd(
  directory: string,
): Promise<{ readonly process: ClusterProcess; readonly url: string }> {
  const [client, peer] = [await freePort(), await freePort()]
  const [clientUrl, peerUrl] = [`http://127.0.0.1:${client}`, `http://127.0.0.1:${peer}`]
  const flags = [
    ...['--name', 'ottla', '--data-dir', directory],
    ...['--listen-client-urls', clientUrl, '--advertise-client-urls', clientUrl],
    ...['--listen-peer-urls', peerUrl, '--initial-advertise-peer-urls', peerUrl],
    ...['--initial-cluster', `ottla=${peerUrl}`, '--logger', 'zap', '--log-level', 'warn'],
  ]
  const process = new ClusterProcess('etcd', ['cluster', 'etcd', '--', ...flags], etcdLine)
  const endMs = performance.now() + startPatienceMs
  while (!(await isHealthy(clientUrl))) {
    if (process.isOver) throw new Failure('etcd ended: see its lines above')
    if (performance.now() > endMs) {
      process.kill()
      throw new Failure(`etcd does not serve on ${clientUrl} after ${startPatienceMs / 1000} s`)
    }
    await delay(pollMs)
  }
  return { process, url: `etcd://127.0.0.1:${client}` }
}

/** `ottla cluster etcd`: runs etcd until standard input ends; each line of it is a broker's pid. */
export async function superviseEtcd(flags: readonly string[]): Promise<void> {
  const etcd = spawn('etcd', flags, { stdio: ['ignore', 'ignore', 'inherit'], windowsHide: true })
  const ended = once(etcd, 'exit')
  etcd.once('error', error => {
    console.error(error.message)
    process.exit(1)
  })
  const pids: number[] = []
  const lines = createInterface(process.stdin).on('line', line => void pids.push(Number(line)))
  const stopping = once(lines, 'close').then(() => stop(etcd, ended, pids))
  // A signal that reaches this process is not for it: the brokers still need etcd.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  const [code] = await Promise.race([ended, stopping])
  process.exit(code ?? 0)
}

async function stop(
  etcd: ChildProcess,
  ended: Promise<unknown[]>,
  brokers: readonly number[],
): Promise<unknown[]> {
  const endMs = performance.now() + brokerPatienceMs
  while (brokers.some(isRunning) && performance.now() < endMs) await delay(pollMs)
  etcd.kill('SIGTERM')
  const timer = setTimeout(() => etcd.kill('SIGKILL'), etcdPatienceMs)
  const outcome = await ended
  clearTimeout(timer)
  return outcome
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

async function isHealthy(url: string): Promise<boolean> {
  try {
    const response = await fetch(`${url}/health`, { signal: AbortSignal.timeout(2000) })
    return ((await response.json()) as { health?: unknown }).health === 'true'
  } catch {
    return false
  }
}

/** Its lines are JSON: the message, and what else there is. */
function etcdLine(line: string): string {
  try {
    const { level, ts: _, caller: __, msg, ...rest } = JSON.parse(line)
    const fields = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
    return [String(level).toUpperCase().padEnd(5), msg, ...fields].join(' ')
  } catch {
    return line
  }
}

/** A port of this machine that is free now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no TCP port')
  return address.port
}

/** Whether somebody listens there. */
export function isTaken(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
