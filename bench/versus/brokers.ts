/** The two that are compared: Ottla as a user installs it, and Apache Kafka as ../shared/bench starts it. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort, isTaken } from '../../src/cli/cluster-etcd.ts'
import type { Children } from './children.ts'
import { program, sharedState } from './shared.ts'

const root = join(import.meta.dirname, '../..')
const startDeadlineMs = 60_000
/** kafka-start also takes the port that is so far above. */
const controllerPortDistance = 100

/** A broker that runs. */
export interface Running {
  readonly name: 'ottla' | 'kafka'
  readonly bootstrap: string
  readonly pid: number
  readonly data: string
  stop(): Promise<void>
}

/** Ottla installed from its tarball. */
export interface Installed {
  readonly bin: string
  readonly tarballMiB: number
  /** With its dependencies, without the runtime. */
  readonly installedMiB: number
  readonly runtimeMiB: number
}

/** Packs the working tree and installs the tarball into an empty folder below `work`. */
export async function install(children: Children, work: string): Promise<Installed> {
  const app = join(work, 'app')
  mkdirSync(app)
  writeFileSync(join(app, 'package.json'), '{ "private": true }')
  await children.run('npm', [
    'pack',
    '--silent',
    '--prefix',
    root,
    '--pack-destination',
    work,
    root,
  ])
  const tarball = join(work, readdirSync(work).find(name => name.endsWith('.tgz'))!)
  const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--silent']
  await children.run('npm', ['install', '--prefix', app, ...quiet, tarball])
  const mib = (path: string) => statSync(path).size / 2 ** 20
  return {
    bin: join(app, 'node_modules/ottla/dist/bin.js'),
    tarballMiB: mib(tarball),
    installedMiB: diskMiB(join(app, 'node_modules')),
    runtimeMiB: mib(process.execPath),
  }
}

function diskMiB(folder: string): number {
  const kib = execFileSync('du', ['-sk', folder], { encoding: 'utf8' }).split('\t')[0]
  return Number(kib) / 1024
}

/** The command that starts it, default settings but for where. */
export function ottlaCommand(bin: string, bootstrap: string, data: string): string[] {
  const settings = ['--set', `listeners=PLAINTEXT://${bootstrap}`, '--set', `log.dirs=${data}`]
  return [process.execPath, bin, 'start', ...settings]
}

let started = 0

export async function startOttla(children: Children, bin: string, work: string): Promise<Running> {
  const port = await freePort()
  const bootstrap = `127.0.0.1:${port}`
  const data = join(work, `ottla-${++started}`)
  const [node = '', ...args] = ottlaCommand(bin, bootstrap, data)
  const logFile = `${data}.out`
  const child = children.start(node, args, logFile)
  const endMs = performance.now() + startDeadlineMs
  while (!(await isTaken(port))) {
    const isDead = child.exitCode !== null || child.signalCode !== null
    if (isDead || performance.now() > endMs) throw new Error(`Ottla does not start: see ${logFile}`)
    await delay(10)
  }
  return { name: 'ottla', bootstrap, pid: child.pid!, data, stop: () => children.end(child) }
}

/** A port which is free together with the one that Kafka's controller takes. */
export async function kafkaPort(): Promise<number> {
  for (;;) {
    const port = await freePort()
    const controller = port + controllerPortDistance
    if (controller < 65_536 && !(await isTaken(controller))) return port
  }
}

export async function startKafka(children: Children, port: number): Promise<Running> {
  const said = await children.run(program('kafka-start'), ['1', String(port)])
  const [, pid = '', data = ''] = / pid (\d+) .* data (.*)/.exec(said) ?? []
  const bootstrap = `127.0.0.1:${port}`
  return { name: 'kafka', bootstrap, pid: Number(pid), data, stop: async () => stopKafka(port) }
}

/** Stops what kafka-start started there and removes its files; nothing when there is none. */
export function stopKafka(port: number): void {
  execFileSync(program('kafka-stop'), [String(port), '--purge'], { stdio: 'ignore' })
}

/** Where kafka-start writes the process id of what it starts on that port. */
export function kafkaPidFile(port: number): string {
  return join(sharedState, `run-${port}`, 'pids')
}

/** The ports on which kafka-start has started brokers that run in one of these process groups. */
export function kafkaPortsOf(groups: ReadonlySet<number>): number[] {
  const ports = readdirSync(sharedState).map(name => Number(/^run-(\d+)$/.exec(name)?.[1]))
  return ports.filter(port => {
    const pids =
      Number.isNaN(port) || !existsSync(kafkaPidFile(port))
        ? ''
        : readFileSync(kafkaPidFile(port), 'utf8')
    return pids.split(/\s+/).some(pid => pid !== '' && groups.has(processGroup(pid)))
  })
}

function processGroup(pid: string): number {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[2])
  } catch {
    return Number.NaN // It is gone.
  }
}
